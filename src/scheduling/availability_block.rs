//! When a provider works or is away: weekly, extra or blocked (catalogue 6.06, C18, B5).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static AVAILABILITY_BLOCK: Table = Table {
    name: "availability_blocks",
    schema: "AvailabilityBlock",
    plural: "AvailabilityBlocks",
    path: "/availability-blocks",
    tag: "Appointments",
    doc: "When a provider works or is away: weekly, extra or blocked.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::EditSchedule,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "day_of_week", how: How::Equal },
        Filter { name: "exception_date_from", how: How::From("exception_date") },
        Filter { name: "exception_date_to", how: How::Before("exception_date") },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "operatory_id", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
    ],
    fields: &[
        Field::uuid("provider_id").required().refers(Refers::Tenant("providers")),
        Field::uuid("location_id").example("id").refers(Refers::Tenant("locations")),
        Field::uuid("operatory_id").refers(Refers::Tenant("operatories")),
        Field::choice("kind", &["WEEKLY", "EXTRA", "BLOCKED"])
            .means(&["hours of every week", "extra hours of one date", "away on that date"])
            .required(),
        Field::int("day_of_week").example("1"),
        Field::date("exception_date"),
        Field::time("start_time").example(r#""08:00""#),
        Field::time("end_time").example(r#""17:00""#),
        Field::date("valid_from"),
        Field::date("valid_until"),
        Field::text("time_pattern").doc("provider busy or waiting marks per 5 to 15 minutes"),
        Field::text("reason").length(4000),
    ],
    machines: &[],
};
