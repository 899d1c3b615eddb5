//! What the payer or clearing house said, step by step (catalogue 14.07, C29).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CLAIM_STATUS_EVENT: Table = Table {
    name: "claim_status_events",
    schema: "ClaimStatusEvent",
    plural: "ClaimStatusEvents",
    path: "/claim-status-events",
    tag: "Fee schedules",
    doc: "What the payer or clearing house said, step by step.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewClaims,
    write: Permission::ViewClaims,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "occurred_at", column: "occurred_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "claim_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "source", how: How::Equal },
        Filter { name: "interchange_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("claim_id").required().refers(Refers::Tenant("claims")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::text("from_status").phi(),
        Field::text("to_status").required().phi(),
        Field::choice("source", &["STAFF", "X12_999", "X12_277", "X12_835", "FHIR", "PORTAL", "SYSTEM"])
            .means(&[
                "told to staff",
                "acknowledgement 999",
                "status answer 277",
                "remittance 835",
                "a FHIR ClaimResponse",
                "portal of the payer",
                "the server by itself",
            ])
            .required(),
        Field::text("payer_code").phi(),
        Field::text("message").length(4000).phi(),
        Field::big("amount_minor").doc("unit: minor currency unit"),
        Field::text("currency").form(Form::Currency).phi(),
        Field::uuid("interchange_id").refers(Refers::Tenant("x12_interchanges")),
        Field::instant("occurred_at").required(),
    ],
    machines: &[],
};
