//! One run of an exchange: schedule import, claim export and so on (catalogue 15.04, 6.09, 14.07, B13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

/// What is exchanged.
const JOB_TYPE: Field = Field::choice(
    "job_type",
    &[
        "SCHEDULE_IMPORT",
        "CLAIM_EXPORT",
        "PATIENT_IMPORT",
        "PATIENT_EXPORT",
        "IMAGE_IMPORT",
        "REMITTANCE_IMPORT",
        "ELIGIBILITY",
        "FILE_IMPORT",
        "FHIR_IMPORT",
        "FULL_IMPORT",
    ],
)
.means(&[
    "appointments",
    "claims out",
    "patients in",
    "patients out",
    "images in",
    "remittances in",
    "questions about cover",
    "a file in",
    "FHIR resources in",
    "everything in",
])
.required();

pub static SYNC_JOB: Table = Table {
    name: "sync_jobs",
    schema: "SyncJob",
    plural: "SyncJobs",
    path: "/sync-jobs",
    tag: "Integrations",
    doc: "One run of an exchange: schedule import, claim export and so on.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: true,
    patient: None,
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "integration_id", how: How::Equal },
        Filter { name: "job_type", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "direction", how: How::Equal },
        Filter { name: "source_file_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("integration_id").refers(Refers::Tenant("tenant_integrations")),
        JOB_TYPE,
        Field::choice("status", &["QUEUED", "RUNNING", "SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED"])
            .means(&["waits", "is worked on", "done", "some rows failed", "ended with an error", "called off"])
            .defaulted()
            .read_only(),
        Field::choice("direction", &["INBOUND", "OUTBOUND"]).means(&["from them to us", "from us to them"]).required(),
        Field::uuid("source_file_id").refers(Refers::Tenant("files")),
        Field::json("params").defaulted(),
        Field::text("cursor").read_only().doc("where to resume"),
        Field::int("created_count").defaulted().read_only(),
        Field::int("updated_count").defaulted().read_only(),
        Field::int("failed_count").defaulted().read_only(),
        Field::instant("started_at").read_only(),
        Field::instant("completed_at").read_only(),
        Field::text("error_details").read_only().length(4000),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["QUEUED"],
        moves: &[
            Move { from: "QUEUED", to: "RUNNING", by: "system" },
            Move { from: "RUNNING", to: "SUCCEEDED", by: "system" },
            Move { from: "RUNNING", to: "PARTIAL", by: "system" },
            Move { from: "RUNNING", to: "FAILED", by: "system" },
            Move { from: "QUEUED", to: "CANCELLED", by: "cancel" },
            Move { from: "RUNNING", to: "CANCELLED", by: "cancel" },
            Move { from: "FAILED", to: "QUEUED", by: "resume" },
            Move { from: "PARTIAL", to: "QUEUED", by: "resume" },
        ],
    }],
};
