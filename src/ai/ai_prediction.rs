//! One predicted finding (catalogue 11.05, 11.08, B9).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static AI_PREDICTION: Table = Table {
    name: "ai_predictions",
    schema: "AiPrediction",
    plural: "AiPredictions",
    path: "/ai-predictions",
    tag: "AI models",
    doc: "One predicted finding.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewImaging,
    write: Permission::RunAiAnalysis,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "code", how: How::Equal },
        Filter { name: "fdi_tooth", how: How::Equal },
        Filter { name: "job_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "imaging_object_id", how: How::Equal },
        Filter { name: "prediction_type", how: How::Equal },
        Filter { name: "severity", how: How::Equal },
        Filter { name: "roi_ref", how: How::Equal },
        Filter { name: "review_status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("job_id").required().refers(Refers::Tenant("ai_inference_jobs")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("imaging_object_id").refers(Refers::Tenant("imaging_objects")),
        Field::choice("prediction_type", &["CARIES", "BONE_LOSS", "PATHOLOGY", "RISK_SCORE", "TREATMENT_RECOMMENDATION"])
            .means(&["decay of a tooth", "loss of alveolar bone", "another lesion", "a score of risk", "a treatment it proposes"])
            .required(),
        Field::text("code_system").phi(),
        Field::text("code").phi(),
        Field::double("confidence").required().at_least(0).at_most(1),
        Field::choice("severity", &["NONE", "MILD", "MODERATE", "SEVERE"]).means(&[
            "no finding",
            "lowest of three grades",
            "middle of three grades",
            "highest of three grades",
        ]),
        Field::text("fdi_tooth").phi(),
        Field::texts("surfaces").defaulted(),
        Field::double("value"),
        Field::text("value_unit").phi(),
        Field::uuid("roi_ref").refers(Refers::Tenant("image_annotations")),
        Field::json("raw_output").phi(),
        Field::choice("review_status", &["UNREVIEWED", "CONFIRMED", "REJECTED", "EDITED"])
            .means(&["no clinician has looked", "a clinician agrees", "a clinician disagrees", "a clinician changed it"])
            .defaulted()
            .read_only(),
    ],
    machines: &[],
};
