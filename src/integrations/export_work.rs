//! An export under way: taken by one server, told file by file, ended. Whatever it has written goes when it is called off, fails
//! or is begun again (`sec.drop_export`).

use crate::kernel::Kernel;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::kernel::table::Record;
use crate::sql;
use serde_json::{Value as Json, json};
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 job. Nothing when another server has it.
    TAKE(UUID, UUID) = "
        update export_jobs j set status = 'RUNNING', progress_percent = 0, file_id = null, params = j.params - 'files'
          from (select x.id from export_jobs x where x.tenant_id = $1 and x.id = $2
                   and (x.status = 'QUEUED' or x.status = 'RUNNING' and x.updated_at < now() - interval '2 minutes')
                   for no key update skip locked) due
         where j.tenant_id = $1 and j.id = due.id returning j.params, j.requested_by, j.version";
    /// $1 tenant, $2 job, $3 its version, $4 percent, $5 file, $6 the file as its reader is told of it.
    WROTE(UUID, UUID, INT8, INT4, UUID, JSONB) = "
        update export_jobs set progress_percent = $4, file_id = $5,
               params = params || jsonb_build_object('files', coalesce(params -> 'files', '[]') || $6::jsonb)
         where tenant_id = $1 and id = $2 and version = $3 and status = 'RUNNING' returning version";
    /// $1 tenant, $2 job, $3 its version, $4 percent.
    GOES_ON(UUID, UUID, INT8, INT4) = "
        update export_jobs set progress_percent = $4 where tenant_id = $1 and id = $2 and version = $3 and status = 'RUNNING' returning version";
    /// $1 tenant, $2 file.
    FORGET(UUID, UUID) = "
        update files set status = 'DELETED', scan_result = 'EXPORT_CANCELLED', purge_after = current_date
         where tenant_id = $1 and id = $2 and status = 'READY'";
    /// $1 tenant, $2 job, $3 its version, $4 rows, $5 days that its files stay.
    DONE(UUID, UUID, INT8, INT8, INT4) = "
        update export_jobs set status = 'COMPLETED', progress_percent = 100, record_count = $4,
               expires_at = now() + make_interval(days => $5) where tenant_id = $1 and id = $2 and version = $3 and status = 'RUNNING'";
    /// $1 tenant, $2 job, $3 its version, $4 why.
    FAILED(UUID, UUID, INT8, TEXT) = "
        update export_jobs set status = 'FAILED', error_details = $4 where tenant_id = $1 and id = $2 and version = $3 and status = 'RUNNING'";
}

/// Days that what was exported can be fetched.
const KEPT_DAYS: i32 = 30;

/// An export that this server has, as long as the version is the one it left: another server that takes it, and whoever calls it
/// off, changes it.
pub struct Work {
    tenant: Uuid,
    pub job: Uuid,
    pub params: Json,
    pub requested_by: Uuid,
    version: i64,
}

/// `server`: the server in the job's tenant.
pub async fn take(kernel: &Kernel, tenant: Uuid, job: Uuid) -> Result<Option<Work>> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, Some(tenant))).await?;
    let row = scope.optional(&TAKE, &[&tenant, &job]).await?;
    scope.commit().await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Work { tenant, job, params: row.try_get(0)?, requested_by: row.try_get(1)?, version: row.try_get(2)? }))
}

impl Work {
    /// Tells of one more file, which is what the job's `file_id` names from then on. False when the job is no longer this server's:
    /// then the file goes too.
    pub async fn wrote(&mut self, kernel: &Kernel, server: &Context, percent: i32, file: &Record, rows: Option<usize>) -> Result<bool> {
        let mut told = json!({"name": file.text("file_name"), "file_id": file.id, "sha256": file.text("sha256")});
        if let Some(rows) = rows {
            told["rows"] = rows.into();
        }
        let mut scope = kernel.door.open(server).await?;
        let row = scope.optional(&WROTE, &[&self.tenant, &self.job, &self.version, &percent, &file.id, &told]).await?;
        match &row {
            Some(row) => self.version = row.try_get(0)?,
            None => _ = scope.exec(&FORGET, &[&self.tenant, &file.id]).await?,
        }
        scope.commit().await?;
        Ok(row.is_some())
    }

    /// Says that it is being worked on. False when the job is no longer this server's.
    pub async fn goes_on(&mut self, kernel: &Kernel, server: &Context, percent: i32) -> Result<bool> {
        let mut scope = kernel.door.open(server).await?;
        let row = scope.optional(&GOES_ON, &[&self.tenant, &self.job, &self.version, &percent]).await?;
        if let Some(row) = &row {
            self.version = row.try_get(0)?;
        }
        scope.commit().await?;
        Ok(row.is_some())
    }

    /// In the caller's transaction, with what else is true when it is done.
    pub async fn done(self, scope: &mut Scope, rows: usize) -> Result<()> {
        let rows = i64::try_from(rows).map_err(Error::internal)?;
        scope.exec(&DONE, &[&self.tenant, &self.job, &self.version, &rows, &KEPT_DAYS]).await?;
        Ok(())
    }

    pub async fn failed(self, kernel: &Kernel, server: &Context, failure: &Error) -> Result<()> {
        tracing::warn!(job.id = %self.job, error = %failure, "An export failed");
        let mut scope = kernel.door.open(server).await?;
        let why = failure.detail.as_deref().unwrap_or(failure.code.title);
        scope.exec(&FAILED, &[&self.tenant, &self.job, &self.version, &why]).await?;
        scope.commit().await
    }
}
