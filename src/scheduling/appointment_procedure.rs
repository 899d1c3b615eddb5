//! Planned procedures of an appointment (catalogue 6.10, 9.15).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static APPOINTMENT_PROCEDURE: Table = Table {
    name: "appointment_procedures",
    schema: "AppointmentProcedure",
    plural: "AppointmentProcedures",
    path: "/appointment-procedures",
    tag: "Appointments",
    doc: "Planned procedures of an appointment.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::EditSchedule,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "appointment_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "plan_item_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("appointment_id").required().fixed().refers(Refers::Tenant("appointments")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("plan_item_id").required().refers(Refers::Tenant("treatment_plan_items")),
        Field::int("sequence_order").defaulted(),
    ],
    machines: &[],
};
