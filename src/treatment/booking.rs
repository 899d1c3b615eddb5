//! The patient's commitment to a clinic: deposit and confirmation; opens contact details and documents (catalogue 6.07, 9.11, 5.03, 10.08, B1, C24).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static BOOKING: Table = Table {
    name: "bookings",
    schema: "Booking",
    plural: "Bookings",
    path: "/bookings",
    tag: "Treatment plans",
    doc: "The patient's commitment to a clinic: deposit and confirmation; opens contact details and documents.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTreatment,
    write: Permission::EditTreatment,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "confirmed_at", column: "confirmed_at", ty: Ty::Instant, nullable: true }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "plan_id", how: How::Equal },
        Filter { name: "appointment_id", how: How::Equal },
        Filter { name: "operator_tenant_id", how: How::Equal },
        Filter { name: "deposit_status", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("plan_id").refers(Refers::Tenant("treatment_plans")),
        Field::uuid("appointment_id").refers(Refers::Tenant("appointments")),
        Field::uuid("operator_tenant_id").read_only().doc("marketplace operator, when the quote came from one"),
        Field::uuid("source_quote_id"),
        Field::choice("deposit_status", &["NOT_REQUIRED", "PENDING", "PAID", "REFUNDED", "FAILED"])
            .means(&["none is asked", "asked, not paid", "the deposit was received", "paid back", "payment failed"])
            .defaulted()
            .read_only(),
        Field::big("deposit_amount_minor").doc("unit: minor currency unit"),
        Field::text("currency").required().form(Form::Currency).phi(),
        Field::choice("status", &["PENDING", "CONFIRMED", "CANCELLED", "COMPLETED"])
            .means(&["waits for confirmation or deposit", "the clinic keeps the time", "called off", "took place"])
            .defaulted()
            .read_only(),
        Field::instant("confirmed_at").read_only(),
        Field::instant("cancelled_at").read_only(),
        Field::text("cancel_reason").length(4000).phi(),
    ],
    machines: &[
        Machine {
            column: "status",
            initial: &["PENDING"],
            moves: &[
                Move { from: "PENDING", to: "CONFIRMED", by: "confirm" },
                Move { from: "PENDING", to: "CANCELLED", by: "cancel" },
                Move { from: "CONFIRMED", to: "CANCELLED", by: "cancel" },
                Move { from: "CONFIRMED", to: "COMPLETED", by: "system" },
            ],
        },
        Machine {
            column: "deposit_status",
            initial: &["NOT_REQUIRED", "PENDING"],
            moves: &[
                Move { from: "PENDING", to: "PAID", by: "system" },
                Move { from: "PENDING", to: "FAILED", by: "system" },
                Move { from: "FAILED", to: "PENDING", by: "system" },
                Move { from: "PAID", to: "REFUNDED", by: "system" },
            ],
        },
    ],
};
