//! Every step of a case, for audit (catalogue 15.13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static WORKFLOW_TRANSITION: Table = Table {
    name: "workflow_transitions",
    schema: "WorkflowTransition",
    plural: "WorkflowTransitions",
    path: "/workflow-transitions",
    tag: "Tasks",
    doc: "Every step of a case, for audit.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ViewTenant,
    group: true,
    patient: None,
    sorts: &[Sort { name: "occurred_at", column: "occurred_at", ty: Ty::Instant, nullable: false }],
    filters: &[Filter { name: "instance_id", how: How::Equal }, Filter { name: "actor_id", how: How::Equal }],
    fields: &[
        Field::uuid("instance_id").required().fixed().refers(Refers::Tenant("workflow_instances")),
        Field::text("transition").required(),
        Field::text("from_state").required(),
        Field::text("to_state").required(),
        Field::uuid("actor_id").refers(Refers::Installation("users")),
        Field::text("comment").length(4000),
        Field::instant("occurred_at").required(),
    ],
    machines: &[],
};
