//! Asking a version for its opinion of a study, and what becomes of the job (catalogue 11.04, 11.09, B9).
//!
//! The trigger `admit_inference` holds for every way a job can be made; what is checked here first is told in words.

use super::ai_inference_job::AI_INFERENCE_JOB;
use super::ai_model_version::AI_MODEL_VERSION;
use super::guardrails::{Rollout, outside};
use crate::kernel::audit::{Action, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Record, Refers, Table, Value, store};
use crate::sql;
use uuid::Uuid;

/// Runs of one job, the first included.
const ATTEMPTS_MAX: i64 = 5;

sql! {
    /// $1 tenant, $2 study.
    STUDY(UUID, UUID) = "
        select s.status, s.modality, s.modality_code, s.patient_id, d.location_id, extract(year from age(now(), p.dob))::int
          from imaging_studies s
          left join devices d on d.tenant_id = s.tenant_id and d.id = s.performing_device_id
          left join patients p on p.tenant_id = s.tenant_id and p.id = s.patient_id
         where s.tenant_id = $1 and s.id = $2 and s.deleted_at is null";
    /// $1 patient.
    GATE(UUID) = "select feature, consent_needed, consent from sec.ai_gate($1)";
    /// $1 version: where it may be in force for the caller, the tenant's own word first.
    DEPLOYMENTS(UUID) = "
        select d.id, d.rollout_strategy, d.percentage, d.tenant_ids, d.location_ids, d.bucket_salt, d.is_shadow
          from ai_model_deployments d
         where d.tenant_id = any ((select sec.shared(0))::uuid[]) and d.model_version_id = $1 and d.status in ('ROLLED_OUT', 'CANARY')
         order by d.tenant_id = (select sec.tenant(0)) desc, d.status desc, d.id";
}

pub static ANALYZE: Operation = Operation {
    id: "analyzeImagingStudy",
    method: Method::Post,
    path: "/imaging-studies/{id}/analyze",
    tag: "AI models",
    doc: "Queue an analysis of an AVAILABLE study by a released version that is in force here",
    takes: &[Field::uuid("model_version_id").required().refers(Refers::Installation("ai_model_versions"))],
    gives: Gives::Created(&AI_INFERENCE_JOB),
    planes: &[Plane::Staff],
    permission: Permission::RunAiAnalysis,
    run: Run::Inside(|scope, call| Box::pin(analyze(scope, call))),
};

const fn step(id: &'static str, path: &'static str, doc: &'static str, run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: "AI models",
        doc,
        takes: &[],
        gives: Gives::Record(&AI_INFERENCE_JOB),
        planes: &[Plane::Staff],
        permission: Permission::RunAiAnalysis,
        run,
    }
}

pub static RETRY: Operation = step(
    "retryAiInferenceJob",
    "/ai-inference-jobs/{id}/retry",
    "Queue a FAILED job again, at most five runs in all",
    Run::Inside(|scope, call| Box::pin(retry(scope, call))),
);
pub static CANCEL: Operation = step(
    "cancelAiInferenceJob",
    "/ai-inference-jobs/{id}/cancel",
    "Take back a job that has not begun; it counts for no limit",
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &AI_INFERENCE_JOB, vec![("completed_at", Value::Instant(now))]).await
        })
    }),
);

/// A study as an analysis needs to know it.
struct Study {
    id: Uuid,
    modality: String,
    code: String,
    patient: Uuid,
    location: Option<Uuid>,
    age: Option<i32>,
}

async fn analyze(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let study = study(scope, call).await?;
    let version = released(scope, call, &study).await?;
    let gate = scope.one(&GATE, &[&study.patient]).await?;
    let (feature, needed, consent): (bool, bool, Option<Uuid>) = (gate.try_get(0)?, gate.try_get(1)?, gate.try_get(2)?);
    if !feature {
        return Err(Error::new(&error::FORBIDDEN).detail("The tenant's plan does not include AI_DIAGNOSTICS."));
    }
    if needed && consent.is_none() {
        return Err(Error::new(&error::CONFLICT).detail("The patient has not consented to AI analysis."));
    }
    let (deployment, shadow) = in_force(scope, &version, &study).await?;
    let table: &'static Table = &AI_INFERENCE_JOB;
    let draft = Draft::default()
        .set(table, "model_version_id", Value::Uuid(version.id))?
        .set(table, "deployment_id", Value::Uuid(deployment))?
        .set(table, "is_shadow", Value::Bool(shadow))?
        .set(table, "patient_id", Value::Uuid(study.patient))?
        .set(table, "input_type", Value::Text("IMAGING_STUDY".to_owned()))?
        .set(table, "input_ref_id", Value::Uuid(study.id))?;
    let job = store::insert(scope, table, &draft, &call.caller.kernel.keys).await?;
    let mut event = audit_store::of(scope.context(), "IMAGE_ANALYZED", Action::Execute, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id, event.patient_id) = (Some("ImagingStudy".into()), Some(study.id), Some(study.patient));
    scope.audit(event);
    Ok(Answer::Record(job))
}

/// Who may run an analysis need not be one who edits images: the study is read and not locked.
async fn study(scope: &mut Scope, call: &Call) -> Result<Study> {
    let (tenant, id) = (scope.tenant()?, call.id()?);
    let row = scope.optional(&STUDY, &[&tenant, &id]).await?.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    if row.try_get::<_, &str>(0)? != "AVAILABLE" {
        return Err(Error::new(&error::CONFLICT).detail("Only an available study is analysed."));
    }
    Ok(Study {
        id,
        modality: row.try_get(1)?,
        code: row.try_get(2)?,
        patient: row.try_get(3)?,
        location: row.try_get(4)?,
        age: row.try_get(5)?,
    })
}

async fn released(scope: &mut Scope, call: &Call, study: &Study) -> Result<Record> {
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault("model_version_id", "reference", "There is no such released version.");
    let id = call.uuid("model_version_id").ok_or_else(unknown)?;
    let version = store::seen(scope, &AI_MODEL_VERSION, id, &call.caller.kernel.keys).await.map_err(|_| unknown())?;
    if version.text("status") != Some("RELEASED") {
        return Err(unknown());
    }
    let inputs: Vec<String> = serde_json::from_value(version.get("input_types").clone()).map_err(Error::internal)?;
    match outside(version.get("intended_use"), &inputs, &study.modality, &study.code, study.age) {
        Some(rule) => {
            Err(Error::new(&error::INVALID).fault("model_version_id", rule, "The study is outside of the version's intended use."))
        }
        None => Ok(version),
    }
}

async fn in_force(scope: &mut Scope, version: &Record, study: &Study) -> Result<(Uuid, bool)> {
    let tenant = scope.tenant()?;
    for row in scope.rows(&DEPLOYMENTS, &[&version.id]).await? {
        let rollout = Rollout {
            strategy: row.try_get(1)?,
            percentage: row.try_get(2)?,
            tenants: row.try_get(3)?,
            locations: row.try_get(4)?,
            salt: row.try_get(5)?,
        };
        if rollout.reaches(tenant, study.location) {
            return Ok((row.try_get(0)?, row.try_get(6)?));
        }
    }
    Err(Error::new(&error::CONFLICT).detail("The version is in force nowhere the study belongs to."))
}

async fn retry(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &AI_INFERENCE_JOB, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if was.text("status") == Some("FAILED") && was.int("attempts").unwrap_or_default() >= ATTEMPTS_MAX {
        return Err(Error::new(&error::CONFLICT).detail("The job has failed as often as it may run."));
    }
    let nothing = ["lease_until", "started_at", "completed_at", "error_details"].map(|name| (name, Value::Null));
    let now = scope.now();
    let columns = nothing.into_iter().chain([("queued_at", Value::Instant(now))]).collect();
    transition(scope, call, &AI_INFERENCE_JOB, columns).await
}
