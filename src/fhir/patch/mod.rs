//! Changes to a resource as data: JSON Patch (RFC 6902) and FHIRPath Patch. Pure: a document goes in, a changed one or a
//! refusal comes out; whether the result is sound is asked afterwards.
pub mod fhirpath;
pub mod json;

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
