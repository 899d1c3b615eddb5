//! Copies that are ordered: of a patient's record for a request for access or portability, or of all of a tenant's. Kept as files
//! that only those open who manage governance.

use super::{Copying, NDJSON, PAGES_MAX, Whose};
use crate::imaging::download::RECORD_COPY;
use crate::imaging::made::{self, Making};
use crate::integrations::export_order::ExportOrder;
use crate::integrations::export_work::{self, Work};
use crate::kernel::Kernel;
use crate::kernel::audit::Outcome;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{Error, Result};
use crate::patients::patient::PATIENT;
use crate::sql;
use crate::workflow::order::By;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Bytes of one file; a longer copy goes on in the next.
const FILE_MAX: u64 = 1024 * 1024 * 1024;
/// How often the job hears that somebody works on it, and we whether it is still ours.
const BEAT: Duration = Duration::from_secs(20);

sql! {
    DUE() = "select tenant_id, id from sec.record_copies_due()";
}

/// Makes the copies that wait, each whatever became of the others. How many were looked at.
pub async fn carry_on(kernel: &Arc<Kernel>) -> Result<usize> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let due = scope.rows(&DUE, &[]).await?;
    scope.commit().await?;
    for row in &due {
        let (tenant, job): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        if let Err(failure) = one(kernel, tenant, job).await {
            tracing::warn!(job.id = %job, error = %failure, "The end of a copy could not be written down");
        }
    }
    Ok(due.len())
}

async fn one(kernel: &Arc<Kernel>, tenant: Uuid, job: Uuid) -> Result<()> {
    let Some(work) = export_work::take(kernel, tenant, job).await? else { return Ok(()) };
    let server = Context::system(Plane::Jobs, Some(tenant));
    let mut writer = Writer { kernel, server: &server, work, patient: None, by: None, file: None, files: 0, beat: Instant::now() };
    let made = writer.whole().await;
    if !matches!(made, Ok(Some(_)))
        && let Some(file) = writer.file.take()
        && let Err(failure) = file.abandon().await
    {
        tracing::warn!(job.id = %job, error = %failure, "What was written of a copy could not be removed");
    }
    match made {
        Ok(None) => Ok(()),
        Ok(Some(rows)) => {
            let mut scope = kernel.door.open(&server).await?;
            writer.work.done(&mut scope, rows).await?;
            scope.commit().await
        }
        Err(failure) => writer.work.failed(kernel, &server, &failure).await,
    }
}

/// A copy being written, file after file.
struct Writer<'a> {
    kernel: &'a Arc<Kernel>,
    server: &'a Context,
    work: Work,
    patient: Option<Uuid>,
    by: Option<By>,
    file: Option<Making>,
    files: i32,
    beat: Instant,
}

impl Writer<'_> {
    /// How many rows it has; none when it was called off. Dropping the pages ends the copy, and its event says so.
    async fn whole(&mut self) -> Result<Option<usize>> {
        let tenant = self.server.tenant.unwrap_or_default();
        let order = ExportOrder::open(&*self.kernel.keys.of(tenant).await?, self.work.job, &self.work.params)?;
        order.by.stands(self.kernel).await?;
        let caller = order.by.caller(self.kernel);
        (self.patient, self.by) = (order.patient, Some(order.by));
        let whose = match self.patient {
            Some(patient) => Whose::Patient(caller.glance(&caller.context, &PATIENT, patient).await?),
            None => Whose::Tenant(tenant),
        };
        let (sink, mut pages) = mpsc::channel(PAGES_MAX);
        let copying = tokio::spawn(Copying { with_bytes: true, ..Copying::begin(caller, whose, sink).await? }.run());
        while let Some(page) = pages.recv().await {
            if !self.write(&page.map_err(Error::internal)?).await? {
                return Ok(None);
            }
        }
        let (outcome, rows) = copying.await.map_err(Error::internal)?;
        if outcome != Outcome::Success {
            return Err(Error::internal("the copy ended early"));
        }
        Ok(self.end_file().await?.then_some(rows))
    }

    /// How much there is to come nobody knows before; it never says that it is done.
    fn percent(&self) -> i32 {
        (self.files * 10).min(90)
    }

    /// As long as whoever ordered it may have it.
    async fn stands(&self) -> Result<()> {
        match &self.by {
            Some(by) => by.stands(self.kernel).await,
            None => Ok(()),
        }
    }

    /// False when the job is no longer ours.
    async fn write(&mut self, page: &[u8]) -> Result<bool> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.begin_file().await?,
        };
        let pushed = file.push(page).await;
        let size = file.size();
        self.file = Some(file);
        pushed?;
        if size >= FILE_MAX {
            return self.end_file().await;
        }
        if self.beat.elapsed() < BEAT {
            return Ok(true);
        }
        self.beat = Instant::now();
        self.stands().await?;
        self.work.goes_on(self.kernel, self.server, self.percent()).await
    }

    async fn begin_file(&mut self) -> Result<Making> {
        self.files += 1;
        let name = format!("{}-{}.ndjson", if self.patient.is_some() { "record" } else { "tenant" }, self.files);
        let made = made::Made {
            kind: "MEDICAL_RECORD",
            name: &name,
            media_type: NDJSON,
            source: RECORD_COPY,
            bytes: Bytes::new(),
            patient: self.patient,
            visible: false,
        };
        made::begin(self.kernel, self.server, &made).await
    }

    async fn end_file(&mut self) -> Result<bool> {
        self.stands().await?;
        let Some(file) = self.file.take() else { return Ok(true) };
        let file = file.end(self.kernel, self.server).await?;
        let percent = self.percent();
        self.work.wrote(self.kernel, self.server, percent, &file, None).await
    }
}
