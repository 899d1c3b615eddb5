//! Days or hours a tenant or location is closed (catalogue 6.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static SCHEDULE_CLOSURE: Table = Table {
    name: "schedule_closures",
    schema: "ScheduleClosure",
    plural: "ScheduleClosures",
    path: "/schedule-closures",
    tag: "Appointments",
    doc: "Days or hours a tenant or location is closed.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[Sort { name: "starts_at", column: "starts_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "starts_at_from", how: How::From("starts_at") },
        Filter { name: "starts_at_to", how: How::Before("starts_at") },
        Filter { name: "location_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("location_id").refers(Refers::Tenant("locations")).doc("null: all locations"),
        Field::instant("starts_at").required(),
        Field::instant("ends_at").required(),
        Field::text("reason").required().length(4000),
    ],
    machines: &[],
};
