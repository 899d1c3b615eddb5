//! What is measured (catalogue 14.11, B12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Stamps, Table, Verb};

pub static USAGE_METER: Table = Table {
    name: "usage_meters",
    schema: "UsageMeter",
    plural: "UsageMeters",
    path: "/usage-meters",
    tag: "Platform billing of tenants",
    doc: "What is measured.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[Filter { name: "code", how: How::Equal }, Filter { name: "aggregation", how: How::Equal }],
    fields: &[
        Field::choice("code", &["AI_INFERENCES", "STORAGE_GB", "ACTIVE_USERS", "API_CALLS"])
            .means(&["analyses by AI", "gigabytes kept", "logins that were used", "calls of the API"])
            .required(),
        Field::text("name").required(),
        Field::text("unit").required(),
        Field::choice("aggregation", &["SUM", "MAX", "LAST"])
            .means(&["the period added up", "largest of the period", "as it stood at the period's end"])
            .required(),
        Field::json("overage_prices").defaulted().doc("by currency, for one unit beyond what a plan includes; unit: minor currency unit"),
    ],
    machines: &[],
};
