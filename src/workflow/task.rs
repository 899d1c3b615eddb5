//! Something a person has to do (catalogue 15.13, 12.13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TASK: Table = Table {
    name: "tasks",
    schema: "Task",
    plural: "Tasks",
    path: "/tasks",
    tag: "Tasks",
    doc: "Something a person has to do.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ViewTenant,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "due_at", column: "due_at", ty: Ty::Instant, nullable: true }],
    filters: &[
        Filter { name: "due_at_from", how: How::From("due_at") },
        Filter { name: "due_at_to", how: How::Before("due_at") },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "priority", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "assigned_user_id", how: How::Equal },
        Filter { name: "assigned_team_id", how: How::Equal },
        Filter { name: "workflow_instance_id", how: How::Equal },
        Filter { name: "visible_to_patient", how: How::Equal },
    ],
    fields: &[
        Field::text("title").required().phi(),
        Field::text("description").length(4000).phi(),
        Field::choice(
            "kind",
            &["GENERAL", "AI_REVIEW", "CLAIM_APPEAL", "REFERRAL_FOLLOW_UP", "RECALL", "DSAR", "IDENTITY_CHECK", "SIGN_NOTE"],
        )
        .means(&[
            "anything",
            "look at a prediction",
            "object to a claim's denial",
            "follow up a referral",
            "call a patient again",
            "answer a data subject",
            "check an identity",
            "sign a note",
        ])
        .defaulted(),
        Field::choice("status", &["OPEN", "IN_PROGRESS", "DONE", "CANCELLED"])
            .means(&["to do", "being done", "finished", "called off"])
            .defaulted()
            .read_only(),
        Field::choice("priority", &["LOW", "NORMAL", "HIGH", "URGENT"])
            .means(&["when there is time", "in its turn", "before the others", "at once"])
            .defaulted(),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::uuid("assigned_user_id").refers(Refers::Installation("users")),
        Field::uuid("assigned_team_id").refers(Refers::Tenant("teams")),
        Field::instant("due_at"),
        Field::text("resource_type").phi(),
        Field::uuid("resource_id"),
        Field::uuid("workflow_instance_id").refers(Refers::Tenant("workflow_instances")),
        Field::instant("completed_at").read_only(),
        Field::flag("visible_to_patient").defaulted(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["OPEN"],
        moves: &[
            Move { from: "OPEN", to: "IN_PROGRESS", by: "start" },
            Move { from: "OPEN", to: "DONE", by: "complete" },
            Move { from: "IN_PROGRESS", to: "DONE", by: "complete" },
            Move { from: "OPEN", to: "CANCELLED", by: "cancel" },
            Move { from: "IN_PROGRESS", to: "CANCELLED", by: "cancel" },
            Move { from: "DONE", to: "OPEN", by: "reopen" },
            Move { from: "CANCELLED", to: "OPEN", by: "reopen" },
        ],
    }],
};
