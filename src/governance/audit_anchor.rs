//! Daily signed head kept outside the database (catalogue 3.01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Home, Sort, Stamps, Table, Ty, Verb};

pub static AUDIT_ANCHOR: Table = Table {
    name: "audit_anchors",
    schema: "AuditAnchor",
    plural: "AuditAnchors",
    path: "/audit-anchors",
    tag: "Audit",
    doc: "Daily signed head kept outside the database.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewAudit,
    write: Permission::ViewAudit,
    group: false,
    patient: None,
    sorts: &[Sort { name: "anchor_date", column: "anchor_date", ty: Ty::Date, nullable: false }],
    filters: &[],
    fields: &[
        Field::date("anchor_date").required(),
        Field::bytes("digest_root").required(),
        Field::bytes("heads_root").required(),
        Field::text("key_id").required(),
        Field::bytes("signature").required(),
        Field::text("external_uri").length(2000),
        Field::bytes("timestamp_token"),
    ],
    machines: &[],
};
