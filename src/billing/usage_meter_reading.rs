//! Periodic aggregates per tenant and meter (catalogue 14.11, B12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static USAGE_METER_READING: Table = Table {
    name: "usage_meter_readings",
    schema: "UsageMeterReading",
    plural: "UsageMeterReadings",
    path: "/usage-meter-readings",
    tag: "Platform billing of tenants",
    doc: "Periodic aggregates per tenant and meter.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageBilling,
    write: Permission::ManageBilling,
    group: true,
    patient: None,
    sorts: &[Sort { name: "period_start", column: "period_start", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "period_start_from", how: How::From("period_start") },
        Filter { name: "period_start_to", how: How::Before("period_start") },
        Filter { name: "meter_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("meter_id").required().refers(Refers::Installation("usage_meters")),
        Field::instant("period_start").required(),
        Field::instant("period_end").required(),
        Field::double("value").required(),
        Field::double("included_value"),
        Field::double("overage_value").defaulted(),
    ],
    machines: &[],
};
