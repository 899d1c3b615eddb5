//! Which version is active where (catalogue 11.03, B10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static AI_MODEL_DEPLOYMENT: Table = Table {
    name: "ai_model_deployments",
    schema: "AiModelDeployment",
    plural: "AiModelDeployments",
    path: "/ai-model-deployments",
    tag: "AI models",
    doc: "Which version is active where.",
    home: Home::Shared,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "model_id", how: How::Equal },
        Filter { name: "model_version_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "rollout_strategy", how: How::Equal },
        Filter { name: "is_shadow", how: How::Equal },
        Filter { name: "created_by_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("model_id").required().refers(Refers::Installation("ai_models")),
        Field::uuid("model_version_id").required().refers(Refers::Installation("ai_model_versions")),
        Field::choice("status", &["ROLLED_OUT", "CANARY", "DISABLED"])
            .means(&["in force", "in force for a few, watched", "out of force"])
            .defaulted()
            .read_only(),
        Field::choice("rollout_strategy", &["PERCENTAGE", "TENANT_GROUP", "LOCATION_GROUP"])
            .means(&["for that share of patients", "for these tenants", "for these locations"])
            .required(),
        Field::int("percentage"),
        Field::uuids("tenant_ids").defaulted(),
        Field::uuids("location_ids").defaulted().refers(Refers::Tenant("locations")),
        Field::text("bucket_salt").required().read_only(),
        Field::flag("is_shadow").defaulted().doc("stores, does not show"),
        Field::json("guardrails").defaulted().doc("error rate, latency, override rate, drift limits for automatic roll-back"),
        Field::uuid("created_by_id").read_only().refers(Refers::Installation("users")),
        Field::text("disabled_reason").length(4000),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["CANARY"],
        moves: &[
            Move { from: "CANARY", to: "ROLLED_OUT", by: "roll-out" },
            Move { from: "CANARY", to: "DISABLED", by: "disable" },
            Move { from: "ROLLED_OUT", to: "DISABLED", by: "disable" },
            Move { from: "DISABLED", to: "CANARY", by: "re-enable" },
        ],
    }],
};
