//! `GET …/{id}/history`: who changed the record, when, and what it was then (catalogue 3.02, 16.19). From the change log,
//! for planes that read every row of the table; the record itself is read beside it, so that a foreign id stays unknown.

use super::{answer, query};
use crate::kernel::Caller;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Param, Query};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::Operation;
use crate::kernel::table::value::instant_text;
use crate::kernel::table::{Field, Home, Record, Sealing, Stamps, Table, Ty, Verb, store};
use crate::server::domains;
use chrono::{DateTime, Utc};
use poem::http::StatusCode;
use poem::{Request, Response};
use serde_json::{Map, Value as Json, json};
use tokio_postgres::Row;
use uuid::Uuid;

const PAGE_SIZE: i32 = 50;
const PAGE_SIZE_MAX: i32 = 200;

/// One version of a record.
pub static ENTRY: &[Field] = &[
    Field::big("version").required(),
    Field::choice("action", &["INSERT", "UPDATE", "DELETE"]).means(&["made", "changed", "erased"]).required(),
    Field::instant("occurred_at").required(),
    Field::uuid("user_id").doc("null: the server itself"),
    Field::uuid("request_id").required().doc("joins the changes and the audit events of one request"),
    Field::text("reason"),
    Field::texts("changed_fields").required(),
    Field::json("values").doc("the record as this version left it; null when it was removed"),
];

/// What is logged and can be read has a history, unless its domain tells it in its own words.
pub fn offered(table: &Table) -> bool {
    let told = |operation: &Operation| operation.path.strip_prefix(table.path) == Some("/{id}/history");
    table.offers(Verb::Read) && table.home == Home::Tenant && table.stamps == Stamps::Versioned && !domains::operations().any(told)
}

pub async fn history(caller: Caller, table: &'static Table, request: Request) -> Result<Response> {
    let id = query::path_id(&request)?;
    let (before, most) = window(&request)?;
    let context = caller.reading(table)?;
    let built = store::get_query(table, context.plane, context.tenant, id, false)?;
    let asked: [Param<'_>; 4] = [&table.name, &id, &before, &most];
    let scope = caller.kernel.door.open(&context).await?;
    let answers = scope.once(&[built.asked(), (Query::from(&store::HISTORY), asked.to_vec())]).await?;
    let [rows, versions] = <[Vec<Row>; 2]>::try_from(answers).map_err(|_| Error::internal("two statements have two answers"))?;
    let record = store::one(table, context.plane, &rows, &caller.kernel.keys).await?;
    caller.saw(&context, &record).await?;
    let mut items = Vec::with_capacity(versions.len());
    for row in &versions {
        // The same id may stand in two clinics of a group.
        if row.try_get::<_, Uuid>(0)? == record.tenant {
            items.push(entry(&record, row, &caller.kernel.keys).await?);
        }
    }
    let full = usize::try_from(most).is_ok_and(|most| items.len() == most);
    let next = items.last().filter(|_| full).map(|last| last["version"].to_string());
    answer::json(StatusCode::OK, &json!({"items": items, "next": next}))
}

fn window(request: &Request) -> Result<(Option<i64>, i32)> {
    let (mut before, mut most) = (None, PAGE_SIZE);
    for (name, text) in query::parameters(request)? {
        let wrong = |rule, text| Error::new(&error::PARAMETER_INVALID).fault(query::shown(&name), rule, text);
        match name.as_str() {
            "limit" => {
                let limit = text.parse().ok().filter(|limit| (1..=PAGE_SIZE_MAX).contains(limit));
                most = limit.ok_or_else(|| wrong("range", "It must be a number from 1 to 200."))?;
            }
            "cursor" => before = Some(text.parse().map_err(|_| wrong("format", "The cursor is not one of this list's."))?),
            _ => return Err(wrong("unknown", "There is no such parameter.")),
        }
    }
    Ok((before, most))
}

async fn entry(record: &Record, row: &Row, keys: &Keyring) -> Result<Json> {
    let image: Option<Json> = row.try_get(8)?;
    let values = match &image {
        Some(Json::Object(image)) => Json::Object(values(record, image, keys).await?),
        _ => Json::Null,
    };
    let shown = |column: &String| column_field(record.table, column).or_else(|| is_stamp(column).then(|| column.clone()));
    let changed: Vec<String> = row.try_get::<_, Vec<String>>(7)?.iter().filter_map(shown).collect();
    Ok(json!({
        "version": row.try_get::<_, i64>(1)?,
        "action": row.try_get::<_, String>(2)?,
        "occurred_at": instant_text(row.try_get(3)?),
        "user_id": row.try_get::<_, Option<Uuid>>(4)?,
        "request_id": row.try_get::<_, Uuid>(5)?,
        "reason": row.try_get::<_, Option<String>>(6)?,
        "changed_fields": changed,
        "values": values,
    }))
}

fn is_stamp(column: &str) -> bool {
    matches!(column, "deleted_at" | "delete_reason")
}

/// The field whose column that is; derived columns (folded text, blind indexes) have none.
fn column_field(table: &Table, column: &str) -> Option<String> {
    let name = |field: &&Field| match field.sealing {
        Sealing::Plain => field.name == column,
        _ => column.strip_suffix("_enc") == Some(field.name),
    };
    table.fields.iter().filter(|field| field.shown() && field.computed.is_none()).find(name).map(|field| field.name.to_owned())
}

async fn values(record: &Record, image: &Map<String, Json>, keys: &Keyring) -> Result<Map<String, Json>> {
    let mut out = Map::new();
    for field in record.table.fields.iter().filter(|field| field.shown() && field.computed.is_none()) {
        let value = match field.sealing {
            Sealing::Plain => image.get(field.name).map_or(Json::Null, |value| plain(field.ty, value)),
            _ => match image.get(&format!("{}_enc", field.name)).and_then(Json::as_str) {
                Some(sealed) => {
                    let sealed = bytes(sealed).ok_or_else(|| Error::internal("an image holds no bytea"))?;
                    let opened = keys.of(record.tenant).await?.open(record.table.name, field.name, record.id, &sealed)?;
                    Json::String(String::from_utf8(opened).map_err(Error::internal)?)
                }
                None => Json::Null,
            },
        };
        out.insert(field.name.to_owned(), value);
    }
    for stamp in ["deleted_at", "delete_reason"].into_iter().filter(|_| record.table.soft_delete) {
        out.insert(stamp.to_owned(), image.get(stamp).cloned().unwrap_or(Json::Null));
    }
    Ok(out)
}

/// PostgreSQL's JSON writes moments with an offset; the contract writes them in UTC.
fn plain(ty: Ty, value: &Json) -> Json {
    match (ty, value.as_str().map(DateTime::parse_from_rfc3339)) {
        (Ty::Instant, Some(Ok(at))) => instant_text(at.with_timezone(&Utc)).into(),
        _ => value.clone(),
    }
}

/// `\x0102…`
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?;
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_an_image() {
        assert_eq!(bytes("\\x01ff"), Some(vec![1, 255]));
        assert_eq!((bytes("01"), bytes("\\x0"), bytes("\\xzz")), (None, None, None));
    }

    #[test]
    fn moments_are_told_in_utc() {
        assert_eq!(plain(Ty::Instant, &json!("2026-01-01T01:00:00+01:00")), json!("2026-01-01T00:00:00.000000Z"));
        assert_eq!(plain(Ty::Text, &json!("2026-01-01T01:00:00+01:00")), json!("2026-01-01T01:00:00+01:00"));
    }
}
