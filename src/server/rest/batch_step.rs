//! A step of a batch, read: what it names, what it brings, what later steps call it.

use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Method, Operation, Run};
use crate::kernel::table::{Projection, Table, Verb};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use std::sync::LazyLock;
use uuid::Uuid;

/// What a step can name: collections of records, and operations by the words after the id.
static PLACES: LazyLock<Places> = LazyLock::new(Places::new);

struct Places {
    tables: HashMap<&'static str, &'static Table>,
    projections: HashMap<&'static str, &'static Projection>,
    operations: HashMap<&'static str, &'static Operation>,
}

impl Places {
    fn new() -> Places {
        let posts = super::all_operations().filter(|operation| operation.method == Method::Post);
        Places {
            tables: super::tables().map(|table| (table.path, table)).collect(),
            projections: super::all_projections().map(|projection| (projection.path, projection)).collect(),
            operations: posts.map(|operation| (operation.path, operation)).collect(),
        }
    }
}

pub enum Target {
    Record(&'static Table, Verb, Option<Uuid>),
    Projection(&'static Projection, Verb, Option<Uuid>),
    Operation(&'static Operation, Option<Uuid>),
}

pub type Names = HashMap<String, Uuid>;

/// One step as it was read.
pub struct Step {
    pub target: Target,
    pub version: Option<i64>,
    pub body: Map<String, Json>,
    pub name: Option<String>,
}

pub fn read(step: &Map<String, Json>, names: &Names) -> Result<Step> {
    let invalid = |field: &str, rule, text: &str| Error::new(&error::INVALID).fault(field, rule, text);
    if let Some(name) = step.keys().find(|name| !["method", "path", "body", "if_match", "ref"].contains(&name.as_str())) {
        return Err(invalid(&super::query::shown(name), "unknown", "There is no such field."));
    }
    let path = step.get("path").and_then(Json::as_str).ok_or_else(|| invalid("path", "required", "The field is needed."))?;
    let method = step.get("method").and_then(Json::as_str).ok_or_else(|| invalid("method", "required", "The field is needed."))?;
    let target = target(method, path, names)?;
    let version = match step.get("if_match") {
        None | Some(Json::Null) => None,
        Some(number) => Some(number.as_i64().ok_or_else(|| invalid("if_match", "type", "It must be the record's version."))?),
    };
    let body = match step.get("body") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(members)) => members.iter().map(|(name, value)| (name.clone(), named(value, names))).collect(),
        Some(_) => return Err(invalid("body", "type", "It must be an object.")),
    };
    let name = match step.get("ref") {
        None | Some(Json::Null) => None,
        Some(Json::String(name)) if is_name(name) && !names.contains_key(name) => Some(name.clone()),
        Some(_) => return Err(invalid("ref", "format", "It must be a new name of letters, digits, - and _, at most 64.")),
    };
    Ok(Step { target, version, body, name })
}

/// The operation that a step names, whatever else is wrong with it.
pub fn operation_of(step: &Map<String, Json>) -> Option<&'static Operation> {
    let path = step.get("path")?.as_str()?;
    let words = path.strip_prefix("/api/v1").unwrap_or(path).split('/');
    let shape: Vec<&str> = words.map(|word| if word.starts_with('#') || word.parse::<Uuid>().is_ok() { "{id}" } else { word }).collect();
    PLACES.operations.get(shape.join("/").as_str()).copied()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// `#name` stands for the id that step got.
fn named(value: &Json, names: &Names) -> Json {
    match value {
        Json::String(text) => {
            let id = text.strip_prefix('#').and_then(|name| names.get(name));
            id.map_or_else(|| value.clone(), |id| Json::String(id.to_string()))
        }
        Json::Array(items) => items.iter().map(|item| named(item, names)).collect(),
        Json::Object(members) => Json::Object(members.iter().map(|(name, item)| (name.clone(), named(item, names))).collect()),
        _ => value.clone(),
    }
}

/// `/patients`, `/patients/{id}`, `/patients/{id}/deactivate`; a `/api/v1` before it is no fault.
fn target(method: &str, path: &str, names: &Names) -> Result<Target> {
    let wrong = |field, rule, text: &str| Err(Error::new(&error::INVALID).fault(field, rule, text));
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let mut words: Vec<String> = path.split('/').map(str::to_owned).collect();
    let mut id = None;
    for word in &mut words {
        let known = word.strip_prefix('#').and_then(|name| names.get(name).copied()).or_else(|| word.parse().ok());
        if known.is_some() && id.is_none() {
            id = known;
            "{id}".clone_into(word);
        }
    }
    let shape = words.join("/");
    let (path, verb) = match (method, shape.strip_suffix("/{id}")) {
        ("POST", _) => (shape.as_str(), Verb::Create),
        ("PATCH", Some(path)) => (path, Verb::Update),
        ("DELETE", Some(path)) => (path, Verb::Delete),
        _ => ("", Verb::Create),
    };
    let table = PLACES.tables.get(path).filter(|table| table.offers(verb)).map(|table| Target::Record(table, verb, id));
    let projection = || PLACES.projections.get(path).filter(|projection| projection.verbs.contains(&verb));
    let operation = || PLACES.operations.get(path).filter(|_| verb == Verb::Create).map(|operation| Target::Operation(operation, id));
    let found = table.or_else(|| projection().map(|projection| Target::Projection(projection, verb, id))).or_else(operation);
    match found {
        Some(Target::Operation(Operation { run: Run::Apart(_), .. }, _)) => {
            wrong("path", "batch", "The operation waits for something outside; call it by itself.")
        }
        Some(target) => Ok(target),
        None if !["POST", "PATCH", "DELETE"].contains(&method) => wrong("method", "value", "It must be POST, PATCH or DELETE."),
        None => wrong("path", "unknown", "Nothing is changed there by that method."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shape(method: &str, path: &str, names: &Names) -> String {
        match target(method, path, names) {
            Ok(Target::Record(table, verb, id)) => format!("{} {verb:?} {}", table.name, id.is_some()),
            Ok(Target::Projection(projection, verb, id)) => format!("{} {verb:?} {}", projection.schema, id.is_some()),
            Ok(Target::Operation(operation, id)) => format!("{} {}", operation.id, id.is_some()),
            Err(refusal) => refusal.faults.first().map(|fault| format!("{} {}", fault.field, fault.rule)).unwrap_or_default(),
        }
    }

    #[test]
    fn a_path_names_a_collection_a_record_or_an_operation() {
        let id = Uuid::from_u128(7);
        let names = Names::from([("p".to_owned(), id)]);
        assert_eq!(shape("POST", "/patients", &names), "patients Create false");
        assert_eq!(shape("POST", "/api/v1/patients", &names), "patients Create false");
        assert_eq!(shape("PATCH", &format!("/patients/{id}"), &names), "patients Update true");
        assert_eq!(shape("DELETE", "/patients/#p", &names), shape("DELETE", &format!("/patients/{id}"), &names));
        assert_eq!(shape("POST", "/patients/#p/deactivate", &names), "deactivatePatient true");
        assert_eq!(shape("POST", "/patients/#q/deactivate", &names), "path unknown");
        assert_eq!(shape("GET", "/patients", &names), "method value");
        assert_eq!(shape("PATCH", "/patients", &names), "path unknown");
        assert_eq!(shape("POST", "/nothing", &names), "path unknown");
        let words = format!("/projections/patient-portal/patients/{id}");
        assert_eq!(shape("PATCH", &words, &names), "PatientPortalPatient Update true");
    }

    #[test]
    fn a_name_becomes_its_id_and_other_words_stay() {
        let names = Names::from([("p".to_owned(), Uuid::from_u128(7))]);
        let value = json!({"a": "#p", "b": ["#p", "#q", "p"], "c": {"d": "#p"}});
        let id = Uuid::from_u128(7).to_string();
        assert_eq!(named(&value, &names), json!({"a": id, "b": [id, "#q", "p"], "c": {"d": id}}));
    }
}
