//! Whether a resource is one of R4, and what its profiles say of it: elements, cardinality, JSON types, primitive formats,
//! required bindings, references' targets, invariants, and the slices, fixed values and extensions of profiles. Every fault
//! is named by its FHIRPath, none repeats a value.

mod base;
mod profile;
mod slicing;
mod value;

use super::DOCUMENT;
use super::definitions::Constraint;
use super::definitions::codes;
use super::definitions::profiles::Profiles;
use super::path::{Context, Item, Node, STEPS_OF_RULES, World};
use super::resource::Resource;
use crate::kernel::error::{Error, Fault, INVALID, MALFORMED, Result};
use crate::kernel::json;
use crate::kernel::path::{Path, Segment};
use chrono::{DateTime, FixedOffset, Utc};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Faults told at once; who breaks more rules reads the first of them.
const FAULTS_MAX: usize = 100;
/// Rules a profile may lead to on the way through other profiles (extensions in extensions).
const PROFILES_DEEP_MAX: usize = 16;

/// The body of a create or update: read, of the type the URL names, and sound.
pub fn accept(bytes: &[u8], type_name: &str) -> Result<Resource> {
    sound(json::parse(bytes, DOCUMENT)?, type_name)
}

/// As [`accept`], for a resource that is parsed already (an entry of a Bundle).
pub fn sound(value: Value, type_name: &str) -> Result<Resource> {
    if value.get("resourceType").and_then(Value::as_str) != Some(type_name) {
        let resource = Resource::from_value(value)?;
        if resource.type_name() != type_name {
            let text = format!("The resource must be of the type {type_name}.");
            return Err(Error::new(&MALFORMED).fault("resourceType", "type", text));
        }
        return Ok(resource);
    }
    let faults = judge(&value, &BARE);
    if faults.is_empty() { Resource::from_value(value) } else { Err(Error::new(&INVALID).faults(faults)) }
}

/// All that is wrong with a resource by the specification alone.
pub fn faults(resource: &Value) -> Vec<Fault> {
    judge(resource, &BARE)
}

static BARE: LazyLock<Profiles> = LazyLock::new(Profiles::default);

/// All that is wrong with a resource by the specification and by the profiles it claims, as far as they are known.
pub fn judge(resource: &Value, profiles: &Profiles) -> Vec<Fault> {
    run(resource, profiles, &[], false)
}

/// As [`judge`], and by further profiles, which need not be claimed, and by guides that are claimed without a version (`$validate`).
pub fn judge_as<'a>(resource: &'a Value, profiles: &'a Profiles, further: &[&'a str]) -> Vec<Fault> {
    run(resource, profiles, further, true)
}

fn run<'a>(resource: &'a Value, profiles: &'a Profiles, further: &[&'a str], tells_guides: bool) -> Vec<Fault> {
    let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let Some(node) = Node::resource(resource).filter(|node| node.shape.is_resource()) else {
        let field = if name.is_empty() { "resourceType" } else { name };
        return vec![Fault { field: field.into(), rule: "type", text: base::UNKNOWN_TYPE.into() }];
    };
    let mut check = Check { tells_guides, ..Check::new(node, profiles) };
    check.path.push(Segment::Key(node.shape.name));
    check.resource(node);
    for url in further {
        check.by_profile(url, node);
    }
    check.faults
}

struct Check<'a> {
    profiles: &'a Profiles,
    path: Path<'a>,
    faults: Vec<Fault>,
    /// What was said already, for a base rule and a profile may say the same.
    told: HashSet<(String, &'static str, String)>,
    document: Node<'a>,
    /// The resource around a contained one.
    root: Node<'a>,
    resource: Node<'a>,
    is_contained: bool,
    /// Claims of a guide without its version count.
    tells_guides: bool,
    /// How many profiles led to each other here.
    depth: usize,
    now: DateTime<FixedOffset>,
}

impl<'a> Check<'a> {
    fn new(node: Node<'a>, profiles: &'a Profiles) -> Self {
        Check {
            profiles,
            path: Path::new(),
            faults: Vec::new(),
            told: HashSet::new(),
            document: node,
            root: node,
            resource: node,
            is_contained: false,
            tells_guides: false,
            depth: 0,
            now: Utc::now().fixed_offset(),
        }
    }

    fn fault(&mut self, rule: &'static str, text: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            let fault = Fault { field: self.path.expression(), rule, text: text.into() };
            if self.told.insert((fault.field.clone(), rule, fault.text.clone())) {
                self.faults.push(fault);
            }
        }
    }

    fn at(&mut self, segment: Segment<'a>, check: impl FnOnce(&mut Self)) {
        self.path.push(segment);
        check(self);
        self.path.pop();
    }

    /// The invariants that are errors; the rest is advice.
    fn invariants(&mut self, constraints: &'a [Constraint], node: Node<'a>) {
        for constraint in constraints.iter().filter(|constraint| constraint.is_error) {
            if self.faults.len() >= FAULTS_MAX {
                return;
            }
            let Ok(expression) = constraint.compiled() else {
                self.fault("invariant", format!("The rule cannot be read ({}).", constraint.key));
                continue;
            };
            let world = Known(self.profiles);
            let context = Context {
                resource: self.resource,
                root: self.root,
                document: self.document,
                now: self.now,
                world: &world,
                is_strict: false,
                steps_max: STEPS_OF_RULES,
                variables: &[],
            };
            match expression.holds(Item::Node(node), &context) {
                Ok(true) => {}
                Ok(false) => self.fault("invariant", format!("{} ({})", constraint.human, constraint.key)),
                Err(trouble) => self.fault("invariant", format!("The rule cannot be judged: {trouble} ({})", constraint.key)),
            }
        }
    }
}

/// The world as far as the profiles tell it.
struct Known<'a>(&'a Profiles);

impl World for Known<'_> {
    fn conforms(&self, node: Node<'_>, profile: &str) -> Option<bool> {
        let structure = self.0.structure(profile)?;
        if structure.type_name != node.shape.name {
            return Some(false);
        }
        let mut check = Check::new(node, self.0);
        check.conform(&structure.root, node);
        Some(check.faults.is_empty())
    }
    fn is_member(&self, set: &str, system: Option<&str>, code: &str) -> Option<bool> {
        codes::contains(set, system, code, self.0)
    }
    fn subsumes(&self, system: &str, above: &str, below: &str) -> Option<bool> {
        codes::subsumes(system, above, below, self.0)
    }
}

fn has_extension(value: &Value) -> bool {
    value.get("extension").is_some()
}

fn is_present(object: &Map<String, Value>, name: &str) -> bool {
    object.contains_key(name) || object.get(&format!("_{name}")).is_some_and(|v| has_extension(v) || v.is_array())
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod profile_tests;
#[cfg(test)]
mod tests;
