//! A letter to one mailbox, as far as it may be shown: what it is about and what became of it, never its address or text.

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Sort, Stamps, Table, Ty, Verb};

pub static LETTER: Table = Table {
    name: "letters",
    schema: "Letter",
    plural: "Letters",
    path: "/letters",
    tag: "Identity",
    doc: "A letter to one mailbox: what it is about and what became of it, never its address or text.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageUsers,
    write: Permission::ManageUsers,
    group: false,
    patient: None,
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "kind", how: How::Equal },
        Filter { name: "state", how: How::Equal },
        Filter { name: "resource_id", how: How::Equal },
    ],
    fields: &[
        Field::choice("kind", &["PASSWORD_RESET", "EMAIL_VERIFICATION", "INVITATION"])
            .means(&["a key for a new password", "a key that confirms the address", "a key to join"])
            .required(),
        Field::text("resource_type").required().doc("the record it is about"),
        Field::uuid("resource_id").required(),
        Field::choice("state", &["WAITING", "SENT", "FAILED"])
            .means(&["to be delivered, perhaps again", "the mail server has taken it", "given up, `failure` says why"])
            .defaulted(),
        Field::int("attempts").defaulted(),
        Field::instant("next_attempt_at").defaulted(),
        Field::instant("good_until").required().doc("what it says is worth nothing afterwards, and it is not sent any more"),
        Field::choice("failure", &["REFUSED", "DEFERRED", "UNREACHABLE", "UNREADABLE", "TOO_LATE"])
            .means(&[
                "the mail server will never take it",
                "the mail server asked to come again",
                "there was no safe connection to the mail server",
                "sealed by a key that is gone",
                "nobody delivered it in time",
            ])
            .doc("of the last attempt"),
        Field::int("reply_code").doc("what the mail server answered (RFC 5321 section 4.2)"),
        Field::instant("sent_at"),
    ],
    machines: &[Machine {
        column: "state",
        initial: &["WAITING"],
        moves: &[Move { from: "WAITING", to: "SENT", by: "system" }, Move { from: "WAITING", to: "FAILED", by: "system" }],
    }],
};
