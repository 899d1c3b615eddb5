//! One run of the retention engine with its review list (catalogue 3.09, B11, C09, C10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static RETENTION_RUN: Table = Table {
    name: "retention_runs",
    schema: "RetentionRun",
    plural: "RetentionRuns",
    path: "/retention-runs",
    tag: "Audit",
    doc: "One run of the retention engine with its review list.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ManageGovernance,
    write: Permission::ManageGovernance,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "policy_id", how: How::Equal },
        Filter { name: "mode", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "approved_by", how: How::Equal },
        Filter { name: "certificate_file_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("policy_id").refers(Refers::Tenant("data_retention_policies")),
        Field::choice("mode", &["PREVIEW", "EXECUTE"]).means(&["shows what would be done", "does it"]).required(),
        Field::choice("status", &["QUEUED", "RUNNING", "REVIEW", "APPROVED", "COMPLETED", "FAILED", "CANCELLED"])
            .means(&["waits", "is worked on", "waits for approval", "may be carried out", "done", "ended with an error", "called off"])
            .defaulted()
            .read_only(),
        Field::int("candidates").defaulted().read_only(),
        Field::int("held").defaulted().read_only(),
        Field::int("restricted").defaulted().read_only(),
        Field::int("purged").defaulted().read_only(),
        Field::uuid("approved_by").read_only().refers(Refers::Installation("users")),
        Field::uuid("certificate_file_id").read_only().refers(Refers::Tenant("files")).doc("ids and hashes of what was purged"),
        Field::instant("started_at").read_only(),
        Field::instant("completed_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["QUEUED"],
        moves: &[
            Move { from: "QUEUED", to: "RUNNING", by: "system" },
            Move { from: "RUNNING", to: "REVIEW", by: "system" },
            Move { from: "RUNNING", to: "FAILED", by: "system" },
            Move { from: "REVIEW", to: "APPROVED", by: "approve" },
            Move { from: "REVIEW", to: "CANCELLED", by: "cancel" },
            Move { from: "APPROVED", to: "COMPLETED", by: "system" },
            Move { from: "APPROVED", to: "FAILED", by: "system" },
        ],
    }],
};
