//! Changes to a resource as data: JSON Patch (RFC 6902) and FHIRPath Patch. Pure: a document goes in, a changed one or a
//! refusal comes out; whether the result is sound is asked afterwards.
pub mod fhirpath;
pub mod json;

use super::DOCUMENT;
use crate::kernel::error::{Error, INVALID, MALFORMED, MEDIA_TYPE};
use crate::kernel::json::parse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// Operations of one patch.
pub const OPERATIONS_MAX: usize = 1_000;
/// Values that one patch may put in by copying, so that copies of copies end.
pub const COPIED_MAX: usize = 200_000;

/// Why a patch was not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The place of the operation in the patch.
    pub operation: usize,
    pub cause: Cause,
    pub text: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The patch is none.
    Malformed,
    /// It does not fit the document; a `test` that fails, too.
    Unfit,
}

/// A patch in either language.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    Json(Value),
    FhirPath(Value),
}

/// What a JSON Patch is sent as; a FHIRPath Patch is a resource like others.
pub const JSON_PATCH: &str = "application/json-patch+json";

impl Patch {
    pub fn of_json(bytes: &[u8]) -> Result<Self, Error> {
        parse(bytes, DOCUMENT).map(Self::Json)
    }

    /// As a resource: Parameters are a FHIRPath Patch, a Binary has a JSON Patch in it.
    pub fn of_resource(resource: Value) -> Result<Self, Error> {
        match resource.get("resourceType").and_then(Value::as_str) {
            Some("Parameters") => Ok(Self::FhirPath(resource)),
            Some("Binary") if resource["contentType"] == JSON_PATCH => {
                let wrong = || Error::new(&MALFORMED).fault("Binary.data", "format", "The data is not base64.");
                let data = resource["data"].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
                Self::of_json(&data.ok_or_else(wrong)?)
            }
            Some("Binary") => Err(Error::new(&MEDIA_TYPE).fault("Binary.contentType", "code", "A patch in a Binary is a JSON Patch.")),
            _ => Err(Error::new(&MALFORMED).fault("resourceType", "type", "A patch is Parameters, or a Binary with a JSON Patch.")),
        }
    }

    pub fn apply(&self, resource: &Value) -> Result<Value, Error> {
        let (patched, place) = match self {
            Self::Json(patch) => (json::apply(resource, patch), "Binary.data"),
            Self::FhirPath(patch) => (fhirpath::apply(resource, patch), "Parameters.parameter"),
        };
        patched.map_err(|Refused { operation, cause, text }| {
            let (code, rule) = match cause {
                Cause::Malformed => (&MALFORMED, "format"),
                Cause::Unfit => (&INVALID, "invariant"),
            };
            let place = if place == "Binary.data" { place.to_owned() } else { format!("{place}[{operation}]") };
            Error::new(code).fault(place, rule, format!("{text} (Operation {operation}.)"))
        })
    }
}

type Step<T = ()> = Result<T, (Cause, &'static str)>;

fn malformed<T>(text: &'static str) -> Step<T> {
    Err((Cause::Malformed, text))
}
fn unfit<T>(text: &'static str) -> Step<T> {
    Err((Cause::Unfit, text))
}

/// Runs operations one after the other over a copy: all of them or none.
fn in_turn<'o>(document: &Value, operations: &'o [Value], mut run: impl FnMut(&mut Value, &'o Value) -> Step) -> Result<Value, Refused> {
    let refused = |operation: usize| move |(cause, text)| Refused { operation, cause, text };
    if operations.len() > OPERATIONS_MAX {
        return Err(refused(OPERATIONS_MAX)((Cause::Malformed, "A patch has too many operations.")));
    }
    let mut changed = document.clone();
    for (index, operation) in operations.iter().enumerate() {
        run(&mut changed, operation).map_err(refused(index))?;
    }
    Ok(changed)
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
