//! What every kick-off has, and every order that comes of one.

use crate::fhir::DOCUMENT;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::json;
use crate::server::fhir::answer;
use crate::workflow::order::By;
use chrono::{DateTime, Utc};
use poem::Request;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    pub by: By,
    /// The URL of the kick-off.
    pub request: String,
    pub base: String,
    /// The moment an export shows, and an import began.
    pub at: DateTime<Utc>,
}

impl Head {
    pub fn of(by: By, request: String, base: &str) -> Head {
        let now = Utc::now();
        // What the column keeps of a moment.
        let at = DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now);
        Head { by, request, base: base.to_owned(), at }
    }
}

/// The Parameters that were sent; none, where nothing was.
pub async fn parameters(request: &mut Request) -> Result<Option<Json>> {
    let (_, bytes) = answer::Asked::with_body(request).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let body = json::parse(&bytes, DOCUMENT)?;
    if body.get("resourceType").and_then(Json::as_str) != Some("Parameters") {
        return Err(Error::new(&error::MALFORMED).fault("resourceType", "type", "The body is a Parameters resource."));
    }
    Ok(Some(body))
}

pub fn wrong(name: &str, rule: &'static str, text: &str) -> Error {
    Error::new(&error::PARAMETER_INVALID).fault(name, rule, text)
}
