//! From columns to elements.

use super::{Bind, Coded, How, UCUM, Words, flat};
use crate::fhir::datatype::{CodeableConcept, Coding, Datatype, Period};
use crate::fhir::resource::Element;
use crate::kernel::money;
use crate::kernel::table::Record;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};

/// Writes what the columns of a row say.
pub fn render(binds: &[Bind], row: &Record, out: &mut Element) {
    for bind in flat(binds) {
        match bind.how {
            How::When { from, until } => match (row.text(from), row.text(until)) {
                (start, Some(end)) => put(bind, &format!("{}Period", bind.element), period(start, Some(end)), out),
                (start, None) => put(bind, &format!("{}DateTime", bind.element), start.map(Json::from), out),
            },
            _ => put(bind, bind.element, value(&bind.how, row), out),
        }
    }
}

fn value_of(bind: &Bind, row: &Record) -> Option<Json> {
    match bind.how {
        How::When { from, until } => period(row.text(from), row.text(until)),
        _ => value(&bind.how, row),
    }
}

fn put(bind: &Bind, key: &str, value: Option<Json>, out: &mut Element) {
    match value {
        Some(Json::Array(items)) if bind.repeats => items.into_iter().fold(out, |out, item| out.append(key, item)),
        Some(Json::Object(map)) if bind.repeats => out.push_element(key, Element(map)),
        Some(value) if bind.repeats => out.append(key, value),
        value => out.value(key, value),
    };
}

fn value(how: &How, row: &Record) -> Option<Json> {
    match *how {
        How::Code { column, words } => {
            let flag = row.get(column).as_bool().map(|flag| if flag { "true" } else { "false" });
            code_of(words, flag.or(row.text(column))?).map(Json::from)
        }
        How::Whether { column, without, with } => Some(if row.get(column).is_null() { without } else { with }.into()),
        How::Concept { column, system, words } => Some(json!({"coding": [{"system": system, "code": code_of(words, row.text(column)?)?}]})),
        How::Coding { column, system, words } => Some(json!({"system": system, "code": code_of(words, row.text(column)?)?})),
        How::Coded(coded) => concept(coded, row),
        How::Words { column } => Some(json!({"text": row.text(column)?})),
        How::Text { column } | How::Day { column } | How::Moment { column } => row.text(column).map(Json::from),
        How::Plain { column } => Some(row.get(column).clone()).filter(|value| value.is_number() || value.is_boolean()),
        How::Quantity { column, unit } => {
            let value = Some(row.get(column)).filter(|value| value.is_number())?;
            Some(json!({"value": value, "unit": unit, "system": UCUM, "code": unit}))
        }
        How::Money { column, currency } => {
            let currency = row.text(currency)?;
            Some(json!({"value": money::amount(row.int(column)?, currency), "currency": currency}))
        }
        How::Identifier { column, system: "" } => Some(json!({"value": row.text(column)?})),
        How::Identifier { column, system } => Some(json!({"system": system, "value": row.text(column)?})),
        How::Each { column, system } => {
            let codes = row.get(column).as_array().filter(|codes| !codes.is_empty())?;
            Some(codes.iter().map(|code| json!({"coding": [{"system": system, "code": code}]})).collect())
        }
        How::Content { column } => Some(BASE64_STANDARD.encode(row.text(column)?).into()),
        How::Spelled { column, system } => Some(json!({"system": system, "code": row.text(column)?})),
        How::Path { column, to } => Some(format!("{to}/{}", row.text(column)?).into()),
        How::Named { column } => Some(json!({"display": row.text(column)?})),
        How::Days { from, until } | How::Span { from, until } => period(row.text(from), row.text(until)),
        How::Points { column, to } => Some(json!({"reference": format!("{to}/{}", row.text(column)?)})),
        How::Tenant => Some(json!({"reference": format!("Organization/{}", row.tenant)})),
        How::Itself { to } => Some(json!({"reference": format!("{to}/{}", row.id)})),
        How::Note { column } => Some(json!({"text": row.text(column)?})),
        How::Always(text) | How::Is(text) => serde_json::from_str(text).ok(),
        How::Within(inner) => {
            inner.iter().find(|bind| !bind.is_constant() && value_of(bind, row).is_some())?;
            let mut element = Element::default();
            render(inner, row, &mut element);
            Some(Json::Object(element.into_map()))
        }
        How::When { .. } | How::All(_) => None,
    }
}

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
