//! What happened to the plan at the clinic, told back to the operator and the patient (catalogue 3.03, 9.06, B1).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static QUOTE_EVENT: Table = Table {
    name: "quote_events",
    schema: "QuoteEvent",
    plural: "QuoteEvents",
    path: "/quote-events",
    tag: "Treatment plans",
    doc: "What happened to the plan at the clinic, told back to the operator and the patient.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTreatment,
    write: Permission::ViewTreatment,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "occurred_at", column: "occurred_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "quote_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "event_type", how: How::Equal },
    ],
    fields: &[
        Field::uuid("quote_id").required().refers(Refers::Tenant("quotes")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::choice(
            "event_type",
            &[
                "PLAN_CREATED",
                "PLAN_CHANGED",
                "PLAN_PRESENTED",
                "PLAN_ACCEPTED",
                "PLAN_DECLINED",
                "PAYMENT",
                "BOOKING_CONFIRMED",
                "IN_TREATMENT",
                "COMPLETED",
                "CANCELLED",
            ],
        )
        .means(&[
            "plan was made",
            "plan was changed",
            "plan was presented",
            "plan was accepted",
            "plan was declined",
            "a payment changed",
            "booking was confirmed",
            "treatment began",
            "treatment is done",
            "called off",
        ])
        .required(),
        Field::text("plan_status").phi(),
        Field::texts("changed_fields").defaulted().doc("names, no values of clinical fields"),
        Field::instant("occurred_at").required(),
    ],
    machines: &[],
};
