//! Before and after image of every changed row, written by trigger (catalogue 3.02, 3.03, 3.04, 16.19).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CHANGE_LOG_ENTRY: Table = Table {
    name: "change_log",
    schema: "ChangeLogEntry",
    plural: "ChangeLog",
    path: "/change-log",
    tag: "Audit",
    doc: "Before and after image of every changed row, written by trigger.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewAudit,
    write: Permission::ViewAudit,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "occurred_at", column: "occurred_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "table_name", how: How::Equal },
        Filter { name: "record_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "occurred_at_from", how: How::From("occurred_at") },
        Filter { name: "occurred_at_to", how: How::Before("occurred_at") },
        Filter { name: "request_id", how: How::Equal },
        Filter { name: "action", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
    ],
    fields: &[
        Field::text("table_name").required().length(100).phi(),
        Field::uuid("record_id").required(),
        Field::choice("action", &["INSERT", "UPDATE", "DELETE"]).means(&["made", "changed", "erased"]).required(),
        Field::json("old_values").phi(),
        Field::json("new_values").phi(),
        Field::texts("changed_fields").defaulted(),
        Field::uuid("user_id").refers(Refers::Installation("users")),
        Field::uuid("provider_id")
            .computed("select p.id from providers p where p.tenant_id = r.tenant_id and p.user_id = r.user_id order by p.id limit 1")
            .doc("the provider whose login it was"),
        Field::uuid("patient_id").fixed(),
        Field::big("record_version").required(),
        Field::instant("occurred_at").required(),
        Field::uuid("request_id").required(),
        Field::text("reason").length(4000).phi(),
    ],
    machines: &[],
};
