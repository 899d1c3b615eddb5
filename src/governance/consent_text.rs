//! The exact wording of a consent, by version and language (catalogue 3.08, C08).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Form, Home, Stamps, Table, Verb};

pub static CONSENT_TEXT: Table = Table {
    name: "consent_texts",
    schema: "ConsentText",
    plural: "ConsentTexts",
    path: "/consent-texts",
    tag: "Audit",
    doc: "The exact wording of a consent, by version and language.",
    home: Home::Shared,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ManageGovernance,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[],
    fields: &[
        Field::text("code").required(),
        Field::int("version_no").required().at_least(1),
        Field::text("locale").defaulted().form(Form::Language),
        Field::text("body").required().length(20000),
        Field::texts("consent_types").example(r#"["AI_ANALYSIS"]"#).required().doc("purposes one tick records"),
        Field::instant("effective_from").required(),
        Field::instant("retired_at"),
    ],
    machines: &[],
};
