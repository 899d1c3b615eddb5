//! Hourly tree of one tenant's events, chained (catalogue 3.01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static AUDIT_DIGEST: Table = Table {
    name: "audit_digests",
    schema: "AuditDigest",
    plural: "AuditDigests",
    path: "/audit-digests",
    tag: "Audit",
    doc: "Hourly tree of one tenant's events, chained.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewAudit,
    write: Permission::ViewAudit,
    group: false,
    patient: None,
    sorts: &[Sort { name: "hour_start", column: "hour_start", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "hour_start_from", how: How::From("hour_start") },
        Filter { name: "hour_start_to", how: How::Before("hour_start") },
    ],
    fields: &[
        Field::big("digest_no").required(),
        Field::instant("hour_start").required(),
        Field::big("event_count").required(),
        Field::big("running_count").required(),
        Field::bytes("root_hash").required(),
        Field::bytes("previous_hash").required(),
    ],
    machines: &[],
};
