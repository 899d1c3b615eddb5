//! What a request wants back, and answers in that form.

use super::effect::Done;
use super::read::Shown;
use super::search;
use crate::fhir::negotiate::{self, Format, Prefer, Return};
use crate::fhir::outcome::all_ok;
use crate::fhir::patch::JSON_PATCH;
use crate::fhir::registry::Interaction;
use crate::fhir::search::Query;
use crate::fhir::{DOCUMENT, subset, xml};
use crate::kernel::error::{Error, Result};
use crate::kernel::json::parse;
use crate::server::rest::body_bytes;
use poem::http::{StatusCode, header};
use poem::{Body, Request, Response};
use serde_json::Value as Json;

/// The headers that decide about the answer.
pub struct Asked {
    pub prefer: Prefer,
    accept: Option<String>,
    query: String,
}

/// The form of the answer.
pub struct Shape {
    format: Format,
    query: Query,
}

/// What came with a request that changes something.
pub struct Sent {
    pub asked: Asked,
    pub bytes: Vec<u8>,
    pub resource: Option<Json>,
    /// The bytes are a JSON Patch, which is no resource.
    pub json_patch: bool,
}

impl Sent {
    pub async fn of(request: &mut Request, interaction: Interaction) -> Result<Sent> {
        let json_patch = interaction == Interaction::Patch && negotiate::is(request.header(header::CONTENT_TYPE), JSON_PATCH);
        if interaction == Interaction::Delete {
            return Ok(Sent { asked: Asked::of(request)?, bytes: Vec::new(), resource: None, json_patch });
        }
        if json_patch {
            let asked = Asked::of(request)?;
            return Ok(Sent { asked, bytes: body_bytes(request).await?, resource: None, json_patch });
        }
        let (asked, bytes) = Asked::with_body(request).await?;
        let resource = Some(parse(&bytes, DOCUMENT)?);
        Ok(Sent { asked, bytes, resource, json_patch })
    }
}

impl Asked {
    pub fn of(request: &Request) -> Result<Asked> {
        let text = |name| request.header(name).map(str::to_owned);
        let prefer = Prefer::parse(request.headers().get_all("prefer").iter().filter_map(|value| value.to_str().ok()))?;
        Ok(Asked { prefer, accept: text(header::ACCEPT), query: request.uri().query().unwrap_or_default().to_owned() })
    }

    /// With the resource that was sent, in a media type we read.
    pub async fn with_body(request: &mut Request) -> Result<(Asked, Vec<u8>)> {
        let format = negotiate::body_format(request.header(header::CONTENT_TYPE))?;
        let asked = Asked::of(request)?;
        let bytes = body_bytes(request).await?;
        // JSON is the form inside.
        let bytes = if format.is_xml() { xml::read(&bytes, DOCUMENT)?.to_string().into_bytes() } else { bytes };
        Ok((asked, bytes))
    }

    /// For a request whose query only shapes its answer.
    pub fn shape(&self, type_name: &str, base: &str) -> Result<Shape> {
        let query = search::parse(type_name, &[], &self.query, self.prefer, base)?;
        self.shaped(&query)
    }

    pub fn shaped(&self, query: &Query) -> Result<Shape> {
        let format = negotiate::answer_format(self.accept.as_deref(), query.format.as_deref())?;
        Ok(Shape { format, query: query.clone() })
    }
}

impl Shape {
    /// Whole, in that form.
    pub fn plain(format: Format, is_pretty: bool) -> Shape {
        Shape { format, query: Query { is_pretty, ..Query::default() } }
    }
    pub fn query(&self) -> &Query {
        &self.query
    }
}

pub fn body(status: StatusCode, value: &Json, shape: &Shape) -> Result<Response> {
    let body = Body::from(shape.format.write(value, shape.query.is_pretty));
    Ok(Response::builder().status(status).header(header::CONTENT_TYPE, shape.format.media_type()).body(body))
}

/// A resource with its version, or as much of it as the caller prefers.
pub fn resource(status: StatusCode, shown: Shown, shape: &Shape, wanted: Return, base: &str) -> Result<Response> {
    let Shown { record, mut resource } = shown;
    let location = format!("{base}/{}/{}/_history/{}", resource.type_name(), record.id, record.version);
    let modified = super::read::modified(&record);
    let mut answer = match wanted {
        Return::Minimal => Response::builder().status(status).finish(),
        Return::OperationOutcome => body(status, &all_ok(), shape)?,
        Return::Representation => {
            subset::cut(&mut resource, &shape.query);
            body(status, &resource.into_value(), shape)?
        }
    };
    stamp(&mut answer, &record.etag(), modified)?;
    if status == StatusCode::CREATED {
        answer.headers_mut().insert(header::LOCATION, location.parse().map_err(Error::internal)?);
    }
    Ok(answer)
}

pub fn done(done: Done, shape: &Shape, wanted: Return, base: &str) -> Result<Response> {
    match (done, wanted) {
        (Done::Made(shown), _) => resource(StatusCode::CREATED, shown, shape, wanted, base),
        (Done::Changed(shown) | Done::There(shown), _) => resource(StatusCode::OK, shown, shape, wanted, base),
        (Done::Removed, Return::OperationOutcome) => body(StatusCode::OK, &all_ok(), shape),
        (Done::Removed, _) => Ok(Response::builder().status(StatusCode::NO_CONTENT).finish()),
    }
}

/// The caller has it already.
pub fn unchanged(shown: &Shown) -> Result<Response> {
    let mut answer = Response::builder().status(StatusCode::NOT_MODIFIED).finish();
    stamp(&mut answer, &shown.record.etag(), shown.modified())?;
    Ok(answer)
}

fn stamp(answer: &mut Response, etag: &str, modified: Option<chrono::DateTime<chrono::Utc>>) -> Result<()> {
    answer.headers_mut().insert(header::ETAG, etag.parse().map_err(Error::internal)?);
    if let Some(at) = modified {
        let text = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer.headers_mut().insert(header::LAST_MODIFIED, text.parse().map_err(Error::internal)?);
    }
    Ok(())
}
