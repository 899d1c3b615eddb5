//! One online move of a tenant tree to another database or schema, with verification and cut-over (catalogue 1.23, C02, B14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static TENANT_MOVE: Table = Table {
    name: "tenant_moves",
    schema: "TenantMove",
    plural: "TenantMoves",
    path: "/tenant-moves",
    tag: "Tenancy",
    doc: "One online move of a tenant tree to another database or schema, with verification and cut-over.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManagePlatform,
    write: Permission::ManagePlatform,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "root_tenant_id", how: How::Equal },
        Filter { name: "from_strategy", how: How::Equal },
        Filter { name: "to_strategy", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("root_tenant_id").required().refers(Refers::Installation("tenants")),
        Field::choice("from_strategy", &["ROW_LEVEL", "SCHEMA", "DATABASE"])
            .means(&["rows beside others", "a schema of its own", "a database of its own"])
            .required(),
        Field::choice("to_strategy", &["ROW_LEVEL", "SCHEMA", "DATABASE"])
            .means(&["rows beside others", "a schema of its own", "a database of its own"])
            .required(),
        Field::text("target_database").required(),
        Field::text("target_schema"),
        Field::choice("status", &["PLANNED", "COPYING", "VERIFYING", "CUT_OVER", "COMPLETED", "FAILED", "ROLLED_BACK"])
            .means(&[
                "not begun",
                "rows are copied",
                "rows are compared",
                "the new place is in force",
                "done",
                "ended with an error",
                "the old place is in force again",
            ])
            .defaulted()
            .read_only(),
        Field::big("rows_copied").defaulted().read_only(),
        Field::big("rows_verified").defaulted().read_only(),
        Field::text("checksum").read_only(),
        Field::instant("started_at").read_only(),
        Field::instant("cut_over_at").read_only(),
        Field::instant("completed_at").read_only(),
        Field::text("error_details").read_only().length(4000),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["PLANNED"],
        moves: &[
            Move { from: "PLANNED", to: "COPYING", by: "start" },
            Move { from: "COPYING", to: "VERIFYING", by: "system" },
            Move { from: "VERIFYING", to: "CUT_OVER", by: "cut-over" },
            Move { from: "CUT_OVER", to: "COMPLETED", by: "system" },
            Move { from: "COPYING", to: "FAILED", by: "system" },
            Move { from: "VERIFYING", to: "FAILED", by: "system" },
            Move { from: "CUT_OVER", to: "FAILED", by: "system" },
            Move { from: "COPYING", to: "ROLLED_BACK", by: "roll-back" },
            Move { from: "VERIFYING", to: "ROLLED_BACK", by: "roll-back" },
            Move { from: "FAILED", to: "ROLLED_BACK", by: "roll-back" },
        ],
    }],
};
