//! Diagnoses a claim's lines point to (catalogue 14.05, 7.02).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static CLAIM_DIAGNOSIS: Table = Table {
    name: "claim_diagnoses",
    schema: "ClaimDiagnosis",
    plural: "ClaimDiagnoses",
    path: "/claim-diagnoses",
    tag: "Fee schedules",
    doc: "Diagnoses a claim's lines point to.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClaims,
    write: Permission::EditClaims,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[Filter { name: "claim_id", how: How::Equal }, Filter { name: "patient_id", how: How::Equal }],
    fields: &[
        Field::uuid("claim_id").required().fixed().refers(Refers::Tenant("claims")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::int("sequence_no").required().at_least(1).at_most(12),
        Field::text("code_system").required().phi(),
        Field::text("code").required().phi(),
        Field::text("code_version").phi(),
    ],
    machines: &[],
};
