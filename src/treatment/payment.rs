//! A patient's payment; card data never reach the server (catalogue 9.08, 9.11, 14.12, B1).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

/// What a payment is for.
pub const PURPOSE: Field = Field::choice("purpose", &["DEPOSIT", "PLAN", "INSTALMENT", "BALANCE", "COPAY", "OTHER"]).means(&[
    "paid before treatment begins",
    "a treatment plan",
    "an instalment",
    "an open balance",
    "the patient's share",
    "another",
]);

pub static PAYMENT: Table = Table {
    name: "payments",
    schema: "Payment",
    plural: "Payments",
    path: "/payments",
    tag: "Treatment plans",
    doc: "A patient's payment; card data never reach the server.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewPayments,
    write: Permission::EditPayments,
    group: true,
    patient: Some("patient_id"),
    sorts: &[
        Sort { name: "paid_at", column: "paid_at", ty: Ty::Instant, nullable: true },
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
    ],
    filters: &[
        Filter { name: "paid_at_from", how: How::From("paid_at") },
        Filter { name: "paid_at_to", how: How::Before("paid_at") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "plan_id", how: How::Equal },
        Filter { name: "booking_id", how: How::Equal },
        Filter { name: "claim_id", how: How::Equal },
        Filter { name: "purpose", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "method", how: How::Equal },
        Filter { name: "payment_method_id", how: How::Equal },
        Filter { name: "receipt_document_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("plan_id").refers(Refers::Tenant("treatment_plans")),
        Field::uuid("booking_id").refers(Refers::Tenant("bookings")),
        Field::uuid("claim_id").refers(Refers::Tenant("claims")),
        PURPOSE.required(),
        Field::big("amount_minor").required().doc("unit: minor currency unit"),
        Field::text("currency").required().form(Form::Currency).phi(),
        Field::choice(
            "status",
            &["PENDING", "REQUIRES_ACTION", "SUCCEEDED", "FAILED", "CANCELLED", "PARTIALLY_REFUNDED", "REFUNDED", "DISPUTED"],
        )
        .means(&[
            "begun",
            "the payer has to act",
            "received",
            "was not received",
            "called off",
            "paid back in part",
            "paid back",
            "the payer objects at their bank",
        ])
        .defaulted()
        .read_only(),
        Field::choice("method", &["CARD", "BANK_TRANSFER", "CASH", "CHECK", "WALLET", "INSURANCE", "OTHER"])
            .means(&[
                "credit or debit card",
                "from account to account",
                "notes and coins",
                "written on a bank",
                "payment application",
                "paid by the insurer",
                "another",
            ])
            .defaulted(),
        Field::uuid("payment_method_id").refers(Refers::Tenant("payment_methods")),
        Field::text("gateway").phi(),
        Field::text("gateway_payment_id").hidden(),
        Field::text("idempotency_key").required().read_only().phi(),
        Field::big("refunded_minor").defaulted().read_only().doc("unit: minor currency unit"),
        Field::int("plan_revision_no"),
        Field::text("failure_code").read_only().phi(),
        Field::instant("paid_at").read_only(),
        Field::uuid("receipt_document_id").refers(Refers::Tenant("documents")),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["PENDING"],
        moves: &[
            Move { from: "PENDING", to: "REQUIRES_ACTION", by: "system" },
            Move { from: "PENDING", to: "SUCCEEDED", by: "system" },
            Move { from: "REQUIRES_ACTION", to: "SUCCEEDED", by: "system" },
            Move { from: "PENDING", to: "FAILED", by: "system" },
            Move { from: "REQUIRES_ACTION", to: "FAILED", by: "system" },
            Move { from: "PENDING", to: "CANCELLED", by: "cancel" },
            Move { from: "REQUIRES_ACTION", to: "CANCELLED", by: "cancel" },
            Move { from: "SUCCEEDED", to: "PARTIALLY_REFUNDED", by: "refund" },
            Move { from: "SUCCEEDED", to: "REFUNDED", by: "refund" },
            Move { from: "PARTIALLY_REFUNDED", to: "REFUNDED", by: "refund" },
            Move { from: "SUCCEEDED", to: "DISPUTED", by: "system" },
            Move { from: "PARTIALLY_REFUNDED", to: "DISPUTED", by: "system" },
            Move { from: "DISPUTED", to: "SUCCEEDED", by: "system" },
            Move { from: "DISPUTED", to: "REFUNDED", by: "system" },
        ],
    }],
};
