//! The PDF of a plan's revision (catalogue 9.06): made from the frozen content for whoever reads the revision, with the answer
//! as it stands; and kept as a document once, as it was presented.

use super::plan_sheet::{Sheet, render};
use super::treatment_plan_revision::TREATMENT_PLAN_REVISION;
use crate::imaging::document::DOCUMENT;
use crate::imaging::made;
use crate::kernel::Kernel;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Record, Value, store};
use crate::sql;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::once;
use serde_json::Value as Json;
use uuid::Uuid;

pub const PDF: &str = "application/pdf";
/// Documents made in one round.
const ROUND_MAX: i32 = 200;

pub static DOCUMENT_OF_REVISION: Operation = Operation {
    id: "getTreatmentPlanRevisionDocument",
    method: Method::Get,
    path: "/treatment-plan-revisions/{id}/document",
    tag: "Treatment plans",
    doc: "The revision as a PDF to read, print and sign: its items and sums as they were presented, the patient's answer as it \
          stands. As it was presented it is also kept as the revision's document",
    takes: &[],
    gives: Gives::Bytes(PDF),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewTreatment,
    run: Run::Apart(|call| Box::pin(document(call))),
};

sql! {
    /// $1 tenant, $2 revision: whose it is, and what became of it.
    DETAILS(UUID, UUID) = "
        select jsonb_build_object('clinic', coalesce(b.display_name, t.name), 'jurisdiction', t.jurisdiction,
               'time_zone', coalesce(l.time_zone, t.time_zone), 'patient', p.full_name, 'dob', p.dob,
               'place', jsonb_build_array(l.address_line1, l.address_line2, concat_ws(', ', l.city, nullif(concat_ws(' ', l.region, l.postal_code), '')),
                                          l.phone, l.email),
               'provider', (select d.full_name from providers d
                             where d.tenant_id = $1 and d.id = (r.content #>> '{plan,provider_id}')::uuid),
               'status', x.status, 'accepted_at', x.accepted_at, 'declined_at', x.declined_at,
               'accepted_revision_no', x.accepted_revision_no, 'all_accepted', x.status <> 'PARTIALLY_ACCEPTED' and not exists (
                    select from treatment_plan_items i where i.tenant_id = $1 and i.plan_id = x.id and i.status = 'DECLINED'),
               'answers', (select coalesce(jsonb_object_agg(i.id, jsonb_build_object('at', i.accepted_at, 'method', i.acceptance_method)), '{}')
                             from treatment_plan_items i where i.tenant_id = $1 and i.plan_id = x.id and i.accepted_at is not null))
          from treatment_plan_revisions r
          join treatment_plans x on x.tenant_id = r.tenant_id and x.id = r.plan_id
          join patients p on p.tenant_id = r.tenant_id and p.id = r.patient_id
          join tenants t on t.id = r.tenant_id
          left join tenant_branding b on b.tenant_id = t.id
          left join locations l on l.tenant_id = t.id
                and l.id = coalesce((r.content #>> '{plan,location_id}')::uuid, t.default_location_id)
         where r.tenant_id = $1 and r.id = $2";
    /// $1 how many: revisions of the last week that have no document.
    DUE(INT4) = "select tenant_id, id from sec.plan_documents_due($1)";
    /// $1 tenant, $2 revision: locked while it gets its document.
    TAKE(UUID, UUID) = "select from treatment_plan_revisions where tenant_id = $1 and id = $2 and document_id is null for no key update";
    /// $1 tenant, $2 file: the sweep of files removes it.
    NOT_NEEDED(UUID, UUID) = "update files set status = 'DELETED', purge_after = current_date where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 revision, $3 document.
    KEPT(UUID, UUID, UUID) = "update treatment_plan_revisions set document_id = $3 where tenant_id = $1 and id = $2";
}

async fn document(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&TREATMENT_PLAN_REVISION)?;
    let revision = caller.glance(&context, &TREATMENT_PLAN_REVISION, call.id()?).await?;
    // The names on it are looked up by the server: whoever may read the revision is shown whose it is.
    let bytes = drawn(&caller.kernel, &caller.server(revision.tenant), &revision).await?;
    caller.saw(&context, &revision).await?;
    Ok(Answer::Bytes(once(async move { Ok(Bytes::from(bytes)) }).boxed()))
}

async fn drawn(kernel: &Kernel, server: &Context, revision: &Record) -> Result<Vec<u8>> {
    let scope = kernel.door.open(server).await?;
    let answers = scope.once(&[((&DETAILS).into(), vec![&revision.tenant, &revision.id])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let details: Json = row.try_get(0)?;
    let presented_at = revision.text("presented_at").and_then(|at| at.parse().ok()).ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let hash = revision.text("content_hash").unwrap_or_default();
    render(&Sheet { content: revision.get("content"), details: &details, hash, presented_at })
}

/// Keeps what was presented and has no document yet, each whatever became of the others. How many were kept.
pub async fn keep_presented(kernel: &Kernel) -> Result<usize> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let due = scope.rows(&DUE, &[&ROUND_MAX]).await?;
    scope.commit().await?;
    let mut kept = 0;
    for row in &due {
        let (tenant, revision): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        match keep(kernel, tenant, revision).await {
            Ok(is_kept) => kept += usize::from(is_kept),
            Err(failure) => tracing::warn!(tenant.id = %tenant, error = %failure, "Could not keep the document of a plan"),
        }
    }
    Ok(kept)
}

/// Of several servers that make it at once the first keeps it; what the others made is taken away again.
pub async fn keep(kernel: &Kernel, tenant: Uuid, revision: Uuid) -> Result<bool> {
    let server = Context::system(Plane::Jobs, Some(tenant));
    let mut scope = kernel.door.open(&server).await?;
    let revision = store::seen(&mut scope, &TREATMENT_PLAN_REVISION, revision, &kernel.keys).await?;
    scope.commit().await?;
    if revision.uuid("document_id").is_some() {
        return Ok(false);
    }
    let number = revision.int("revision_no").unwrap_or_default();
    let name = format!("treatment-plan-revision-{number}.pdf");
    let bytes = drawn(kernel, &server, &revision).await?.into();
    let made = made::Made {
        kind: "DOCUMENT",
        name: &name,
        media_type: PDF,
        source: "treatment-plan",
        bytes,
        patient: revision.patient,
        visible: true,
    };
    let file = made::keep(kernel, &server, made).await?;
    let mut scope = kernel.door.open(&server).await?;
    if scope.optional(&TAKE, &[&tenant, &revision.id]).await?.is_none() {
        scope.exec(&NOT_NEEDED, &[&tenant, &file.id]).await?;
        scope.commit().await?;
        return Ok(false);
    }
    let patient = revision.patient.map_or(Value::Null, Value::Uuid);
    let draft = Draft::default()
        .set(&DOCUMENT, "owner_type", Value::Text("PATIENT".into()))?
        .set(&DOCUMENT, "owner_id", patient.clone())?
        .set(&DOCUMENT, "patient_id", patient)?
        .set(&DOCUMENT, "document_type", Value::Text("TREATMENT_PLAN".into()))?
        .set(&DOCUMENT, "title", Value::Text(format!("Treatment plan, revision {number}")))?
        .set(&DOCUMENT, "file_id", Value::Uuid(file.id))?
        .set(&DOCUMENT, "visibility", Value::Text("PATIENT".into()))?;
    let document = store::insert(&mut scope, &DOCUMENT, &draft, &kernel.keys).await?;
    let last = Draft::default().set(&DOCUMENT, "status", Value::Text("FINAL".into()))?;
    let document = store::update(&mut scope, &document, &last, "finalise", &kernel.keys).await?;
    scope.exec(&KEPT, &[&tenant, &revision.id, &document.id]).await?;
    scope.commit().await?;
    Ok(true)
}
