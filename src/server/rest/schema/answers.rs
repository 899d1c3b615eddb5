//! Bodies and answers by the names of their schemas, and the refusals.

use super::{base, inline, reference};
use crate::kernel::table::Ty;
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaRequest, MetaResponse, MetaSchema};
use std::collections::HashMap;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

pub fn body(schema: String) -> Option<MetaRequest> {
    Some(MetaRequest { description: None, content: vec![MetaMediaType { content_type: JSON, schema: reference(&schema) }], required: true })
}

pub fn answer(status: u16, description: &'static str, schema: Option<String>, etag: bool) -> MetaResponse {
    let header = |name: &str, text: &str| MetaHeader {
        name: name.into(),
        description: Some(text.into()),
        required: true,
        deprecated: false,
        schema: inline(base(Ty::Text)),
    };
    let headers = [etag.then(|| header("ETag", "For If-Match.")), (status == 201).then(|| header("Location", "Where the new record is."))];
    MetaResponse {
        description,
        status: Some(status),
        status_range: None,
        content: schema.map(|schema| MetaMediaType { content_type: JSON, schema: reference(&schema) }).into_iter().collect(),
        headers: headers.into_iter().flatten().collect(),
    }
}

pub fn bytes(media: &'static str) -> MetaResponse {
    let body = MetaMediaType { content_type: media, schema: inline(MetaSchema::new_with_format("string", "binary")) };
    MetaResponse { content: vec![body], ..answer(200, "The bytes, sent as they are made.", None, false) }
}

pub fn refusals(statuses: &[u16]) -> Vec<MetaResponse> {
    let text = |status| match status {
        400 => "The request cannot be read.",
        401 => "A valid access token is needed.",
        403 => "The caller may not do this.",
        404 => "There is no such resource.",
        409 => "It collides with what is stored.",
        412 => "The resource changed after it was read.",
        413 => "The body is too large.",
        415 => "The media type is not taken here.",
        422 => "A field breaks a rule.",
        428 => "If-Match is needed.",
        429 => "Too many requests.",
        _ => "A part the server needs is not reachable.",
    };
    statuses
        .iter()
        .map(|status| MetaResponse {
            description: text(*status),
            status: Some(*status),
            status_range: None,
            content: vec![MetaMediaType { content_type: PROBLEM, schema: reference("Problem") }],
            headers: Vec::new(),
        })
        .collect()
}

pub fn bearer() -> Vec<HashMap<&'static str, Vec<&'static str>>> {
    vec![HashMap::from([("bearer", Vec::new())])]
}
