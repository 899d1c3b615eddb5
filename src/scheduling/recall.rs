//! A patient's next due date of a recall type (catalogue 6.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static RECALL: Table = Table {
    name: "recalls",
    schema: "Recall",
    plural: "Recalls",
    path: "/recalls",
    tag: "Appointments",
    doc: "A patient's next due date of a recall type.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::EditSchedule,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "due_on", column: "due_on", ty: Ty::Date, nullable: false }],
    filters: &[
        Filter { name: "due_on_from", how: How::From("due_on") },
        Filter { name: "due_on_to", how: How::Before("due_on") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "recall_type_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("recall_type_id").required().refers(Refers::Tenant("recall_types")),
        Field::date("due_on").required().phi(),
        Field::date("last_trigger_on").phi(),
        Field::int("override_interval_months"),
        Field::choice("status", &["DUE", "SCHEDULED", "DONE", "DISABLED"])
            .means(&["time to come", "has an appointment", "the patient came", "no longer called"])
            .defaulted()
            .read_only(),
        Field::text("disable_reason").length(4000).phi(),
        Field::instant("last_contacted_at"),
        Field::int("contact_count").defaulted(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DUE"],
        moves: &[
            Move { from: "DUE", to: "SCHEDULED", by: "system" },
            Move { from: "SCHEDULED", to: "DUE", by: "system" },
            Move { from: "DUE", to: "DONE", by: "system" },
            Move { from: "SCHEDULED", to: "DONE", by: "system" },
            Move { from: "DUE", to: "DISABLED", by: "disable" },
            Move { from: "SCHEDULED", to: "DISABLED", by: "disable" },
            Move { from: "DISABLED", to: "DUE", by: "enable" },
        ],
    }],
};
