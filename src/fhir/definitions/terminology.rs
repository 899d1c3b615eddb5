//! Value sets and code systems, reduced to what membership needs. `build.rs` writes them, [`super::codes`] expands them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct CodeSystem {
    #[serde(rename = "u")]
    pub url: String,
    /// False: a fragment or example, so an unknown code may still be one.
    #[serde(rename = "c")]
    pub is_complete: bool,
    /// In the order of the hierarchy.
    #[serde(rename = "k")]
    pub concepts: Vec<Concept>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Concept {
    #[serde(rename = "c")]
    pub code: String,
    /// The places of the concepts right above it.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<usize>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct ValueSet {
    #[serde(rename = "u")]
    pub url: String,
    #[serde(rename = "i")]
    pub include: Vec<Part>,
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Part>,
    #[serde(skip)]
    pub(super) expansion: OnceLock<Expansion>,
}

/// What one `include` or `exclude` names.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Part {
    #[serde(rename = "s", default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// Empty: all of the system that pass the filters.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<String>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    pub property: String,
    pub op: String,
    pub value: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn code_system(resource: &Value) -> CodeSystem {
    let mut concepts = Vec::new();
    // A stack instead of recursion: the depth is the sender's.
    let mut open: Vec<(&Value, Option<usize>)> = list(&resource["concept"]).map(|concept| (concept, None)).collect();
    open.reverse();
    while let Some((concept, parent)) = open.pop() {
        let place = concepts.len();
        let below: Vec<_> = list(&concept["concept"]).map(|concept| (concept, Some(place))).collect();
        open.extend(below.into_iter().rev());
        concepts.push(Concept { code: text(&concept["code"]), parents: parent.into_iter().collect() });
    }
    link_subsumed(resource, &mut concepts);
    CodeSystem { url: text(&resource["url"]), is_complete: resource["content"] == "complete", concepts }
}

/// The v3 systems name a concept's parents as properties.
fn link_subsumed(resource: &Value, concepts: &mut [Concept]) {
    let places: HashMap<String, usize> = concepts.iter().enumerate().map(|(at, it)| (it.code.clone(), at)).collect();
    let mut open: Vec<&Value> = list(&resource["concept"]).collect();
    while let Some(concept) = open.pop() {
        open.extend(list(&concept["concept"]));
        let Some(at) = places.get(concept["code"].as_str().unwrap_or_default()) else { continue };
        let parents = list(&concept["property"]).filter(|it| matches!(it["code"].as_str(), Some("subsumedBy" | "parent")));
        let parents = parents.filter_map(|it| places.get(it["valueCode"].as_str()?).copied());
        let known = &mut concepts[*at].parents;
        for parent in parents {
            if !known.contains(&parent) {
                known.push(parent);
            }
        }
    }
}

pub fn value_set(resource: &Value) -> ValueSet {
    let compose = &resource["compose"];
    let include: Vec<Part> = list(&compose["include"]).map(part).collect();
    // One that comes expanded and without a rule is what it lists.
    let include = if include.is_empty() { expansion(&resource["expansion"]) } else { include };
    ValueSet { url: text(&resource["url"]), include, exclude: list(&compose["exclude"]).map(part).collect(), expansion: OnceLock::new() }
}

fn expansion(expansion: &Value) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut open: Vec<&Value> = list(&expansion["contains"]).collect();
    while let Some(it) = open.pop() {
        open.extend(list(&it["contains"]));
        if let (Some(system), Some(code)) = (it["system"].as_str(), it["code"].as_str()) {
            match parts.iter_mut().find(|part| part.system == system) {
                Some(part) => part.codes.push(code.into()),
                None => parts.push(Part { system: system.into(), codes: vec![code.into()], ..Part::default() }),
            }
        }
    }
    parts
}

fn part(from: &Value) -> Part {
    let filter = |it: &Value| Filter { property: text(&it["property"]), op: text(&it["op"]), value: text(&it["value"]) };
    Part {
        system: text(&from["system"]),
        codes: list(&from["concept"]).map(|concept| text(&concept["code"])).collect(),
        filters: list(&from["filter"]).map(filter).collect(),
        sets: list(&from["valueSet"]).filter_map(Value::as_str).map(|url| url.split('|').next().unwrap_or(url).into()).collect(),
    }
}

/// All codes of a value set, as far as they are known here.
#[derive(Clone, Default)]
pub struct Expansion {
    pub codes: HashMap<String, HashSet<String>>,
    /// Systems of which every code is in, and which are not listed here.
    pub whole: Vec<String>,
    /// There are more than could be found out.
    pub is_open: bool,
}
