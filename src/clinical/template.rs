//! Reusable document texts (catalogue 7.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TEMPLATE: Table = Table {
    name: "templates",
    schema: "Template",
    plural: "Templates",
    path: "/templates",
    tag: "Encounters",
    doc: "Reusable document texts.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: None,
    sorts: &[Sort { name: "template_name", column: "template_name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "template_type", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "content_format", how: How::Equal },
        Filter { name: "is_global", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::uuid("provider_id").example("id").refers(Refers::Tenant("providers")),
        Field::text("template_name").required().length(200),
        Field::text("content").required().length(20000),
        Field::choice("content_format", &["HTML", "MARKDOWN"])
            .means(&["formatted as HTML", "text with Markdown marks"])
            .defaulted()
            .doc("HTML is cleaned by an allow-list"),
        Field::text("template_type").required().length(50),
        Field::flag("is_global").defaulted().doc("available to all providers of the tenant"),
        Field::text("locale").defaulted().form(Form::Language),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
