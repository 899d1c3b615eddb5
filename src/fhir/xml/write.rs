//! JSON → XML.

use crate::fhir::definitions::{Element, Of};
use crate::fhir::path::Shape;
use crate::fhir::primitive::Primitive;
use quick_xml::escape::{resolve_html5_entity, resolve_xml_entity};
use serde_json::{Map, Value};

/// The resource as a document. What R4 does not know has no place in XML and is left out.
pub fn write(resource: &Value, is_pretty: bool) -> String {
    let mut writer = Writer { out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"), is_pretty, depth: 0 };
    writer.resource(resource);
    writer.out
}

struct Writer {
    out: String,
    is_pretty: bool,
    depth: usize,
}

/// A member of an object with its place in the specification's order.
struct Member<'a> {
    at: usize,
    key: &'a str,
    element: &'static Element,
    of: &'static Of,
}

impl Writer {
    fn line(&mut self) {
        if self.is_pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn resource(&mut self, value: &Value) {
        let (Some(shape), Some(object)) = (Shape::of_resource(value), value.as_object()) else { return };
        // A contained one is in the namespace already.
        let namespace = if self.depth == 0 { " xmlns=\"http://hl7.org/fhir\"" } else { "" };
        self.line();
        self.out.extend(["<", shape.name, namespace]);
        self.content(shape.name, object, shape);
    }

    /// The rest of an element whose tag is open still.
    fn content(&mut self, name: &str, object: &Map<String, Value>, shape: Shape) {
        let members = members(object, shape);
        if members.is_empty() {
            return self.out.push_str("/>");
        }
        self.out.push('>');
        self.depth += 1;
        for member in members {
            self.member(&member, object, shape);
        }
        self.depth -= 1;
        self.line();
        self.out.extend(["</", name, ">"]);
    }

    fn member(&mut self, member: &Member<'_>, object: &Map<String, Value>, shape: Shape) {
        let values = items(object.get(member.key));
        let beside = items(object.get(&format!("_{}", member.key)));
        for place in 0..values.len().max(beside.len()) {
            let value = values.get(place).filter(|value| !value.is_null());
            let beside = beside.get(place).and_then(Value::as_object);
            if value.is_some() || beside.is_some() {
                self.element(member, value, beside, shape.of_child(member.element, member.of, value));
            }
        }
    }

    fn element(&mut self, member: &Member<'_>, value: Option<&Value>, beside: Option<&Map<String, Value>>, shape: Shape) {
        if shape.primitive == Some(Primitive::Xhtml) {
            self.line();
            return narrative(value.and_then(Value::as_str).unwrap_or_default(), &mut self.out);
        }
        self.line();
        self.out.extend(["<", member.key]);
        match (shape.primitive, value) {
            (Some(_), value) => {
                let none = Map::new();
                let beside = beside.unwrap_or(&none);
                self.attribute("id", beside.get("id"));
                self.attribute("value", value);
                self.content(member.key, beside, shape);
            }
            (None, Some(Value::Object(object))) if shape.is_resource() => {
                self.out.push('>');
                self.depth += 1;
                self.resource(&Value::Object(object.clone()));
                self.depth -= 1;
                self.line();
                self.out.extend(["</", member.key, ">"]);
            }
            (None, Some(Value::Object(object))) => {
                self.attribute("id", object.get("id"));
                if is_extension(shape) {
                    self.attribute("url", object.get("url"));
                }
                self.content(member.key, object, shape);
            }
            (None, _) => self.out.push_str("/>"),
        }
    }

    fn attribute(&mut self, name: &str, value: Option<&Value>) {
        let text = match value {
            Some(Value::String(text)) => text.clone(),
            Some(plain @ (Value::Number(_) | Value::Bool(_))) => plain.to_string(),
            _ => return,
        };
        self.out.extend([" ", name, "=\""]);
        for letter in text.chars() {
            match letter {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                // Written plainly, a reader would make spaces of them.
                '\t' => self.out.push_str("&#9;"),
                '\n' => self.out.push_str("&#10;"),
                '\r' => self.out.push_str("&#13;"),
                other => self.out.push(writable(other)),
            }
        }
        self.out.push('"');
    }
}

fn is_extension(shape: Shape) -> bool {
    shape.name == "Extension"
}

fn items(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
    }
}

/// What stands inside the element, in order; ids of elements and the url of an extension are attributes.
fn members<'a>(object: &'a Map<String, Value>, shape: Shape) -> Vec<Member<'a>> {
    let Some(content) = shape.content else { return Vec::new() };
    let is_attribute = |key: &str| !shape.is_resource() && key == "id" || is_extension(shape) && key == "url";
    let mut members = Vec::with_capacity(object.len());
    for (key, value) in object {
        let plain = key.strip_prefix('_').unwrap_or(key);
        let is_twin = plain.len() < key.len() && object.contains_key(plain);
        if is_twin || is_attribute(plain) || matches!(value, Value::Null) {
            continue;
        }
        let Some((element, of)) = content.element(plain) else { continue };
        let at = content.children.iter().position(|child| std::ptr::eq(child, element)).unwrap_or_default();
        members.push(Member { at, key: plain, element, of });
    }
    members.sort_by_key(|member| member.at);
    members
}

/// XML 1.0 has no way to write the others.
fn writable(letter: char) -> char {
    let is_char = matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    if is_char { letter } else { '\u{fffd}' }
}

/// The div as it is; names of HTML's characters become the characters, for XML knows five names only.
fn narrative(div: &str, out: &mut String) {
    let mut rest = div.trim();
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.extend(before.chars().map(writable));
        let name = from.get(1..).and_then(|from| from.split_once(';')).map(|(name, _)| name);
        let meant = name.filter(|name| resolve_xml_entity(name).is_none()).and_then(resolve_html5_entity);
        let length = match (name, meant) {
            (Some(name), Some(meant)) => {
                out.push_str(meant);
                name.len() + 2
            }
            _ => {
                out.push('&');
                1
            }
        };
        rest = from.get(length..).unwrap_or_default();
    }
    out.extend(rest.chars().map(writable));
}
