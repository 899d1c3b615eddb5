//! A regulator's or auditor's mandate over a tenant (catalogue 2.15, 3.11, C-R).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static AUDIT_MANDATE: Table = Table {
    name: "audit_mandates",
    schema: "AuditMandate",
    plural: "AuditMandates",
    path: "/audit-mandates",
    tag: "Audit",
    doc: "A regulator's or auditor's mandate over a tenant.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewAudit,
    write: Permission::ManageGovernance,
    group: false,
    patient: None,
    sorts: &[Sort { name: "valid_until", column: "valid_until", ty: Ty::Instant, nullable: false }],
    filters: &[Filter { name: "auditor_user_id", how: How::Equal }, Filter { name: "auditor_tenant_id", how: How::Equal }],
    fields: &[
        Field::uuid("auditor_user_id").required().fixed().doc("a login the tenant need not know"),
        Field::uuid("auditor_tenant_id").doc("tenant of type REGULATOR"),
        Field::text("legal_basis").required(),
        Field::texts("permissions").example(r#"["view_audit"]"#).required(),
        Field::instant("valid_from").required(),
        Field::instant("valid_until").required(),
        Field::instant("revoked_at").read_only(),
    ],
    machines: &[],
};
