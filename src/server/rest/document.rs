//! The OpenAPI document as it is published: what the registry says, with everything that stands often said once, and with
//! what only our tables know about an operation.

use super::{all_operations, all_projections, history, public, schema, service, tables};
use crate::kernel::context::Plane;
use crate::kernel::operation::{Gives, Operation};
use crate::kernel::table::{Field, Lists, Verb};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Parameters of many paths, under the name they get among the components.
const SHARED: &[(&str, &str)] = &[
    ("id", "Id"),
    ("limit", "Limit"),
    ("cursor", "Cursor"),
    ("total", "Total"),
    ("include_deleted", "IncludeDeleted"),
    ("If-Match", "IfMatch"),
    ("Idempotency-Key", "IdempotencyKey"),
    ("reason", "Reason"),
];

const REFUSALS: &[(&str, &str)] = &[
    ("400", "Unreadable"),
    ("401", "Unauthenticated"),
    ("403", "Forbidden"),
    ("404", "NotFound"),
    ("409", "Conflict"),
    ("412", "Stale"),
    ("413", "TooLarge"),
    ("415", "MediaType"),
    ("422", "Invalid"),
    ("428", "VersionRequired"),
    ("429", "TooMany"),
    ("503", "Unavailable"),
];

/// The document as JSON.
pub fn document() -> Json {
    let mut document: Json = serde_json::from_str(&service().spec()).unwrap_or_default();
    let needs = needs();
    let mut shared = Shared::default();
    let mut tags = BTreeSet::new();
    for operation in operations(&mut document) {
        drop_defaults(operation);
        shared.take(operation);
        tags.extend(operation["tags"][0].as_str().map(str::to_owned));
        let id = operation["operationId"].as_str().unwrap_or_default();
        if let (Some(needs), Some(members)) = (needs.get(id), operation.as_object_mut()) {
            members.extend(needs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
    }
    name_words(&mut document["components"]["schemas"]);
    document["tags"] = tags.iter().map(|name| json!({"name": name})).collect();
    document["components"]["parameters"] = Json::Object(shared.parameters.into_iter().collect());
    document["components"]["responses"] = Json::Object(shared.responses.into_iter().collect());
    document
}

fn operations(document: &mut Json) -> impl Iterator<Item = &mut Json> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    paths.filter_map(Json::as_object_mut).flat_map(Map::values_mut)
}

/// What OpenAPI takes for granted is not said a thousand times.
fn drop_defaults(operation: &mut Json) {
    if let Some(members) = operation.as_object_mut() {
        members.retain(|name, value| name != "deprecated" || value == true);
    }
    for parameter in operation["parameters"].as_array_mut().into_iter().flatten().filter_map(Json::as_object_mut) {
        parameter.retain(|name, value| match name.as_str() {
            "deprecated" | "required" => value == true,
            "explode" => value == false,
            _ => true,
        });
    }
}

#[derive(Default)]
struct Shared {
    parameters: BTreeMap<String, Json>,
    responses: BTreeMap<String, Json>,
}

impl Shared {
    fn take(&mut self, operation: &mut Json) {
        for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
            let Some((_, name)) = SHARED.iter().find(|(name, _)| parameter["name"] == *name) else { continue };
            let optional = *name == "IfMatch" && parameter.get("required").is_none();
            once(&mut self.parameters, "parameters", &format!("{name}{}", if optional { "Optional" } else { "" }), parameter);
        }
        for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
            if let Some((_, name)) = REFUSALS.iter().find(|(code, _)| code == status) {
                once(&mut self.responses, "responses", name, response);
            }
        }
    }
}

/// The first of a name becomes the component, and those like it point there.
fn once(components: &mut BTreeMap<String, Json>, kind: &str, name: &str, given: &mut Json) {
    let held = components.entry(name.to_owned()).or_insert_with(|| given.clone());
    if held == given {
        *given = json!({"$ref": format!("#/components/{kind}/{name}")});
    }
}

/// The words of a property are a schema of their own, one for all shapes of its record: `PatientStatus`. Generators give
/// them a name anyway, and another one for each shape.
fn name_words(schemas: &mut Json) {
    let taken: BTreeSet<String> = schemas.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    let mut named: BTreeMap<String, Json> = BTreeMap::new();
    let meanings = meanings();
    for (schema, described) in schemas.as_object_mut().into_iter().flatten() {
        let mut shapes = ["Create", "Update", "Input"].iter().filter_map(|shape| schema.strip_suffix(shape));
        let record = shapes.find(|record| taken.contains(*record) || schema.ends_with("Input")).unwrap_or(schema).to_owned();
        for (name, property) in described["properties"].as_object_mut().into_iter().flatten() {
            let Some(words) = property["enum"].as_array() else { continue };
            let words: Vec<Json> = words.iter().filter(|word| !word.is_null()).cloned().collect();
            let mut title = format!("{record}{}", pascal(name));
            let own = vocabulary(words, meanings.get(name.as_str()).into_iter().flatten());
            if taken.contains(&title) || named.get(&title).is_some_and(|held| *held != own) {
                title += "Kind";
            }
            if named.entry(title.clone()).or_insert_with(|| own.clone()) == &own {
                point(property, &title);
            }
        }
    }
    schemas.as_object_mut().into_iter().for_each(|all| all.extend(std::mem::take(&mut named)));
}

/// By the name of a field, its words with their meanings, wherever they stand.
fn meanings() -> BTreeMap<&'static str, Vec<&'static Field>> {
    fn below(field: &'static Field) -> Box<dyn Iterator<Item = &'static Field>> {
        match field.lists {
            Lists::Objects(fields) => Box::new(fields.iter().flat_map(below)),
            _ => Box::new(std::iter::once(field)),
        }
    }
    let given = |operation: &'static Operation| match operation.gives {
        Gives::Object(_, fields) | Gives::Made(_, fields, _) => fields,
        _ => &[],
    };
    let own = tables().flat_map(|table| table.fields);
    let asked = all_operations().flat_map(move |operation| operation.takes.iter().chain(given(operation)));
    let projected = all_projections().flat_map(|projection| &projection.shaped().fields);
    let mut found: BTreeMap<&'static str, Vec<&'static Field>> = BTreeMap::new();
    for field in own.chain(asked).chain(projected).chain(history::ENTRY).flat_map(below).filter(|field| !field.means.is_empty()) {
        found.entry(field.name).or_default().push(field);
    }
    found
}

/// Words as a schema of their own: each with what it means, for people and for generators.
fn vocabulary<'a>(words: Vec<Json>, mut fields: impl Iterator<Item = &'a &'static Field>) -> Json {
    let mut schema = json!({"type": "string", "enum": words});
    if let Some(field) = fields.find(|field| field.words().map(|(word, _)| word).eq(words.iter().filter_map(Json::as_str))) {
        let lines: Vec<String> = field.words().map(|(word, means)| format!("* `{word}` {means}")).collect();
        let each: Map<String, Json> = field.words().map(|(word, means)| (word.to_owned(), json!(means))).collect();
        schema["description"] = json!(lines.join("\n"));
        schema["x-enumDescriptions"] = Json::Object(each);
    }
    schema
}

/// What else is said of the property stays beside the reference.
fn point(property: &mut Json, schema: &str) {
    let to = json!({"$ref": format!("#/components/schemas/{schema}")});
    if let Some(members) = property.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "type" | "enum"));
        if !members.is_empty() {
            members.insert("allOf".into(), json!([to]));
            return;
        }
    }
    *property = to;
}

fn pascal(name: &str) -> String {
    let parts = name.split('_').map(|part| part.get(..1).unwrap_or_default().to_ascii_uppercase() + part.get(1..).unwrap_or_default());
    parts.collect()
}

type Needs = Vec<(&'static str, Json)>;

/// By operationId: the permission that staff need, and which planes may call it where policies alone do not say.
fn needs() -> BTreeMap<String, Needs> {
    let mut needs = BTreeMap::new();
    for table in tables() {
        let described = table.verbs.iter().map(|verb| (schema::of_verb(table, *verb).2, *verb));
        let past = history::offered(table).then(|| (schema::of_history(table).2, Verb::Read));
        for (operation, verb) in described.chain(past) {
            let permission = if matches!(verb, Verb::List | Verb::Read) { table.read } else { table.write };
            needs.insert(operation.operation_id.unwrap_or_default().to_owned(), vec![("x-permission", json!(permission.word()))]);
        }
    }
    for projection in all_projections() {
        for verb in projection.verbs {
            let id = schema::of_projection(projection, *verb).2.operation_id.unwrap_or_default().to_owned();
            needs.insert(id, vec![("x-permission", json!(projection.permission(*verb).word()))]);
        }
    }
    needs.extend(all_operations().map(|operation| (operation.id.to_owned(), of_operation(operation))));
    needs
}

fn of_operation(operation: &Operation) -> Needs {
    let planes: Vec<&str> = operation.planes.iter().filter(|plane| **plane != Plane::Jobs).map(|plane| plane.word()).collect();
    let mut needs = vec![("x-planes", json!(planes))];
    if !public(operation) {
        needs.push(("x-permission", json!(operation.permission.word())));
    }
    needs
}
