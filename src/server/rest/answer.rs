//! Answers of the REST contract.

use crate::kernel::error::{Error, Result};
use crate::kernel::table::{Record, Table};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use poem::http::{StatusCode, header};
use poem::{Body, Response};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Response> {
    let body = serde_json::to_vec(value).map_err(Error::internal)?;
    Ok(Response::builder().status(status).header(header::CONTENT_TYPE, "application/json").body(Body::from(body)))
}

pub fn record(status: StatusCode, record: &Record) -> Result<Response> {
    let body = serde_json::to_vec(&record.json).map_err(Error::internal)?;
    let mut answer =
        Response::builder().status(status).header(header::CONTENT_TYPE, "application/json").header(header::ETAG, record.etag());
    if status == StatusCode::CREATED {
        answer = answer.header(header::LOCATION, location(record.table, record.id));
    }
    Ok(answer.body(Body::from(body)))
}

fn location(table: &Table, id: Uuid) -> String {
    format!("/api/v1{}/{id}", table.path)
}

/// What was made, told in an object of another form.
pub fn made(table: &Table, id: Uuid, value: &Json) -> Result<Response> {
    let mut answer = json(StatusCode::CREATED, value)?;
    answer.headers_mut().insert(header::LOCATION, location(table, id).parse().map_err(Error::internal)?);
    Ok(answer)
}

pub fn page(records: &[Record], next: Option<String>, total: Option<i64>) -> Result<Response> {
    items(records.iter().map(|record| &record.json).collect(), next, total)
}

#[derive(Serialize)]
struct Page<'a> {
    items: Vec<&'a Map<String, Json>>,
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
}

pub fn items(items: Vec<&Map<String, Json>>, next: Option<String>, total: Option<i64>) -> Result<Response> {
    json(StatusCode::OK, &Page { items, next, total })
}

/// A body that is sent as it is made.
pub fn stream(media: &'static str, parts: BoxStream<'static, std::io::Result<Bytes>>) -> Response {
    Response::builder().header(header::CONTENT_TYPE, media).body(Body::from_bytes_stream(parts))
}

pub fn nothing() -> Response {
    Response::builder().status(StatusCode::NO_CONTENT).finish()
}
