//! The endpoints every record has: list, create, get, patch, retire. One set for all tables.

use super::{answer, query};
use crate::imaging::links;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::json::{Limits, parse};
use crate::kernel::table::{Draft, List, Record, Table, store};
use crate::server::idempotency::{Key, Once, Turn};
use poem::http::{StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

pub async fn list(caller: Caller, table: &'static Table, request: Request) -> Result<Response> {
    let pairs = query::parameters(&request)?;
    let (list, with_total) = query::list(&caller, table, &pairs).await?;
    let (records, next, total) = found(&caller, &list, with_total).await?;
    answer::page(&records, next, total)
}

/// A page in one round trip, remembered in the audit log.
pub async fn found(caller: &Caller, list: &List, with_total: bool) -> Result<(Vec<Record>, Option<String>, Option<i64>)> {
    let context = caller.reading(list.table)?;
    let keys = &caller.kernel.keys;
    let scope = caller.kernel.door.open(&context).await?;
    let built = list.page(context.plane, context.tenant)?;
    let count = with_total.then(|| list.count(context.plane, context.tenant)).transpose()?;
    let mut queries = vec![built.asked()];
    if let Some(count) = &count {
        queries.push((count.query.clone(), count.params()));
    }
    let answers = scope.once(&queries).await?;
    let (records, next) = store::page(list, context.plane, answers.first().map(Vec::as_slice).unwrap_or_default(), keys).await?;
    let total = answers.get(1).and_then(|rows| rows.first()).map(|row| row.try_get(0)).transpose()?;
    let next = next.map(|cursor| cursor.seal(list, keys.own())).transpose()?;
    caller.searched(&context, list.table, &records).await?;
    Ok((records, next, total))
}

pub async fn get(caller: Caller, table: &'static Table, request: Request) -> Result<Response> {
    let id = query::path_id(&request)?;
    let with_deleted = query::wants_deleted(&request, table)?;
    let record = seen(&caller, table, id, |record| record.deleted() && !with_deleted).await?;
    answer::record(StatusCode::OK, &record)
}

/// One record as these eyes see it, remembered in the audit log.
pub async fn seen(caller: &Caller, table: &'static Table, id: Uuid, hidden: impl Fn(&Record) -> bool) -> Result<Record> {
    let context = caller.reading(table)?;
    let mut record = caller.glance(&context, table, id).await?;
    if hidden(&record) {
        return Err(Error::new(&error::NOT_FOUND));
    }
    caller.saw(&context, &record).await?;
    links::mint(caller, &mut record).await?;
    Ok(record)
}

pub async fn create(caller: Caller, table: &'static Table, mut request: Request) -> Result<Response> {
    caller.needs(table.write)?;
    let bytes = body_bytes(&mut request).await?;
    let draft = Draft::create(table, &object(&request, &bytes)?)?;
    let mut once = match begin(&caller, table, &request, &bytes).await? {
        Turn::First(once) => once,
        Turn::Again(answer) => return Ok(answer),
    };
    let record = store::insert(&mut once.scope, table, &draft, &caller.kernel.keys).await?;
    once.end(answer::record(StatusCode::CREATED, &record)?, false).await
}

/// A change of a record, or the answer its idempotency key has had.
pub async fn begin(caller: &Caller, table: &Table, request: &Request, bytes: &[u8]) -> Result<Turn<Response>> {
    let key = Key::of(request, bytes)?;
    Once::begin(caller.write(table.write).await?, caller, key.as_ref()).await
}

pub async fn patch(caller: Caller, table: &'static Table, mut request: Request) -> Result<Response> {
    caller.needs(table.write)?;
    let id = query::path_id(&request)?;
    let bytes = body_bytes(&mut request).await?;
    let draft = Draft::patch(table, &object(&request, &bytes)?)?;
    let version = query::required_version(&request)?;
    let mut once = match begin(&caller, table, &request, &bytes).await? {
        Turn::First(once) => once,
        Turn::Again(answer) => return Ok(answer),
    };
    let keys = &caller.kernel.keys;
    let was = store::lock(&mut once.scope, table, id, Some(version), keys).await?;
    let record = store::update(&mut once.scope, &was, &draft, "update", keys).await?;
    once.end(answer::record(StatusCode::OK, &record)?, false).await
}

pub async fn delete(caller: Caller, table: &'static Table, request: Request) -> Result<Response> {
    retire(caller, table, |_| false, request).await
}

/// A row that is hidden from the caller is not there.
pub async fn retire(caller: Caller, table: &'static Table, hidden: impl Fn(&Record) -> bool, request: Request) -> Result<Response> {
    let id = query::path_id(&request)?;
    let version = query::required_version(&request)?;
    let pairs = query::parameters(&request)?;
    if let Some((name, _)) = pairs.iter().find(|(name, _)| name != "reason") {
        return Err(query::unknown(name));
    }
    let reason = pairs.first().map(|(_, text)| text.as_str());
    if reason.is_some_and(|reason| reason.chars().count() > 1_000) {
        return Err(Error::new(&error::PARAMETER_INVALID).fault("reason", "length", "It may have at most 1000 characters."));
    }
    let mut once = match begin(&caller, table, &request, reason.unwrap_or_default().as_bytes()).await? {
        Turn::First(once) => once,
        Turn::Again(answer) => return Ok(answer),
    };
    let keys = &caller.kernel.keys;
    let was = store::lock(&mut once.scope, table, id, Some(version), keys).await?;
    if hidden(&was) {
        return Err(Error::new(&error::NOT_FOUND));
    }
    store::retire(&mut once.scope, &was, reason, keys).await?;
    once.end(answer::nothing(), false).await
}

/// The body, bounded by the listener's limit for this class of routes.
pub async fn body_bytes(request: &mut Request) -> Result<Vec<u8>> {
    request.take_body().into_vec().await.map_err(|failure| Error::new(&error::MALFORMED).because(failure))
}

/// A JSON object, read strictly: no key twice, bounded depth, no NUL.
pub fn object(request: &Request, bytes: &[u8]) -> Result<Map<String, Json>> {
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !matches!(media, "application/json" | "application/merge-patch+json") {
        return Err(Error::new(&error::MEDIA_TYPE).detail("Send application/json."));
    }
    match parse(bytes, Limits::BODY)? {
        Json::Object(members) => Ok(members),
        _ => Err(Error::new(&error::MALFORMED).detail("The body must be a JSON object.")),
    }
}
