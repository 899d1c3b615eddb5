//! A connection of a tenant to an external system (catalogue 15.02, 15.08, B13).

use super::external_system::SYSTEM_TYPE;
use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TENANT_INTEGRATION: Table = Table {
    name: "tenant_integrations",
    schema: "TenantIntegration",
    plural: "TenantIntegrations",
    path: "/tenant-integrations",
    tag: "Integrations",
    doc: "A connection of a tenant to an external system.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: true,
    patient: None,
    sorts: &[Sort { name: "display_name", column: "display_name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "external_system_id", how: How::Equal },
        Filter { name: "system_type", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "sync_mode", how: How::Equal },
        Filter { name: "direction", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("external_system_id").required().refers(Refers::Installation("external_systems")),
        SYSTEM_TYPE.required(),
        Field::text("display_name").required(),
        Field::choice("status", &["PENDING", "ACTIVE", "PAUSED", "ERROR", "DISABLED"])
            .means(&["not proven yet", "works", "paused by somebody", "stopped by errors", "out of use"])
            .defaulted()
            .read_only(),
        Field::choice("sync_mode", &["UNIDIRECTIONAL", "BIDIRECTIONAL"]).means(&["one way", "both ways"]).required(),
        Field::choice("direction", &["INBOUND", "OUTBOUND", "BOTH"])
            .means(&["from them to us", "from us to them", "both ways"])
            .defaulted(),
        Field::uuid("location_id").refers(Refers::Tenant("locations")),
        Field::json("config").defaulted().doc("no secrets"),
        Field::text("schedule").doc("cron expression"),
        Field::instant("last_sync_at").read_only(),
        Field::text("last_error").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["PENDING"],
        moves: &[
            Move { from: "PENDING", to: "ACTIVE", by: "activate" },
            Move { from: "PAUSED", to: "ACTIVE", by: "activate" },
            Move { from: "ERROR", to: "ACTIVE", by: "activate" },
            Move { from: "ACTIVE", to: "PAUSED", by: "pause" },
            Move { from: "ACTIVE", to: "ERROR", by: "system" },
            Move { from: "PENDING", to: "DISABLED", by: "disable" },
            Move { from: "ACTIVE", to: "DISABLED", by: "disable" },
            Move { from: "PAUSED", to: "DISABLED", by: "disable" },
            Move { from: "ERROR", to: "DISABLED", by: "disable" },
        ],
    }],
};
