//! Structural checks of an incoming resource against the R4 definitions: elements, cardinality, JSON types, primitive
//! formats, required bindings, and the two rules a structure cannot do without: an extension has a value or extensions
//! (ext-1), nothing contained contains (dom-2). Every fault is named by its FHIRPath, none repeats a value.

use super::definitions::{Definitions, Element, Kind, Of, Type};
use super::primitive::{Flaw, Primitive};
use super::resource::Resource;
use super::{DOCUMENT, primitive};
use crate::kernel::error::{Error, Fault, INVALID, MALFORMED, Result};
use crate::kernel::json;
use crate::kernel::path::{Path, Segment};
use serde_json::{Map, Value};

/// Faults told at once; who breaks more rules reads the first of them.
const FAULTS_MAX: usize = 100;

/// The body of a create or update: read, of the type the URL names, and sound in structure.
pub fn accept(bytes: &[u8], type_name: &str) -> Result<Resource> {
    sound(json::parse(bytes, DOCUMENT)?, type_name)
}

/// As [`accept`], for a resource that is parsed already (an entry of a Bundle).
pub fn sound(value: Value, type_name: &str) -> Result<Resource> {
    let resource = Resource::from_value(value)?;
    if resource.type_name() != type_name {
        let text = format!("The resource must be of the type {type_name}.");
        return Err(Error::new(&MALFORMED).fault("resourceType", "type", text));
    }
    let faults = faults(resource.as_map());
    if faults.is_empty() { Ok(resource) } else { Err(Error::new(&INVALID).faults(faults)) }
}

/// All that is wrong with the structure of a resource.
pub fn faults(resource: &Map<String, Value>) -> Vec<Fault> {
    let mut check = Check { definitions: Definitions::r4(), path: Path::new(), faults: Vec::new(), is_contained: false };
    check.path.push(Segment::Key(type_name(resource)));
    check.resource(resource);
    check.faults
}

fn type_name(resource: &Map<String, Value>) -> &str {
    resource.get("resourceType").and_then(Value::as_str).unwrap_or_default()
}

struct Check<'a> {
    definitions: &'static Definitions,
    path: Path<'a>,
    faults: Vec<Fault>,
    is_contained: bool,
}

impl<'a> Check<'a> {
    fn fault(&mut self, rule: &'static str, text: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { field: self.path.expression(), rule, text: text.into() });
        }
    }

    fn at(&mut self, segment: Segment<'a>, check: impl FnOnce(&mut Self)) {
        self.path.push(segment);
        check(self);
        self.path.pop();
    }

    /// A resource of a type without a table here can only be asked for what all resources have.
    fn resource(&mut self, resource: &'a Map<String, Value>) {
        let name = type_name(resource);
        if let Some(of) = self.definitions.named(name).filter(|_| self.definitions.is_resource(name)) {
            return self.object(of, resource);
        }
        if !self.definitions.is_resource(name) {
            self.fault("type", "The resourceType is missing or unknown to R4.");
        }
        if resource.get("id").is_some_and(|id| !id.as_str().is_some_and(primitive::is_id)) {
            self.at(Segment::Key("id"), |check| check.fault("format", Primitive::Id.form()));
        }
    }

    fn object(&mut self, of: &'static Type, object: &'a Map<String, Value>) {
        if object.keys().all(|key| key == "resourceType") && !self.definitions.is_resource(&of.name) {
            return self.fault("empty", "An element may not be empty.");
        }
        for (key, value) in object {
            match key.strip_prefix('_') {
                _ if key == "resourceType" && self.definitions.is_resource(&of.name) => {}
                Some(plain) => self.extended(of, plain, value, object),
                None => self.element(of, key, value, object),
            }
        }
        self.cardinality(of, object);
        if of.name == "Extension" {
            self.extension(object);
        }
    }

    fn segment(element: &'static Element, of: &'static Of) -> Segment<'a> {
        if element.is_choice { Segment::Choice(&element.name, &of.name) } else { Segment::Key(&element.name) }
    }

    fn element(&mut self, of: &'static Type, key: &'a str, value: &'a Value, parent: &'a Map<String, Value>) {
        let Some((element, of)) = of.element(key) else {
            return self.at(Segment::Key(key), |check| check.fault("unknown", "The element is unknown here."));
        };
        let primitive_extensions = match of.kind {
            Kind::Primitive(_) => parent.get(&format!("_{key}")).and_then(Value::as_array),
            _ => None,
        };
        self.at(Self::segment(element, of), |check| match (element.repeats(), value) {
            (true, Value::Array(items)) if items.is_empty() => check.fault("empty", "An array may not be empty."),
            (true, Value::Array(items)) => check.items(element, of, items, primitive_extensions),
            (true, _) => check.fault("type", "The element repeats, so it is a JSON array."),
            (false, Value::Array(_)) => check.fault("type", "The element does not repeat, so it is no JSON array."),
            (false, value) => check.value(element, of, value),
        });
    }

    fn items(&mut self, element: &'static Element, of: &'static Of, items: &'a [Value], extensions: Option<&'a Vec<Value>>) {
        if element.max.is_some_and(|max| items.len() > max as usize) {
            self.fault("cardinality", "The element repeats more often than it may.");
        }
        for (index, item) in items.iter().enumerate() {
            let stands_for_extension = item.is_null() && extensions.and_then(|e| e.get(index)).is_some_and(has_extension);
            if !stands_for_extension {
                self.at(Segment::Index(index), |check| check.value(element, of, item));
            }
        }
    }

    fn value(&mut self, element: &'static Element, of: &'static Of, value: &'a Value) {
        if value.is_null() {
            return self.fault("empty", "An element may not be null.");
        }
        match (of.kind, value) {
            (Kind::Primitive(primitive), value) => self.primitive(element, primitive, value),
            (Kind::Complex(id), Value::Object(object)) => {
                if let Some(of) = self.definitions.get(id) {
                    self.object(of, object);
                }
            }
            (Kind::Resource, Value::Object(resource)) => self.nested(&element.name, resource),
            _ => self.fault("type", "The element is a JSON object."),
        }
    }

    fn nested(&mut self, name: &str, resource: &'a Map<String, Value>) {
        if name != "contained" {
            return self.resource(resource);
        }
        if self.is_contained {
            return self.fault("invariant", "A contained resource may not contain another (dom-2).");
        }
        self.is_contained = true;
        self.resource(resource);
        self.is_contained = false;
    }

    fn primitive(&mut self, element: &'static Element, primitive: Primitive, value: &'a Value) {
        match primitive.check(value) {
            Err(Flaw::Json) => self.fault("type", format!("The value must be {}.", primitive.form())),
            Err(Flaw::Format) => self.fault("format", format!("The value must be {}.", primitive.form())),
            Ok(()) => {
                let is_known = |codes: &std::collections::HashSet<String>| value.as_str().is_some_and(|code| codes.contains(code));
                if element.codes.as_ref().is_some_and(|codes| !is_known(codes)) {
                    self.fault("code", "The code is not in the required value set.");
                }
            }
        }
    }

    /// `_birthDate`: what a primitive carries beside its value.
    fn extended(&mut self, of: &'static Type, key: &'a str, value: &'a Value, parent: &'a Map<String, Value>) {
        let known = of.element(key).filter(|(_, of)| matches!(of.kind, Kind::Primitive(_)));
        let Some((element, of)) = known else {
            return self.at(Segment::Key(key), |check| check.fault("unknown", "No primitive of this name is known here."));
        };
        let values = parent.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        self.at(Self::segment(element, of), |check| match (element.repeats(), value) {
            (true, Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    // A null beside a value, or after the last of both, says: nothing here.
                    if !item.is_null() {
                        check.at(Segment::Index(index), |check| check.beside(item, index < values));
                    }
                }
                if items.is_empty() {
                    check.fault("empty", "An array may not be empty.");
                }
            }
            (true, _) => check.fault("type", "The element repeats, so its extensions are a JSON array."),
            (false, value) => check.beside(value, parent.contains_key(key)),
        });
    }

    fn beside(&mut self, value: &'a Value, has_value: bool) {
        let Some(object) = value.as_object() else {
            return self.fault("type", "What stands beside a primitive is a JSON object with id or extension.");
        };
        if !has_value && !has_extension(value) {
            return self.fault("empty", "An element has a value or extensions.");
        }
        if let Some(element) = self.definitions.named("Element") {
            self.object(element, object);
        }
    }

    fn cardinality(&mut self, of: &'static Type, object: &'a Map<String, Value>) {
        for element in &of.elements {
            if element.is_choice {
                self.choice(element, of, object);
            } else if element.min > 0 && !is_present(object, &element.name) {
                self.at(Segment::Key(&element.name), |check| check.fault("required", "The element is required."));
            }
        }
    }

    fn choice(&mut self, element: &'static Element, of: &'static Type, object: &'a Map<String, Value>) {
        let is_this = |key: &str| of.element(key).is_some_and(|(known, _)| std::ptr::eq(known, element));
        let mut given: Vec<&str> = object.keys().map(|key| key.strip_prefix('_').unwrap_or(key)).filter(|key| is_this(key)).collect();
        given.sort_unstable();
        given.dedup();
        match given.len() {
            0 if element.min > 0 => {
                self.at(Segment::Key(&element.name), |check| check.fault("required", "The element is required."));
            }
            0 | 1 => {}
            _ => self.at(Segment::Key(&element.name), |check| {
                check.fault("cardinality", "Only one of the types of a choice may be given.");
            }),
        }
    }

    /// ext-1.
    fn extension(&mut self, object: &'a Map<String, Value>) {
        let has_value = object.keys().any(|key| key.trim_start_matches('_').starts_with("value"));
        if has_value == object.contains_key("extension") {
            self.fault("invariant", "An extension has either a value or extensions (ext-1).");
        }
    }
}

fn has_extension(value: &Value) -> bool {
    value.get("extension").is_some()
}

fn is_present(object: &Map<String, Value>, name: &str) -> bool {
    object.contains_key(name) || object.get(&format!("_{name}")).is_some_and(|v| has_extension(v) || v.is_array())
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
