//! Result per record of a sync job (catalogue 15.04, B13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static SYNC_JOB_LOG: Table = Table {
    name: "sync_job_logs",
    schema: "SyncJobLog",
    plural: "SyncJobLogs",
    path: "/sync-job-logs",
    tag: "Integrations",
    doc: "Result per record of a sync job.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: false,
    patient: None,
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[Filter { name: "job_id", how: How::Equal }, Filter { name: "outcome", how: How::Equal }],
    fields: &[
        Field::uuid("job_id").required().fixed().refers(Refers::Tenant("sync_jobs")),
        Field::text("record_ref").required().phi(),
        Field::text("resource_type").phi(),
        Field::uuid("resource_id"),
        Field::choice("outcome", &["CREATED", "UPDATED", "UNCHANGED", "FAILED"])
            .means(&["made", "changed", "as it was", "not taken, the error says why"])
            .required(),
        Field::text("error_message").phi(),
        Field::instant("occurred_at").required(),
    ],
    machines: &[],
};
