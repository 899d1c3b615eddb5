//! Retention: what a policy would do today, runs with their review list, and the worker that carries them out
//! (catalogue 3.09, B11, C09).
//!
//! The rule itself is one function of the database (`kernel.retention_decision`); it is asked for the list, and once more
//! for each row when a run is carried out, so that a hold or a consent given in between still counts.

use super::data_retention_policy::DATA_RETENTION_POLICY;
use super::retention_run::RETENTION_RUN;
use super::stopping::second_person;
use crate::kernel::Kernel;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Field, Value, store};
use crate::sql;
use serde_json::{Map, json};
use uuid::Uuid;

sql! {
    /// $1 policy.
    COUNTS(UUID) = "select decision, count(*) from kernel.retention_list($1) where decision <> 'KEEP' group by 1";
    /// Tenants with a run that waits.
    DUE() = "select sec.retention_due()";
    /// $1 tenant, $2 state.
    NEXT(UUID, TEXT) = "
        select id, policy_id from retention_runs where tenant_id = $1 and status = $2 order by id limit 1 for no key update skip locked";
    /// $1 tenant, $2 run.
    BEGIN(UUID, UUID) = "
        update retention_runs set status = 'RUNNING', started_at = now() where tenant_id = $1 and id = $2 and status = 'QUEUED'";
    /// $1 tenant, $2 run.
    FAILED(UUID, UUID) = "
        update retention_runs set status = 'FAILED', completed_at = now()
         where tenant_id = $1 and id = $2 and status in ('RUNNING', 'APPROVED')";
    /// $1 tenant, $2 run, $3 policy.
    LIST(UUID, UUID, UUID) = "
        insert into retention_items (tenant_id, id, run_id, resource_type, resource_id, patient_id, retain_until, decision, reason, content_hash)
        select $1, gen_random_uuid(), $2, l.resource_type, l.resource_id, l.patient_id, l.retain_until, l.decision,
               'consent: ' || lower(l.consent), l.content_hash
          from kernel.retention_list($3) l where l.decision <> 'KEEP'";
    /// $1 tenant, $2 run.
    LISTED(UUID, UUID) = "
        update retention_runs r set status = 'REVIEW', candidates = n.candidates, held = n.held
          from (select count(*)::int as candidates, (count(*) filter (where i.decision = 'HELD'))::int as held
                  from retention_items i where i.tenant_id = $1 and i.run_id = $2) n
         where r.tenant_id = $1 and r.id = $2";
    /// $1 tenant, $2 run, $3 policy. What the list still says today; the rest is left alone.
    PURGE_PATIENTS(UUID, UUID, UUID) = "
        update patients p set deleted_at = now(), delete_reason = 'retention run ' || $2::text
          from retention_items i join kernel.retention_list($3) l on l.resource_id = i.resource_id and l.resource_type = i.resource_type
         where i.tenant_id = $1 and i.run_id = $2 and i.decision = 'DELETE' and l.decision = 'DELETE'
           and i.resource_type = 'Patient' and p.tenant_id = $1 and p.id = i.resource_id and p.deleted_at is null";
    /// The same for files; the object follows its row.
    PURGE_FILES(UUID, UUID, UUID) = "
        update files f set status = 'DELETED', deleted_at = now(), delete_reason = 'retention run ' || $2::text, purge_after = current_date
          from retention_items i join kernel.retention_list($3) l on l.resource_id = i.resource_id and l.resource_type = i.resource_type
         where i.tenant_id = $1 and i.run_id = $2 and i.decision = 'DELETE' and l.decision = 'DELETE'
           and i.resource_type = 'File' and f.tenant_id = $1 and f.id = i.resource_id and f.deleted_at is null";
    /// $1 tenant, $2 run.
    OUTCOMES(UUID, UUID) = "
        update retention_items i set outcome = case when exists (
                   select from patients p where p.tenant_id = $1 and p.id = i.resource_id and p.delete_reason = 'retention run ' || $2::text
                   union all
                   select from files f where f.tenant_id = $1 and f.id = i.resource_id and f.delete_reason = 'retention run ' || $2::text)
               then 'DONE' else 'SKIPPED' end
         where i.tenant_id = $1 and i.run_id = $2 and i.decision in ('DELETE', 'ARCHIVE')";
    /// $1 tenant, $2 run.
    CARRIED_OUT(UUID, UUID) = "
        update retention_runs r set status = 'COMPLETED', completed_at = now(), purged = n.purged, restricted = n.restricted
          from (select (count(*) filter (where i.outcome = 'DONE'))::int as purged,
                       (count(*) filter (where i.decision = 'RESTRICT'))::int as restricted
                  from retention_items i where i.tenant_id = $1 and i.run_id = $2) n
         where r.tenant_id = $1 and r.id = $2";
}

static COUNTED: &[Field] = &[
    Field::uuid("policy_id").required(),
    Field::big("deleted").required(),
    Field::big("archived").required(),
    Field::big("restricted").required().doc("the consent lapsed before the time to keep was over"),
    Field::big("held").required().doc("kept by a legal hold alone"),
];

pub static PREVIEW: Operation = Operation {
    id: "previewDataRetentionPolicy",
    method: Method::Post,
    path: "/data-retention-policies/{id}/preview",
    tag: RETENTION_RUN.tag,
    doc: "What a run of this policy would delete, archive or restrict today; nothing changes",
    takes: &[],
    gives: Gives::Object("RetentionPreview", COUNTED),
    planes: &[Plane::Staff],
    permission: Permission::ManageGovernance,
    run: Run::Apart(|call| Box::pin(preview(call))),
};

/// What retention can look at: records with a date and a place to retire them.
const COVERED: &[&str] = &["PATIENT_RECORD", "IMAGING", "CONSENT_HELD"];

/// Governance need not see charts to count them: the list is made on the jobs plane, of the caller's tenant.
async fn preview(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let policy = caller.glance(&caller.context, &DATA_RETENTION_POLICY, call.id()?).await?;
    covered(policy.text("data_class").unwrap_or_default())?;
    let scope = caller.kernel.door.open(&caller.acting(caller.tenant()?, call.operation.permission)?).await?;
    let answers = scope.once(&[((&COUNTS).into(), vec![&policy.id])]).await?;
    caller.saw(&caller.context, &policy).await?;
    let mut counts = Map::from_iter([("policy_id".to_owned(), json!(policy.id))]);
    for name in ["deleted", "archived", "restricted", "held"] {
        counts.insert(name.to_owned(), json!(0));
    }
    for row in answers.iter().flatten() {
        let (decision, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        let name = match decision.as_str() {
            "DELETE" => "deleted",
            "ARCHIVE" => "archived",
            "RESTRICT" => "restricted",
            _ => "held",
        };
        counts.insert(name.to_owned(), json!(count));
    }
    Ok(Answer::Object(counts))
}

fn covered(data_class: &str) -> Result<()> {
    if COVERED.contains(&data_class) {
        return Ok(());
    }
    Err(Error::new(&error::NOT_SUPPORTED).fault(
        "data_class",
        "covered",
        "Runs cover patients' records, images and what is held on consent.",
    ))
}

pub static APPROVE: Operation = Operation {
    id: "approveRetentionRun",
    method: Method::Post,
    path: "/retention-runs/{id}/approve",
    tag: RETENTION_RUN.tag,
    doc: "Let a reviewed list be carried out; somebody else than who started the run",
    takes: &[],
    gives: Gives::Record(&RETENTION_RUN),
    planes: &[Plane::Staff],
    permission: Permission::ManageGovernance,
    run: Run::Inside(|scope, call| Box::pin(approve(scope, call))),
};

async fn approve(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &RETENTION_RUN, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if was.text("mode") != Some("EXECUTE") {
        return Err(Error::new(&error::MOVE_REFUSED).fault("mode", "value", "A preview is never carried out."));
    }
    let person = second_person(call, was.uuid("created_by"), "approved_by")?;
    transition(scope, call, &RETENTION_RUN, vec![("approved_by", person)]).await
}

pub static CANCEL: Operation = Operation {
    id: "cancelRetentionRun",
    path: "/retention-runs/{id}/cancel",
    doc: "Let a reviewed list be; nothing is carried out",
    run: Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &RETENTION_RUN, vec![("completed_at", Value::Instant(now))]).await
        })
    }),
    ..APPROVE
};

/// Carries on every run that waits: new ones get their list, approved ones are carried out. Runs that were carried on.
pub async fn carry_on(kernel: &Kernel) -> Result<usize> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let due = scope.rows(&DUE, &[]).await?;
    scope.commit().await?;
    let mut done = 0;
    for row in &due {
        let tenant: Uuid = row.try_get(0)?;
        match runs_of(kernel, tenant).await {
            Ok(runs) => done += runs,
            Err(failure) => tracing::warn!(tenant.id = %tenant, error = %failure, "Could not carry on a tenant's retention"),
        }
    }
    Ok(done)
}

async fn runs_of(kernel: &Kernel, tenant: Uuid) -> Result<usize> {
    let mut done = 0;
    while step(kernel, tenant, "QUEUED").await? || step(kernel, tenant, "APPROVED").await? {
        done += 1;
    }
    Ok(done)
}

/// One run of that state; another server that holds it is left to it. A run that cannot be carried on is over, unless it was the
/// database that went away.
async fn step(kernel: &Kernel, tenant: Uuid, state: &'static str) -> Result<bool> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, Some(tenant))).await?;
    let Some(row) = scope.optional(&NEXT, &[&tenant, &state]).await? else {
        scope.commit().await?;
        return Ok(false);
    };
    let (run, policy): (Uuid, Option<Uuid>) = (row.try_get(0)?, row.try_get(1)?);
    match carried_on(scope, (tenant, run), policy, state).await {
        Ok(()) => {}
        Err(failure) if failure.code == &error::UNAVAILABLE => return Err(failure),
        Err(failure) => {
            tracing::warn!(tenant.id = %tenant, run.id = %run, error = %failure, "A run of retention failed");
            let mut scope = kernel.door.open(&Context::system(Plane::Jobs, Some(tenant))).await?;
            if state == "QUEUED" {
                scope.exec(&BEGIN, &[&tenant, &run]).await?;
            }
            scope.exec(&FAILED, &[&tenant, &run]).await?;
            scope.commit().await?;
        }
    }
    Ok(true)
}

async fn carried_on(mut scope: Scope, (tenant, run): (Uuid, Uuid), policy: Option<Uuid>, state: &str) -> Result<()> {
    if state == "QUEUED" {
        scope.exec(&BEGIN, &[&tenant, &run]).await?;
        if let Some(policy) = policy {
            scope.exec(&LIST, &[&tenant, &run, &policy]).await?;
        }
        scope.exec(&LISTED, &[&tenant, &run]).await?;
    } else {
        if let Some(policy) = policy {
            scope.exec(&PURGE_PATIENTS, &[&tenant, &run, &policy]).await?;
            scope.exec(&PURGE_FILES, &[&tenant, &run, &policy]).await?;
        }
        scope.exec(&OUTCOMES, &[&tenant, &run]).await?;
        scope.exec(&CARRIED_OUT, &[&tenant, &run]).await?;
    }
    scope.commit().await
}
