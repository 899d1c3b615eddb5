//! A configurable process: AI-assisted review, claim appeal (catalogue 15.13, 11.11, 14.07).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Sort, Stamps, Table, Ty, Verb};

pub static WORKFLOW: Table = Table {
    name: "workflows",
    schema: "Workflow",
    plural: "Workflows",
    path: "/workflows",
    tag: "Tasks",
    doc: "A configurable process: AI-assisted review, claim appeal.",
    home: Home::Shared,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageWorkflow,
    group: true,
    patient: None,
    sorts: &[Sort { name: "code", column: "code", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "status", how: How::Equal }],
    fields: &[
        Field::text("code").required(),
        Field::text("name").required(),
        Field::text("description").length(4000),
        Field::int("version_no").defaulted(),
        Field::json("definition").required().doc("states, transitions, guards, tasks, timers; schema-checked, no unreachable state"),
        Field::text("trigger_event").doc("event type that starts an instance"),
        Field::choice("status", &["DRAFT", "ACTIVE", "RETIRED"]).means(&["may change", "in force", "out of force"]).defaulted().read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[Move { from: "DRAFT", to: "ACTIVE", by: "activate" }, Move { from: "ACTIVE", to: "RETIRED", by: "retire" }],
    }],
};
