//! A FHIR document without loss: JSON in the order and with the digits it was sent, read and written by hand-made
//! mappings. [`Node`] reads and names faults by FHIRPath; [`Element`] writes.

use super::datatype::{Datatype, Reference};
use super::definitions::Definitions;
use super::primitive::is_id;
use super::reference::Literal;
use super::temporal::{self, PartialDate};
use crate::kernel::error::{Error, INVALID, MALFORMED, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use std::fmt::Display;
use std::ops::{Deref, DerefMut};

/// One resource; always an object with a `resourceType` that R4 knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    type_name: String,
    element: Element,
}

impl Resource {
    pub fn new(type_name: &str) -> Self {
        let mut element = Element::default();
        element.string("resourceType", type_name);
        Self { type_name: type_name.into(), element }
    }

    pub fn from_value(value: Value) -> Result<Self> {
        let Value::Object(map) = value else {
            return Err(Error::new(&MALFORMED).detail("A resource is a JSON object."));
        };
        let type_name = map.get("resourceType").and_then(Value::as_str).unwrap_or_default().to_string();
        if !Definitions::r4().is_resource(&type_name) {
            return Err(Error::new(&MALFORMED).fault("resourceType", "type", "The resourceType is missing or unknown to R4."));
        }
        Ok(Self { type_name, element: Element(map) })
    }

    pub fn type_name(&self) -> &str {
        &self.type_name
    }
    /// The logical id, if there is one and it is well-formed.
    pub fn id(&self) -> Option<&str> {
        self.element.0.get("id").and_then(Value::as_str).filter(|id| is_id(id))
    }
    pub fn root(&self) -> Node<'_> {
        Node { map: &self.element.0, path: self.type_name.clone() }
    }
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.element.0
    }
    pub fn into_value(self) -> Value {
        Value::Object(self.element.0)
    }

    /// Sets what the server alone decides, at the places the specification's order gives them.
    pub fn stamp(&mut self, id: &str, version: &str, last_updated: DateTime<Utc>) {
        let mut meta = Element::default();
        meta.string("versionId", version).instant("lastUpdated", last_updated);
        if let Some(Value::Object(given)) = self.element.0.shift_remove("meta") {
            let kept =
                given.into_iter().filter(|(key, _)| !matches!(key.as_str(), "versionId" | "_versionId" | "lastUpdated" | "_lastUpdated"));
            meta.0.extend(kept);
        }
        self.element.0.shift_remove("id");
        self.element.0.shift_insert(0, "resourceType".into(), Value::from(self.type_name.as_str()));
        self.element.0.shift_insert(1, "id".into(), Value::from(id));
        self.element.0.shift_insert(2, "meta".into(), Value::Object(meta.0));
    }
}

impl Deref for Resource {
    type Target = Element;
    fn deref(&self) -> &Element {
        &self.element
    }
}

impl DerefMut for Resource {
    fn deref_mut(&mut self) -> &mut Element {
        &mut self.element
    }
}

/// An object being written. None and empty write nothing, so an element is never empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Element(pub(super) Map<String, Value>);

impl Element {
    pub fn value(&mut self, key: &str, value: impl Into<Option<Value>>) -> &mut Self {
        if let Some(value) = value.into().filter(|v| !is_empty(v)) {
            self.0.insert(key.into(), value);
        }
        self
    }
    pub fn string<'s>(&mut self, key: &str, value: impl Into<Option<&'s str>>) -> &mut Self {
        self.value(key, value.into().map(Value::from))
    }
    pub fn code<'s>(&mut self, key: &str, value: impl Into<Option<&'s str>>) -> &mut Self {
        self.string(key, value)
    }
    pub fn boolean(&mut self, key: &str, value: impl Into<Option<bool>>) -> &mut Self {
        self.value(key, value.into().map(Value::from))
    }
    pub fn integer(&mut self, key: &str, value: impl Into<Option<i32>>) -> &mut Self {
        self.value(key, value.into().map(Value::from))
    }
    pub fn date(&mut self, key: &str, value: impl Into<Option<PartialDate>>) -> &mut Self {
        self.value(key, value.into().map(|date| Value::from(date.to_string())))
    }
    /// In UTC, with as many decimals as there are.
    pub fn instant(&mut self, key: &str, value: impl Into<Option<DateTime<Utc>>>) -> &mut Self {
        let text = value.into().map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        self.value(key, text.map(Value::from))
    }
    /// A literal reference `Type/id`.
    pub fn reference(&mut self, key: &str, type_name: &str, id: impl Display) -> &mut Self {
        self.put(key, &Reference::to(type_name, id))
    }
    pub fn put<T: Datatype>(&mut self, key: &str, value: &T) -> &mut Self {
        self.value(key, value.write())
    }
    /// Appends to the array of a repeating element.
    pub fn push<T: Datatype>(&mut self, key: &str, value: &T) -> &mut Self {
        self.append(key, value.write())
    }
    /// Appends a backbone element.
    pub fn push_element(&mut self, key: &str, element: Element) -> &mut Self {
        self.append(key, Value::Object(element.0))
    }
    /// An extension with one value: `value_key` is `valueCode`, `valueString` …
    pub fn extension(&mut self, url: &str, value_key: &str, value: impl Into<Value>) -> &mut Self {
        let mut extension = Element::default();
        extension.string("url", url).value(value_key, value.into());
        if extension.0.len() == 2 { self.push_element("extension", extension) } else { self }
    }
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }
    pub fn remove(&mut self, key: &str) -> &mut Self {
        self.0.shift_remove(key);
        self
    }
    pub fn append(&mut self, key: &str, value: Value) -> &mut Self {
        if !is_empty(&value) {
            match self.0.entry(key).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(items) => items.push(value),
                other => *other = Value::Array(vec![value]),
            }
        }
        self
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// An object being read, and where it stands.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Node<'a> {
    pub(super) fn of(value: &'a Value, path: String) -> Result<Self> {
        match value {
            Value::Object(map) => Ok(Self { map, path }),
            _ => Err(fault(path, "type", "The element is a JSON object.")),
        }
    }
    /// One that says nothing.
    pub(super) fn empty(map: &'a Map<String, Value>, path: String) -> Self {
        Self { map, path }
    }
    pub fn path(&self) -> &str {
        &self.path
    }
    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }
    /// The FHIRPath of an element of this one.
    pub fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }
    /// A refusal that names an element of this one.
    pub fn fault(&self, key: &str, rule: &'static str, text: &str) -> Error {
        fault(self.at(key), rule, text)
    }

    pub fn read<T: Datatype>(&self, key: &str) -> Result<Option<T>> {
        self.map.get(key).map(|value| T::read(value, self.at(key))).transpose()
    }
    /// As [`read`](Self::read), refusing where the element is missing.
    pub fn need<T: Datatype>(&self, key: &str) -> Result<T> {
        self.read(key)?.ok_or_else(|| self.fault(key, "required", "The element is required."))
    }
    /// The items of a repeating element; a null (a primitive that only has extensions) is passed over.
    pub fn list<T: Datatype>(&self, key: &str) -> Result<Vec<T>> {
        self.items(key)?.map(|(item, path)| T::read(item, path)).collect()
    }
    pub fn string(&self, key: &str) -> Result<Option<&'a str>> {
        let read = |value: &'a Value| value.as_str().ok_or_else(|| self.fault(key, "type", "The value must be a JSON string."));
        self.map.get(key).map(read).transpose()
    }
    pub fn code(&self, key: &str) -> Result<Option<&'a str>> {
        self.string(key)
    }
    pub fn boolean(&self, key: &str) -> Result<Option<bool>> {
        self.read(key)
    }
    pub fn number(&self, key: &str) -> Option<Value> {
        self.map.get(key).filter(|value| value.is_number()).cloned()
    }
    pub fn date(&self, key: &str) -> Result<Option<PartialDate>> {
        let parse = |text| PartialDate::parse(text).ok_or_else(|| self.fault(key, "format", "The value must be a date."));
        self.string(key)?.map(parse).transpose()
    }
    pub fn instant(&self, key: &str) -> Result<Option<DateTime<Utc>>> {
        let parse = |text| temporal::instant(text).ok_or_else(|| self.fault(key, "format", "The value must be an instant."));
        self.string(key)?.map(parse).transpose()
    }
    /// A child object.
    pub fn node(&self, key: &str) -> Result<Option<Node<'a>>> {
        self.map.get(key).map(|value| Node::of(value, self.at(key))).transpose()
    }
    /// The objects of a repeating child.
    pub fn nodes(&self, key: &str) -> Result<Vec<Node<'a>>> {
        self.items(key)?.map(|(item, path)| Node::of(item, path)).collect()
    }

    /// The id behind a literal reference to a resource of ours of one type. `base` is our FHIR base URL.
    pub fn reference(&self, key: &str, type_name: &str, base: &str) -> Result<Option<&'a str>> {
        let Some(reference) = self.node(key)? else { return Ok(None) };
        let Some(text) = reference.string("reference")? else { return Ok(None) };
        match Literal::parse(text, base) {
            Literal::Local { type_name: given, id, .. } if given == type_name => Ok(Some(id)),
            _ => Err(reference.fault("reference", "reference", &format!("A reference to a {type_name} of this server is expected."))),
        }
    }

    /// The first extension with this URL.
    pub fn extension(&self, url: &str) -> Result<Option<Node<'a>>> {
        let extensions = self.nodes("extension")?;
        Ok(extensions.into_iter().find(|node| node.map.get("url").and_then(Value::as_str) == Some(url)))
    }

    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }
    pub(super) fn values(&self, key: &str) -> Result<Vec<(&'a Value, String)>> {
        Ok(self.items(key)?.collect())
    }

    fn items(&self, key: &str) -> Result<impl Iterator<Item = (&'a Value, String)> + use<'a>> {
        let path = self.at(key);
        let items: &'a [Value] = match self.map.get(key) {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(_) => return Err(fault(path, "type", "The element repeats, so it is a JSON array.")),
        };
        let placed = items.iter().enumerate().filter(|(_, item)| !item.is_null());
        Ok(placed.map(move |(index, item)| (item, format!("{path}[{index}]"))))
    }
}

pub(super) fn fault(path: String, rule: &'static str, text: &str) -> Error {
    Error::new(&INVALID).fault(path, rule, text)
}

#[cfg(test)]
mod tests {
    use super::super::datatype::{HumanName, Identifier};
    use super::*;
    use serde_json::json;

    fn patient(value: Value) -> Resource {
        Resource::from_value(value).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = Resource::new("Patient");
        let name = HumanName { family: Some("Ødegård".into()), given: vec!["Åse".into()], ..HumanName::default() };
        out.boolean("active", true).push("name", &name).code("gender", "female").string("language", None);
        out.date("birthDate", PartialDate::parse("1990-05")).reference("managingOrganization", "Organization", 7);
        out.extension("http://e.test/x", "valueCode", "F");
        let root = out.root();
        assert_eq!(root.list::<HumanName>("name").unwrap(), [name]);
        assert_eq!(root.boolean("active").unwrap(), Some(true));
        assert_eq!(root.date("birthDate").unwrap().unwrap().to_string(), "1990-05");
        assert_eq!(root.reference("managingOrganization", "Organization", "").unwrap(), Some("7"));
        assert_eq!(root.extension("http://e.test/x").unwrap().unwrap().code("valueCode").unwrap(), Some("F"));
        assert!(!root.has("language"));
        assert_eq!(super::super::check::faults(&out.into_value()), []);
    }

    #[test]
    fn a_fault_names_its_element() {
        let patient = patient(json!({"resourceType": "Patient", "name": [{"family": "a"}, {"family": 4}], "birthDate": "x",
            "identifier": {}, "managingOrganization": {"reference": "Practitioner/1"}}));
        let root = patient.root();
        let field = |error: Error| error.faults[0].field.clone();
        assert_eq!(field(root.list::<HumanName>("name").unwrap_err()), "Patient.name[1].family");
        assert_eq!(field(root.date("birthDate").unwrap_err()), "Patient.birthDate");
        assert_eq!(field(root.list::<Identifier>("identifier").unwrap_err()), "Patient.identifier");
        assert_eq!(field(root.need::<String>("gender").unwrap_err()), "Patient.gender");
        assert_eq!(
            field(root.reference("managingOrganization", "Organization", "").unwrap_err()),
            "Patient.managingOrganization.reference"
        );
    }

    #[test]
    fn the_stamp_is_the_servers_alone() {
        let mut given = patient(json!({"active": true, "id": "mine", "resourceType": "Patient",
            "meta": {"versionId": "99", "profile": ["http://p.test"], "lastUpdated": "1990-01-01T00:00:00Z"}}));
        given.stamp("a1", "3", DateTime::UNIX_EPOCH);
        assert_eq!(
            given.into_value().to_string(),
            "{\"resourceType\":\"Patient\",\"id\":\"a1\",\"meta\":{\"versionId\":\"3\",\
            \"lastUpdated\":\"1970-01-01T00:00:00Z\",\"profile\":[\"http://p.test\"]},\"active\":true}"
        );
    }

    #[test]
    fn what_is_no_resource_is_refused() {
        for value in [json!([]), json!({}), json!({"resourceType": "Foo"}), json!({"resourceType": 1})] {
            assert!(Resource::from_value(value).is_err());
        }
    }
}
