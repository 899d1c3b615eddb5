//! A person's verdict on a prediction (catalogue 11.06, 11.08, B9).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static AI_REVIEW_EVENT: Table = Table {
    name: "ai_review_events",
    schema: "AiReviewEvent",
    plural: "AiReviewEvents",
    path: "/ai-review-events",
    tag: "AI models",
    doc: "A person's verdict on a prediction.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewImaging,
    write: Permission::ReviewAi,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "prediction_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "reviewer_id", how: How::Equal },
        Filter { name: "review_action", how: How::Equal },
        Filter { name: "edited_annotation_id", how: How::Equal },
        Filter { name: "use_for_training", how: How::Equal },
    ],
    fields: &[
        Field::uuid("prediction_id").required().refers(Refers::Tenant("ai_predictions")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("reviewer_id").required().refers(Refers::Installation("users")),
        Field::choice("review_action", &["CONFIRMED", "REJECTED", "EDITED"])
            .means(&["the clinician agrees", "the clinician disagrees", "the clinician changed it"])
            .required(),
        Field::text("reason_code").phi(),
        Field::text("comment").length(4000).phi(),
        Field::uuid("edited_annotation_id").refers(Refers::Tenant("image_annotations")),
        Field::flag("use_for_training").defaulted(),
    ],
    machines: &[],
};
