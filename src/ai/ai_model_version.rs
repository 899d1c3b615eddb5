//! One version of a model (catalogue 11.02, 11.08, B10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static AI_MODEL_VERSION: Table = Table {
    name: "ai_model_versions",
    schema: "AiModelVersion",
    plural: "AiModelVersions",
    path: "/ai-model-versions",
    tag: "AI models",
    doc: "One version of a model.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: true,
    patient: None,
    sorts: &[Sort { name: "version_tag", column: "version_tag", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "model_id", how: How::Equal }, Filter { name: "status", how: How::Equal }],
    fields: &[
        Field::uuid("model_id").required().refers(Refers::Installation("ai_models")),
        Field::text("version_tag").example(r#""1.4.0""#).required(),
        Field::text("artifact_uri").required().length(2000).write_only(),
        Field::text("artifact_hash").required(),
        Field::text("artifact_signature").write_only(),
        Field::texts("input_types").required(),
        Field::texts("output_types").required(),
        Field::json("intended_use")
            .defaulted()
            .doc("image types, dentition, minimum age, reader role; jobs outside are refused or flagged"),
        Field::json("performance_metrics").defaulted().doc("sensitivity, specificity, AUC with intervals and unit of analysis"),
        Field::instant("validated_on").read_only(),
        Field::text("validation_summary_uri").length(2000),
        Field::text("sbom_uri").length(2000),
        Field::text("change_plan_reference"),
        Field::text("release_notes").length(4000),
        Field::choice("status", &["DRAFT", "VALIDATED", "RELEASED", "RETIRED"])
            .means(&["being prepared", "performance is proven", "may be put in force", "no longer to be used"])
            .defaulted()
            .read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "VALIDATED", by: "validate" },
            Move { from: "VALIDATED", to: "RELEASED", by: "release" },
            Move { from: "RELEASED", to: "RETIRED", by: "retire" },
            Move { from: "VALIDATED", to: "RETIRED", by: "retire" },
        ],
    }],
};
