//! A recurring set of appointments, expanded into rows (catalogue 6.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static APPOINTMENT_SERIES: Table = Table {
    name: "appointment_series",
    schema: "AppointmentSeries",
    plural: "AppointmentSeries",
    path: "/appointment-series",
    tag: "Appointments",
    doc: "A recurring set of appointments, expanded into rows.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewSchedule,
    write: Permission::EditSchedule,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "appointment_type_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("appointment_type_id").required().refers(Refers::Tenant("appointment_types")),
        Field::uuid("provider_id").required().refers(Refers::Tenant("providers")),
        Field::uuid("location_id").required().refers(Refers::Tenant("locations")),
        Field::text("recurrence_rule")
            .example(r#""FREQ=WEEKLY;COUNT=6""#)
            .required()
            .phi()
            .doc("RFC 5545: FREQ=DAILY, WEEKLY or MONTHLY, then INTERVAL, BYDAY (weekly) and COUNT or UNTIL; at most two years"),
        Field::date("starts_on").required().phi(),
        Field::date("ends_on").required().phi(),
        Field::time("local_start_time").required(),
        Field::choice("status", &["ACTIVE", "ENDED"]).means(&["goes on", "makes no more appointments"]).defaulted(),
    ],
    machines: &[Machine { column: "status", initial: &["ACTIVE"], moves: &[Move { from: "ACTIVE", to: "ENDED", by: "end" }] }],
};
