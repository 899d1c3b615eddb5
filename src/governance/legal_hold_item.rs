//! An entity under a hold (catalogue 3.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static LEGAL_HOLD_ITEM: Table = Table {
    name: "legal_hold_items",
    schema: "LegalHoldItem",
    plural: "LegalHoldItems",
    path: "/legal-hold-items",
    tag: "Audit",
    doc: "An entity under a hold.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ViewPatient,
    write: Permission::ManageGovernance,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[Filter { name: "hold_id", how: How::Equal }, Filter { name: "patient_id", how: How::Equal }],
    fields: &[
        Field::uuid("hold_id").required().fixed().refers(Refers::Tenant("legal_holds")),
        Field::text("resource_type").required().phi(),
        Field::uuid("resource_id").required(),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
    ],
    machines: &[],
};
