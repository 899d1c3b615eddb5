//! Kinds of visit with length, colour and booking rules (catalogue 6.10, 6.08, 6.02).

use crate::clinical::encounter::ENCOUNTER_TYPE;
use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static APPOINTMENT_TYPE: Table = Table {
    name: "appointment_types",
    schema: "AppointmentType",
    plural: "AppointmentTypes",
    path: "/appointment-types",
    tag: "Appointments",
    doc: "Kinds of visit with length, colour and booking rules.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "encounter_type", how: How::Equal },
        Filter { name: "online_bookable", how: How::Equal },
        Filter { name: "requires_confirmation", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::text("code").required().length(50),
        Field::text("name").required(),
        Field::int("duration_minutes").defaulted().at_least(5).at_most(720).doc("unit: min"),
        Field::int("buffer_before_minutes").defaulted().doc("unit: min"),
        Field::int("buffer_after_minutes").defaulted().doc("unit: min"),
        Field::text("color"),
        ENCOUNTER_TYPE,
        Field::flag("online_bookable").defaulted(),
        Field::flag("requires_confirmation").defaulted(),
        Field::texts("allowed_provider_types").defaulted(),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
