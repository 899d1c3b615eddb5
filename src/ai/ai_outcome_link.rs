//! A prediction joined to what turned out to be true (catalogue 11.07, C25, B9).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static AI_OUTCOME_LINK: Table = Table {
    name: "ai_outcome_links",
    schema: "AiOutcomeLink",
    plural: "AiOutcomeLinks",
    path: "/ai-outcome-links",
    tag: "AI models",
    doc: "A prediction joined to what turned out to be true.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewImaging,
    write: Permission::ReviewAi,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "evaluation_timestamp", column: "evaluation_timestamp", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "prediction_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
        Filter { name: "procedure_id", how: How::Equal },
        Filter { name: "ground_truth_id", how: How::Equal },
        Filter { name: "ground_truth_source", how: How::Equal },
        Filter { name: "agreement", how: How::Equal },
    ],
    fields: &[
        Field::uuid("prediction_id").required().refers(Refers::Tenant("ai_predictions")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("encounter_id").refers(Refers::Tenant("encounters")),
        Field::uuid("procedure_id").example("id").refers(Refers::Tenant("procedures")),
        Field::uuid("ground_truth_id").refers(Refers::Tenant("ai_ground_truth")),
        Field::text("ground_truth_code").required().phi(),
        Field::choice("ground_truth_source", &["PATHOLOGY_REPORT", "FOLLOWUP_IMAGING", "CLINICAL_NOTE"])
            .means(&["report of the pathologist", "later images", "note of a clinician"])
            .required(),
        Field::choice("agreement", &["TRUE_POSITIVE", "FALSE_POSITIVE", "PARTIAL"]).means(&[
            "the prediction came true",
            "the prediction was wrong",
            "in part",
        ]),
        Field::instant("evaluation_timestamp").required(),
    ],
    machines: &[],
};
