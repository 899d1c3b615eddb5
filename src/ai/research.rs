//! De-identified data sets for research (catalogue 11.10, 3.15, B15): built of patients who consented, published when nobody
//! in them stands alone, and given out as files whose use is logged.

use super::deidentify::Criteria;
use super::research_access_log::RESEARCH_ACCESS_LOG;
use super::research_dataset::RESEARCH_DATASET;
use crate::integrations::export_job::EXPORT_JOB;
use crate::kernel::bell::Bell;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::storage::GET_VALID_S_MAX;
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 data set: its newest export that is whole.
    LATEST(UUID, UUID) = "
        select params -> 'files', record_count from export_jobs
         where tenant_id = $1 and params ->> 'dataset_id' = $2::uuid::text and status = 'COMPLETED' order by created_at desc, id desc limit 1";
    /// $1 tenant, $2 file.
    PLACE(UUID, UUID) = "select storage_key, file_type from files where tenant_id = $1 and id = $2 and status = 'READY'";
    /// $1 tenant, $2 data set: members whose consent still stands, and all.
    STANDING(UUID, UUID) = "
        select count(*) filter (where c.patient_id is not null), count(*) from research_dataset_members m
          left join kernel.research_cohort($2) c on c.patient_id = m.patient_id
         where m.tenant_id = $1 and m.dataset_id = $2 and m.valid_until is null";
}

pub static BUILD: Operation = Operation {
    id: "buildResearchDataset",
    method: Method::Post,
    path: "/research-datasets/{id}/build",
    tag: RESEARCH_DATASET.tag,
    doc: "Choose the members, as a job: consented patients that the inclusion_criteria name (min_age, max_age, genders, \
          condition_codes, procedure_codes, seen_from, seen_before), none in a group smaller than k_anonymity (5 when left \
          out). member_count tells when it is done; with nobody left the set is a DRAFT again",
    takes: &[],
    gives: Gives::Record(&RESEARCH_DATASET),
    planes: &[Plane::Staff],
    permission: Permission::ManageGovernance,
    run: Run::Inside(|scope, call| Box::pin(build(scope, call))),
};

async fn build(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &RESEARCH_DATASET, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let mut wrong = Error::new(&error::INVALID);
    if let Err(why) = serde_json::from_value::<Criteria>(was.get("inclusion_criteria").clone()) {
        // Serde names the key and the type it expected; of values it would tell, so only the first part is.
        tracing::debug!(error = %why, "Inclusion criteria that cannot be read");
        wrong = wrong.fault("inclusion_criteria", "value", "It holds something that is no criterion, or of another type.");
    }
    if was.text("deidentification_method") == Some("EXPERT_DETERMINATION") {
        for name in ["expert_name", "expert_report_document_id"] {
            if was.get(name).is_null() {
                wrong = wrong.fault(name, "required", "An expert's determination needs its expert and the report.");
            }
        }
    }
    if !wrong.faults.is_empty() {
        return Err(wrong);
    }
    let answer = transition(scope, call, &RESEARCH_DATASET, vec![("member_count", Value::Int(0))]).await?;
    Bell::of(&call.caller.kernel).ring();
    Ok(answer)
}

pub static PUBLISH: Operation = Operation {
    id: "publishResearchDataset",
    path: "/research-datasets/{id}/publish",
    doc: "Freeze a built data set and open it to those who use research data; every member's consent must still stand",
    run: Run::Apart(|call| Box::pin(publish(call))),
    ..BUILD
};

async fn publish(call: Call) -> Result<Answer> {
    let (caller, id) = (&call.caller, call.id()?);
    let mut scope = caller.write(Permission::ManageGovernance).await?;
    store::seen(&mut scope, &RESEARCH_DATASET, id, &caller.kernel.keys).await?;
    scope.commit().await?;
    let (standing, all) = standing(&call, id).await?;
    if all == 0 {
        return Err(Error::new(&error::MOVE_REFUSED).fault("member_count", "built", "It has not been built yet."));
    }
    if standing < all {
        return Err(Error::new(&error::CONFLICT).detail("A consent ended since; withdraw nothing, make a new version of the data set."));
    }
    let mut scope = caller.write(Permission::ManageGovernance).await?;
    let now = scope.now();
    let answer = transition(&mut scope, &call, &RESEARCH_DATASET, vec![("published_at", Value::Instant(now))]).await?;
    scope.commit().await?;
    Ok(answer)
}

async fn standing(call: &Call, set: Uuid) -> Result<(i64, i64)> {
    let tenant = call.caller.tenant()?;
    let mut scope = call.caller.kernel.door.open(&call.caller.acting(tenant, call.operation.permission)?).await?;
    let row = scope.one(&STANDING, &[&tenant, &set]).await?;
    scope.commit().await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

const PURPOSE: &[Field] = &[Field::text("purpose").required().length(2_000).doc("kept in the log of uses")];

pub static EXPORT: Operation = Operation {
    id: "exportResearchDataset",
    method: Method::Post,
    path: "/research-datasets/{id}/export",
    tag: RESEARCH_DATASET.tag,
    doc: "Write a PUBLISHED data set as files, as a job: tables of members, conditions, procedures and probing, and a manifest \
          with the hash of each. Whose consent ended since is left out",
    takes: PURPOSE,
    gives: Gives::Object("ResearchExportOrder", &[Field::uuid("job_id").required()]),
    planes: &[Plane::Staff],
    permission: Permission::UseResearchData,
    run: Run::Apart(|call| Box::pin(export(call))),
};

async fn export(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let set = published(&call).await?;
    let actor = caller.context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let mut scope = caller.kernel.door.open(&caller.acting(set.tenant, call.operation.permission)?).await?;
    let draft = Draft::default()
        .set(&EXPORT_JOB, "export_type", Value::Text("REPORT".to_owned()))?
        .set(&EXPORT_JOB, "requested_by", Value::Uuid(actor))?
        .set(&EXPORT_JOB, "params", Value::Json(json!({"dataset_id": set.id})))?;
    let job = store::insert(&mut scope, &EXPORT_JOB, &draft, &caller.kernel.keys).await?;
    used(&mut scope, &call, &set, actor, "EXPORT", None).await?;
    scope.commit().await?;
    Bell::of(&caller.kernel).ring();
    Ok(Answer::Object(Map::from_iter([("job_id".to_owned(), json!(job.id))])))
}

pub static DOWNLOAD: Operation = Operation {
    id: "downloadResearchDataset",
    path: "/research-datasets/{id}/download",
    doc: "Signed URLs, good for five minutes, of the files of the newest export of a PUBLISHED data set",
    takes: PURPOSE,
    gives: Gives::Object(
        "ResearchDownload",
        &[Field::json("files").required().doc("name, rows, sha256 and url of each"), Field::big("record_count").required()],
    ),
    run: Run::Apart(|call| Box::pin(download(call))),
    ..EXPORT
};

async fn download(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let set = published(&call).await?;
    let actor = caller.context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let mut scope = caller.kernel.door.open(&caller.acting(set.tenant, call.operation.permission)?).await?;
    let none = || Error::new(&error::CONFLICT).detail("No export of it is there yet.");
    let row = scope.optional(&LATEST, &[&set.tenant, &set.id]).await?.ok_or_else(none)?;
    let (mut files, count): (Json, i64) = (row.try_get(0)?, row.try_get::<_, Option<i64>>(1)?.unwrap_or_default());
    let mut places = Vec::new();
    for file in files.as_array_mut().into_iter().flatten() {
        let id: Option<Uuid> = file["file_id"].as_str().and_then(|id| id.parse().ok());
        let row = scope.one(&PLACE, &[&set.tenant, &id.unwrap_or_default()]).await?;
        places.push((row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?));
    }
    used(&mut scope, &call, &set, actor, "DOWNLOAD", Some(count)).await?;
    // The log of uses is durable before a URL exists.
    scope.commit().await?;
    for (file, (key, media_type)) in files.as_array_mut().into_iter().flatten().zip(places) {
        let name = file["name"].as_str().unwrap_or_default().to_owned();
        let signed = caller.kernel.storage.presign_get(&key, &media_type, &name, GET_VALID_S_MAX).await?;
        file["url"] = json!(signed.url);
    }
    Ok(Answer::Object(Map::from_iter([("files".to_owned(), files), ("record_count".to_owned(), json!(count))])))
}

async fn published(call: &Call) -> Result<Record> {
    let mut scope = call.caller.write(Permission::UseResearchData).await?;
    let set = store::seen(&mut scope, &RESEARCH_DATASET, call.id()?, &call.caller.kernel.keys).await?;
    scope.commit().await?;
    match set.text("status") {
        Some("PUBLISHED") => Ok(set),
        _ => Err(Error::new(&error::MOVE_REFUSED).fault("status", "state", "Only a PUBLISHED data set is given out.")),
    }
}

async fn used(scope: &mut Scope, call: &Call, set: &Record, actor: Uuid, action: &str, count: Option<i64>) -> Result<()> {
    let mut draft = Draft::default()
        .set(&RESEARCH_ACCESS_LOG, "dataset_id", Value::Uuid(set.id))?
        .set(&RESEARCH_ACCESS_LOG, "user_id", Value::Uuid(actor))?
        .set(&RESEARCH_ACCESS_LOG, "action", Value::Text(action.to_owned()))?
        .set(&RESEARCH_ACCESS_LOG, "purpose", Value::Text(call.text("purpose").unwrap_or_default().to_owned()))?
        .set(&RESEARCH_ACCESS_LOG, "request_id", Value::Uuid(scope.context().request))?;
    if let Some(count) = count {
        draft = draft.set(&RESEARCH_ACCESS_LOG, "record_count", Value::BigInt(count))?;
    }
    store::insert(scope, &RESEARCH_ACCESS_LOG, &draft, &call.caller.kernel.keys).await.map(|_| ())
}
