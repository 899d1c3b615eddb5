//! Version history with authorship, review and approval (catalogue 13.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static KNOWLEDGE_VERSION: Table = Table {
    name: "knowledge_versions",
    schema: "KnowledgeVersion",
    plural: "KnowledgeVersions",
    path: "/knowledge-versions",
    tag: "Notifications",
    doc: "Version history with authorship, review and approval.",
    home: Home::Shared,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ManageKnowledge,
    group: true,
    patient: None,
    sorts: &[Sort { name: "version_no", column: "version_no", ty: Ty::Int, nullable: false }],
    filters: &[
        Filter { name: "document_id", how: How::Equal },
        Filter { name: "author_id", how: How::Equal },
        Filter { name: "reviewer_id", how: How::Equal },
        Filter { name: "approved_by", how: How::Equal },
        Filter { name: "is_patient_visible", how: How::Equal },
    ],
    fields: &[
        Field::uuid("document_id").required().fixed().refers(Refers::Tenant("knowledge_documents")),
        Field::int("version_no").defaulted().at_least(1).doc("the next one when left out"),
        Field::text("body").length(20000),
        Field::uuid("author_id").required().read_only().refers(Refers::Installation("users")),
        Field::uuid("reviewer_id").read_only().refers(Refers::Installation("users")),
        Field::instant("reviewed_at").read_only(),
        Field::uuid("approved_by").read_only().refers(Refers::Installation("users")),
        Field::instant("approved_at").read_only(),
        Field::text("change_note"),
        Field::flag("is_patient_visible").defaulted().read_only().doc("patient education, approved and published; by trigger"),
    ],
    machines: &[],
};
