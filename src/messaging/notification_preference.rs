//! Which channels a user wants per notification type (catalogue 13.01, 4.07).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static NOTIFICATION_PREFERENCE: Table = Table {
    name: "notification_preferences",
    schema: "NotificationPreference",
    plural: "NotificationPreferences",
    path: "/notification-preferences",
    tag: "Notifications",
    doc: "Which channels a user wants per notification type.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::Own,
    write: Permission::Own,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "channel", how: How::Equal },
        Filter { name: "is_enabled", how: How::Equal },
    ],
    fields: &[
        Field::uuid("user_id").required().refers(Refers::Installation("users")),
        Field::text("type").required().pii().doc("a notification type or *"),
        Field::choice("channel", &["IN_APP", "EMAIL", "SMS", "PUSH"])
            .means(&["in the application", "to the e-mail address", "as a text message", "to a device"])
            .required(),
        Field::flag("is_enabled").defaulted(),
        Field::instant("opted_out_at"),
    ],
    machines: &[],
};
