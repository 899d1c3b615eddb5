//! One case running through a workflow (catalogue 15.13, 11.11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static WORKFLOW_INSTANCE: Table = Table {
    name: "workflow_instances",
    schema: "WorkflowInstance",
    plural: "WorkflowInstances",
    path: "/workflow-instances",
    tag: "Tasks",
    doc: "One case running through a workflow.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ManageWorkflow,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "started_at", column: "started_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "state", how: How::Equal },
        Filter { name: "resource_id", how: How::Equal },
        Filter { name: "workflow_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("workflow_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("workflow_id").required().refers(Refers::Shared("workflows", "workflow_tenant_id")),
        Field::text("state").example(r#""DRAFT""#).required().read_only().phi().doc("a state of the definition"),
        Field::choice("status", &["RUNNING", "COMPLETED", "CANCELLED", "FAILED"])
            .means(&["goes on", "reached an end", "called off", "ended with an error"])
            .defaulted()
            .read_only(),
        Field::text("resource_type").required().phi(),
        Field::uuid("resource_id").required(),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::json("context").defaulted().phi(),
        Field::instant("started_at").required().read_only(),
        Field::instant("completed_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["RUNNING"],
        moves: &[
            Move { from: "RUNNING", to: "COMPLETED", by: "transition" },
            Move { from: "RUNNING", to: "CANCELLED", by: "cancel" },
            Move { from: "RUNNING", to: "FAILED", by: "system" },
        ],
    }],
};
