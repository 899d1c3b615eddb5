//! A patient waiting for an earlier or any time (catalogue 6.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static WAITLIST_ENTRY: Table = Table {
    name: "waitlist_entries",
    schema: "WaitlistEntry",
    plural: "WaitlistEntries",
    path: "/waitlist-entries",
    tag: "Appointments",
    doc: "A patient waiting for an earlier or any time.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::EditSchedule,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "priority", column: "priority", ty: Ty::Int, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "appointment_id", how: How::Equal },
        Filter { name: "appointment_type_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("appointment_id").refers(Refers::Tenant("appointments")).doc("the appointment to bring forward"),
        Field::uuid("appointment_type_id").refers(Refers::Tenant("appointment_types")),
        Field::uuid("provider_id").refers(Refers::Tenant("providers")),
        Field::uuid("location_id").refers(Refers::Tenant("locations")),
        Field::date("earliest_date").phi(),
        Field::date("latest_date").phi(),
        Field::json("preferred_times").defaulted().phi(),
        Field::int("priority").defaulted(),
        Field::choice("status", &["WAITING", "OFFERED", "BOOKED", "REMOVED"])
            .means(&["waits", "a time is offered", "has an appointment", "taken off"])
            .defaulted()
            .read_only(),
        Field::instant("offered_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["WAITING"],
        moves: &[
            Move { from: "WAITING", to: "OFFERED", by: "offer" },
            Move { from: "OFFERED", to: "WAITING", by: "decline" },
            Move { from: "OFFERED", to: "BOOKED", by: "system" },
            Move { from: "WAITING", to: "BOOKED", by: "system" },
            Move { from: "WAITING", to: "REMOVED", by: "remove" },
            Move { from: "OFFERED", to: "REMOVED", by: "remove" },
        ],
    }],
};
