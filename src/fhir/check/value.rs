//! Rules about single values: bindings, where references lead, fixed values and patterns.

use super::Check;
use crate::fhir::definitions::codes;
use crate::fhir::definitions::structure::Binding;
use crate::fhir::definitions::{Definitions, Of, Strength};
use crate::fhir::path::Node;
use serde_json::Value;

impl<'a> Check<'a> {
    /// A required binding. What cannot be told here (a system that is not known) passes.
    pub(super) fn coded(&mut self, binding: Option<&Binding>, node: Node<'a>) {
        let Some(binding) = binding.filter(|binding| binding.strength == Strength::Required) else { return };
        let is_in = |system: Option<&str>, code: &str| codes::contains(&binding.set, system, code, self.profiles);
        let coding = |value: &Value| -> Option<bool> {
            let system = value.get("system").and_then(Value::as_str);
            // A code without a system is in no value set; without a code there is nothing to hold against it.
            value.get("code").and_then(Value::as_str).map_or(Some(false), |code| if system.is_some() { is_in(system, code) } else { Some(false) })
        };
        let verdict = match (node.shape.primitive, node.value) {
            (Some(_), Some(Value::String(code))) => is_in(None, code),
            (None, Some(value)) => match node.shape.name {
                "Coding" | "Quantity" | "Age" | "Duration" | "Money" => coding(value),
                "CodeableConcept" => {
                    let known: Vec<_> = value.get("coding").and_then(Value::as_array).into_iter().flatten().map(coding).collect();
                    let is_one = known.contains(&Some(true));
                    // One that cannot be told may be the one.
                    if is_one { Some(true) } else { known.iter().all(Option::is_some).then_some(false) }
                }
                _ => None,
            },
            _ => None,
        };
        if verdict == Some(false) {
            self.fault("code", "The code is not in the required value set.");
        }
    }

    /// Whether a reference leads to a type it may lead to, as far as its text says where that is.
    pub(super) fn target(&mut self, of: &'a Of, node: Node<'a>) {
        if node.shape.name != "Reference" {
            return;
        }
        let reference = node.text("reference");
        let led = match reference {
            Some(fragment) if fragment.starts_with('#') => match self.contained(fragment) {
                Some(known) => Some(known),
                None => return self.fault("reference", "There is no contained resource of this id."),
            },
            Some(reference) => type_of(reference).or_else(|| self.in_bundle(reference)),
            None => None,
        };
        let allowed = |name: &str| of.targets.is_empty() || of.targets.iter().any(|target| self.leads(target, name));
        let said = node.text("type").filter(|name| Definitions.is_resource(name));
        if [led, said].into_iter().flatten().any(|name| !allowed(name)) {
            self.fault("reference", "The reference leads to a type that may not stand here.");
        }
    }

    /// A target is a type or a profile of one.
    fn leads(&self, target: &str, name: &str) -> bool {
        target == name || target == "Resource" || self.profiles.structure(target).is_some_and(|known| known.type_name == name || known.type_name == "Resource")
    }

    fn contained(&self, fragment: &str) -> Option<&'a str> {
        let id = fragment.get(1..)?;
        if id.is_empty() {
            return Some(self.root.shape.name);
        }
        let all = self.root.object()?.get("contained")?.as_array()?;
        let found = all.iter().find(|it| it.get("id").and_then(Value::as_str) == Some(id))?;
        found.get("resourceType").and_then(Value::as_str)
    }

    fn in_bundle(&self, reference: &str) -> Option<&'a str> {
        let entries = self.document.object()?.get("entry")?.as_array()?;
        let found = entries.iter().find(|entry| entry.get("fullUrl").and_then(Value::as_str) == Some(reference))?;
        found.get("resource")?.get("resourceType")?.as_str()
    }
}

/// The type a relative or absolute reference names: `Patient/1`, `https://a.test/fhir/Patient/1/_history/2`.
fn type_of(reference: &str) -> Option<&str> {
    if reference.contains('?') {
        return reference.split('?').next().filter(|name| Definitions.is_resource(name));
    }
    let plain = reference.split("/_history/").next()?;
    let name = plain.rsplit('/').nth(1)?;
    Definitions.is_resource(name).then_some(name)
}

/// A fixed value is that value, member by member.
pub fn is_fixed(fixed: &Value, value: &Value) -> bool {
    match (fixed, value) {
        (Value::Object(fixed), Value::Object(value)) => {
            fixed.len() == value.len() && fixed.iter().all(|(key, fixed)| value.get(key).is_some_and(|value| is_fixed(fixed, value)))
        }
        (Value::Array(fixed), Value::Array(value)) => fixed.len() == value.len() && fixed.iter().zip(value).all(|(fixed, value)| is_fixed(fixed, value)),
        (fixed, value) => fixed == value,
    }
}

/// A pattern is found in the value: what it has, the value has, and for each of its items there is one.
pub fn has_pattern(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Object(pattern), Value::Object(value)) => {
            pattern.iter().all(|(key, pattern)| value.get(key).is_some_and(|value| has_pattern(pattern, value)))
        }
        (Value::Array(pattern), Value::Array(value)) => pattern.iter().all(|pattern| value.iter().any(|value| has_pattern(pattern, value))),
        (pattern, value) => pattern == value,
    }
}
