//! A short reservation of a time while a patient books (catalogue 6.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static SLOT_HOLD: Table = Table {
    name: "slot_holds",
    schema: "SlotHold",
    plural: "SlotHolds",
    path: "/slot-holds",
    tag: "Appointments",
    doc: "A short reservation of a time while a patient books.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::EditSchedule,
    group: false,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "held_until", column: "held_until", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "operatory_id", how: How::Equal },
        Filter { name: "appointment_type_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "appointment_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("provider_id").required().refers(Refers::Tenant("providers")),
        Field::uuid("location_id").required().refers(Refers::Tenant("locations")),
        Field::uuid("operatory_id").refers(Refers::Tenant("operatories")),
        Field::uuid("appointment_type_id").required().refers(Refers::Tenant("appointment_types")),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::instant("start_at").required(),
        Field::instant("end_at").required(),
        Field::instant("held_until").defaulted().doc("as long as the clinic holds a time when left out; never longer for patients"),
        Field::choice("status", &["HELD", "USED", "EXPIRED", "RELEASED"])
            .means(&["kept", "became an appointment", "ended by time", "given back"])
            .defaulted()
            .read_only(),
        Field::uuid("appointment_id")
            .read_only()
            .refers(Refers::Tenant("appointments"))
            .doc("the HELD appointment row that blocks the time"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["HELD"],
        moves: &[
            Move { from: "HELD", to: "USED", by: "system" },
            Move { from: "HELD", to: "EXPIRED", by: "system" },
            Move { from: "HELD", to: "RELEASED", by: "release" },
            Move { from: "HELD", to: "RELEASED", by: "delete" },
        ],
    }],
};
