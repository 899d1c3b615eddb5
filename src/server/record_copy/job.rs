//! Copies that are ordered: of a patient's record for a request for access or portability, or of all of a tenant's. Kept as files
//! that only those open who manage governance.

use super::{Copying, NDJSON, PAGES_MAX, Whose};
use crate::imaging::download::RECORD_COPY;
use crate::imaging::made;
use crate::integrations::export_order::ExportOrder;
use crate::integrations::export_work::{self, Work};
use crate::kernel::Kernel;
use crate::kernel::audit::Outcome;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{Error, Result};
use crate::kernel::table::Record;
use crate::patients::patient::PATIENT;
use crate::sql;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Bytes of one file; a longer copy goes on in the next.
const PART_MAX: usize = 16 * 1024 * 1024;

sql! {
    DUE() = "select tenant_id, id from sec.record_copies_due()";
}

/// Makes the copies that wait. How many were looked at.
pub async fn carry_on(kernel: &Arc<Kernel>) -> Result<usize> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let due = scope.rows(&DUE, &[]).await?;
    scope.commit().await?;
    for row in &due {
        let (tenant, job) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(mut work) = export_work::take(kernel, tenant, job).await? {
            let server = Context::system(Plane::Jobs, Some(tenant));
            match made_whole(kernel, &server, &mut work).await {
                Ok(None) => {}
                Ok(Some(rows)) => {
                    let mut scope = kernel.door.open(&server).await?;
                    work.done(&mut scope, rows).await?;
                    scope.commit().await?;
                }
                Err(failure) => work.failed(kernel, &server, &failure).await?,
            }
        }
    }
    Ok(due.len())
}

/// How many rows it has; none when it was called off.
async fn made_whole(kernel: &Arc<Kernel>, server: &Context, work: &mut Work) -> Result<Option<usize>> {
    let tenant = server.tenant.unwrap_or_default();
    let order = ExportOrder::open(&*kernel.keys.of(tenant).await?, work.job, &work.params)?;
    order.by.stands(kernel).await?;
    let caller = order.by.caller(kernel);
    let whose = match order.patient {
        Some(patient) => Whose::Patient(caller.glance(&caller.context, &PATIENT, patient).await?),
        None => Whose::Tenant(tenant),
    };
    let (sink, mut pages) = mpsc::channel(PAGES_MAX);
    let copying = tokio::spawn(Copying::begin(caller, whose, sink).await?.run());
    let (mut files, mut part) = (0, Vec::new());
    while let Some(page) = pages.recv().await {
        part.extend_from_slice(&page.map_err(Error::internal)?);
        if part.len() >= PART_MAX {
            files += 1;
            let file = kept(kernel, server, &order, files, std::mem::take(&mut part)).await?;
            // How much there is to come nobody knows before; it never says that it is done. Dropping the pages ends the copy, and its
            // event says so.
            if !work.wrote(kernel, server, (files * 10).min(90), &file, None).await? {
                return Ok(None);
            }
        }
    }
    let (outcome, rows) = copying.await.map_err(Error::internal)?;
    if outcome != Outcome::Success {
        return Err(Error::internal("the copy ended early"));
    }
    let file = kept(kernel, server, &order, files + 1, part).await?;
    Ok(work.wrote(kernel, server, 90, &file, None).await?.then_some(rows))
}

/// As long as whoever ordered it may have it.
async fn kept(kernel: &Kernel, server: &Context, order: &ExportOrder, place: i32, part: Vec<u8>) -> Result<Record> {
    order.by.stands(kernel).await?;
    let name = format!("{}-{place}.ndjson", if order.patient.is_some() { "record" } else { "tenant" });
    let made = made::Made {
        kind: "MEDICAL_RECORD",
        name: &name,
        media_type: NDJSON,
        source: RECORD_COPY,
        bytes: Bytes::from(part),
        patient: order.patient,
        visible: false,
    };
    made::keep(kernel, server, made).await
}
