//! JSON Patch (RFC 6902) over JSON Pointers (RFC 6901).

use super::{COPIED_MAX, Refused, Step, in_turn, malformed, size, unfit};
use crate::fhir::path::decimal;
use serde_json::Value;

/// The document after all operations, or why one of them cannot be done.
pub fn apply(document: &Value, patch: &Value) -> Result<Value, Refused> {
    let none = Refused { operation: 0, cause: super::Cause::Malformed, text: "A JSON Patch is an array of operations." };
    let mut copied = 0;
    in_turn(document, patch.as_array().ok_or(none)?, |document, operation| run(document, operation, &mut copied))
}

fn run(document: &mut Value, operation: &Value, copied: &mut usize) -> Step {
    let member = |name: &str| operation.get(name).and_then(Value::as_str);
    let Some(op) = member("op") else { return malformed("An operation has an op.") };
    let path = pointer(member("path"))?;
    let value = || operation.get("value").cloned().map_or_else(|| malformed("The operation has a value."), Ok);
    match op {
        "add" => add(document, &path, value()?),
        "remove" => remove(document, &path).map(drop),
        "replace" => {
            *find(document, &path)? = value()?;
            Ok(())
        }
        "test" if is_same(find(document, &path)?, &value()?) => Ok(()),
        "test" => unfit("The test fails."),
        "move" | "copy" => {
            let from = pointer(member("from"))?;
            if op == "move" && path.len() > from.len() && path.starts_with(&from) {
                return unfit("Nothing moves into itself.");
            }
            let value = if op == "move" { remove(document, &from)? } else { find(document, &from)?.clone() };
            *copied += size(&value);
            if *copied > COPIED_MAX { unfit("The patch copies too much.") } else { add(document, &path, value) }
        }
        _ => malformed("The op is none that is known."),
    }
}

/// Numbers are one when their values are.
fn is_same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(a), Value::Number(b)) => a == b || decimal(a.as_str()).is_some_and(|a| Some(a) == decimal(b.as_str())),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b))),
        (one, two) => one == two,
    }
}

fn pointer(text: Option<&str>) -> Step<Vec<String>> {
    let Some(text) = text else { return malformed("The operation has a path, and move and copy a from.") };
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(steps) = text.strip_prefix('/') else { return malformed("A path is empty or begins with a slash.") };
    // `~` stands before 0 or 1 alone.
    if text.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
        return malformed("A path has a tilde that stands for nothing.");
    }
    Ok(steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}

/// A place in a list: digits without a leading zero.
fn index(step: &str) -> Step<usize> {
    let is_index = step == "0" || (!step.starts_with('0') && !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()));
    match step.parse() {
        Ok(index) if is_index => Ok(index),
        _ => unfit("A list has no such place."),
    }
}

const NOTHING: &str = "Nothing stands at the path.";

fn find<'d>(document: &'d mut Value, path: &[String]) -> Step<&'d mut Value> {
    path.iter().try_fold(document, |value, step| {
        let next = match value {
            Value::Object(members) => members.get_mut(step),
            Value::Array(items) => items.get_mut(index(step)?),
            _ => None,
        };
        next.map_or_else(|| unfit(NOTHING), Ok)
    })
}

fn add(document: &mut Value, path: &[String], value: Value) -> Step {
    let Some((last, parents)) = path.split_last() else {
        *document = value;
        return Ok(());
    };
    match find(document, parents)? {
        Value::Object(members) => drop(members.insert(last.clone(), value)),
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at = index(last)?;
            if at > items.len() {
                return unfit("A list has no such place.");
            }
            items.insert(at, value);
        }
        _ => return unfit(NOTHING),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &[String]) -> Step<Value> {
    let Some((last, parents)) = path.split_last() else { return unfit("The whole document cannot be taken away.") };
    let removed = match find(document, parents)? {
        Value::Object(members) => members.shift_remove(last),
        Value::Array(items) => {
            let at = index(last)?;
            (at < items.len()).then(|| items.remove(at))
        }
        _ => None,
    };
    removed.map_or_else(|| unfit(NOTHING), Ok)
}
