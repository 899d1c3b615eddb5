//! FHIRPath Patch (R4 §3.1.0.11.3): a Parameters resource whose operations name elements by FHIRPath.

use super::{Refused, Step, in_turn, malformed, unfit};
use crate::fhir::definitions::{Definitions, Element, Of};
use crate::fhir::path::{Context, Expression, Item, Node};
use chrono::Utc;
use serde_json::{Map, Value, json};

/// The resource after all operations, or why one of them cannot be done.
pub fn apply(resource: &Value, patch: &Value) -> Result<Value, Refused> {
    let none = Refused { operation: 0, cause: super::Cause::Malformed, text: "A FHIRPath Patch is a Parameters resource of operations." };
    let is_patch = patch["resourceType"] == "Parameters";
    let operations = patch["parameter"].as_array().filter(|_| is_patch).ok_or(none)?;
    in_turn(resource, operations, run)
}

/// One operation's parts by name.
fn part<'p>(operation: &'p Value, name: &str) -> Option<&'p Map<String, Value>> {
    operation["part"].as_array()?.iter().find(|part| part["name"] == name)?.as_object()
}

fn text<'p>(operation: &'p Value, name: &str) -> Step<&'p str> {
    let found = part(operation, name).and_then(|part| part.iter().find(|(key, _)| key.starts_with("value"))?.1.as_str());
    found.map_or_else(|| malformed("A part of the operation is missing."), Ok)
}

fn place(operation: &Value, name: &str) -> Step<usize> {
    let found = part(operation, name).and_then(|part| usize::try_from(part.get("valueInteger")?.as_u64()?).ok());
    found.map_or_else(|| malformed("The operation has a place, a whole number."), Ok)
}

fn run(resource: &mut Value, operation: &Value) -> Step {
    if operation["name"] != "operation" {
        return malformed("Each parameter is an operation.");
    }
    let path = text(operation, "path")?;
    let found = places(resource, path)?;
    match text(operation, "type")? {
        "add" => add(resource, &one(found)?, text(operation, "name")?, operation),
        "insert" => {
            let at = place(operation, "index")?;
            let list = list(&found)?;
            let value = item_value(resource, &list, operation)?;
            edit(resource, &list, |items| {
                if at > items.len() {
                    return unfit("The list has no such place.");
                }
                items.insert(at, value);
                Ok(())
            })
        }
        "delete" if found.is_empty() => Ok(()),
        "delete" => delete(resource, &one(found)?),
        "replace" => {
            let at = one(found)?;
            let value = item_value(resource, &at, operation)?;
            replace(resource, &at, operation, value)
        }
        "move" => {
            let (from, to) = (place(operation, "source")?, place(operation, "destination")?);
            edit(resource, &list(&found)?, |items| {
                if from >= items.len() || to >= items.len() {
                    return unfit("The list has no such place.");
                }
                let moved = items.remove(from);
                items.insert(to, moved);
                Ok(())
            })
        }
        _ => malformed("The type of the operation is none that is known."),
    }
}

/// A way from the resource down to an element.
#[derive(Clone, Debug, PartialEq)]
enum Down {
    Key(String),
    At(usize),
}

/// Where the elements stand that a path leads to.
fn places(resource: &Value, path: &str) -> Step<Vec<Vec<Down>>> {
    let Ok(expression) = Expression::parse(path) else { return malformed("The path is no FHIRPath.") };
    let Some(node) = Node::resource(resource) else { return unfit("The resource has no type.") };
    let now = Utc::now().fixed_offset();
    let context = Context::of_stranger(node, now);
    let Ok(items) = expression.evaluate(Item::Node(node), &context) else { return unfit("The path cannot be followed.") };
    let mut found = Vec::new();
    for item in items {
        let Item::Node(Node { value: Some(value), .. }) = item else { return unfit("The path leads to no element.") };
        found.push(way(resource, value).map_or_else(|| unfit("The path leads to no element."), Ok)?);
    }
    Ok(found)
}

fn way(from: &Value, to: &Value) -> Option<Vec<Down>> {
    if std::ptr::eq(from, to) {
        return Some(Vec::new());
    }
    let below = |step: Down, next: &Value| {
        way(next, to).map(|mut rest| {
            rest.insert(0, step);
            rest
        })
    };
    match from {
        Value::Object(members) => members.iter().find_map(|(key, next)| below(Down::Key(key.clone()), next)),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, next)| below(Down::At(at), next)),
        _ => None,
    }
}

fn one(mut found: Vec<Vec<Down>>) -> Step<Vec<Down>> {
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => unfit("The path leads to nothing."),
        _ => unfit("The path leads to several elements."),
    }
}

/// The list that all the elements stand in.
fn list(found: &[Vec<Down>]) -> Step<Vec<Down>> {
    let above = |way: &[Down]| match way.split_last() {
        Some((Down::At(_), above)) => Some(above.to_vec()),
        _ => None,
    };
    let first = found.first().and_then(|way| above(way));
    match first {
        Some(list) if found.iter().all(|way| above(way).as_ref() == Some(&list)) => Ok(list),
        _ => unfit("The path leads to no list."),
    }
}

fn follow<'r>(resource: &'r mut Value, way: &[Down]) -> Step<&'r mut Value> {
    way.iter().try_fold(resource, |value, step| {
        let next = match (value, step) {
            (Value::Object(members), Down::Key(key)) => members.get_mut(key),
            (Value::Array(items), Down::At(at)) => items.get_mut(*at),
            _ => None,
        };
        next.map_or_else(|| unfit("The path leads to nothing."), Ok)
    })
}

/// The definition behind a way: the element and the type it has there.
fn known(resource: &Value, way: &[Down]) -> Option<(&'static Element, &'static Of, &'static Element)> {
    let mut value = resource;
    let mut shape = crate::fhir::path::Shape::of_resource(resource)?;
    let mut found = None;
    for step in way {
        value = match step {
            Down::Key(key) => {
                let content = shape.content?;
                let (element, of) = content.element(key)?;
                found = Some((element, of, content));
                value.get(key)?
            }
            Down::At(at) => value.get(at)?,
        };
        // A list is passed on to its items.
        if let (Some((element, of, _)), false) = (found, value.is_array()) {
            shape = shape.of_child(element, of, Some(value));
        }
    }
    found
}

/// The value of an operation: `valueX`, or parts that make up an element without a name of its own.
fn value(element: &'static Element, content: Option<&'static Element>, operation: &Value) -> Step<(String, Value)> {
    let Some(part) = part(operation, "value") else { return malformed("The operation has a value.") };
    if let Some((key, value)) = part.iter().find(|(key, _)| key.starts_with("value")) {
        let suffix = key.trim_start_matches("value");
        let fits = |of: &&Of| crate::fhir::definitions::structure::choice_key("", &of.name) == suffix;
        // A code may come as string and the like; the whole resource is judged afterwards.
        let of = element.types.iter().find(fits).or(if element.is_choice { None } else { element.types.first() });
        return match of {
            Some(of) => Ok((element.key(of), value.clone())),
            None => unfit("The element does not have this type."),
        };
    }
    if let Some(resource) = part.get("resource") {
        return Ok((element.name.clone(), resource.clone()));
    }
    let Some(content) = content else { return malformed("The value has neither a type nor parts.") };
    let mut made = Map::new();
    for inner in part.get("part").and_then(Value::as_array).into_iter().flatten() {
        let name = inner["name"].as_str().unwrap_or_default();
        let Some(child) = content.child(name) else { return unfit("The element has no such member.") };
        let (key, value) = value_of_part(child, inner)?;
        if child.repeats() {
            match made.entry(key).or_insert_with(|| json!([])).as_array_mut() {
                Some(items) => items.push(value),
                None => return unfit("The element has no such member."),
            }
        } else {
            made.insert(key, value);
        }
    }
    Ok((element.name.clone(), Value::Object(made)))
}

fn value_of_part(element: &'static Element, inner: &Value) -> Step<(String, Value)> {
    let mut as_value = inner.clone();
    as_value["name"] = "value".into();
    let content = if element.children.is_empty() { None } else { Some(element) };
    value(element, content, &json!({"part": [as_value]}))
}

fn content(element: &'static Element, of: &'static Of) -> Option<&'static Element> {
    if element.children.is_empty() { Definitions.named(&of.name).map(|known| &known.root) } else { Some(element) }
}

fn item_value(resource: &Value, way: &[Down], operation: &Value) -> Step<Value> {
    let Some((element, of, _)) = known(resource, way) else { return unfit("The path leads to no element of the type.") };
    value(element, content(element, of), operation).map(|(_, value)| value)
}

fn add(resource: &mut Value, way: &[Down], name: &str, operation: &Value) -> Step {
    let parent = match known(resource, way) {
        Some((element, of, _)) => content(element, of),
        None if way.is_empty() => crate::fhir::path::Shape::of_resource(resource).and_then(|shape| shape.content),
        None => None,
    };
    let Some(element) = parent.and_then(|parent| parent.child(name)) else { return unfit("The element has no such member.") };
    let of = element.types.first();
    let (key, value) = value(element, of.and_then(|of| content(element, of)), operation)?;
    let Value::Object(members) = follow(resource, way)? else { return unfit("Only an element takes members.") };
    if element.repeats() {
        match members.entry(key).or_insert_with(|| json!([])) {
            Value::Array(items) => items.push(value),
            _ => return unfit("The element has no such member."),
        }
    } else if members.contains_key(&key) {
        return unfit("The member is there already.");
    } else {
        members.insert(key, value);
    }
    Ok(())
}

/// Changes a list, and with it what stands beside its primitives.
fn edit(resource: &mut Value, way: &[Down], change: impl FnOnce(&mut Vec<Value>) -> Step) -> Step {
    let beside = match way.split_last() {
        Some((Down::Key(key), above)) => follow(resource, above)?.get(format!("_{key}")).is_some(),
        _ => false,
    };
    if beside {
        return unfit("The list's items carry extensions of their own; patch the whole element.");
    }
    match follow(resource, way)? {
        Value::Array(items) => change(items),
        _ => unfit("The path leads to no list."),
    }
}

/// Takes an element away, and what becomes empty by that.
fn delete(resource: &mut Value, way: &[Down]) -> Step {
    let Some((last, above)) = way.split_last() else { return unfit("The resource itself cannot be taken away.") };
    let is_empty = match (follow(resource, above)?, last) {
        (Value::Object(members), Down::Key(key)) => {
            members.shift_remove(key);
            members.shift_remove(&format!("_{key}"));
            members.is_empty()
        }
        (Value::Array(items), Down::At(at)) if *at < items.len() => {
            items.remove(*at);
            items.is_empty()
        }
        _ => return unfit("The path leads to nothing."),
    };
    if is_empty && !above.is_empty() { delete(resource, above) } else { Ok(()) }
}

/// Another type of a choice stands under another key.
fn replace(resource: &mut Value, way: &[Down], operation: &Value, new: Value) -> Step {
    let Some((element, of, _)) = known(resource, way) else { return unfit("The path leads to no element of the type.") };
    if let (true, Some((Down::Key(old), above))) = (element.is_choice, way.split_last()) {
        let (key, new) = value(element, content(element, of), operation)?;
        if let Value::Object(members) = follow(resource, above)? {
            members.shift_remove(old);
            members.shift_remove(&format!("_{old}"));
            members.insert(key, new);
        }
        return Ok(());
    }
    *follow(resource, way)? = new;
    Ok(())
}
