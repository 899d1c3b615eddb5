//! A version on its way: validated, released, retired; and where it is in force (catalogue 11.02, 11.03, B10).

use super::ai_model_deployment::AI_MODEL_DEPLOYMENT;
use super::ai_model_version::AI_MODEL_VERSION;
use super::guardrails::{self, Health};
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;
use uuid::Uuid;

const SHA256_HEX: usize = 64;

sql! {
    /// $1 version.
    SIGNED(UUID) = "select artifact_signature is not null from ai_model_versions where id = $1";
    /// $1 version: in force in any tenant.
    IN_FORCE(UUID) = "select sec.version_deployed($1)";
    /// $1 deployment.
    HEALTH(UUID) = "select succeeded, failed, mean_ms, reviewed, overridden from sec.deployment_health($1)";
    /// $1 tenant, $2 model, $3 the one that follows.
    FORMER(UUID, UUID, UUID) = "
        select id from ai_model_deployments where tenant_id = $1 and model_id = $2 and id <> $3 and status = 'ROLLED_OUT'
           and rollout_strategy <> 'LOCATION_GROUP' order by id for no key update";
}

const STEPS: Steps = Steps { tag: "AI models", planes: PLATFORM, permission: Permission::ManagePlatform };

const PLATFORM: &[Plane] = &[Plane::Platform];
const BOTH: &[Plane] = &[Plane::Platform, Plane::Staff];
pub static VALIDATE: Operation = STEPS.post(
    "validateAiModelVersion",
    "/ai-model-versions/{id}/validate",
    "Say that a draft was validated; its metrics and the summary must be there",
    &[],
    Gives::Record(&AI_MODEL_VERSION),
    Run::Inside(|scope, call| Box::pin(validate(scope, call))),
);
pub static RELEASE: Operation = STEPS.post(
    "releaseAiModelVersion",
    "/ai-model-versions/{id}/release",
    "Release a VALIDATED version; its artifact must be hashed and signed and its bill of materials known",
    &[],
    Gives::Record(&AI_MODEL_VERSION),
    Run::Inside(|scope, call| Box::pin(release(scope, call))),
);
pub static RETIRE: Operation = STEPS.post(
    "retireAiModelVersion",
    "/ai-model-versions/{id}/retire",
    "Retire a version that is in force nowhere",
    &[],
    Gives::Record(&AI_MODEL_VERSION),
    Run::Inside(|scope, call| Box::pin(retire(scope, call))),
);
pub static ROLL_OUT: Operation = STEPS.on(BOTH).post(
    "rollOutAiModelDeployment",
    "/ai-model-deployments/{id}/roll-out",
    "Put a CANARY into force whose guardrails hold; the former deployment of the model is DISABLED with it",
    &[],
    Gives::Record(&AI_MODEL_DEPLOYMENT),
    Run::Inside(|scope, call| Box::pin(roll_out(scope, call))),
);
pub static DISABLE: Operation = STEPS.on(BOTH).post(
    "disableAiModelDeployment",
    "/ai-model-deployments/{id}/disable",
    "Put a deployment out of force at once, with the reason",
    &[Field::text("reason").required().length(4_000)],
    Gives::Record(&AI_MODEL_DEPLOYMENT),
    Run::Inside(|scope, call| {
        let reason = call.value("reason").cloned().unwrap_or(Value::Null);
        Box::pin(transition(scope, call, &AI_MODEL_DEPLOYMENT, vec![("disabled_reason", reason)]))
    }),
);
pub static RE_ENABLE: Operation = STEPS.post(
    "reEnableAiModelDeployment",
    "/ai-model-deployments/{id}/re-enable",
    "Try a DISABLED deployment again, as a CANARY",
    &[],
    Gives::Record(&AI_MODEL_DEPLOYMENT),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &AI_MODEL_DEPLOYMENT, vec![("disabled_reason", Value::Null)]))),
);

async fn validate(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &AI_MODEL_VERSION, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let mut missing = Error::new(&error::INVALID);
    if was.get("performance_metrics").as_object().is_none_or(serde_json::Map::is_empty) {
        missing = missing.fault("performance_metrics", "required", "A version is validated by its metrics.");
    }
    if was.text("validation_summary_uri").is_none() {
        missing = missing.fault("validation_summary_uri", "required", "The summary of the validation is needed.");
    }
    if was.text("status") == Some("DRAFT") && !missing.faults.is_empty() {
        return Err(missing);
    }
    let now = scope.now();
    transition(scope, call, &AI_MODEL_VERSION, vec![("validated_on", Value::Instant(now))]).await
}

async fn release(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &AI_MODEL_VERSION, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let mut missing = Error::new(&error::INVALID);
    let hash = was.text("artifact_hash").unwrap_or_default();
    if hash.len() != SHA256_HEX || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        missing = missing.fault("artifact_hash", "format", "It must be the 64 hex digits of a SHA-256.");
    }
    if !scope.one(&SIGNED, &[&was.id]).await?.try_get::<_, bool>(0)? {
        missing = missing.fault("artifact_signature", "required", "Only a signed artifact is released.");
    }
    if was.text("sbom_uri").is_none() {
        missing = missing.fault("sbom_uri", "required", "The bill of materials is needed.");
    }
    if was.text("status") == Some("VALIDATED") && !missing.faults.is_empty() {
        return Err(missing);
    }
    transition(scope, call, &AI_MODEL_VERSION, vec![]).await
}

/// The locked version keeps a new deployment of it waiting, and that one then finds it retired.
async fn retire(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &AI_MODEL_VERSION, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if scope.one(&IN_FORCE, &[&was.id]).await?.try_get(0)? {
        return Err(Error::new(&error::IN_USE).detail("The version is rolled out or on trial; disable its deployments first."));
    }
    transition(scope, call, &AI_MODEL_VERSION, vec![]).await
}

async fn roll_out(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &AI_MODEL_DEPLOYMENT, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if was.text("status") == Some("CANARY") {
        if let Some(limit) = guardrails::broken(was.get("guardrails"), &health(scope, was.id).await?) {
            return Err(Error::new(&error::CONFLICT).detail("A guardrail does not hold.").fault(
                "guardrails",
                limit,
                "The trial is outside of it.",
            ));
        }
        // Of a location's own deployments several may be in force.
        if was.text("rollout_strategy") != Some("LOCATION_GROUP") {
            replace(scope, call, &was).await?;
        }
    }
    transition(scope, call, &AI_MODEL_DEPLOYMENT, vec![]).await
}

async fn health(scope: &mut Scope, deployment: Uuid) -> Result<Health> {
    let row = scope.one(&HEALTH, &[&deployment]).await?;
    Ok(Health {
        succeeded: row.try_get(0)?,
        failed: row.try_get(1)?,
        mean_ms: row.try_get(2)?,
        reviewed: row.try_get(3)?,
        overridden: row.try_get(4)?,
    })
}

async fn replace(scope: &mut Scope, call: &Call, next: &Record) -> Result<()> {
    let keys = &call.caller.kernel.keys;
    for row in scope.rows(&FORMER, &[&next.tenant, &next.uuid("model_id"), &next.id]).await? {
        let former = store::lock(scope, &AI_MODEL_DEPLOYMENT, row.try_get(0)?, None, keys).await?;
        let draft = Draft::default().set(&AI_MODEL_DEPLOYMENT, "status", Value::Text("DISABLED".to_owned()))?.set(
            &AI_MODEL_DEPLOYMENT,
            "disabled_reason",
            Value::Text("Replaced by a newer deployment.".to_owned()),
        )?;
        store::update(scope, &former, &draft, "disable", keys).await?;
    }
    Ok(())
}
