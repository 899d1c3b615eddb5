//! Reading and writing any record through a scope. Both contracts come here; nothing else knows a table's SQL shape.

use super::create::taken;
use super::cursor::Cursor;
use super::draft::Draft;
use super::field::{Field, Home, Table, Ty};
use super::form::Broken;
use super::list::{Built, List};
use super::record::{self, Record, Width};
use super::references::References;
use super::value::{self, Value};
use crate::kernel::audit::Action;
use crate::kernel::context::Plane;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Param, Query, Scope};
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use serde_json::Value as Json;
use std::borrow::Cow;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

pub use super::create::{insert, insert_all, insert_run, is_plain};

sql! {
    /// Versions of a record, newest first: $1 table, $2 record, $3 versions before this one, $4 at most.
    pub HISTORY(TEXT, UUID, INT8, INT4) = "
        select tenant_id, record_version, action, occurred_at, user_id, request_id, reason, changed_fields, new_values
          from sec.history($1, $2, $3, $4)";
}

/// The statement that reads one row by id, on the caller's plane.
pub fn get_query(table: &'static Table, plane: Plane, tenant: Option<Uuid>, id: Uuid, lock: bool) -> Result<Built> {
    by_id(table, plane, tenant, id, &record::beside(table, plane, Width::Full, None), lock)
}

/// The same as wide as that, with a column more as in [`List::beside`].
pub fn get_query_of(
    table: &'static Table,
    plane: Plane,
    width: Width,
    tenant: Option<Uuid>,
    id: Uuid,
    beside: Option<&str>,
) -> Result<Built> {
    by_id(table, plane, tenant, id, &record::beside(table, plane, width, beside), false)
}

/// The statement that locks one row for a change and says no more than that it is there.
pub fn lock_query(table: &'static Table, plane: Plane, tenant: Option<Uuid>, id: Uuid) -> Result<Built> {
    by_id(table, plane, tenant, id, "r.id", true)
}

fn by_id(table: &'static Table, plane: Plane, tenant: Option<Uuid>, id: Uuid, columns: &str, lock: bool) -> Result<Built> {
    let mut values = vec![Value::Uuid(id)];
    let mut types = vec![Type::UUID];
    let own = match table.home {
        Home::Installation => "true".to_owned(),
        Home::Shared if !lock => "r.tenant_id = any ((select sec.shared(0))::uuid[])".to_owned(),
        _ if plane.single_tenant() => {
            values.push(Value::Uuid(tenant.ok_or_else(|| Error::new(&error::FORBIDDEN))?));
            types.push(Type::UUID);
            "r.tenant_id = $2".to_owned()
        }
        _ => "r.tenant_id = any ((select sec.tenants(0))::uuid[])".to_owned(),
    };
    // Of several tenants: two may have a record of one id. What stands goes before what is retired, a tenant's before everyone's.
    let order = match (table.home, types.len() > 1) {
        (Home::Installation, _) | (_, true) => "",
        _ if table.soft_delete => " order by (r.deleted_at is not null), r.tenant_id desc limit 1",
        _ => " order by r.tenant_id desc limit 1",
    };
    let lock = if lock { " for no key update" } else { "" };
    let sql = format!("select {columns} from {} r where r.id = $1 and {own}{order}{lock}", table.name);
    Ok(Built { query: Query::new(Cow::Owned(sql), Cow::Owned(types)), values })
}

pub async fn one(table: &'static Table, plane: Plane, rows: &[Row], keys: &Keyring) -> Result<Record> {
    let row = rows.first().ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    record::decode(table, plane, row, keys).await
}

/// A page in one round trip.
pub async fn list(scope: Scope, list: &List, keys: &Keyring) -> Result<(Vec<Record>, Option<Cursor>)> {
    let (plane, tenant) = (scope.context().plane, scope.context().tenant);
    let built = list.page(plane, tenant)?;
    let answers = scope.once(&[built.asked()]).await?;
    page(list, plane, answers.first().map(Vec::as_slice).unwrap_or_default(), keys).await
}

pub async fn page(list: &List, plane: Plane, rows: &[Row], keys: &Keyring) -> Result<(Vec<Record>, Option<Cursor>)> {
    let (mut records, ends): (Vec<_>, Vec<_>) = keyed(list, plane, rows, keys).await?.into_iter().unzip();
    let next = list.next(&mut records, &ends);
    Ok((records, next))
}

/// The rows of [`List::page`], each with the value it was ordered by.
pub async fn keyed(list: &List, plane: Plane, rows: &[Row], keys: &Keyring) -> Result<Vec<(Record, Option<String>)>> {
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        records.push((record::decode_of(list.table, plane, list.width, row, keys).await?, sort_value(list, row)?));
    }
    Ok(records)
}

/// The value the page was ordered by, as PostgreSQL has it: the last column of [`List::page`].
fn sort_value(list: &List, row: &Row) -> Result<Option<String>> {
    if !list.orders.is_empty() {
        return Ok(Some(row.try_get(row.len().saturating_sub(1))?));
    }
    if list.sort.column == "id" {
        return Ok(None);
    }
    Ok(match value::read(row, row.len().saturating_sub(1), list.sort.ty)? {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}

/// As `kernel.fold` in SQL: lower case, accents removed, blanks joined (a test compares the two).
pub fn fold(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let decomposed: String = text.nfkd().flat_map(char::to_lowercase).filter(|c| !('\u{300}'..='\u{36f}').contains(c)).collect();
    decomposed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes what the draft says about rows of their own; the record is read again when there was any.
pub(super) async fn unfold(scope: &mut Scope, record: Record, draft: &Draft, keys: &Keyring) -> Result<Record> {
    let mut unfolded = false;
    for (field, value) in &draft.values {
        if let Some(write) = field.unfolds {
            write(scope, &record, value, keys).await?;
            unfolded = true;
        }
    }
    if unfolded { again(scope, &record, keys).await } else { Ok(record) }
}

/// The record as it is now, in this transaction: triggers may have changed it after it was written.
pub async fn again(scope: &mut Scope, record: &Record, keys: &Keyring) -> Result<Record> {
    seen(scope, record.table, record.id, keys).await
}

/// Reads one record inside the transaction, without locking it.
pub async fn seen(scope: &mut Scope, table: &'static Table, id: Uuid, keys: &Keyring) -> Result<Record> {
    let plane = scope.context().plane;
    let built = get_query(table, plane, scope.context().tenant, id, false)?;
    let rows = scope.rows(built.query.clone(), &built.params()).await?;
    one(table, plane, &rows, keys).await
}

/// The records behind `from`, where they are called `r`: of a function of the database, or of a statement of its own.
pub async fn given(
    scope: &mut Scope,
    table: &'static Table,
    from: &str,
    params: &[(Param<'_>, Type)],
    keys: &Keyring,
) -> Result<Vec<Record>> {
    let plane = scope.context().plane;
    let sql = format!("select {} from {from}", record::columns(table, plane));
    let rows = scope.rows_once(&sql, params).await?;
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        records.push(record::decode(table, plane, row, keys).await?);
    }
    Ok(records)
}

/// The one record that a function of the database gives.
pub async fn given_one(
    scope: &mut Scope,
    table: &'static Table,
    function: &str,
    params: &[(Param<'_>, Type)],
    keys: &Keyring,
) -> Result<Record> {
    let records = given(scope, table, &format!("{function} r"), params, keys).await?;
    records.into_iter().next().ok_or_else(|| Error::new(&error::NOT_FOUND))
}

/// Reads for a change: the row is locked and, when the caller names a version, it is that one.
pub async fn lock(scope: &mut Scope, table: &'static Table, id: Uuid, version: Option<i64>, keys: &Keyring) -> Result<Record> {
    let plane = scope.context().plane;
    let built = get_query(table, plane, scope.context().tenant, id, true)?;
    let rows = scope.rows(built.query.clone(), &built.params()).await?;
    to_change(one(table, plane, &rows, keys).await?, version)
}

/// A row that was locked, when it is one to change: not retired, and the version that the caller names, if any.
pub fn to_change(record: Record, version: Option<i64>) -> Result<Record> {
    if record.deleted() {
        return Err(Error::new(&error::NOT_FOUND));
    }
    match version {
        Some(version) if version != record.version => Err(Error::new(&error::STALE)),
        _ => Ok(record),
    }
}

/// Changes a locked record. Only what differs is written; the database raises the version.
pub async fn update(scope: &mut Scope, was: &Record, draft: &Draft, by: &str, keys: &Keyring) -> Result<Record> {
    let table = was.table;
    for machine in table.machines {
        if let (Some(Value::Text(to)), Some(from)) = (draft.value(machine.column), was.text(machine.column))
            && to != from
            && !machine.allowed(from, by).contains(&to.as_str())
        {
            return Err(refuse_move(machine, from));
        }
    }
    let shared = References::of(scope, [draft]).await?.columns(draft)?;
    let tenant_keys = keys.of(if table.name == "tenants" { was.id } else { was.tenant }).await?;
    let mut columns = draft.stored(table, was.id, &tenant_keys)?;
    columns.extend(shared);
    let record = if columns.is_empty() { was.clone() } else { write(scope, was, columns, Action::Update, keys).await? };
    unfold(scope, record, draft, keys).await
}

pub fn refuse_move(machine: &super::field::Machine, from: &str) -> Error {
    let onward = machine.onward(from);
    let allowed = if onward.is_empty() { "nowhere".to_owned() } else { onward.join(", ") };
    Error::new(&error::MOVE_REFUSED).detail(format!("It is {from}; from there it can go to {allowed}.")).fault(
        machine.column,
        "state",
        "The move does not exist.",
    )
}

/// Retires a record: it stays, leaves the lists and can be read by those who ask for deleted rows.
/// One that is never deleted makes the move `delete` of its machine instead.
pub async fn retire(scope: &mut Scope, was: &Record, reason: Option<&str>, keys: &Keyring) -> Result<Record> {
    if !was.table.soft_delete {
        let machine = was.table.machines.first().ok_or_else(|| Error::new(&error::NOT_SUPPORTED))?;
        let from = was.text(machine.column).unwrap_or_default();
        let to = machine.allowed(from, "delete").first().copied().ok_or_else(|| refuse_move(machine, from))?;
        let draft = Draft::default().set(was.table, machine.column, Value::Text(to.to_owned()))?;
        return update(scope, was, &draft, "delete", keys).await;
    }
    let mut columns = vec![("deleted_at".to_owned(), Value::Instant(scope.now()), Type::TIMESTAMPTZ)];
    if let Some(reason) = reason {
        columns.push(("delete_reason".to_owned(), Value::Text(reason.to_owned()), Type::TEXT));
    }
    write(scope, was, columns, Action::Delete, keys).await
}

async fn write(scope: &mut Scope, was: &Record, columns: Vec<(String, Value, Type)>, action: Action, keys: &Keyring) -> Result<Record> {
    let table = was.table;
    let plane = scope.context().plane;
    let sets: Vec<String> = columns.iter().enumerate().map(|(place, (name, ..))| format!("{name} = ${}", place + 1)).collect();
    let mut params: Vec<(Param<'_>, Type)> = columns.iter().map(|(_, value, ty)| (value as Param<'_>, ty.clone())).collect();
    params.push((&was.id, Type::UUID));
    let mut own = format!("r.id = ${}", params.len());
    if table.has_tenant() {
        params.push((&was.tenant, Type::UUID));
        own.push_str(&format!(" and r.tenant_id = ${}", params.len()));
    }
    let sql =
        format!("update {} as r set {} where {own} returning {}", table.name, sets.join(", "), record::columns_of(table, plane, was.width));
    let rows = scope.rows_shaped(&sql, &params).await.map_err(|failure| taken(failure, table, &Draft::default()))?;
    // The row was seen and locked; if the policy for changing hides it now, the caller may read but not change it.
    let row = rows.first().ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let record = record::decode_of(table, plane, was.width, row, keys).await?;
    scope.did(action, &record);
    Ok(record)
}

/// Reads a query parameter as the type of the field it filters.
pub fn filter_value(table: &Table, filter: &super::field::Filter, text: &str) -> Result<Value> {
    use super::field::How;
    let name = match filter.how {
        How::Equal | How::Each(_) => filter.name,
        How::From(name) | How::Before(name) => name,
        How::Elsewhere { .. } if table.field(filter.name).is_some_and(|field| matches!(field.ty, Ty::Enum(_))) => filter.name,
        _ => return plain(filter.name, text),
    };
    let Some(field) = table.filtered(name) else { return plain(filter.name, text) };
    of_text(field, text).map_err(|(rule, why)| Error::new(&error::PARAMETER_INVALID).fault(filter.name, rule, why))
}

/// A text of a query as its field's type.
pub fn of_text(field: &Field, text: &str) -> Result<Value, Broken> {
    let json = match field.ty {
        Ty::Bool => match text {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ => Json::String(text.to_owned()),
        },
        Ty::Int | Ty::BigInt => text.parse::<i64>().map_or_else(|_| Json::String(text.to_owned()), |n| Json::Number(n.into())),
        _ => Json::String(text.to_owned()),
    };
    value::parse(field, &json)
}

fn plain(name: &str, text: &str) -> Result<Value> {
    if text.contains('\0') || text.chars().count() > 300 {
        return Err(Error::new(&error::PARAMETER_INVALID).fault(name, "length", "It may have at most 300 characters and no NUL."));
    }
    Ok(Value::Text(text.to_owned()))
}
