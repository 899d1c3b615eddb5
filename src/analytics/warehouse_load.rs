//! One incremental load into the warehouse (catalogue 15.16).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Stamps, Table, Verb};

pub static WAREHOUSE_LOAD: Table = Table {
    name: "warehouse_loads",
    schema: "WarehouseLoad",
    plural: "WarehouseLoads",
    path: "/warehouse-loads",
    tag: "Reporting and the analytical warehouse",
    doc: "One incremental load into the warehouse.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewAnalytics,
    write: Permission::ViewAnalytics,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[Filter { name: "status", how: How::Equal }],
    fields: &[
        Field::text("target").required(),
        Field::instant("from_change").required(),
        Field::instant("to_change").required(),
        Field::big("row_count").required(),
        Field::choice("status", &["RUNNING", "SUCCEEDED", "FAILED"]).means(&["is worked on", "done", "ended with an error"]).defaulted(),
        Field::text("error_details").length(4000),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["RUNNING"],
        moves: &[Move { from: "RUNNING", to: "SUCCEEDED", by: "system" }, Move { from: "RUNNING", to: "FAILED", by: "system" }],
    }],
};
