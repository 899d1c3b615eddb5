//! What a record is searched by beside its columns is made from the whole resource, so it is old once the record changes
//! another way than over FHIR. A trigger marks such records (`search_stale`); a search that meets marks in the snapshot it read
//! has the values made anew and reads again, and the worker does the same for records that nobody searches.

use super::read::Shown;
use super::{base, indexed, read, types};
use crate::fhir::mapping::Mapping;
use crate::kernel::Kernel;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::{Param, Query, Scope};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::{Record, Table, store};
use crate::server::domains;
use crate::sql;
use serde_json::Value as Json;
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

/// Records of one transaction: whoever changes one of them meanwhile waits for it.
const RECORDS_MAX: i64 = 50;
/// How often a search reads again. Behind a change of more records than that it finds what stands until the worker has done the rest.
pub const ROUNDS_MAX: usize = 20;
/// While somebody else makes them anew.
pub const WAIT: Duration = Duration::from_millis(10);

sql! {
    STALE_TENANTS() = "select sec.stale_tenants()";
    /// $1 record: this transaction makes its values itself, so nobody marks it (policies/kernel_tables.sql).
    RENEWS(TEXT) = "select set_config('app.renews', $1, true)";
    /// $1 tenant, $2 how many. What others make anew is left to them.
    TAKE(UUID, INT8) = "
        delete from search_stale where tenant_id = $1 and id in (
            select id from search_stale where tenant_id = $1 and due_at <= now() limit $2 for update skip locked)
        returning table_name, record_id";
    /// $1 tenant, $2 table, $3 record.
    LATER(UUID, TEXT, UUID) = "
        insert into search_stale (tenant_id, table_name, record_id, due_at) values ($1, $2, $3, now() + interval '10 minutes')";
}

/// Asks which of the caller's tenants have records with old values, in the snapshot of the statements beside it.
pub fn asked<'p>() -> (Query, Vec<Param<'p>>) {
    ((&STALE_TENANTS).into(), Vec::new())
}

/// Has the values of those tenants made anew, a bounded part: how many records'. None: it failed, which is told and keeps nobody
/// from an answer.
pub async fn renew(kernel: &Kernel, answer: &[Row]) -> Result<Option<usize>> {
    let mut renewed = 0;
    for row in answer {
        let tenant: Uuid = row.try_get(0)?;
        match renew_some(kernel, tenant).await {
            Ok(count) => renewed += count,
            Err(failure) => {
                tracing::warn!(tenant.id = %tenant, error = %failure, "Search values could not be made anew");
                return Ok(None);
            }
        }
    }
    Ok(Some(renewed))
}

/// Everything that is marked, of every tenant in turn.
pub async fn carry_on(kernel: &Kernel) -> Result<()> {
    loop {
        let marked = kernel.door.open(&Context::system(Plane::Jobs, None)).await?.once(&[asked()]).await?;
        if renew(kernel, &marked.concat()).await?.is_none_or(|records| records == 0) {
            return Ok(());
        }
    }
}

async fn renew_some(kernel: &Kernel, tenant: Uuid) -> Result<usize> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, Some(tenant))).await?;
    let taken = scope.rows(&TAKE, &[&tenant, &RECORDS_MAX]).await?;
    for row in &taken {
        let (name, id): (String, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        if let Err(failure) = anew(&mut scope, kernel, &name, id).await {
            tracing::warn!(tenant.id = %tenant, record.id = %id, error = %failure, "The search values of a record could not be made anew");
            scope.exec(&LATER, &[&tenant, &name, &id]).await?;
        }
    }
    scope.commit().await?;
    Ok(taken.len())
}

async fn anew(scope: &mut Scope, kernel: &Kernel, name: &str, id: Uuid) -> Result<()> {
    let keys = &kernel.keys;
    // One of a later release is that release's to do.
    let table = domains::tables().find(|table| table.name == name).ok_or_else(|| Error::internal(format!("{name} is no table")))?;
    let record = match store::seen(scope, table, id, keys).await {
        Err(gone) if gone.code == &error::NOT_FOUND => return Ok(()),
        record => record?,
    };
    if record.deleted() {
        // Values of a table stand in one place, whatever types its records are.
        return match written(table).next() {
            Some(mapping) => indexed::forget(scope, mapping, &record).await,
            None => Ok(()),
        };
    }
    let mut told: Vec<(&'static Mapping, Shown, Json)> = Vec::new();
    for mapping in written(table).filter(|mapping| mapping.is_of(&record)) {
        let (whole, kept) = read::standing(scope, mapping, record.clone(), keys).await?;
        let own = mapping.rendered(&whole).into_value();
        told.push((mapping, read::shown(mapping, whole, kept)?, own));
    }
    indexed::keep_all(scope, &told, keys, &base(kernel)).await
}

/// What the records of the table are that FHIR writes.
fn written(table: &'static Table) -> impl Iterator<Item = &'static Mapping> {
    types::mappings().filter(move |mapping| mapping.writes && std::ptr::eq(mapping.table, table))
}

/// Before FHIR writes a record whose values it makes itself. What a row says as another type is not made by writing this one.
pub async fn renewing(scope: &mut Scope, mapping: &Mapping, record: &Record) -> Result<()> {
    match written(mapping.table).filter(|other| other.is_of(record)).count() {
        1 => scope.post(&RENEWS, vec![Box::new(record.id.to_string())]).await,
        _ => Ok(()),
    }
}

/// They are made: whatever changes the record from here on marks it.
pub async fn renewed(scope: &mut Scope) -> Result<()> {
    scope.post(&RENEWS, vec![Box::new(String::new())]).await
}
