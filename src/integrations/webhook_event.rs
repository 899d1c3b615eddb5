//! An event of a tenant, thin: ids only (catalogue 15.07, B13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static WEBHOOK_EVENT: Table = Table {
    name: "webhook_events",
    schema: "WebhookEvent",
    plural: "WebhookEvents",
    path: "/webhook-events",
    tag: "Integrations",
    doc: "An event of a tenant, thin: ids only.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: false,
    patient: None,
    sorts: &[Sort { name: "occurred_at", column: "occurred_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "event_type", how: How::Equal },
        Filter { name: "occurred_at_from", how: How::From("occurred_at") },
        Filter { name: "occurred_at_to", how: How::Before("occurred_at") },
    ],
    fields: &[
        Field::text("event_type").required(),
        Field::text("resource_type").required(),
        Field::uuid("resource_id").required(),
        Field::instant("occurred_at").required(),
        Field::big("sequence_no").required(),
        Field::json("payload").required(),
    ],
    machines: &[],
};
