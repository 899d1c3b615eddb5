//! Secrets are written and never read by those who have them: the caller's own eyes find the record, the server opens it.

use crate::kernel::audit::Action;
use crate::kernel::audit_store;
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::kernel::operation::{Answer, Call};
use crate::kernel::table::{Draft, Record, Table, Value, store};
use tokio_postgres::types::Type;

/// How long a former secret works beside the new one when nothing else is said.
pub const OVERLAP_HOURS: i64 = 24;
pub const OVERLAP_HOURS_MAX: i64 = 24 * 7;

/// The record as policies show it to the caller, then locked where its secrets may be opened.
pub async fn held(call: &Call, table: &'static Table) -> Result<(Scope, Record)> {
    let (caller, id) = (&call.caller, call.id()?);
    caller.glance(&caller.context, table, id).await?;
    let mut scope = caller.kernel.door.open(&caller.acting(caller.tenant()?, call.operation.permission)?).await?;
    let record = store::lock(&mut scope, table, id, call.version, &caller.kernel.keys).await?;
    Ok((scope, record))
}

/// What a sealed column of a locked record holds.
pub async fn opened(scope: &mut Scope, call: &Call, record: &Record, column: &str) -> Result<Value> {
    let sql = format!("select {column}_enc from {} where tenant_id = $1 and id = $2", record.table.name);
    let rows = scope.rows_once(&sql, &[(&record.tenant, Type::UUID), (&record.id, Type::UUID)]).await?;
    let Some(sealed) = rows.first().map(|row| row.try_get::<_, Option<Vec<u8>>>(0)).transpose()?.flatten() else {
        return Ok(Value::Null);
    };
    let plain = call.caller.kernel.keys.of(record.tenant).await?.open(record.table.name, column, record.id, &sealed)?;
    Ok(Value::Text(String::from_utf8(plain).map_err(Error::internal)?))
}

/// Writes the change and who asked for it.
pub async fn kept(mut scope: Scope, call: &Call, was: &Record, draft: &Draft) -> Result<Record> {
    let by = call.operation.path.rsplit('/').next().unwrap_or_default();
    let record = store::update(&mut scope, was, draft, by, &call.caller.kernel.keys).await?;
    let now = scope.now();
    scope.audit(audit_store::of_record(&call.caller.context, Action::Execute, &record, now));
    scope.commit().await?;
    Ok(record)
}

pub async fn answered(scope: Scope, call: &Call, was: &Record, draft: &Draft) -> Result<Answer> {
    Ok(Answer::Record(kept(scope, call, was, draft).await?))
}

pub fn overlap_hours(call: &Call) -> i64 {
    match call.value("overlap_hours") {
        Some(Value::Int(hours)) => i64::from(*hours),
        _ => OVERLAP_HOURS,
    }
}
