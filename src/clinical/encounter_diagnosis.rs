//! Diagnosis codes of a visit (catalogue 7.02).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static ENCOUNTER_DIAGNOSIS: Table = Table {
    name: "encounter_diagnoses",
    schema: "EncounterDiagnosis",
    plural: "EncounterDiagnoses",
    path: "/encounter-diagnoses",
    tag: "Encounters",
    doc: "Diagnosis codes of a visit.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "rank", column: "rank", ty: Ty::Int, nullable: false }],
    filters: &[
        Filter { name: "code", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "condition_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("encounter_id").required().fixed().refers(Refers::Tenant("encounters")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("condition_id").refers(Refers::Tenant("patient_conditions")),
        Field::text("code_system").required().phi(),
        Field::text("code").required().phi(),
        Field::text("code_version").phi(),
        Field::text("display").phi(),
        Field::int("rank").defaulted().at_least(1),
        Field::text("fdi_tooth").phi(),
        Field::texts("surfaces"),
        Field::text("notes").length(4000).phi(),
    ],
    machines: &[],
};
