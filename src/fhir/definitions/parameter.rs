//! Search parameters and compartments as R4 defines them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchParameter {
    pub url: String,
    /// The name in a query.
    pub code: String,
    /// `token`, `date`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The resource types it is for; `Resource` and `DomainResource` stand for theirs.
    pub base: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expression: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Of a composite: the parameter's address and the expression within the element.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<(String, String)>,
}

/// Which parameters put a resource of a type into the compartment.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Compartment {
    pub code: String,
    pub members: Vec<(String, Vec<String>)>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

pub fn search_parameter(resource: &Value) -> SearchParameter {
    let components = resource["component"].as_array().into_iter().flatten();
    SearchParameter {
        url: text(&resource["url"]),
        code: text(&resource["code"]),
        kind: text(&resource["type"]),
        base: texts(&resource["base"]),
        expression: text(&resource["expression"]),
        targets: texts(&resource["target"]),
        components: components.map(|it| (text(&it["definition"]), text(&it["expression"]))).collect(),
    }
}

pub fn compartment(resource: &Value) -> Compartment {
    let members = resource["resource"].as_array().into_iter().flatten();
    let members = members.map(|it| (text(&it["code"]), texts(&it["param"]))).filter(|(_, params)| !params.is_empty());
    Compartment { code: text(&resource["code"]), members: members.collect() }
}
