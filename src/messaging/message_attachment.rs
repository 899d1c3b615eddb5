//! Files sent with a message (catalogue 13.07).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static MESSAGE_ATTACHMENT: Table = Table {
    name: "message_attachments",
    schema: "MessageAttachment",
    plural: "MessageAttachments",
    path: "/message-attachments",
    tag: "Notifications",
    doc: "Files sent with a message.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewMessages,
    write: Permission::SendMessages,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "message_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("message_id").required().fixed().refers(Refers::Tenant("messages")),
        Field::uuid("patient_id").read_only().refers(Refers::Tenant("patients")).doc("as on the message"),
        Field::uuid("file_id").required().refers(Refers::Tenant("files")),
    ],
    machines: &[],
};
