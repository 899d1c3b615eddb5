//! One run of a model version (catalogue 11.04, 11.08, 11.09, B9).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static AI_INFERENCE_JOB: Table = Table {
    name: "ai_inference_jobs",
    schema: "AiInferenceJob",
    plural: "AiInferenceJobs",
    path: "/ai-inference-jobs",
    tag: "AI models",
    doc: "One run of a model version.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewImaging,
    write: Permission::RunAiAnalysis,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "input_ref_id", how: How::Equal },
        Filter { name: "created_at_from", how: How::From("created_at") },
        Filter { name: "created_at_to", how: How::Before("created_at") },
        Filter { name: "model_version_id", how: How::Equal },
        Filter { name: "deployment_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "input_type", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "requested_by_user_id", how: How::Equal },
        Filter { name: "consent_id", how: How::Equal },
        Filter { name: "is_shadow", how: How::Equal },
    ],
    fields: &[
        Field::uuid("model_version_id").required().refers(Refers::Installation("ai_model_versions")),
        Field::uuid("deployment_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("deployment_id").refers(Refers::Shared("ai_model_deployments", "deployment_tenant_id")),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::choice("input_type", &["IMAGING_STUDY", "PATIENT_SNAPSHOT", "TEXT_NOTE", "MULTIMODAL"])
            .means(&["images of a study", "the record of a patient at that time", "text of a note", "several of these"])
            .required(),
        Field::uuid("input_ref_id").required(),
        Field::text("input_hash").required().read_only().phi(),
        Field::choice("status", &["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"])
            .means(&["waits", "is worked on", "done", "ended with an error", "called off"])
            .defaulted()
            .read_only(),
        Field::uuid("requested_by_user_id").required().read_only().refers(Refers::Installation("users")),
        Field::uuid("consent_id").refers(Refers::Tenant("consents")),
        Field::int("priority").defaulted(),
        Field::int("attempts").defaulted().read_only(),
        Field::instant("lease_until").read_only(),
        Field::instant("queued_at").required().read_only(),
        Field::instant("started_at").read_only(),
        Field::instant("completed_at").read_only(),
        Field::json("compute_env")
            .computed(
                "case when r.cloud_region is not null or r.gpu_type is not null
                      then jsonb_build_object('cloud_region', r.cloud_region, 'gpu_type', r.gpu_type) end",
            )
            .doc("cloud_region and gpu_type as one object"),
        Field::text("cloud_region").read_only().phi(),
        Field::text("gpu_type").read_only().phi(),
        Field::text("error_details").read_only().length(4000).phi().doc("without patient data"),
        Field::flag("is_shadow").defaulted().read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["QUEUED"],
        moves: &[
            Move { from: "QUEUED", to: "RUNNING", by: "system" },
            Move { from: "RUNNING", to: "SUCCEEDED", by: "system" },
            Move { from: "RUNNING", to: "FAILED", by: "system" },
            Move { from: "RUNNING", to: "QUEUED", by: "system" },
            Move { from: "QUEUED", to: "FAILED", by: "system" },
            Move { from: "FAILED", to: "QUEUED", by: "retry" },
            Move { from: "QUEUED", to: "CANCELLED", by: "cancel" },
        ],
    }],
};
