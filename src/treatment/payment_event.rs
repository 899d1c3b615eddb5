//! What the gateway said about a payment, in order of arrival (catalogue 9.08).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static PAYMENT_EVENT: Table = Table {
    name: "payment_events",
    schema: "PaymentEvent",
    plural: "PaymentEvents",
    path: "/payment-events",
    tag: "Treatment plans",
    doc: "What the gateway said about a payment, in order of arrival.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewPayments,
    write: Permission::ViewPayments,
    group: true,
    patient: None,
    sorts: &[Sort { name: "received_at", column: "received_at", ty: Ty::Instant, nullable: false }],
    filters: &[Filter { name: "payment_id", how: How::Equal }, Filter { name: "event_type", how: How::Equal }],
    fields: &[
        Field::uuid("payment_id").required().refers(Refers::Tenant("payments")),
        Field::text("gateway_event_id").required().phi(),
        Field::choice(
            "event_type",
            &["CREATED", "REQUIRES_ACTION", "SUCCEEDED", "FAILED", "CANCELLED", "REFUNDED", "DISPUTE_OPENED", "DISPUTE_CLOSED", "UNKNOWN"],
        )
        .means(&[
            "made",
            "the payer has to act",
            "received",
            "was not received",
            "called off",
            "paid back",
            "disputed",
            "dispute ended",
            "not understood, kept",
        ])
        .required(),
        Field::big("amount_minor").doc("unit: minor currency unit"),
        Field::text("currency").form(Form::Currency).phi(),
        Field::bytes("payload").hidden().sealed(),
        Field::instant("received_at").required(),
        Field::instant("processed_at"),
    ],
    machines: &[],
};
