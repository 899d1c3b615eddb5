//! A job as whoever ordered it finds it: how far it is, what it wrote, its files; and its end before time.
//!
//! Files pass through the server: every fetch asks for the token, whose job it is and the token's scopes, and is in the audit
//! log before its first byte leaves. A signed URL would be a key to thousands of charts for whoever sees it.

use super::head::Head;
use super::import::slice;
use super::intake::Input;
use super::jobs::{FILES_KEPT_HOURS, KINDS};
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::Context;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::storage::Reading;
use crate::server::fhir::{Fhir, caller, record_id};
use crate::server::scopes;
use crate::workflow::long_work::{self, NDJSON, Standing, Written};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::StreamExt;
use poem::http::{StatusCode, header};
use poem::{Body, Request, Response};
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;
use uuid::Uuid;

/// An order of either kind.
#[derive(Deserialize)]
pub struct Given {
    #[serde(flatten)]
    head: Head,
    /// Of an import.
    #[serde(default)]
    inputs: Vec<Input>,
}

struct Job {
    id: Uuid,
    server: Context,
    stands: Standing<Given>,
}

impl Job {
    /// Another's job is no job.
    async fn of(caller: &Caller, request: &Request) -> Result<Job> {
        let id = record_id(request.raw_path_param("id"))?;
        let server = caller.server(caller.tenant().map_err(|_| Error::new(&error::NOT_FOUND))?);
        let stands: Standing<Given> = long_work::standing(&caller.kernel, &server, id, KINDS).await?;
        let is_there = stands.order.head.by.is(caller) && stands.expires().is_none_or(|at| at > Utc::now());
        if is_there { Ok(Job { id, server, stands }) } else { Err(Error::new(&error::NOT_FOUND)) }
    }

    async fn told(caller: &Caller, request: &Request) -> Result<Job> {
        let found = Job::of(caller, request).await;
        if let Err(refusal) = &found {
            let id = request.raw_path_param("id").and_then(|id| id.parse().ok());
            caller.refused("Job", id, Action::Read, refusal).await?;
        }
        found
    }
}

impl<O> Standing<O> {
    fn expires(&self) -> Option<DateTime<Utc>> {
        self.finished_at.map(|at| at + TimeDelta::hours(i64::from(FILES_KEPT_HOURS)))
    }
}

pub async fn standing(fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let job = Job::told(&caller, &request).await?;
    match job.stands.status.as_str() {
        "SUCCEEDED" => manifest(&fhir, &caller, &job).await,
        "FAILED" => {
            let why = job.stands.why.clone().unwrap_or_default();
            Err(Error::new(&error::JOB_FAILED).detail(format!("The job failed: {why}")))
        }
        status => {
            let progress = match status {
                "QUEUED" => "waits".to_owned(),
                _ => format!("{} %, {} resources", job.stands.percent, job.stands.resources),
            };
            let answer = Response::builder().status(StatusCode::ACCEPTED).header("x-progress", progress);
            Ok(answer.header(header::RETRY_AFTER, pause(&job)).finish())
        }
    }
}

/// Seconds until it is worth asking again: the longer it runs already, the longer.
fn pause(job: &Job) -> i64 {
    ((Utc::now() - job.stands.order.head.at).num_seconds() / 10).clamp(1, 60)
}

async fn manifest(fhir: &Fhir, caller: &Caller, job: &Job) -> Result<Response> {
    let files = long_work::files(&caller.kernel, &job.server, job.id).await?;
    let mut told = json!({
        "transactionTime": job.stands.order.head.at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        "request": job.stands.order.head.request,
        "requiresAccessToken": true,
    });
    // An import's files say with each line which input it is about.
    let inputs = &job.stands.order.inputs;
    let input = |file: &Written| inputs.iter().enumerate().find(|(place, of)| slice(&of.type_name, *place) == file.slice).map(|(_, of)| of);
    for (member, kind) in [("output", "OUTPUT"), ("deleted", "DELETED"), ("error", "ERROR")] {
        let mine = files.iter().filter(|file| file.kind == kind);
        told[member] = mine
            .filter_map(|file| {
                let mut shown = json!({"type": file.resource_type, "count": file.count});
                match (&file.key, input(file)) {
                    (Some(_), of) => {
                        shown["url"] = json!(format!("{}/$job/{}/{}", fhir.base, job.id, file.id));
                        of.into_iter().for_each(|of| shown["inputUrl"] = json!(of.url));
                    }
                    // What an input became has no file.
                    (None, Some(of)) if kind == "OUTPUT" => shown["inputUrl"] = json!(of.url),
                    (None, _) => return None,
                }
                Some(shown)
            })
            .collect();
    }
    happened(caller, "EXPORT_COMPLETED", job.id, Metadata::new().integer("count", job.stands.resources)).await?;
    let expires = job.stands.expires().unwrap_or_else(Utc::now).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let answer = Response::builder().header(header::CONTENT_TYPE, "application/json").header(header::EXPIRES, expires);
    Ok(answer.body(told.to_string()))
}

async fn happened(caller: &Caller, kind: &'static str, id: Uuid, metadata: Metadata) -> Result<()> {
    let mut event = audit_store::of(&caller.context, kind, Action::Read, Outcome::Success, Utc::now());
    event.resource_type = Some(Cow::Borrowed("Job"));
    event.resource_id = Some(id);
    event.metadata = metadata;
    caller.kernel.audit.record(event).await
}

pub async fn call_off(_: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let job = Job::told(&caller, &request).await?;
    long_work::call_off(&caller.kernel, &job.server, job.id).await?;
    Ok(Response::builder().status(StatusCode::ACCEPTED).finish())
}

pub async fn file(_: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let job = Job::told(&caller, &request).await?;
    let id = record_id(request.raw_path_param("file"))?;
    let files = long_work::files(&caller.kernel, &job.server, job.id).await?;
    let file = files.into_iter().find(|file| file.id == id && job.stands.status == "SUCCEEDED");
    let file = file.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    // A slice is named by the type whose resources it holds, or whose removals.
    let of = file.slice.split('/').next().unwrap_or_default();
    if file.kind != "ERROR"
        && let Err(refusal) = scopes::on_type(&caller, of, 'r')
    {
        caller.refused("Job", Some(job.id), Action::Read, &refusal).await?;
        return Err(refusal);
    }
    let told = Metadata::new().text("operation", "fetch").text("type", &file.resource_type).integer("count", file.count);
    happened(&caller, "RECORD_READ", job.id, told).await?;
    let key = file.key.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let reading = caller.kernel.storage.read(&key).await?;
    let body = Body::from_bytes_stream(futures_util::stream::unfold(reading, next).boxed());
    let answer = Response::builder().header(header::CONTENT_TYPE, NDJSON).header(header::CONTENT_LENGTH, file.size);
    Ok(answer.header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.ndjson\"", file.resource_type)).body(body))
}

async fn next(mut reading: Reading) -> Option<(std::io::Result<bytes::Bytes>, Reading)> {
    let chunk = reading.next().await?;
    Some((chunk.map_err(std::io::Error::other), reading))
}
