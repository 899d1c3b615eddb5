//! What was true at a site, with or without a prediction (catalogue 11.07, C25).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static AI_GROUND_TRUTH: Table = Table {
    name: "ai_ground_truth",
    schema: "AiGroundTruth",
    plural: "AiGroundTruths",
    path: "/ai-ground-truths",
    tag: "AI models",
    doc: "What was true at a site, with or without a prediction.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewImaging,
    write: Permission::ReviewAi,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "evaluated_at", column: "evaluated_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "imaging_object_id", how: How::Equal },
        Filter { name: "finding_type", how: How::Equal },
        Filter { name: "is_present", how: How::Equal },
        Filter { name: "source", how: How::Equal },
        Filter { name: "evaluator_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("imaging_object_id").refers(Refers::Tenant("imaging_objects")),
        Field::text("fdi_tooth").phi(),
        Field::text("surface").phi(),
        Field::choice("finding_type", &["CARIES", "BONE_LOSS", "PATHOLOGY", "RISK_SCORE", "TREATMENT_RECOMMENDATION"])
            .means(&["decay of a tooth", "loss of alveolar bone", "another lesion", "a score of risk", "a treatment it proposes"])
            .required(),
        Field::flag("is_present").required(),
        Field::text("code_system").phi(),
        Field::text("code").phi(),
        Field::choice("source", &["PATHOLOGY_REPORT", "FOLLOWUP_IMAGING", "CLINICAL_NOTE"])
            .means(&["report of the pathologist", "later images", "note of a clinician"])
            .required(),
        Field::instant("evaluated_at").required(),
        Field::uuid("evaluator_id").required().refers(Refers::Installation("users")),
    ],
    machines: &[],
};
