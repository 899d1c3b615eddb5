//! What happened to an appointment: made, moved, confirmed, cancelled (catalogue 6.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static APPOINTMENT_EVENT: Table = Table {
    name: "appointment_events",
    schema: "AppointmentEvent",
    plural: "AppointmentEvents",
    path: "/appointment-events",
    tag: "Appointments",
    doc: "What happened to an appointment: made, moved, confirmed, cancelled.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewSchedule,
    write: Permission::EditSchedule,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "appointment_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "event_type", how: How::Equal },
        Filter { name: "actor_party", how: How::Equal },
    ],
    fields: &[
        Field::uuid("appointment_id").required().refers(Refers::Tenant("appointments")),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::choice("event_type", &["CREATED", "RESCHEDULED", "STATUS_CHANGED", "CONFIRMED", "REMINDER_SENT", "CANCELLED", "NOTE"])
            .means(&[
                "made",
                "moved to another time",
                "state changed",
                "the patient said they will come",
                "reminder went out",
                "called off",
                "remark",
            ])
            .required(),
        Field::text("from_status").phi(),
        Field::text("to_status").phi(),
        Field::instant("old_start_at"),
        Field::instant("new_start_at"),
        Field::text("reason").length(4000).phi(),
        Field::choice("actor_party", &["STAFF", "PATIENT", "SYSTEM"])
            .means(&["people of the clinic", "the patient or who acts for them", "the server by itself"])
            .required(),
    ],
    machines: &[],
};
