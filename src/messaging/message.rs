//! One message of a thread (catalogue 13.07, 16.05).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static MESSAGE: Table = Table {
    name: "messages",
    schema: "Message",
    plural: "Messages",
    path: "/messages",
    tag: "Notifications",
    doc: "One message of a thread.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewMessages,
    write: Permission::SendMessages,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "sent_at", column: "sent_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "sent_at_from", how: How::From("sent_at") },
        Filter { name: "sent_at_to", how: How::Before("sent_at") },
        Filter { name: "conversation_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "sender_type", how: How::Equal },
        Filter { name: "sender_user_id", how: How::Equal },
        Filter { name: "content_type", how: How::Equal },
        Filter { name: "delivery_state", how: How::Equal },
        Filter { name: "reply_to_id", how: How::Equal },
        Filter { name: "is_urgent", how: How::Equal },
    ],
    fields: &[
        Field::uuid("conversation_id").required().refers(Refers::Tenant("conversations")),
        Field::uuid("patient_id").read_only().refers(Refers::Tenant("patients")).doc("set in PATIENT_MESSAGING threads only"),
        Field::choice("sender_type", &["USER", "SYSTEM", "PATIENT"]).means(&["staff", "the system", "a patient"]).required().read_only(),
        Field::uuid("sender_user_id").read_only().refers(Refers::Installation("users")),
        Field::choice("content_type", &["TEXT", "RICH_TEXT", "FILE"]).means(&["plain text", "formatted text", "a file"]).defaulted(),
        Field::text("content").example(r#""The X-ray is in.""#).length(20000).phi(),
        Field::instant("sent_at").required().read_only(),
        Field::choice("delivery_state", &["QUEUED", "SENT", "DELIVERED", "READ", "FAILED"])
            .means(&["waits", "on its way", "arrived", "opened by its receiver", "could not be sent"])
            .defaulted()
            .read_only(),
        Field::uuid("reply_to_id").refers(Refers::Tenant("messages")),
        Field::flag("is_urgent").defaulted(),
    ],
    machines: &[Machine {
        column: "delivery_state",
        initial: &["QUEUED"],
        moves: &[
            Move { from: "QUEUED", to: "SENT", by: "system" },
            Move { from: "SENT", to: "DELIVERED", by: "system" },
            Move { from: "SENT", to: "READ", by: "mark-read" },
            Move { from: "DELIVERED", to: "READ", by: "mark-read" },
            Move { from: "QUEUED", to: "FAILED", by: "system" },
            Move { from: "SENT", to: "FAILED", by: "system" },
            Move { from: "FAILED", to: "QUEUED", by: "system" },
        ],
    }],
};
