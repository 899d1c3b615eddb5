//! The walk over everything there is, by the base types.

use super::{Check, has_extension, is_present};
use crate::fhir::definitions::{Element, Link, Of};
use crate::fhir::path::{Node, Shape};
use crate::fhir::primitive::{Flaw, Primitive};
use crate::fhir::xhtml;
use crate::kernel::path::Segment;
use serde_json::{Map, Value};

pub const UNKNOWN_TYPE: &str = "The resourceType is missing or unknown to R4.";

impl<'a> Check<'a> {
    /// A whole resource: the document, an entry's, or a contained one.
    pub(super) fn resource(&mut self, node: Node<'a>) {
        let Some(object) = node.object() else { return };
        let around = (self.resource, self.root);
        self.resource = node;
        if !self.is_contained {
            self.root = node;
        }
        self.object(node, object);
        let claimed = object.get("meta").and_then(|meta| meta.get("profile")).and_then(Value::as_array);
        for url in claimed.into_iter().flatten().filter_map(Value::as_str) {
            self.by_profile(url, node);
        }
        (self.resource, self.root) = around;
    }

    fn object(&mut self, node: Node<'a>, object: &'a Map<String, Value>) {
        let is_resource = node.shape.is_resource();
        if !is_resource && object.is_empty() {
            return self.fault("empty", "An element may not be empty.");
        }
        let Some(content) = node.shape.content else { return };
        for (key, value) in object {
            match key.strip_prefix('_') {
                _ if is_resource && key == "resourceType" => {}
                Some(plain) => self.extended(content, plain, value, object, node.shape),
                None => self.element(content, key, value, object, node.shape),
            }
        }
        self.cardinality(content, object);
        if node.shape.name == "Extension" {
            self.extension(node, object);
        }
        if let Some(within) = node.shape.within
            && std::ptr::eq(&within.root, content)
        {
            self.invariants(&within.root.constraints, node);
        }
    }

    pub(super) fn segment(element: &'a Element, of: &'a str) -> Segment<'a> {
        if element.is_choice { Segment::Choice(&element.name, of) } else { Segment::Key(&element.name) }
    }

    fn element(&mut self, of: &'static Element, key: &'a str, value: &'a Value, parent: &'a Map<String, Value>, shape: Shape) {
        let Some((element, of)) = of.element(key) else {
            return self.at(Segment::Key(key), |check| check.fault("unknown", "The element is unknown here."));
        };
        let beside = match of.link() {
            Link::Primitive(_) => parent.get(&format!("_{key}")),
            _ => None,
        };
        self.at(Self::segment(element, &of.name), |check| match (element.repeats(), value) {
            (true, Value::Array(items)) if items.is_empty() => check.fault("empty", "An array may not be empty."),
            (true, Value::Array(items)) => check.items(element, of, items, beside.and_then(Value::as_array), shape),
            (true, _) => check.fault("type", "The element repeats, so it is a JSON array."),
            (false, Value::Array(_)) => check.fault("type", "The element does not repeat, so it is no JSON array."),
            (false, value) => check.value(element, of, value, beside, shape),
        });
    }

    fn items(&mut self, element: &'static Element, of: &'static Of, items: &'a [Value], beside: Option<&'a Vec<Value>>, shape: Shape) {
        if element.max.is_some_and(|max| items.len() > max as usize) {
            self.fault("cardinality", "The element repeats more often than it may.");
        }
        for (index, item) in items.iter().enumerate() {
            let beside = beside.and_then(|all| all.get(index));
            let stands_for_extension = item.is_null() && beside.is_some_and(has_extension);
            if !stands_for_extension {
                self.at(Segment::Index(index), |check| check.value(element, of, item, beside, shape));
            }
        }
    }

    fn value(&mut self, element: &'static Element, of: &'static Of, value: &'a Value, beside: Option<&'a Value>, shape: Shape) {
        if value.is_null() {
            return self.fault("empty", "An element may not be null.");
        }
        let node = Node { value: Some(value), beside: beside.and_then(Value::as_object), shape: shape.of_child(element, of, Some(value)) };
        match (of.link(), value) {
            (Link::Primitive(primitive), value) => self.primitive(element, primitive, value, node),
            (Link::Resource, Value::Object(resource)) => return self.nested(&element.name, value, resource),
            (Link::Complex(_), Value::Object(object)) => {
                self.object(node, object);
                self.coded(element.binding.as_ref(), node);
                self.target(of, node);
            }
            _ => return self.fault("type", "The element is a JSON object."),
        }
        self.invariants(&element.constraints, node);
        if let (Some(_), Some(content)) = (&element.content, node.shape.content) {
            self.invariants(&content.constraints, node);
        }
    }

    fn nested(&mut self, name: &str, value: &'a Value, resource: &'a Map<String, Value>) {
        let known = Node::resource(value).filter(|node| node.shape.is_resource() && !node.shape.within.is_some_and(|it| it.is_abstract));
        if name == "contained" && self.is_contained {
            return self.fault("invariant", "A contained resource may not contain another (dom-2).");
        }
        let Some(node) = known else {
            self.fault("type", UNKNOWN_TYPE);
            if resource.get("id").is_some_and(|id| Primitive::Id.check(id).is_err()) {
                self.at(Segment::Key("id"), |check| check.fault("format", Primitive::Id.form()));
            }
            return;
        };
        let was = self.is_contained;
        self.is_contained = name == "contained";
        self.resource(node);
        self.is_contained = was;
    }

    fn primitive(&mut self, element: &'static Element, primitive: Primitive, value: &'a Value, node: Node<'a>) {
        match primitive.check(value) {
            Err(Flaw::Json) => self.fault("type", format!("The value must be {}.", primitive.form())),
            Err(Flaw::Format) => self.fault("format", format!("The value must be {}.", primitive.form())),
            Ok(()) => match (primitive, value.as_str()) {
                (Primitive::Xhtml, Some(text)) => {
                    if let Err(why) = xhtml::check(text) {
                        self.fault("invariant", why);
                    }
                }
                _ => self.coded(element.binding.as_ref(), node),
            },
        }
    }

    /// `_birthDate`: what a primitive carries beside its value.
    fn extended(&mut self, of: &'static Element, key: &'a str, value: &'a Value, parent: &'a Map<String, Value>, shape: Shape) {
        let known = of.element(key).filter(|(_, of)| matches!(of.link(), Link::Primitive(_)));
        let Some((element, of)) = known else {
            return self.at(Segment::Key(key), |check| check.fault("unknown", "No primitive of this name is known here."));
        };
        let values = parent.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        let shape = shape.of_child(element, of, None);
        self.at(Self::segment(element, &of.name), |check| match (element.repeats(), value) {
            (true, Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    // A null beside a value, or after the last of both, says: nothing here.
                    if !item.is_null() {
                        check.at(Segment::Index(index), |check| check.beside(item, index < values, shape));
                    }
                }
                if items.is_empty() {
                    check.fault("empty", "An array may not be empty.");
                }
            }
            (true, _) => check.fault("type", "The element repeats, so its extensions are a JSON array."),
            (false, value) => check.beside(value, parent.contains_key(key), shape),
        });
    }

    fn beside(&mut self, value: &'a Value, has_value: bool, shape: Shape) {
        let Some(object) = value.as_object() else {
            return self.fault("type", "What stands beside a primitive is a JSON object with id or extension.");
        };
        if !has_value && !has_extension(value) {
            return self.fault("empty", "An element has a value or extensions.");
        }
        self.object(Node { value: None, beside: Some(object), shape }, object);
    }

    fn cardinality(&mut self, of: &'static Element, object: &'a Map<String, Value>) {
        for element in &of.children {
            if element.is_choice {
                self.choice(element, of, object);
            } else if element.min > 0 && !is_present(object, &element.name) {
                self.at(Segment::Key(&element.name), |check| check.fault("required", "The element is required."));
            }
        }
    }

    fn choice(&mut self, element: &'static Element, of: &'static Element, object: &'a Map<String, Value>) {
        let is_this =
            |key: &str| key.starts_with(element.name.as_str()) && of.element(key).is_some_and(|(known, _)| std::ptr::eq(known, element));
        let mut given: Option<&str> = None;
        for key in object.keys().map(|key| key.strip_prefix('_').unwrap_or(key)).filter(|key| is_this(key)) {
            if given.is_some_and(|given| given != key) {
                return self.at(Segment::Key(&element.name), |check| {
                    check.fault("cardinality", "Only one of the types of a choice may be given.");
                });
            }
            given = Some(key);
        }
        if given.is_none() && element.min > 0 {
            self.at(Segment::Key(&element.name), |check| check.fault("required", "The element is required."));
        }
    }

    /// ext-1, and what the extension's own definition says where it is known.
    fn extension(&mut self, node: Node<'a>, object: &'a Map<String, Value>) {
        let has_value = object.keys().any(|key| key.trim_start_matches('_').starts_with("value"));
        if has_value == object.contains_key("extension") {
            self.fault("invariant", "An extension has either a value or extensions (ext-1).");
        }
        if let Some(url) = node.text("url")
            && let Some(known) =
                self.profiles.structure(url).filter(|known| known.is_profile && known.type_name == "Extension" && self.is_meant(url))
        {
            self.deeper(|check| check.conform(&known.root, node));
        }
    }
}
