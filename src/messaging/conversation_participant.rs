//! Who takes part in a thread and how (catalogue 13.06).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static CONVERSATION_PARTICIPANT: Table = Table {
    name: "conversation_participants",
    schema: "ConversationParticipant",
    plural: "ConversationParticipants",
    path: "/conversation-participants",
    tag: "Notifications",
    doc: "Who takes part in a thread and how.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ViewMessages,
    write: Permission::SendMessages,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "conversation_id", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "role", how: How::Equal },
        Filter { name: "muted", how: How::Equal },
    ],
    fields: &[
        Field::uuid("conversation_id").required().fixed().refers(Refers::Tenant("conversations")),
        Field::uuid("user_id").example("id").fixed().refers(Refers::Installation("users")),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::choice("role", &["AUTHOR", "PARTICIPANT", "OBSERVER"]).means(&["began it", "takes part", "reads only"]).defaulted(),
        Field::instant("last_read_at").read_only(),
        Field::flag("muted").defaulted(),
        Field::instant("left_at").read_only(),
    ],
    machines: &[],
};
