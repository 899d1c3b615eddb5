//! Catalogue of systems that can be connected (catalogue 15.01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

/// What a system outside is for.
pub const SYSTEM_TYPE: Field = Field::choice("system_type", &["PMS", "EHR", "PACS", "LIMS", "PAYMENT_GATEWAY", "INSURANCE_CLEARINGHOUSE"])
    .means(&[
        "runs the practice",
        "keeps health records",
        "keeps images",
        "runs a laboratory",
        "takes payments",
        "passes claims to payers",
    ]);

pub static EXTERNAL_SYSTEM: Table = Table {
    name: "external_systems",
    schema: "ExternalSystem",
    plural: "ExternalSystems",
    path: "/external-systems",
    tag: "Integrations",
    doc: "Catalogue of systems that can be connected.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "system_type", how: How::Equal }, Filter { name: "is_active", how: How::Equal }],
    fields: &[
        Field::text("code").required(),
        Field::text("name").required(),
        SYSTEM_TYPE.required(),
        Field::text("vendor"),
        Field::texts("protocols").defaulted(),
        Field::text("documentation_uri").length(2000),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
