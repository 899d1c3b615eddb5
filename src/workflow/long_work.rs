//! Long work as a row of `jobs`: ordered, taken by one server, said to go on while it does, ended; and the files it writes.
//!
//! A server holds a job by a lease that it renews. One whose lease ran out is taken by the next server, which goes on behind
//! the last file that is complete; the first finds at its next word that the attempt is no longer its own.

use super::order;
use crate::kernel::Kernel;
use crate::kernel::bell::Bell;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::Row;
use uuid::Uuid;

/// How often a server says that it goes on; the lease is a minute.
const SAID_EVERY: Duration = Duration::from_secs(5);
const JOBS: &str = "jobs";

sql! {
    /// $1 kinds.
    DUE(TEXT_ARRAY) = "select tenant_id, id from sec.jobs_due($1)";
    /// $1 tenant, $2 kinds.
    UNDER_WAY(UUID, TEXT_ARRAY) = "select count(*) from jobs where tenant_id = $1 and kind = any ($2) and status in ('QUEUED', 'RUNNING')";
    /// $1 what is counted.
    ONE_BY_ONE(TEXT) = "select sec.one_by_one($1)";
    /// $1 tenant, $2 job, $3 kind, $4 params.
    QUEUE(UUID, UUID, TEXT, JSONB) = "insert into jobs (tenant_id, id, kind, run_after, params) values ($1, $2, $3, clock_timestamp(), $4)";
    /// $1 tenant, $2 job. Nothing when somebody has it.
    TAKE(UUID, UUID) = "
        update jobs j set status = 'RUNNING', attempts = j.attempts + 1, lease_until = clock_timestamp() + interval '1 minute',
               started_at = coalesce(j.started_at, clock_timestamp())
          from (select x.id from jobs x where x.tenant_id = $1 and x.id = $2
                   and (x.status = 'QUEUED' or x.status = 'RUNNING' and coalesce(x.lease_until < clock_timestamp(), true))
                   for no key update skip locked) due
         where j.tenant_id = $1 and j.id = due.id returning j.kind, j.params, j.attempts, j.max_attempts";
    /// $1 tenant, $2 job, $3 attempt, $4 percent. No row when it was called off or taken by another server.
    GOES_ON(UUID, UUID, INT4, INT4) = "
        update jobs set lease_until = clock_timestamp() + interval '1 minute', progress_percent = greatest(progress_percent, $4)
         where tenant_id = $1 and id = $2 and status = 'RUNNING' and attempts = $3 returning id";
    /// $1 tenant, $2 job, $3 attempt, $4 state, $5 why, $6 seconds until the next attempt.
    ENDED(UUID, UUID, INT4, TEXT, TEXT, INT4) = "
        update jobs set status = $4, error_details = $5, lease_until = null, run_after = clock_timestamp() + make_interval(secs => $6),
               progress_percent = case $4 when 'SUCCEEDED' then 100 else progress_percent end,
               finished_at = case $4 when 'QUEUED' then null else clock_timestamp() end
         where tenant_id = $1 and id = $2 and status = 'RUNNING' and attempts = $3";
    /// $1 tenant, $2 job, $3 kinds.
    STANDS(UUID, UUID, TEXT_ARRAY) = "
        select j.kind, j.params, j.status, j.progress_percent, j.error_details, j.finished_at,
               (select coalesce(sum(f.resource_count), 0)::int8 from job_files f where f.tenant_id = $1 and f.job_id = $2 and f.ready and f.kind = 'OUTPUT')
          from jobs j where j.tenant_id = $1 and j.id = $2 and j.kind = any ($3) and j.status <> 'CANCELLED' and not j.params ? 'taken_back'";
    /// $1 tenant, $2 job: called off while it is under way, else its files are taken back.
    CALL_OFF(UUID, UUID) = "
        update jobs set status = case when status in ('QUEUED', 'RUNNING') then 'CANCELLED' else status end, lease_until = null,
               finished_at = coalesce(finished_at, clock_timestamp()), params = params || '{\"taken_back\": true}'
         where tenant_id = $1 and id = $2 and status <> 'CANCELLED' and not params ? 'taken_back' returning id";
    /// $1 tenant, $2 job: how far each slice is.
    REACHED(UUID, UUID) = "
        select distinct on (slice) slice, part, reached from job_files
         where tenant_id = $1 and job_id = $2 and ready order by slice, part desc";
    /// $1 tenant, $2 job: of an attempt that ended in between.
    UNFINISHED(UUID, UUID) = "select id, storage_key from job_files where tenant_id = $1 and job_id = $2 and not ready";
    /// $1 tenant, $2 file.
    FORGET(UUID, UUID) = "delete from job_files where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 id, $3 job, $4 slice, $5 part, $6 kind, $7 type, $8 key, $9 resources, $10 bytes, $11 reached, $12 ready.
    BEGIN_FILE(UUID, UUID, UUID, TEXT, INT4, TEXT, TEXT, TEXT, INT8, INT8, TEXT, BOOL) = "
        insert into job_files (tenant_id, id, job_id, slice, part, kind, resource_type, storage_key, resource_count, byte_size, reached, ready)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    /// $1 tenant, $2 file.
    END_FILE(UUID, UUID) = "update job_files set ready = true where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 job.
    FILES(UUID, UUID) = "
        select id, slice, kind, resource_type, storage_key, resource_count, byte_size from job_files
         where tenant_id = $1 and job_id = $2 and ready order by kind, resource_type, slice, part";
    /// $1 how long files stay, hours.
    FILES_DUE(INT4) = "select tenant_id, id, storage_key from sec.job_files_due(make_interval(hours => $1))";
    OPEN_TRANSACTIONS() = "select sec.open_transactions()";
}

/// Jobs of these kinds that nobody works on.
pub async fn due(kernel: &Kernel, kinds: &[&str]) -> Result<Vec<(Uuid, Uuid)>> {
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let answers = scope.once(&[((&DUE).into(), vec![&kinds])]).await?;
    answers.iter().flatten().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// The transactions that run now.
pub async fn open_transactions(kernel: &Kernel) -> Result<Vec<String>> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let open = scope.one(&OPEN_TRANSACTIONS, &[]).await?.try_get(0)?;
    scope.commit().await?;
    Ok(open)
}

/// Orders a job, where fewer than `most` of these kinds are under way in the tenant. `server`: the server in that tenant.
pub async fn queue(kernel: &Kernel, server: &Context, kind: &str, most: i64, order: &impl Serialize) -> Result<Uuid> {
    let tenant = server.tenant.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let keys = kernel.keys.of(tenant).await?;
    let mut scope = kernel.door.open(server).await?;
    scope.rows(&ONE_BY_ONE, &[&kind]).await?;
    let under_way: i64 = scope.one(&UNDER_WAY, &[&tenant, &[kind].as_slice()]).await?.try_get(0)?;
    if under_way >= most {
        let text = "As many jobs of this kind as the tenant may have at once are under way.";
        return Err(Error { retry_after_s: Some(60), ..Error::new(&error::RATE_LIMITED).detail(text) });
    }
    let id = scope.new_id();
    scope.exec(&QUEUE, &[&tenant, &id, &kind, &order::seal(&keys, JOBS, id, order, json!({}))?]).await?;
    scope.commit().await?;
    Bell::of(kernel).ring();
    Ok(id)
}

/// A job as whoever asks for it sees it.
pub struct Standing<O> {
    pub kind: String,
    pub order: O,
    pub status: String,
    pub percent: i32,
    pub why: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
    pub resources: i64,
}

async fn opened<O: DeserializeOwned>(kernel: &Kernel, tenant: Uuid, id: Uuid, params: &serde_json::Value) -> Result<O> {
    order::open(&*kernel.keys.of(tenant).await?, JOBS, id, params)
}

/// NOT_FOUND for one that was called off, too.
pub async fn standing<O: DeserializeOwned>(kernel: &Kernel, server: &Context, id: Uuid, kinds: &[&str]) -> Result<Standing<O>> {
    let tenant = server.tenant.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let answers = kernel.door.open(server).await?.once(&[((&STANDS).into(), vec![&tenant, &id, &kinds])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    Ok(Standing {
        kind: row.try_get(0)?,
        order: opened(kernel, tenant, id, &row.try_get(1)?).await?,
        status: row.try_get(2)?,
        percent: row.try_get(3)?,
        why: row.try_get(4)?,
        finished_at: row.try_get(5)?,
        resources: row.try_get(6)?,
    })
}

/// Ends it where it is, and takes its files back; the next sweep removes them.
pub async fn call_off(kernel: &Kernel, server: &Context, id: Uuid) -> Result<()> {
    let mut scope = kernel.door.open(server).await?;
    let tenant = scope.tenant()?;
    scope.one(&CALL_OFF, &[&tenant, &id]).await?;
    scope.commit().await?;
    Bell::of(kernel).ring();
    Ok(())
}

/// A file that is complete.
pub struct Written {
    pub id: Uuid,
    pub slice: String,
    pub kind: String,
    pub resource_type: String,
    /// None: it has no bytes.
    pub key: Option<String>,
    pub count: i64,
    pub size: i64,
}

pub async fn files(kernel: &Kernel, server: &Context, id: Uuid) -> Result<Vec<Written>> {
    let tenant = server.tenant.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let answers = kernel.door.open(server).await?.once(&[((&FILES).into(), vec![&tenant, &id])]).await?;
    let read = |row: &Row| -> Result<Written> {
        let (id, slice, kind, resource_type) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        Ok(Written { id, slice, kind, resource_type, key: row.try_get(4)?, count: row.try_get(5)?, size: row.try_get(6)? })
    };
    answers.iter().flatten().map(read).collect()
}

/// Removes the files of jobs that were called off or ended so many hours ago. How many went.
pub async fn sweep(kernel: &Kernel, kept_hours: i32) -> Result<usize> {
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let answers = scope.once(&[((&FILES_DUE).into(), vec![&kept_hours])]).await?;
    let mut gone = 0;
    for row in answers.iter().flatten() {
        let (tenant, id, key): (Uuid, Uuid, Option<String>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        match drop_file(kernel, &Context::system(Plane::Jobs, Some(tenant)), id, key.as_deref()).await {
            Ok(()) => gone += 1,
            Err(failure) => tracing::warn!(tenant.id = %tenant, error = %failure, "Could not remove a file of a job"),
        }
    }
    Ok(gone)
}

/// The object first: a row without one is nothing, an object without a row is never found again.
async fn drop_file(kernel: &Kernel, server: &Context, id: Uuid, key: Option<&str>) -> Result<()> {
    if let Some(key) = key {
        kernel.storage.delete(key).await?;
    }
    let mut scope = kernel.door.open(server).await?;
    let tenant = scope.tenant()?;
    scope.exec(&FORGET, &[&tenant, &id]).await?;
    scope.commit().await
}

/// A job that this server has.
pub struct Work {
    pub kernel: Arc<Kernel>,
    pub id: Uuid,
    pub tenant: Uuid,
    pub kind: String,
    server: Context,
    params: serde_json::Value,
    attempt: i32,
    attempts_max: i32,
    said: Mutex<Instant>,
}

/// What a file holds and where in its slice it ends.
pub struct Part<'a> {
    pub slice: &'a str,
    pub part: i32,
    pub kind: &'static str,
    pub resource_type: &'a str,
    pub count: i64,
    /// None: the slice is done.
    pub reached: Option<String>,
}

impl Work {
    /// None: somebody else has it, or it waits no more.
    pub async fn take(kernel: &Arc<Kernel>, tenant: Uuid, id: Uuid) -> Result<Option<Work>> {
        let server = Context::system(Plane::Jobs, Some(tenant));
        let mut scope = kernel.door.open(&server).await?;
        let row = scope.optional(&TAKE, &[&tenant, &id]).await?;
        scope.commit().await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Work {
            kernel: kernel.clone(),
            id,
            tenant,
            server,
            kind: row.try_get(0)?,
            params: row.try_get(1)?,
            attempt: row.try_get(2)?,
            attempts_max: row.try_get(3)?,
            said: Mutex::new(Instant::now()),
        }))
    }

    pub async fn order<O: DeserializeOwned>(&self) -> Result<O> {
        opened(&self.kernel, self.tenant, self.id, &self.params).await
    }

    /// Time to say so, and to ask whether it may.
    pub fn is_silent(&self) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= SAID_EVERY
    }

    /// An error when it was called off, or another server has it.
    pub async fn goes_on(&self, percent: i32) -> Result<()> {
        let mut scope = self.kernel.door.open(&self.server).await?;
        self.held(&mut scope, percent).await?;
        scope.commit().await
    }

    /// The same in a transaction that writes what was done: it is not written for a job that is no more ours.
    pub async fn held(&self, scope: &mut Scope, percent: i32) -> Result<()> {
        let row = scope.optional(&GOES_ON, &[&self.tenant, &self.id, &self.attempt, &percent]).await?;
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        row.map(drop).ok_or_else(|| Error::new(&error::CONFLICT).detail("The job was called off or is another server's."))
    }

    /// It was tried as often as it may be: the servers that had it died.
    pub fn is_hopeless(&self) -> bool {
        self.attempt > self.attempts_max
    }

    /// How far each slice is: its last part, and where it goes on.
    pub async fn reached(&self) -> Result<HashMap<String, (i32, Option<String>)>> {
        let answers = self.kernel.door.open(&self.server).await?.once(&[((&REACHED).into(), vec![&self.tenant, &self.id])]).await?;
        answers.iter().flatten().map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)))).collect()
    }

    /// What an attempt before this one began and did not complete. An attempt that is no more the last one clears nothing.
    pub async fn clear(&self) -> Result<()> {
        self.goes_on(0).await?;
        let answers = self.kernel.door.open(&self.server).await?.once(&[((&UNFINISHED).into(), vec![&self.tenant, &self.id])]).await?;
        for row in answers.iter().flatten() {
            let key: Option<String> = row.try_get(1)?;
            drop_file(&self.kernel, &self.server, row.try_get(0)?, key.as_deref()).await?;
        }
        Ok(())
    }

    /// Keeps a file: its row is there before its bytes, and says so only behind them.
    pub async fn keep(&self, part: &Part<'_>, bytes: Vec<u8>, percent: i32) -> Result<()> {
        let (id, size) = (Uuid::now_v7(), i64::try_from(bytes.len()).map_err(Error::internal)?);
        let key = (!bytes.is_empty()).then(|| format!("{}/jobs/{}/{id}", self.tenant, self.id));
        let mut scope = self.kernel.door.open(&self.server).await?;
        self.held(&mut scope, percent).await?;
        scope
            .exec(
                &BEGIN_FILE,
                &[
                    &self.tenant,
                    &id,
                    &self.id,
                    &part.slice,
                    &part.part,
                    &part.kind,
                    &part.resource_type,
                    &key,
                    &part.count,
                    &size,
                    &part.reached,
                    &key.is_none(),
                ],
            )
            .await?;
        scope.commit().await?;
        let Some(key) = key else { return Ok(()) };
        self.kernel.storage.put(&key, NDJSON, Bytes::from(bytes)).await?;
        let mut scope = self.kernel.door.open(&self.server).await?;
        let held = self.held(&mut scope, percent).await;
        if held.is_err() {
            // Whoever called it off may have swept the row already.
            drop(scope);
            drop_file(&self.kernel, &self.server, id, Some(&key)).await?;
            return held;
        }
        scope.exec(&END_FILE, &[&self.tenant, &id]).await?;
        scope.commit().await
    }

    /// The end: done, to be tried again, or given up. `failure` of somebody who has it no more is told to nobody.
    pub async fn ended(&self, result: Result<()>) -> Result<()> {
        let (state, why, pause) = match result {
            Ok(()) => ("SUCCEEDED", None, 0),
            Err(failure) => {
                tracing::warn!(job.id = %self.id, attempt = self.attempt, error = %failure, "A job stopped");
                let again = failure.code.status >= 500 && self.attempt < self.attempts_max;
                let why = failure.detail.clone().unwrap_or_else(|| failure.code.title.to_owned());
                (if again { "QUEUED" } else { "FAILED" }, Some(why), if again { self.attempt * self.attempt } else { 0 })
            }
        };
        let mut scope = self.kernel.door.open(&self.server).await?;
        scope.exec(&ENDED, &[&self.tenant, &self.id, &self.attempt, &state, &why, &pause]).await?;
        scope.commit().await
    }
}

pub const NDJSON: &str = "application/fhir+ndjson";
