//! One attempt to deliver an event (catalogue 15.07, B13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static WEBHOOK_DELIVERY: Table = Table {
    name: "webhook_deliveries",
    schema: "WebhookDelivery",
    plural: "WebhookDeliveries",
    path: "/webhook-deliveries",
    tag: "Integrations",
    doc: "One attempt to deliver an event.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: false,
    patient: None,
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "subscription_id", how: How::Equal },
        Filter { name: "event_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("subscription_id").required().refers(Refers::Tenant("webhook_subscriptions")),
        Field::uuid("event_id").required().refers(Refers::Tenant("webhook_events")),
        Field::choice("status", &["PENDING", "SUCCEEDED", "FAILED", "DEAD_LETTER"])
            .means(&["to be sent", "taken", "failed, comes again", "given up"])
            .defaulted(),
        Field::int("attempt").defaulted(),
        Field::int("response_status"),
        Field::instant("next_attempt_at"),
        Field::instant("delivered_at"),
        Field::text("error_details").length(4000),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["PENDING"],
        moves: &[
            Move { from: "PENDING", to: "SUCCEEDED", by: "system" },
            Move { from: "PENDING", to: "FAILED", by: "system" },
            Move { from: "FAILED", to: "SUCCEEDED", by: "system" },
            Move { from: "FAILED", to: "DEAD_LETTER", by: "system" },
            Move { from: "DEAD_LETTER", to: "PENDING", by: "redeliver" },
            Move { from: "FAILED", to: "PENDING", by: "redeliver" },
        ],
    }],
};
