//! One record or file on a run's list and what became of it (catalogue 3.09, B11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static RETENTION_ITEM: Table = Table {
    name: "retention_items",
    schema: "RetentionItem",
    plural: "RetentionItems",
    path: "/retention-items",
    tag: "Audit",
    doc: "One record or file on a run's list and what became of it.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageGovernance,
    write: Permission::ManageGovernance,
    group: false,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "run_id", how: How::Equal },
        Filter { name: "decision", how: How::Equal },
        Filter { name: "outcome", how: How::Equal },
    ],
    fields: &[
        Field::uuid("run_id").required().fixed().refers(Refers::Tenant("retention_runs")),
        Field::text("resource_type").required().phi(),
        Field::uuid("resource_id").required(),
        Field::uuid("patient_id").fixed(),
        Field::date("retain_until").required().phi(),
        Field::choice("decision", &["DELETE", "ARCHIVE", "RESTRICT", "HELD", "KEEP"])
            .means(&["erase", "put away", "keep it, use it no more", "a hold stands against it", "leave it as it is"])
            .required(),
        Field::text("reason").required().length(4000).phi(),
        Field::choice("outcome", &["DONE", "SKIPPED", "FAILED"]).means(&["carried out", "left alone", "ended with an error"]),
        Field::text("content_hash").phi(),
    ],
    machines: &[],
};
