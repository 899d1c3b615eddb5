//! From columns to elements.

use super::{Bind, Coded, How, Words};
use crate::fhir::datatype::{CodeableConcept, Coding, Datatype, Identifier, Period};
use crate::fhir::mapping::Whole;
use crate::fhir::resource::Element;
use crate::kernel::money;
use crate::kernel::table::Record;
use serde_json::{Value as Json, json};

/// Writes what the columns of the whole record say.
pub fn render(binds: &[Bind], whole: &Whole, out: &mut Element) {
    row(binds, &whole.root, whole, out);
}

fn row(binds: &[Bind], row: &Record, whole: &Whole, out: &mut Element) {
    for bind in binds {
        match bind.how {
            How::Rows(place, inner) => {
                for part in whole.part(place) {
                    out.push_element(bind.element, element(inner, part, whole));
                }
            }
            How::When { from, until } => match (row.text(from), row.text(until)) {
                (start, Some(end)) => put(bind, &format!("{}Period", bind.element), period(start, Some(end)), out),
                (start, None) => put(bind, &format!("{}DateTime", bind.element), start.map(Json::from), out),
            },
            _ => put(bind, bind.element, value(&bind.how, row, whole), out),
        }
    }
}

fn put(bind: &Bind, key: &str, value: Option<Json>, out: &mut Element) {
    match value {
        Some(Json::Object(map)) if bind.repeats => out.push_element(key, Element(map)),
        Some(value) if bind.repeats => out.append(key, value),
        value => out.value(key, value),
    };
}

fn element(binds: &[Bind], part: &Record, whole: &Whole) -> Element {
    let mut out = Element::default();
    row(binds, part, whole, &mut out);
    out
}

fn value(how: &How, row: &Record, whole: &Whole) -> Option<Json> {
    match *how {
        How::Code { column, words } => code_of(words, row.text(column)?).map(Json::from),
        How::Concept { column, system, words } => Some(json!({"coding": [{"system": system, "code": code_of(words, row.text(column)?)?}]})),
        How::Coding { column, system, words } => Some(json!({"system": system, "code": code_of(words, row.text(column)?)?})),
        How::Made { column, made } => (made.show)(row.text(column)?),
        How::Coded(coded) => concept(coded, row),
        How::Words { column } => Some(json!({"text": row.text(column)?})),
        How::Text { column } | How::Day { column } | How::Moment { column } => row.text(column).map(Json::from),
        How::Flag { column } => row.get(column).as_bool().map(Json::from),
        How::Number { column } => Some(row.get(column)).filter(|value| value.is_number()).cloned(),
        How::Days { from, until } | How::Span { from, until } => period(row.text(from), row.text(until)),
        How::Points { column, to } => Some(json!({"reference": format!("{to}/{}", row.text(column)?)})),
        How::Tenant => Some(json!({"reference": format!("Organization/{}", row.tenant)})),
        How::Quantity { column, unit } => {
            let value = Some(row.get(column)).filter(|value| value.is_number())?;
            Some(json!({"value": value, "unit": unit, "system": UCUM, "code": unit}))
        }
        How::Money { column, currency } => amount(row.int(column)?, row.text(currency)?),
        How::Note { column } => Some(json!({"text": row.text(column)?})),
        How::Identifier { column, system } => {
            let system = Some(system).filter(|system| !system.is_empty());
            let identifier =
                Identifier { system: system.map(String::from), value: Some(row.text(column)?.to_owned()), ..Identifier::default() };
            Some(identifier.write())
        }
        How::Always(text) => serde_json::from_str(text).ok(),
        How::Extension { url, key, of } => {
            let mut extension = Element::default();
            extension.string("url", url).value(key, value(of, row, whole)?);
            Some(Json::Object(extension.into_map()))
        }
        How::Within(inner) => Some(Json::Object(element(inner, row, whole).into_map())).filter(|map| map != &json!({})),
        How::When { .. } | How::Rows(..) => None,
    }
}

pub const UCUM: &str = "http://unitsofmeasure.org";

/// The first code that is paired with a stored word.
pub fn code_of(words: Words, stored: &str) -> Option<&'static str> {
    words.iter().find(|(word, _)| *word == stored).map(|(_, code)| *code)
}

fn concept(coded: &Coded, row: &Record) -> Option<Json> {
    let text = |column: Option<&'static str>| column.and_then(|column| row.text(column)).map(String::from);
    let code = row.text(coded.code).map(String::from);
    let system = match coded.system {
        Some(column) => row.text(column).and_then(|word| code_of(coded.systems, word)),
        None => coded.systems.first().map(|(_, uri)| *uri),
    };
    let display = text(coded.display);
    let coding = code.map(|code| Coding {
        system: system.filter(|uri| !uri.is_empty()).map(String::from),
        version: text(coded.version),
        code: Some(code),
        display: display.clone(),
    });
    // A display without a code is the concept's text.
    let text = display.filter(|_| coding.is_none());
    let concept = CodeableConcept { coding: coding.into_iter().collect(), text };
    (concept != CodeableConcept::default()).then(|| concept.write())
}

fn period(from: Option<&str>, until: Option<&str>) -> Option<Json> {
    let period = Period { start: from.map(String::from), end: until.map(String::from) };
    (period != Period::default()).then(|| period.write())
}

fn amount(minor: i64, currency: &str) -> Option<Json> {
    let value = money::decimal(minor, currency);
    Some(json!({"value": serde_json::from_str::<Json>(&value).ok()?, "currency": currency}))
}
