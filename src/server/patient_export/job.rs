//! The copy that a request for access or portability orders: made behind the request, kept as files of the patient that only
//! those open who manage such requests.

use super::{Copying, PAGES_MAX};
use crate::imaging::download::RECORD_COPY;
use crate::imaging::made;
use crate::integrations::record_order::RecordOrder;
use crate::kernel::Kernel;
use crate::kernel::audit::Outcome;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{Error, Result};
use crate::kernel::table::Record;
use crate::patients::patient::PATIENT;
use crate::sql;
use bytes::Bytes;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Bytes of one file; a longer copy goes on in the next.
const PART_MAX: usize = 16 * 1024 * 1024;

sql! {
    DUE() = "select tenant_id, id from sec.record_copies_due()";
    /// $1 tenant, $2 job. Nothing when another server has it.
    TAKE(UUID, UUID) = "
        update export_jobs j set status = 'RUNNING', progress_percent = 0
          from (select x.id from export_jobs x where x.tenant_id = $1 and x.id = $2
                   and (x.status = 'QUEUED' or x.status = 'RUNNING' and x.updated_at < now() - interval '2 minutes')
                   for no key update skip locked) due
         where j.tenant_id = $1 and j.id = due.id returning j.params";
    /// $1 tenant, $2 job, $3 percent. No row when it was cancelled.
    GOES_ON(UUID, UUID, INT4) = "
        update export_jobs set progress_percent = $3 where tenant_id = $1 and id = $2 and status = 'RUNNING' returning id";
    /// $1 tenant, $2 job, $3 first file, $4 rows, $5 files.
    DONE(UUID, UUID, UUID, INT8, JSONB) = "
        update export_jobs set status = 'COMPLETED', progress_percent = 100, file_id = $3, record_count = $4,
               params = params || jsonb_build_object('files', $5::jsonb) where tenant_id = $1 and id = $2 and status = 'RUNNING'";
    /// $1 tenant, $2 job, $3 why.
    FAILED(UUID, UUID, TEXT) = "update export_jobs set status = 'FAILED', error_details = $3 where tenant_id = $1 and id = $2 and status = 'RUNNING'";
}

/// Makes the copies that wait. How many were looked at.
pub async fn carry_on(kernel: &Arc<Kernel>) -> Result<usize> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let due = scope.rows(&DUE, &[]).await?;
    scope.commit().await?;
    for row in &due {
        copy(kernel, row.try_get(0)?, row.try_get(1)?).await?;
    }
    Ok(due.len())
}

async fn copy(kernel: &Arc<Kernel>, tenant: Uuid, job: Uuid) -> Result<()> {
    let server = Context::system(Plane::Jobs, Some(tenant));
    let mut scope = kernel.door.open(&server).await?;
    let row = scope.optional(&TAKE, &[&tenant, &job]).await?;
    scope.commit().await?;
    let Some(row) = row else { return Ok(()) };
    if let Err(failure) = made_whole(kernel, &server, job, &row.try_get(0)?).await {
        tracing::warn!(job.id = %job, error = %failure, "A copy of a record failed");
        let mut scope = kernel.door.open(&server).await?;
        let why = failure.detail.as_deref().unwrap_or(failure.code.title);
        scope.exec(&FAILED, &[&tenant, &job, &why]).await?;
        scope.commit().await?;
    }
    Ok(())
}

async fn made_whole(kernel: &Arc<Kernel>, server: &Context, job: Uuid, params: &Json) -> Result<()> {
    let tenant = server.tenant.unwrap_or_default();
    let order = RecordOrder::open(&*kernel.keys.of(tenant).await?, job, params)?;
    order.by.stands(kernel).await?;
    let caller = order.by.caller(kernel);
    let patient = caller.glance(&caller.context, &PATIENT, order.patient).await?;
    let (sink, mut pages) = mpsc::channel(PAGES_MAX);
    let copying = tokio::spawn(Copying::begin(caller, patient, sink).await?.run());
    let (mut files, mut part) = (Vec::new(), Vec::new());
    while let Some(page) = pages.recv().await {
        part.extend_from_slice(&page.map_err(Error::internal)?);
        if part.len() >= PART_MAX {
            files.push(kept(kernel, server, &order, files.len(), std::mem::take(&mut part)).await?);
            if !goes_on(kernel, server, job, files.len()).await? {
                // Dropping the pages ends the copy, and its event says so.
                return Ok(());
            }
        }
    }
    let (outcome, rows) = copying.await.map_err(Error::internal)?;
    if outcome != Outcome::Success {
        return Err(Error::internal("the copy ended early"));
    }
    files.push(kept(kernel, server, &order, files.len(), part).await?);
    let named: Vec<Json> =
        files.iter().map(|file| json!({"name": file.text("file_name"), "file_id": file.id, "sha256": file.text("sha256")})).collect();
    let first = files.first().map(|file| file.id);
    let mut scope = kernel.door.open(server).await?;
    scope.exec(&DONE, &[&tenant, &job, &first, &i64::try_from(rows).unwrap_or(i64::MAX), &Json::Array(named)]).await?;
    scope.commit().await
}

/// As long as whoever ordered it may have it.
async fn kept(kernel: &Kernel, server: &Context, order: &RecordOrder, place: usize, part: Vec<u8>) -> Result<Record> {
    order.by.stands(kernel).await?;
    let name = format!("record-{}.ndjson", place + 1);
    let bytes = Bytes::from(part);
    let made = made::Made {
        kind: "MEDICAL_RECORD",
        name: &name,
        media_type: super::NDJSON,
        source: RECORD_COPY,
        bytes,
        patient: Some(order.patient),
        visible: false,
    };
    made::keep(kernel, server, made).await
}

async fn goes_on(kernel: &Kernel, server: &Context, job: Uuid, files: usize) -> Result<bool> {
    let mut scope = kernel.door.open(server).await?;
    // How much there is to come nobody knows before; it never says that it is done.
    let percent = i32::try_from(files * 10).unwrap_or(90).min(90);
    let on = scope.optional(&GOES_ON, &[&server.tenant, &job, &percent]).await?;
    scope.commit().await?;
    Ok(on.is_some())
}
