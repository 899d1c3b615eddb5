//! Language and regional variants of a version (catalogue 13.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Stamps, Table, Verb};

pub static KNOWLEDGE_LOCALIZATION: Table = Table {
    name: "knowledge_localizations",
    schema: "KnowledgeLocalization",
    plural: "KnowledgeLocalizations",
    path: "/knowledge-localizations",
    tag: "Notifications",
    doc: "Language and regional variants of a version.",
    home: Home::Shared,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageKnowledge,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "version_id", how: How::Equal },
        Filter { name: "is_machine_translated", how: How::Equal },
        Filter { name: "is_patient_visible", how: How::Equal },
    ],
    fields: &[
        Field::uuid("version_id").required().fixed().refers(Refers::Tenant("knowledge_versions")),
        Field::text("locale").required().form(Form::Language),
        Field::text("region"),
        Field::text("title").required(),
        Field::text("body").length(20000),
        Field::text("content_url").length(2000),
        Field::flag("is_machine_translated").defaulted(),
        Field::flag("is_patient_visible").defaulted().read_only().doc("as on the version"),
    ],
    machines: &[],
};
