//! The document as a list of routes, its references followed.

use reqwest::Method;
use serde_json::Value as Json;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Json> = LazyLock::new(enamel::server::rest::document);

pub fn document() -> &'static Json {
    &DOCUMENT
}

#[derive(Clone)]
pub struct Route {
    pub path: &'static str,
    pub method: Method,
    pub operation: &'static Json,
}

pub fn routes() -> impl Iterator<Item = Route> {
    document()["paths"].as_object().unwrap().iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| Route { path, method: method.to_uppercase().parse().unwrap(), operation })
    })
}

/// What a `$ref` points to, or the value itself.
pub fn resolved(value: &Json) -> &Json {
    match value["$ref"].as_str() {
        Some(to) => document().pointer(to.trim_start_matches('#')).unwrap_or_else(|| panic!("{to} points to nothing")),
        None => value,
    }
}

/// A schema with what it is all of.
pub fn whole(schema: &Json) -> Json {
    let schema = resolved(schema);
    let mut out = schema.clone();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        out.as_object_mut().unwrap().extend(resolved(part).as_object().unwrap().clone());
    }
    out
}

impl Route {
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
    pub fn id(&self) -> &'static str {
        self.operation["operationId"].as_str().unwrap()
    }
    /// The schema of its body.
    pub fn body(&self) -> Option<&'static Json> {
        let schema = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        schema.is_object().then(|| resolved(schema))
    }
    pub fn properties(&self) -> impl Iterator<Item = (&'static str, Json)> {
        let members = self.body().and_then(|body| body["properties"].as_object()).into_iter().flatten();
        members.map(|(name, schema)| (name.as_str(), whole(schema)))
    }
    pub fn query(&self) -> impl Iterator<Item = &'static Json> {
        self.operation["parameters"].as_array().into_iter().flatten().map(resolved).filter(|parameter| parameter["in"] == "query")
    }
    /// Of the record its path begins with.
    pub fn collection(&self) -> &'static str {
        self.path.trim_start_matches("/api/v1").split("/{").next().unwrap()
    }
    pub fn creates(&self) -> bool {
        self.method == Method::POST && self.id().starts_with("create") && !self.path.contains('{') && self.operation["x-planes"].is_null()
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn follow(value: &'static Json) -> usize {
        resolved(value);
        match value {
            Json::Object(members) => members.values().map(follow).sum::<usize>() + usize::from(members.contains_key("$ref")),
            Json::Array(items) => items.iter().map(follow).sum(),
            _ => 0,
        }
    }
    assert!(follow(document()) > 10_000);
    let ids: Vec<&str> = routes().map(|route| route.id()).collect();
    let different: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(different.len(), ids.len(), "an operationId stands twice");
}

/// Words that say themselves what they mean: HTTP's and IANA's.
const PLAIN: &[&str] = &["BatchStepMethod", "CreateFileFileType"];

#[test]
fn every_word_of_the_document_has_its_meaning() {
    let named = document()["components"]["schemas"].as_object().unwrap().iter().filter(|(name, _)| !PLAIN.contains(&name.as_str()));
    let vocabularies: Vec<_> = named.filter(|(_, schema)| schema["enum"].is_array()).collect();
    let explained = |schema: &Json| {
        let words = schema["enum"].as_array().unwrap();
        words.iter().all(|word| schema["x-enumDescriptions"][word.as_str().unwrap()].as_str().is_some_and(|means| !means.is_empty()))
    };
    let bare: Vec<&String> = vocabularies.iter().filter(|(_, schema)| !explained(schema)).map(|(name, _)| *name).collect();
    assert!(bare.is_empty() && vocabularies.len() > 300, "{} of {}: {bare:?}", bare.len(), vocabularies.len());
}
