//! From draft to release, from trial to force and out again.

use super::{model, platform, version};
use crate::world::operations::{create, patch, read, record, run};
use crate::world::{self, World};
use enamel::ai::ai_model_deployment::AI_MODEL_DEPLOYMENT;
use enamel::ai::ai_model_version::AI_MODEL_VERSION;
use enamel::kernel::context::{PLATFORM_TENANT, Permission, Plane};
use enamel::kernel::error::{Error, Result};
use enamel::kernel::operation::Answer;
use enamel::kernel::table::Record;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn step(world: &World, name: &str, id: Uuid) -> Result<Answer> {
    let body = if name == "disableAiModelDeployment" { json!({"reason": "drift"}) } else { json!({}) };
    run(&platform(world), name, Some(id), body).await
}

async fn refused(world: &World, name: &str, id: Uuid) -> Error {
    step(world, name, id).await.err().unwrap_or_else(|| panic!("{name} was allowed"))
}

async fn released(world: &World, model: Uuid, tag: &str) -> Uuid {
    let id = version(world, model, tag, json!({})).await;
    step(world, "validateAiModelVersion", id).await.unwrap();
    step(world, "releaseAiModelVersion", id).await.unwrap();
    id
}

async fn deployment(world: &World, model: Uuid, version: Uuid, with: Json) -> Result<Record> {
    let mut body = json!({"model_id": model, "model_version_id": version, "rollout_strategy": "PERCENTAGE", "percentage": 50});
    body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    create(&platform(world), &AI_MODEL_DEPLOYMENT, body).await
}

#[test]
fn a_version_is_released_with_all_its_papers() {
    world::with(async |world| {
        let model = model(world).await;
        let bare = json!({"performance_metrics": {}, "validation_summary_uri": null, "artifact_hash": "short", "artifact_signature": null, "sbom_uri": null});
        let id = version(world, model, "1.0.0", bare).await;
        let missing = |refusal: Error| refusal.faults.iter().map(|fault| fault.field.clone()).collect::<Vec<_>>();
        assert_eq!(missing(refused(world, "validateAiModelVersion", id).await), ["performance_metrics", "validation_summary_uri"]);
        assert_eq!(refused(world, "releaseAiModelVersion", id).await.code.code, "state.move_refused", "it is no more than a draft");
        let papers = json!({"performance_metrics": {"auc": 0.9}, "validation_summary_uri": "https://models.example/s"});
        patch(&platform(world), &AI_MODEL_VERSION, id, 1, papers).await.unwrap();
        let valid = record(step(world, "validateAiModelVersion", id).await.unwrap());
        assert!(valid.text("status") == Some("VALIDATED") && valid.text("validated_on").is_some());
        assert_eq!(missing(refused(world, "releaseAiModelVersion", id).await), ["artifact_hash", "artifact_signature", "sbom_uri"]);
        let changed = patch(&platform(world), &AI_MODEL_VERSION, id, valid.version, json!({"artifact_hash": "cd".repeat(32)})).await;
        assert_eq!(changed.unwrap_err().code.code, "record.append_only", "what was validated is what it is");

        let good = released(world, model, "1.1.0").await;
        let staff = world.caller(Plane::Staff, PLATFORM_TENANT, None, Permission::ALL);
        let seen = read(&staff, &AI_MODEL_VERSION, good).await.unwrap();
        assert_eq!(seen.text("status"), Some("RELEASED"));
        assert!(!seen.json.contains_key("artifact_uri") && !seen.json.contains_key("artifact_signature"));
        assert!(staff.on(world::operations::operation("releaseAiModelVersion").planes).is_err());
    });
}

#[test]
fn one_deployment_of_a_model_is_in_force_at_a_time() {
    world::with(async |world| {
        let model = model(world).await;
        let draft = version(world, model, "0.9.0", json!({})).await;
        assert_eq!(deployment(world, model, draft, json!({})).await.unwrap_err().faults[0].field, "model_version_id");
        let (one, two) = (released(world, model, "1.0.0").await, released(world, model, "2.0.0").await);
        let foreign = super::model(world).await;
        assert_eq!(deployment(world, foreign, one, json!({})).await.unwrap_err().code.status, 422, "a version of another model");
        let group = json!({"rollout_strategy": "TENANT_GROUP"});
        assert_eq!(deployment(world, model, one, group).await.unwrap_err().code.status, 422, "percentages are for PERCENTAGE");

        let first = deployment(world, model, one, json!({})).await.unwrap();
        assert_eq!(first.text("status"), Some("CANARY"));
        step(world, "rollOutAiModelDeployment", first.id).await.unwrap();
        let second = deployment(world, model, two, json!({"guardrails": {"min_jobs": 1}})).await.unwrap();
        let untried = refused(world, "rollOutAiModelDeployment", second.id).await;
        assert_eq!((untried.code.code, untried.faults[0].rule), ("conflict", "min_jobs"));
        patch(&platform(world), &AI_MODEL_DEPLOYMENT, second.id, 1, json!({"guardrails": {}})).await.unwrap();
        let done = record(step(world, "rollOutAiModelDeployment", second.id).await.unwrap());
        assert_eq!(done.text("status"), Some("ROLLED_OUT"));
        let former = read(&platform(world), &AI_MODEL_DEPLOYMENT, first.id).await.unwrap();
        assert_eq!(former.text("status"), Some("DISABLED"));
        assert!(former.text("disabled_reason").is_some());

        // Two at once: one in force at the end, whoever wins.
        let third = deployment(world, model, one, json!({})).await.unwrap();
        let fourth = deployment(world, model, two, json!({})).await.unwrap();
        let both = futures_util::future::join_all([third.id, fourth.id].map(|id| step(world, "rollOutAiModelDeployment", id))).await;
        assert!(both.iter().any(std::result::Result::is_ok));
        let count = "select count(*) from enamel.ai_model_deployments where model_id = $1 and status = 'ROLLED_OUT'";
        assert_eq!(world.truth().await.query_one(count, &[&model]).await.unwrap().get::<_, i64>(0), 1);
    });
}

#[test]
fn a_version_in_force_is_not_retired_and_a_retired_one_not_put_in_force() {
    world::with(async |world| {
        let model = model(world).await;
        let id = released(world, model, "1.0.0").await;
        let trial = deployment(world, model, id, json!({})).await.unwrap();
        assert_eq!(refused(world, "retireAiModelVersion", id).await.code.code, "conflict.in_use");
        let bare = run(&platform(world), "disableAiModelDeployment", Some(trial.id), json!({})).await.err().unwrap();
        assert_eq!(bare.faults[0].field, "reason");
        let off = record(step(world, "disableAiModelDeployment", trial.id).await.unwrap());
        assert_eq!(off.text("disabled_reason"), Some("drift"));
        let again = record(step(world, "reEnableAiModelDeployment", trial.id).await.unwrap());
        assert_eq!((again.text("status"), again.text("disabled_reason")), (Some("CANARY"), None));
        step(world, "disableAiModelDeployment", trial.id).await.unwrap();
        assert_eq!(record(step(world, "retireAiModelVersion", id).await.unwrap()).text("status"), Some("RETIRED"));
        assert_eq!(refused(world, "reEnableAiModelDeployment", trial.id).await.code.status, 422);
        assert_eq!(deployment(world, model, id, json!({})).await.unwrap_err().code.status, 422);
    });
}
