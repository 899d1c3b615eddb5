//! Who saw or changed a patient's record, when and why (catalogue 3.05, 3.11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

/// A view over the audit events that are about a patient.
pub static PHI_ACCESS_LOG: Table = Table {
    name: "phi_access_logs",
    schema: "PhiAccessLog",
    plural: "PhiAccessLogs",
    path: "/phi-access-logs",
    tag: "Audit",
    doc: "One access to a patient's record.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::None,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewAudit,
    write: Permission::ViewAudit,
    group: false,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "occurred_at", column: "occurred_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "occurred_at_from", how: How::From("occurred_at") },
        Filter { name: "occurred_at_to", how: How::Before("occurred_at") },
    ],
    fields: &[
        Field::uuid("patient_id").required().read_only(),
        Field::uuid("user_id").read_only().doc("null for the system"),
        Field::text("user_name").computed("sec.viewer(r.tenant_id, r.id, 'name')").pii().doc("a patient may know who it was"),
        Field::text("role").computed("sec.viewer(r.tenant_id, r.id, 'role')").doc("the strongest role the login has in the tenant today"),
        Field::uuid("on_behalf_of").computed("sec.viewer(r.tenant_id, r.id, 'behalf')::uuid").doc("the patient for whom a proxy looked"),
        Field::text("resource_type").read_only(),
        Field::uuid("resource_id").read_only(),
        Field::text("action").required().read_only(),
        Field::text("purpose_of_use").read_only(),
        Field::instant("occurred_at").required().read_only(),
        Field::text("break_glass_reason").length(4000).computed("sec.viewer(r.tenant_id, r.id, 'emergency')").phi(),
    ],
    machines: &[],
};
