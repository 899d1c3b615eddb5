//! Where a root tenant's rows live: database, schema, region (catalogue 1.23, 1.06, C02, 16.22).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static TENANT_PLACEMENT: Table = Table {
    name: "tenant_placements",
    schema: "TenantPlacement",
    plural: "TenantPlacements",
    path: "/tenant-placements",
    tag: "Tenancy",
    doc: "Where a root tenant's rows live: database, schema, region.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Update],
    read: Permission::ManagePlatform,
    write: Permission::ManagePlatform,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "root_tenant_id", how: How::Equal },
        Filter { name: "strategy", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("root_tenant_id").required().refers(Refers::Installation("tenants")),
        Field::choice("strategy", &["ROW_LEVEL", "SCHEMA", "DATABASE"])
            .means(&["rows beside others", "a schema of its own", "a database of its own"])
            .defaulted(),
        Field::text("region").required(),
        Field::text("database_name").required(),
        Field::text("schema_name").defaulted(),
        Field::choice("status", &["ACTIVE", "MOVING", "READ_ONLY"])
            .means(&["in force", "being moved", "is read and not changed"])
            .defaulted()
            .read_only(),
        Field::int("schema_version").required().read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[
            Move { from: "ACTIVE", to: "MOVING", by: "system" },
            Move { from: "MOVING", to: "READ_ONLY", by: "system" },
            Move { from: "READ_ONLY", to: "ACTIVE", by: "system" },
            Move { from: "MOVING", to: "ACTIVE", by: "system" },
        ],
    }],
};
