//! Follow-up result of a procedure or visit (catalogue 9.14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CLINICAL_OUTCOME: Table = Table {
    name: "clinical_outcomes",
    schema: "ClinicalOutcome",
    plural: "ClinicalOutcomes",
    path: "/clinical-outcomes",
    tag: "Treatment plans",
    doc: "Follow-up result of a procedure or visit.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "assessed_at", column: "assessed_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "procedure_id", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
        Filter { name: "outcome", how: How::Equal },
        Filter { name: "is_success", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("procedure_id").example("id").refers(Refers::Tenant("procedures")),
        Field::uuid("encounter_id").refers(Refers::Tenant("encounters")),
        Field::instant("assessed_at").required(),
        Field::int("days_since").read_only(),
        Field::choice("outcome", &["SUCCESS", "PARTIAL", "FAILURE", "UNKNOWN"])
            .means(&["as hoped", "in part", "failed", "not known"])
            .required(),
        Field::flag("is_success"),
        Field::double("score"),
        Field::text("score_scale").phi(),
        Field::texts("complications").defaulted(),
        Field::text("notes").length(4000).phi(),
    ],
    machines: &[],
};
