//! One item that an expression selected, as rows of its parameter's kind.

use super::{BY_IDENTIFIER, CANONICAL, OF_TYPE, Row};
use crate::fhir::definitions::Definitions;
use crate::fhir::path::{self, Item, Node, ucum};
use crate::fhir::reference::Literal;
use crate::fhir::search::Kind;
use crate::fhir::search::amount::UCUM;
use crate::fhir::temporal;
use chrono::{DateTime, Utc};
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value};

/// Characters of a text that are searched; what an index of PostgreSQL takes is 2,700 bytes.
pub const TEXT_MAX: usize = 500;
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
        (Kind::Number | Kind::Quantity, Item::Node(node)) => amount(node, row, rows),
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
        ("Identifier", Some(object)) => {
            rows.push(identifier(object, row));
            rows.extend(typed_identifiers(object, row));
        }
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

/// What `:of-type` asks for: the type's code and the value as one.
fn typed_identifiers(object: &Object, row: &dyn Fn() -> Row) -> Vec<Row> {
    let kind = object.get("type").and_then(Value::as_object);
    let codings = kind.into_iter().flat_map(|kind| all(kind, "coding")).filter_map(Value::as_object);
    let made = codings.filter_map(|coding| {
        let code = typed_value(coding.get("code")?.as_str()?, object.get("value")?.as_str()?);
        let row = row();
        Some(Row {
            param: format!("{}{OF_TYPE}", row.param),
            system: Some(text(coding, "system").unwrap_or_default()),
            code: Some(code),
            is_identifier: true,
            ..row
        })
    });
    made.collect()
}

pub fn typed_value(code: &str, value: &str) -> String {
    format!("{}|{}", cut(code), cut(value))
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

fn number(value: Option<&Value>) -> Option<&str> {
    Some(value?.as_number()?.as_str())
}

fn amount(node: &Node<'_>, row: &dyn Fn() -> Row, rows: &mut Vec<Row>) {
    let Some(object) = node.object() else {
        let value = node.value.filter(|_| node.shape.primitive.is_some()).and_then(|value| number(Some(value))?.parse().ok());
        rows.extend(value.map(|value: f64| Row { range: Some((value, value)), ..row() }));
        return;
    };
    let end = |key: &str| object.get(key).and_then(Value::as_object);
    let (unit, low, high) = match node.shape.name {
        "Range" => (end("low").or(end("high")), end("low"), end("high")),
        _ => (Some(object), Some(object), Some(object)),
    };
    let (low, high) = (low.and_then(|it| number(it.get("value"))), high.and_then(|it| number(it.get("value"))));
    let Some(unit) = unit.filter(|_| low.is_some() || high.is_some()) else { return };
    let (system, code) = match node.shape.name {
        "Money" => (Some(CURRENCIES.to_owned()), text(unit, "currency")),
        _ => (text(unit, "system"), text(unit, "code")),
    };
    rows.extend(canonical(system.as_deref(), code.as_deref(), low, high, row));
    let at = |value: Option<&str>, open: f64| value.map_or(Some(open), |value| value.parse().ok());
    if let Some(range) = at(low, f64::NEG_INFINITY).zip(at(high, f64::INFINITY)) {
        let system = Some(system.unwrap_or_default());
        rows.push(Row { system, code, words: text(unit, "unit"), range: Some(range), ..row() });
    }
}

/// The same in base units, counted exactly, so that it meets what is asked for in any of them.
fn canonical(system: Option<&str>, code: Option<&str>, low: Option<&str>, high: Option<&str>, row: &dyn Fn() -> Row) -> Option<Row> {
    let unit = code.filter(|_| system == Some(UCUM))?;
    let exact = |value: &str| ucum::canonical(path::decimal(value)?, unit)?.0.to_f64();
    let at = |value: Option<&str>, open: f64| value.map_or(Some(open), exact);
    let range = (at(low, f64::NEG_INFINITY)?, at(high, f64::INFINITY)?);
    let (_, name) = ucum::canonical(rust_decimal::Decimal::ONE, unit)?;
    let row = row();
    Some(Row { param: format!("{}{CANONICAL}", row.param), system: Some(UCUM.into()), code: Some(name), range: Some(range), ..row })
}
