//! Long work with progress, cancel and resume (catalogue 15.04, 16.18).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Sort, Stamps, Table, Ty, Verb};

pub static JOB: Table = Table {
    name: "jobs",
    schema: "Job",
    plural: "Jobs",
    path: "/jobs",
    tag: "Kernel tables: outbox",
    doc: "Long work with progress, cancel and resume.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ViewTenant,
    group: false,
    patient: None,
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[Filter { name: "status", how: How::Equal }],
    fields: &[
        Field::text("kind").required(),
        Field::choice("status", &["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"])
            .means(&["waits", "is worked on", "done", "ended with an error", "called off"])
            .defaulted()
            .read_only(),
        Field::instant("run_after").required(),
        Field::instant("lease_until").read_only(),
        Field::int("attempts").defaulted().read_only(),
        Field::int("max_attempts").defaulted().read_only(),
        Field::int("progress_percent").defaulted().read_only(),
        Field::json("params").hidden(),
        Field::text("cursor").hidden(),
        Field::text("error_details").read_only().length(4000).doc("without patient data"),
        Field::instant("started_at").read_only(),
        Field::instant("finished_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["QUEUED"],
        moves: &[
            Move { from: "QUEUED", to: "RUNNING", by: "system" },
            Move { from: "RUNNING", to: "SUCCEEDED", by: "system" },
            Move { from: "RUNNING", to: "QUEUED", by: "system" },
            Move { from: "RUNNING", to: "FAILED", by: "system" },
            Move { from: "QUEUED", to: "CANCELLED", by: "cancel" },
            Move { from: "RUNNING", to: "CANCELLED", by: "cancel" },
            Move { from: "FAILED", to: "QUEUED", by: "retry" },
        ],
    }],
};
