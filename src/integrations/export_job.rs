//! A bulk export: whole tenant, patient group or audit package (catalogue 15.04, C10, 3.17).

use crate::imaging::links::MINTED_LIST;
use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static EXPORT_JOB: Table = Table {
    name: "export_jobs",
    schema: "ExportJob",
    plural: "ExportJobs",
    path: "/export-jobs",
    tag: "Integrations",
    doc: "A bulk export: whole tenant, patient group or audit package.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageGovernance,
    write: Permission::ManageGovernance,
    group: true,
    patient: None,
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "export_type", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
        Filter { name: "requested_by", how: How::Equal },
    ],
    fields: &[
        Field::choice("export_type", &["TENANT_FULL", "FHIR_BULK", "AUDIT_PACKAGE", "PATIENT_RECORD", "REPORT"])
            .means(&["all of a tenant", "FHIR bulk data", "audit log with its proofs", "one patient's record", "tables made from data"])
            .required()
            .read_only(),
        Field::json("params").defaulted().read_only().doc("what was ordered; files: name, id and SHA-256 of each file there is"),
        Field::choice("status", &["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "EXPIRED"])
            .means(&["waits", "is worked on", "can be fetched", "ended with an error", "called off", "can no longer be fetched"])
            .defaulted()
            .read_only(),
        Field::int("progress_percent").defaulted().read_only(),
        Field::uuid("file_id").read_only().refers(Refers::Tenant("files")),
        Field::json("output_files")
            .computed(MINTED_LIST)
            .doc("the first 20 files with their signed links, when the job is read by itself; params.files names all"),
        Field::big("record_count").read_only(),
        Field::uuid("requested_by").required().read_only().refers(Refers::Installation("users")),
        Field::instant("expires_at").read_only(),
        Field::text("error_details").read_only().length(4000),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["QUEUED"],
        moves: &[
            Move { from: "QUEUED", to: "RUNNING", by: "system" },
            Move { from: "RUNNING", to: "COMPLETED", by: "system" },
            Move { from: "RUNNING", to: "FAILED", by: "system" },
            Move { from: "QUEUED", to: "CANCELLED", by: "cancel" },
            Move { from: "RUNNING", to: "CANCELLED", by: "cancel" },
            Move { from: "COMPLETED", to: "EXPIRED", by: "system" },
        ],
    }],
};
