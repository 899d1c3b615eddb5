//! Where events of a tenant are sent (catalogue 15.07, B13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static WEBHOOK_SUBSCRIPTION: Table = Table {
    name: "webhook_subscriptions",
    schema: "WebhookSubscription",
    plural: "WebhookSubscriptions",
    path: "/webhook-subscriptions",
    tag: "Integrations",
    doc: "Where events of a tenant are sent.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[Filter { name: "api_client_id", how: How::Equal }, Filter { name: "status", how: How::Equal }],
    fields: &[
        Field::text("url").example(r#""https://hooks.bright-north.example/enamel""#).required().length(2000),
        Field::texts("event_types").example(r#"["patients.create"]"#).required(),
        Field::text("secret").write_only().sealed(),
        Field::text("previous_secret").hidden().sealed(),
        Field::instant("previous_secret_expires_at").read_only().doc("until then events are signed with the former secret too"),
        Field::uuid("api_client_id").refers(Refers::Tenant("api_clients")),
        Field::text("description").length(4000),
        Field::choice("status", &["ACTIVE", "PAUSED", "DISABLED"])
            .means(&["sent to", "paused by somebody", "stopped by errors"])
            .defaulted()
            .read_only(),
        Field::int("consecutive_failures").defaulted().read_only(),
        Field::instant("disabled_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[
            Move { from: "ACTIVE", to: "PAUSED", by: "pause" },
            Move { from: "PAUSED", to: "ACTIVE", by: "activate" },
            Move { from: "ACTIVE", to: "DISABLED", by: "system" },
            Move { from: "DISABLED", to: "ACTIVE", by: "activate" },
        ],
    }],
};
