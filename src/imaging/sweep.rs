//! Uploads that were announced and never ended: the row is closed first, then its object is removed. The date in
//! `purge_after` marks what is still to be removed, so a crash between the two loses nothing.

use super::file::FILE;
use crate::kernel::Kernel;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::Result;
use crate::kernel::table::{Draft, Value, store};
use crate::sql;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// How many of each kind one run takes.
const BATCH: i64 = 500;

sql! {
    /// $1 tenant, $2 oldest moment that stays, $3 batch.
    STALE(UUID, TIMESTAMPTZ, INT8) = "
        select id from files where tenant_id = $1 and status = 'PENDING' and deleted_at is null and created_at < $2
         order by id limit $3 for no key update skip locked";
    /// $1 tenant, $2 today, $3 batch.
    TO_REMOVE(UUID, DATE, INT8) = "
        select id, storage_key from files where tenant_id = $1 and status = 'DELETED' and purge_after <= $2 order by id limit $3";
    /// $1 tenant, $2 file.
    REMOVED(UUID, UUID) = "update files set purge_after = null where tenant_id = $1 and id = $2 and status = 'DELETED'";
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    pub closed: usize,
    pub removed: usize,
}

/// One run over one tenant. Files announced before `before` and still PENDING end as DELETED.
pub async fn abandoned_uploads(kernel: &Kernel, tenant: Uuid, before: DateTime<Utc>) -> Result<Swept> {
    let closed = close(kernel, tenant, before).await?;
    Ok(Swept { closed, removed: remove(kernel, tenant).await? })
}

async fn close(kernel: &Kernel, tenant: Uuid, before: DateTime<Utc>) -> Result<usize> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, Some(tenant))).await?;
    let stale = scope.rows(&STALE, &[&tenant, &before, &BATCH]).await?;
    let today = scope.now().date_naive();
    for row in &stale {
        let was = store::lock(&mut scope, &FILE, row.try_get(0)?, None, &kernel.keys).await?;
        let draft = Draft::default()
            .set(&FILE, "status", Value::Text("DELETED".to_owned()))?
            .set(&FILE, "scan_result", Value::Text("NEVER_COMPLETED".to_owned()))?
            .set(&FILE, "purge_after", Value::Date(today))?;
        store::update(&mut scope, &was, &draft, "system", &kernel.keys).await?;
    }
    scope.commit().await?;
    Ok(stale.len())
}

async fn remove(kernel: &Kernel, tenant: Uuid) -> Result<usize> {
    let context = Context::system(Plane::Jobs, Some(tenant));
    let scope = kernel.door.open(&context).await?;
    let today = scope.now().date_naive();
    let answers = scope.once(&[((&TO_REMOVE).into(), vec![&tenant, &today, &BATCH])]).await?;
    let mut removed = 0;
    for row in answers.iter().flatten() {
        let (id, key): (Uuid, String) = (row.try_get(0)?, row.try_get(1)?);
        kernel.storage.delete(&key).await?;
        let mut scope = kernel.door.open(&context).await?;
        scope.exec(&REMOVED, &[&tenant, &id]).await?;
        scope.commit().await?;
        removed += 1;
    }
    Ok(removed)
}
