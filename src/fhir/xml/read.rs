//! XML → JSON, in one pass over the document. Bounded like a JSON body in depth and in elements for its size; without a
//! DTD there are no entities but XML's own five. What is refused is named by its FHIRPath, never by a value.

use super::FHIR;
use crate::fhir::definitions::{Definitions, Element, Link, Of};
use crate::fhir::path::Shape;
use crate::fhir::primitive::Primitive;
use crate::kernel::error::{Error, INVALID, MALFORMED, Result, TOO_LARGE};
use crate::kernel::json::Limits;
use crate::kernel::path::{Path, Segment};
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::{NsReader, XmlVersion};
use serde_json::{Map, Value};

const XHTML: &[u8] = b"http://www.w3.org/1999/xhtml";
const SCHEMA: &[u8] = b"http://www.w3.org/2001/XMLSchema-instance";
/// As the JSON reader has it.
const NUMBER_LENGTH_MAX: usize = 64;
const NO_CHARACTER: &str = "XML has no such character.";
const ELEMENTS_BASE: usize = 4096;

/// Reads one resource.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Value> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|wrong| {
        let detail = format!("The body is not UTF-8 at byte {}.", wrong.valid_up_to());
        Error::new(&MALFORMED).detail(detail).fault("", "utf8", "The text is not UTF-8.")
    })?;
    let mut events = NsReader::from_str(text);
    events.config_mut().expand_empty_elements = true;
    events.config_mut().check_comments = true;
    let elements_left = ELEMENTS_BASE + text.len() / limits.bytes_per_value;
    let mut reader = Reader { events, text, depth: 0, depth_max: limits.depth_max, elements_left, path: Path::new() };
    let Some(root) = reader.next()? else { return Err(reader.broken("there is no element")) };
    let resource = reader.resource(&root)?;
    match reader.next()? {
        None => Ok(resource),
        Some(_) => Err(reader.broken("there is more after the end of the resource")),
    }
}

struct Reader<'x> {
    events: NsReader<&'x [u8]>,
    text: &'x str,
    depth: usize,
    depth_max: usize,
    elements_left: usize,
    path: Path<'x>,
}

/// An element that was opened.
struct Tag<'x> {
    name: &'x str,
    is_xhtml: bool,
    /// Where its `<` stands.
    start: usize,
    id: Option<String>,
    url: Option<String>,
    value: Option<String>,
}

impl<'x> Reader<'x> {
    fn at(&self) -> usize {
        usize::try_from(self.events.buffer_position()).unwrap_or(usize::MAX)
    }

    fn fault(&self, rule: &'static str, text: &str) -> Error {
        Error::new(&MALFORMED).fault(self.path.expression(), rule, text)
    }

    fn broken(&self, what: &str) -> Error {
        self.fault("syntax", "This is not XML of FHIR.").detail(format!("The XML cannot be read at byte {}: {what}.", self.at()))
    }

    /// The next element that opens at this level, None at its end. Comments and processing instructions say nothing.
    fn next(&mut self) -> Result<Option<Tag<'x>>> {
        loop {
            let before = self.at();
            let event = self.events.read_event().map_err(|_| self.broken("it is not well-formed"))?;
            match event {
                Event::Start(tag) | Event::Empty(tag) => return self.opened(&tag, before).map(Some),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(None);
                }
                Event::Eof if self.depth == 0 => return Ok(None),
                Event::Eof => return Err(self.broken("an element is not closed")),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Decl(told) if self.depth == 0 => {
                    let is_utf8 = told.encoding().is_none_or(|name| name.is_ok_and(|name| name.eq_ignore_ascii_case(b"utf-8")));
                    if !is_utf8 {
                        return Err(self.broken("the encoding is UTF-8"));
                    }
                }
                Event::Text(words) if words.iter().all(u8::is_ascii_whitespace) => {}
                Event::DocType(_) => return Err(self.fault("doctype", "A document type is not taken.")),
                Event::GeneralRef(_) => return Err(self.fault("entity", "An entity stands where none may.")),
                _ => return Err(self.fault("text", "Text stands where elements are expected.")),
            }
        }
    }

    fn opened(&mut self, tag: &BytesStart<'_>, before: usize) -> Result<Tag<'x>> {
        let start = before + self.text.get(before..).and_then(|rest| rest.find('<')).unwrap_or_default();
        let length = tag.name().as_ref().len();
        let name = self.text.get(start + 1..start + 1 + length).unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or(name);
        self.elements_left = match self.elements_left.checked_sub(1) {
            Some(left) => left,
            None => return Err(Error::new(&TOO_LARGE).detail("The document holds too many elements for its size.")),
        };
        self.path.push(Segment::Key(name));
        if self.depth == self.depth_max {
            return Err(self.fault("depth", "The text nests too deep."));
        }
        self.depth += 1;
        let is_xhtml = match self.events.resolver().resolve_element(tag.name()).0 {
            ResolveResult::Bound(namespace) if namespace.as_ref() == FHIR => false,
            ResolveResult::Bound(namespace) if namespace.as_ref() == XHTML => true,
            _ => return Err(self.fault("namespace", "The element is in no namespace of FHIR.")),
        };
        let mut made = Tag { name, is_xhtml, start, id: None, url: None, value: None };
        if is_xhtml {
            if !self.words(tag)? {
                return Err(self.fault("namespace", "A narrative says its namespace itself."));
            }
        } else {
            self.attributes(tag, &mut made)?;
        }
        self.path.pop();
        Ok(made)
    }

    fn attributes(&self, tag: &BytesStart<'_>, made: &mut Tag<'x>) -> Result<()> {
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| self.broken("an attribute is not well-formed"))?;
            let place = match attribute.key.as_ref() {
                b"id" => &mut made.id,
                b"url" => &mut made.url,
                b"value" => &mut made.value,
                key if key == b"xmlns" || key.starts_with(b"xmlns:") => continue,
                _ => match self.events.resolver().resolve_attribute(attribute.key).0 {
                    // A hint for validating tools.
                    ResolveResult::Bound(namespace) if namespace.as_ref() == SCHEMA => continue,
                    _ => return Err(self.fault("unknown", "The attribute is unknown here.")),
                },
            };
            let text = attribute.normalized_value_with(XmlVersion::Implicit1_0, 1, resolve_xml_entity).map_err(|_| self.entity())?;
            if has_control(&text) {
                return Err(self.fault("character", NO_CHARACTER));
            }
            *place = Some(text.into_owned());
        }
        Ok(())
    }

    fn entity(&self) -> Error {
        self.fault("entity", "An entity is none of XML's own five, or is not well-formed.")
    }

    /// That the attributes of XHTML have no entity of their own; whether the namespace is among them.
    fn words(&self, tag: &BytesStart<'_>) -> Result<bool> {
        let mut is_named = false;
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| self.broken("an attribute is not well-formed"))?;
            attribute.normalized_value_with(XmlVersion::Implicit1_0, 1, resolve_xml_entity).map_err(|_| self.entity())?;
            is_named |= attribute.key.as_ref().starts_with(b"xmlns") && attribute.value.as_ref() == XHTML;
        }
        Ok(is_named)
    }

    /// A resource whose tag was opened, up to its end.
    fn resource(&mut self, tag: &Tag<'x>) -> Result<Value> {
        let known = Some(tag.name).filter(|name| !tag.is_xhtml && Definitions.is_resource(name)).and_then(|name| Definitions.named(name));
        let Some(known) = known else {
            return Err(self.fault("type", "The element is no resource that R4 knows."));
        };
        let is_root = self.depth == 1;
        if is_root {
            self.path.push(Segment::Key(&known.type_name));
        }
        let mut map = Map::new();
        map.insert("resourceType".into(), Value::from(known.type_name.as_str()));
        let value = Value::Object(map.clone());
        let shape = Shape::of_resource(&value).ok_or_else(|| self.fault("type", "The element is no resource that R4 knows."))?;
        if tag.id.is_some() || tag.value.is_some() || tag.url.is_some() {
            return Err(self.fault("unknown", "The attribute is unknown here."));
        }
        self.members(shape, &mut map)?;
        if is_root {
            self.path.pop();
        }
        Ok(Value::Object(map))
    }

    /// The children of an element up to its end, as members of its object.
    fn members(&mut self, shape: Shape, map: &mut Map<String, Value>) -> Result<()> {
        let mut last = 0;
        while let Some(tag) = self.next()? {
            let is_attribute = !shape.is_resource() && tag.name == "id" || shape.name == "Extension" && tag.name == "url";
            let found = shape.content.and_then(|content| {
                let (element, of) = content.element(tag.name).filter(|_| !is_attribute)?;
                Some((content.children.iter().position(|child| std::ptr::eq(child, element))?, element, of))
            });
            self.path.push(Segment::Key(tag.name));
            let Some((place, element, of)) = found else {
                return Err(self.fault("unknown", "The element is unknown here."));
            };
            self.path.pop();
            self.path.push(if element.is_choice { Segment::Choice(&element.name, &of.name) } else { Segment::Key(&element.name) });
            if place < last {
                return Err(self.fault("order", "The element stands after one that follows it."));
            }
            last = place;
            if tag.is_xhtml != (of.name == "xhtml") {
                return Err(self.fault("namespace", "The element is in the wrong namespace."));
            }
            self.member(&tag, element, of, shape, map)?;
            self.path.pop();
        }
        // What has no value or no extension anywhere needs no list of nulls.
        map.retain(|_, value| !value.as_array().is_some_and(|items| items.iter().all(Value::is_null)));
        Ok(())
    }

    fn member(
        &mut self,
        tag: &Tag<'x>,
        element: &'static Element,
        of: &'static Of,
        shape: Shape,
        map: &mut Map<String, Value>,
    ) -> Result<()> {
        if !element.repeats() {
            if map.contains_key(tag.name) || map.contains_key(&format!("_{}", tag.name)) {
                return Err(self.fault("cardinality", "The element stands twice."));
            }
            let (value, beside) = self.value(tag, element, of, shape)?;
            map.extend(value.map(|value| (tag.name.to_owned(), value)));
            map.extend(beside.map(|beside| (format!("_{}", tag.name), beside)));
            return Ok(());
        }
        let count = map.get(tag.name).and_then(Value::as_array).map_or(0, Vec::len);
        self.path.push(Segment::Index(count));
        let (value, beside) = self.value(tag, element, of, shape)?;
        self.path.pop();
        append(map, tag.name.to_owned(), value);
        if matches!(of.link(), Link::Primitive(_)) {
            append(map, format!("_{}", tag.name), beside);
        }
        Ok(())
    }

    /// What the element says, and beside a primitive its id and extensions.
    fn value(
        &mut self,
        tag: &Tag<'x>,
        element: &'static Element,
        of: &'static Of,
        parent: Shape,
    ) -> Result<(Option<Value>, Option<Value>)> {
        if matches!(of.link(), Link::Resource) {
            let Some(inner) = self.next()? else { return Err(self.fault("empty", "A resource is expected.")) };
            let resource = self.resource(&inner)?;
            return match self.next()? {
                None => Ok((Some(resource), None)),
                Some(_) => Err(self.fault("cardinality", "One resource stands here.")),
            };
        }
        let shape = parent.of_child(element, of, None);
        if shape.primitive == Some(Primitive::Xhtml) {
            return Ok((Some(self.narrative(tag.start)?), None));
        }
        let mut map = Map::new();
        map.extend(tag.id.clone().map(|id| ("id".to_owned(), Value::from(id))));
        let takes_url = shape.name == "Extension";
        if takes_url {
            map.extend(tag.url.clone().map(|url| ("url".to_owned(), Value::from(url))));
        }
        if tag.url.is_some() && !takes_url || tag.value.is_some() && shape.primitive.is_none() {
            return Err(self.fault("unknown", "The attribute is unknown here."));
        }
        self.members(shape, &mut map)?;
        let Some(primitive) = shape.primitive else { return Ok((Some(Value::Object(map)), None)) };
        let value = tag.value.as_deref().map(|text| self.primitive(primitive, text)).transpose()?;
        if value.is_none() && map.is_empty() {
            return Err(self.fault("empty", "An element has a value or extensions."));
        }
        Ok((value, Some(map).filter(|map| !map.is_empty()).map(Value::Object)))
    }

    /// Digits stay as they were sent.
    fn primitive(&self, of: Primitive, text: &str) -> Result<Value> {
        let wrong = || Error::new(&INVALID).fault(self.path.expression(), "type", format!("The value must be {}.", of.form()));
        match of {
            Primitive::Boolean => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(wrong()),
            },
            Primitive::Decimal | Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt => {
                let is_number = text.len() <= NUMBER_LENGTH_MAX && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
                let number = Some(text).filter(|_| is_number).and_then(|text| text.parse().ok());
                number.map(Value::Number).ok_or_else(wrong)
            }
            _ => Ok(Value::from(text)),
        }
    }

    /// The div as it stands, from its `<` to its end.
    fn narrative(&mut self, start: usize) -> Result<Value> {
        let mut open = 1;
        while open > 0 {
            match self.events.read_event().map_err(|_| self.broken("it is not well-formed"))? {
                Event::Start(tag) | Event::Empty(tag) => {
                    open += 1;
                    self.words(&tag)?;
                }
                Event::End(_) => open -= 1,
                Event::GeneralRef(name) => {
                    let is_own = name.is_char_ref() || std::str::from_utf8(&name).is_ok_and(|name| resolve_xml_entity(name).is_some());
                    if !is_own {
                        return Err(self.entity());
                    }
                }
                Event::DocType(_) => return Err(self.fault("doctype", "A document type is not taken.")),
                Event::Eof => return Err(self.broken("an element is not closed")),
                _ => {}
            }
        }
        self.depth = self.depth.saturating_sub(1);
        let div = self.text.get(start..self.at()).unwrap_or_default();
        if has_control(div) { Err(self.fault("character", NO_CHARACTER)) } else { Ok(Value::from(div)) }
    }
}

/// Of the characters that XML 1.0 does not have, those that reach this place.
fn has_control(text: &str) -> bool {
    text.chars().any(|letter| matches!(letter, '\0'..=' ' | '\u{fffe}' | '\u{ffff}') && !matches!(letter, '\t' | '\n' | '\r' | ' '))
}

fn append(map: &mut Map<String, Value>, key: String, value: Option<Value>) {
    if let Value::Array(items) = map.entry(key).or_insert_with(|| Value::Array(Vec::new())) {
        items.push(value.unwrap_or(Value::Null));
    }
}
