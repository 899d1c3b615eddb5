//! A job as whoever ordered it finds it: how far it is, what it wrote, its files; and its end before time.
//!
//! Files pass through the server: every fetch asks for the token, whose job it is and the token's scopes, and is in the audit
//! log before its first byte leaves. A signed URL would be a key to thousands of charts for whoever sees it.

use super::head::Head;
use super::import::slice;
use super::intake::Input;
use super::jobs::{FILES_KEPT_HOURS, KINDS};
use crate::identity::throttle::Throttle;
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::Context;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::storage::Reading;
use crate::server::fhir::{Fhir, caller, record_id};
use crate::server::scopes;
use crate::workflow::long_work::{self, NDJSON, Standing, Written};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt;
use governor::Quota;
use poem::http::{StatusCode, header};
use poem::{Body, Request, Response};
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;
use std::io::Write;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use uuid::Uuid;

/// Whoever asks for one job more often than it is worth is told to wait; each server counts for itself.
static ASKED: LazyLock<Throttle> = LazyLock::new(|| Throttle::new(Quota::per_second(PER_SECOND).allow_burst(BURST)));
const PER_SECOND: NonZeroU32 = NonZeroU32::new(1).unwrap();
const BURST: NonZeroU32 = NonZeroU32::new(60).unwrap();

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
            ASKED.admit_anywhere(&job.id.to_string())?;
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
    let packed = takes_gzip(request.header(header::ACCEPT_ENCODING).unwrap_or_default());
    let answer = Response::builder().header(header::CONTENT_TYPE, NDJSON).header(header::VARY, "Accept-Encoding");
    let answer = answer.header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.ndjson\"", file.resource_type));
    let stream = |packing| Body::from_bytes_stream(futures_util::stream::unfold((reading, packing), next).boxed());
    Ok(match packed {
        true => {
            answer.header(header::CONTENT_ENCODING, "gzip").body(stream(Packing::Packs(GzEncoder::new(Vec::new(), Compression::fast()))))
        }
        false => answer.header(header::CONTENT_LENGTH, file.size).body(stream(Packing::Plain)),
    })
}

/// Named, or all are, and not refused.
fn takes_gzip(accepted: &str) -> bool {
    let mut any = None;
    for one in accepted.split(',') {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let is_taken = weight.trim().strip_prefix("q=").is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0));
        match name.trim() {
            "gzip" => return is_taken,
            "*" => any = Some(is_taken),
            _ => {}
        }
    }
    any.unwrap_or(false)
}

enum Packing {
    Plain,
    Packs(GzEncoder<Vec<u8>>),
    Done,
}

/// What has been packed leaves before more is read: memory holds one piece.
async fn next((mut reading, packing): (Reading, Packing)) -> Option<(std::io::Result<Bytes>, (Reading, Packing))> {
    let mut packer = match packing {
        Packing::Plain => {
            let chunk = reading.next().await?;
            return Some((chunk.map_err(std::io::Error::other), (reading, Packing::Plain)));
        }
        Packing::Packs(packer) => packer,
        Packing::Done => return None,
    };
    while let Some(chunk) = reading.next().await {
        let packed = chunk.map_err(std::io::Error::other).and_then(|chunk| packer.write_all(&chunk));
        if let Err(failure) = packed {
            return Some((Err(failure), (reading, Packing::Done)));
        }
        if !packer.get_ref().is_empty() {
            let piece = Bytes::from(std::mem::take(packer.get_mut()));
            return Some((Ok(piece), (reading, Packing::Packs(packer))));
        }
    }
    Some((packer.finish().map(Bytes::from), (reading, Packing::Done)))
}

#[cfg(test)]
mod tests {
    use super::takes_gzip;

    #[test]
    fn gzip_is_given_to_whoever_takes_it() {
        for accepted in ["gzip", "deflate, gzip;q=0.5", "*", "br;q=1, *;q=0.1"] {
            assert!(takes_gzip(accepted), "{accepted}");
        }
        for accepted in ["", "identity", "gzip;q=0", "gzip;q=0, *", "*;q=0", "gzip;q=x"] {
            assert!(!takes_gzip(accepted), "{accepted}");
        }
    }
}
