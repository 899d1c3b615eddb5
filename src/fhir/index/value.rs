//! One item that an expression selected, as rows of its parameter's kind.

use super::{BY_IDENTIFIER, Row};
use crate::fhir::definitions::Definitions;
use crate::fhir::path::{Item, Node};
use crate::fhir::reference::Literal;
use crate::fhir::search::Kind;
use crate::fhir::temporal;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// Characters of a text that are searched; what an index of PostgreSQL takes is 2,700 bytes.
const TEXT_MAX: usize = 500;
/// Before all and after all that a calendar date can be.
const BEGINNING: i64 = -99_999_999_999;
const END: i64 = 999_999_999_999;
const CURRENCIES: &str = "urn:iso:std:iso:4217";

type Object = Map<String, Value>;

/// A text as far as it is searched, asked for or stored.
pub fn cut(text: &str) -> &str {
    text.char_indices().nth(TEXT_MAX).map_or(text, |(end, _)| &text[..end])
}

/// `row` makes a row with its place; `to` is the type a reference has to lead to.
pub fn read(kind: Kind, item: &Item<'_>, to: Option<&str>, base: &str, row: &dyn Fn() -> Row, rows: &mut Vec<Row>) {
    match (kind, item) {
        (Kind::Token, item) => token(item, row, rows),
        (Kind::String, Item::Node(node)) => strings(node, row, rows),
        (Kind::Reference, Item::Node(node)) => references(node, to, base, row, rows),
        (Kind::Uri, item) => rows.extend(item.written().map(|text| Row { code: Some(cut(&text).to_owned()), ..row() })),
        (Kind::Date, Item::Node(node)) => rows.extend(span(node).map(|span| Row { span: Some(span), ..row() })),
        (Kind::Number | Kind::Quantity, Item::Node(node)) => rows.extend(amount(node, row)),
        _ => {}
    }
}

fn text(object: &Object, key: &str) -> Option<String> {
    object.get(key).and_then(Value::as_str).map(|text| cut(text).to_owned())
}

fn all<'a>(object: &'a Object, key: &str) -> impl Iterator<Item = &'a Value> {
    let (items, one) = match object.get(key) {
        Some(Value::Array(items)) => (items.as_slice(), None),
        other => (&[][..], other),
    };
    items.iter().chain(one)
}

fn token(item: &Item<'_>, row: &dyn Fn() -> Row, rows: &mut Vec<Row>) {
    let Item::Node(node) = item else {
        rows.extend(item.written().map(|code| Row { code: Some(code), ..row() }));
        return;
    };
    match (node.shape.name, node.object()) {
        _ if node.shape.primitive.is_some() => {
            rows.extend(item.written().map(|code| Row { code: Some(cut(&code).to_owned()), ..row() }));
        }
        ("CodeableConcept", Some(concept)) => {
            rows.extend(all(concept, "coding").filter_map(Value::as_object).map(|it| coding(it, row)));
            rows.extend(text(concept, "text").map(|words| Row { system: Some(String::new()), words: Some(words), ..row() }));
        }
        ("Coding", Some(object)) => rows.push(coding(object, row)),
        ("Identifier", Some(object)) => rows.push(identifier(object, row)),
        ("ContactPoint", Some(object)) => rows.extend(text(object, "value").map(|code| Row { code: Some(code), ..row() })),
        _ => {}
    }
}

fn coding(object: &Object, row: &dyn Fn() -> Row) -> Row {
    let system = text(object, "system").unwrap_or_default();
    Row { system: Some(system), code: text(object, "code"), words: text(object, "display"), ..row() }
}

fn identifier(object: &Object, row: &dyn Fn() -> Row) -> Row {
    let kind = object.get("type").and_then(Value::as_object);
    let system = Some(text(object, "system").unwrap_or_default());
    Row { system, code: text(object, "value"), words: kind.and_then(|kind| text(kind, "text")), is_identifier: true, ..row() }
}

fn strings(node: &Node<'_>, row: &dyn Fn() -> Row, rows: &mut Vec<Row>) {
    let mut add = |value: &Value| {
        let text = value.as_str().map(|text| cut(text).to_owned());
        rows.extend(text.map(|text| Row { code: Some(text.clone()), words: Some(text), ..row() }));
    };
    let keys: &[&str] = match node.shape.name {
        "HumanName" => &["text", "family", "given", "prefix", "suffix"],
        "Address" => &["text", "line", "city", "district", "state", "postalCode", "country"],
        "CodeableConcept" => &["text"],
        _ => return node.value.into_iter().filter(|_| node.shape.primitive.is_some()).for_each(add),
    };
    let object = node.object().into_iter();
    object.flat_map(|object| keys.iter().flat_map(|key| all(object, key))).for_each(&mut add);
}

fn references(node: &Node<'_>, to: Option<&str>, base: &str, row: &dyn Fn() -> Row, rows: &mut Vec<Row>) {
    if node.shape.primitive.is_some() {
        // A canonical is found with its version and without.
        let url = node.value.and_then(Value::as_str).map(cut);
        let plain = url.and_then(|url| url.split_once('|')).map(|(plain, _)| plain);
        for url in url.into_iter().chain(plain) {
            rows.push(match Literal::parse(url, base) {
                Literal::Local { type_name, id, .. } => local(type_name, id, row),
                _ => Row { code: Some(url.to_owned()), ..row() },
            });
        }
        return;
    }
    let Some(object) = node.object() else { return };
    let literal = object.get("reference").and_then(Value::as_str).map(|text| Literal::parse(text, base));
    let said = object.get("type").and_then(Value::as_str);
    let leads = match literal {
        Some(Literal::Local { type_name, .. }) => Some(type_name),
        Some(Literal::Foreign(url)) => said.or_else(|| typed(url)),
        _ => said,
    };
    if to.is_some_and(|to| leads != Some(to)) {
        return;
    }
    match literal {
        Some(Literal::Local { type_name, id, .. }) => {
            rows.push(local(type_name, id, row));
        }
        Some(Literal::Foreign(url) | Literal::Urn(url)) => rows.push(Row { code: Some(cut(url).to_owned()), ..row() }),
        _ => {}
    }
    if let Some(known) = object.get("identifier").and_then(Value::as_object) {
        let row = identifier(known, row);
        rows.push(Row { param: format!("{}{BY_IDENTIFIER}", row.param), ..row });
    }
}

fn local(type_name: &str, id: &str, row: &dyn Fn() -> Row) -> Row {
    Row { system: Some(type_name.to_owned()), code: Some(id.to_owned()), target: id.parse().ok(), ..row() }
}

/// The type in another server's `…/Patient/1`.
fn typed(url: &str) -> Option<&str> {
    let url = url.split_once("/_history/").map_or(url, |(url, _)| url);
    url.rsplit('/').nth(1).filter(|name| Definitions::r4().is_resource(name))
}

fn span(node: &Node<'_>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let moment = |value: &Value| value.as_str().and_then(temporal::date_time).map(|it| (it.start, it.end));
    if node.shape.primitive.is_some() {
        return node.value.and_then(moment);
    }
    let object = node.object()?;
    match node.shape.name {
        "Period" => period(object),
        "Timing" => {
            let bounds = object.get("repeat").and_then(|repeat| repeat.get("boundsPeriod")).and_then(Value::as_object);
            let spans = all(object, "event").filter_map(moment).chain(bounds.and_then(period));
            spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
        }
        _ => None,
    }
}

/// An end that is not said is open.
fn period(object: &Object) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let at = |key: &str| object.get(key).and_then(Value::as_str).and_then(temporal::date_time);
    let (start, end) = (at("start"), at("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    let start = start.map(|it| it.start).or_else(|| DateTime::from_timestamp(BEGINNING, 0))?;
    Some((start, end.map(|it| it.end).or_else(|| DateTime::from_timestamp(END, 0))?))
}

fn number(value: Option<&Value>) -> Option<f64> {
    value?.as_number()?.as_str().parse().ok()
}

fn amount(node: &Node<'_>, row: &dyn Fn() -> Row) -> Option<Row> {
    if node.shape.primitive.is_some() {
        return number(node.value).map(|value| Row { range: Some((value, value)), ..row() });
    }
    let object = node.object()?;
    let united = |object: &Object, range| Row {
        system: Some(text(object, "system").unwrap_or_default()),
        code: text(object, "code"),
        words: text(object, "unit"),
        range: Some(range),
        ..row()
    };
    match node.shape.name {
        "Range" => {
            let end = |key: &str| object.get(key).and_then(Value::as_object);
            let value = |key: &str| number(end(key).and_then(|end| end.get("value")));
            let range = (value("low").unwrap_or(f64::NEG_INFINITY), value("high").unwrap_or(f64::INFINITY));
            Some(united(end("low").or(end("high"))?, range))
        }
        "Money" => {
            let value = number(object.get("value"))?;
            Some(Row { system: Some(CURRENCIES.into()), code: text(object, "currency"), range: Some((value, value)), ..row() })
        }
        _ => number(object.get("value")).map(|value| united(object, (value, value))),
    }
}
