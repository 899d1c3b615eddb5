//! One delivery of a notification over one channel (catalogue 13.04, 13.01, 13.03).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static NOTIFICATION_DELIVERY: Table = Table {
    name: "notification_deliveries",
    schema: "NotificationDelivery",
    plural: "NotificationDeliveries",
    path: "/notification-deliveries",
    tag: "Notifications",
    doc: "One delivery of a notification over one channel.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ViewTenant,
    group: true,
    patient: None,
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "notification_id", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "channel", how: How::Equal },
        Filter { name: "state", how: How::Equal },
    ],
    fields: &[
        Field::uuid("notification_id").required().fixed().refers(Refers::Tenant("notifications")),
        Field::uuid("user_id").refers(Refers::Installation("users")),
        Field::choice("channel", &["IN_APP", "EMAIL", "SMS", "PUSH"])
            .means(&["in the application", "to the e-mail address", "as a text message", "to a device"])
            .required(),
        Field::choice("state", &["QUEUED", "SENT", "DELIVERED", "FAILED", "BOUNCED", "SUPPRESSED"])
            .means(&["waits", "handed to the carrier", "arrived", "could not be sent", "came back", "not wanted by its receiver"])
            .defaulted(),
        Field::text("destination").sealed().pii(),
        Field::text("provider_message_id").pii(),
        Field::int("attempts").defaulted(),
        Field::instant("next_attempt_at"),
        Field::text("error_code").pii(),
        Field::instant("sent_at"),
        Field::instant("delivered_at"),
    ],
    machines: &[Machine {
        column: "state",
        initial: &["QUEUED"],
        moves: &[
            Move { from: "QUEUED", to: "SENT", by: "system" },
            Move { from: "QUEUED", to: "SUPPRESSED", by: "system" },
            Move { from: "SENT", to: "DELIVERED", by: "system" },
            Move { from: "SENT", to: "BOUNCED", by: "system" },
            Move { from: "QUEUED", to: "FAILED", by: "system" },
            Move { from: "SENT", to: "FAILED", by: "system" },
            Move { from: "FAILED", to: "QUEUED", by: "system" },
        ],
    }],
};
