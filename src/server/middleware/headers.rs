//! Headers: how many bytes of them come in, and which go out with every answer.

use crate::kernel::error::{Error, HEADERS_TOO_LARGE, Result};
use crate::kernel::telemetry::RequestTrace;
use poem::{
    Request, Response,
    http::{HeaderName, HeaderValue, header},
};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What an API answer may do in a browser: nothing. Pages for people set a policy of their own.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Present on every answer unless the handler said otherwise.
const DEFAULTS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Refuses a head over `limit`: target, names, values and the four bytes between and behind them.
pub(super) fn within(request: &Request, limit: usize) -> Result<()> {
    let target = request.original_uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if target + headers > limit { Err(Error::new(&HEADERS_TOO_LARGE)) } else { Ok(()) }
}

pub(super) fn secure(response: &mut Response, trace: &RequestTrace, https: bool) {
    let headers = response.headers_mut();
    if let Some((policy, left)) = trace.limits() {
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            // Words of ours and numbers are always a legal header value.
            headers.extend(HeaderValue::from_str(value).ok().map(|value| (HeaderName::from_static(name), value)));
        }
    }
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    // A uuid is always a legal header value.
    if let Ok(id) = HeaderValue::from_str(&trace.id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
}
