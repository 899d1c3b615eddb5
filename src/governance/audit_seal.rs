//! Signed Merkle batches over audit events of all tenants (catalogue 3.01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Home, Sort, Stamps, Table, Ty, Verb};

pub static AUDIT_SEAL: Table = Table {
    name: "audit_seals",
    schema: "AuditSeal",
    plural: "AuditSeals",
    path: "/audit-seals",
    tag: "Audit",
    doc: "Signed Merkle batches over audit events of all tenants.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewAudit,
    write: Permission::ViewAudit,
    group: false,
    patient: None,
    sorts: &[Sort { name: "sealed_at", column: "sealed_at", ty: Ty::Instant, nullable: false }],
    filters: &[],
    fields: &[
        Field::int("epoch").required(),
        Field::big("batch_no").required(),
        Field::text("from_transaction").required(),
        Field::text("to_transaction").required(),
        Field::big("event_count").required(),
        Field::bytes("root_hash").required(),
        Field::bytes("previous_hash").required(),
        Field::instant("sealed_at").required(),
        Field::text("key_id").required(),
        Field::bytes("signature").required(),
    ],
    machines: &[],
};
