//! From elements to columns. What cannot be read as our columns have it is no fault: the column stays empty and the
//! element is kept as it was sent. A fault is only what no other column can make good: a needed reference, an order of days.

use super::meaning::is_item;
use super::{Bind, Coded, How, Words, flat};
use crate::fhir::datatype::{CodeableConcept, Coding, Datatype, Period, Reference};
use crate::fhir::mapping::Columns;
use crate::fhir::reference::Literal;
use crate::fhir::resource::Node;
use crate::fhir::temporal::{self, PartialDate};
use crate::kernel::error::{Error, INVALID, Result};
use crate::kernel::money;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

/// Sets the columns of a row.
pub fn take(binds: &[Bind], parent: &Node<'_>, base: &str, columns: &mut Columns) -> Result<()> {
    flat(binds).filter(|bind| !bind.shown_only).try_for_each(|bind| one(bind, parent, base, columns))
}

/// The items an element has: one or none where it does not repeat.
fn items<'a>(bind: &Bind, parent: &Node<'a>) -> Result<Vec<(&'a Json, String)>> {
    if bind.repeats {
        return parent.values(bind.element);
    }
    Ok(parent.value(bind.element).map(|value| (value, parent.at(bind.element))).into_iter().collect())
}

fn one(bind: &Bind, parent: &Node<'_>, base: &str, columns: &mut Columns) -> Result<()> {
    let items = items(bind, parent)?;
    let at = |place: Option<usize>| match place.and_then(|place| items.get(place)) {
        Some((_, path)) => path.clone(),
        None => parent.at(bind.element),
    };
    let first = items.first().map(|(value, _)| *value);
    match bind.how {
        How::When { from, until } => return chosen(bind, parent, from, until, columns),
        How::Days { from, until } | How::Span { from, until } => {
            let day = matches!(bind.how, How::Days { .. });
            let period = items.first().map(|(value, path)| Period::read(value, path.clone())).transpose()?;
            return ends(period.as_ref(), day, &at(Some(0)), [from, until], columns);
        }
        How::Coded(coded) => return concept(coded, bind, &items, parent, columns),
        How::Within(inner) => {
            // One backbone element is ours, the first that is meant; where it is missing its columns are empty.
            for (value, path) in &items {
                let node = Node::of(value, path.clone())?;
                if is_item(inner, &node, base) {
                    return take(inner, &node, base, columns);
                }
            }
            let empty = serde_json::Map::new();
            return take(inner, &Node::empty(&empty, parent.at(bind.element)), base, columns);
        }
        _ => {}
    }
    let simple = |value: Option<Json>| value.or_else(|| bind.otherwise.map(Json::from)).unwrap_or(Json::Null);
    match bind.how {
        How::Code { column, words } => {
            let value = first.and_then(Json::as_str).and_then(|code| stored(words, code)).map(Json::from);
            columns.set(column, simple(value), at(Some(0)));
        }
        How::Concept { column, system, words } => {
            let read = |value: &Json| stored(words, CodeableConcept::read(value, String::new()).ok()?.code_in(system)?);
            let found = items.iter().enumerate().find_map(|(place, (value, _))| Some((place, read(value)?)));
            columns.set(column, simple(found.map(|(_, word)| Json::from(word))), at(found.map(|(place, _)| place)));
        }
        How::Coding { column, system, words } => {
            let mine = first.filter(|value| value.get("system").and_then(Json::as_str) == Some(system));
            let word = mine.and_then(|value| stored(words, value.get("code")?.as_str()?));
            columns.set(column, simple(word.map(Json::from)), at(Some(0)));
        }
        How::Words { column } => {
            let text = items.first().map(|(value, path)| CodeableConcept::read(value, path.clone())).transpose()?.and_then(said);
            columns.set(column, simple(text.map(Json::from)), at(Some(0)));
        }
        How::Plain { column } => {
            columns.set(column, simple(first.filter(|value| value.is_number() || value.is_boolean()).cloned()), at(Some(0)));
        }
        How::Moment { column } => {
            let value = first.and_then(Json::as_str).and_then(|text| moment(text, false));
            columns.set(column, simple(value.map(Json::from)), at(Some(0)));
        }
        How::Quantity { column, unit } => {
            let of = |value: &&Json| ["code", "unit"].iter().any(|key| value.get(key).and_then(Json::as_str) == Some(unit));
            let value = first.filter(of).and_then(|value| value.get("value")).cloned();
            columns.set(column, simple(value), at(Some(0)));
        }
        How::Money { column, currency } => {
            let said = first.and_then(|value| value.get("currency")).and_then(Json::as_str);
            let value = first.zip(said).and_then(|(value, said)| money::minor(value.get("value")?, said));
            columns.set(column, simple(value.map(Json::from)), at(Some(0))).set(currency, said, at(Some(0)));
        }
        How::Identifier { column, system } => {
            let mine = |(value, _): &&(&Json, String)| system.is_empty() || value.get("system").and_then(Json::as_str) == Some(system);
            let value = items.iter().find(mine).and_then(|(value, _)| value.get("value")).filter(|value| value.is_string());
            columns.set(column, simple(value.cloned()), at(Some(0)));
        }
        How::Each { column, system } => {
            let codes =
                items.iter().filter_map(|(value, _)| Some(CodeableConcept::read(value, String::new()).ok()?.code_in(system)?.to_owned()));
            columns.set(column, codes.collect::<Vec<_>>(), at(Some(0)));
        }
        How::Content { column } => {
            let bytes = first.and_then(Json::as_str).and_then(|text| BASE64_STANDARD.decode(text).ok());
            columns.set(column, simple(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(Json::from)), at(Some(0)));
        }
        How::Named { column } => {
            let value = first.and_then(|value| value.get("display")).filter(|text| text.is_string()).cloned();
            columns.set(column, simple(value), at(Some(0)));
        }
        How::Text { column } => {
            columns.set(column, simple(first.filter(|value| value.is_string()).cloned()), at(Some(0)));
        }
        How::Day { column } => {
            let value = first.and_then(Json::as_str).and_then(|text| day(text, false));
            columns.set(column, simple(value.map(Json::from)), at(Some(0)));
        }
        How::Points { column, to } => {
            let found = items.iter().enumerate().find_map(|(place, (value, _))| Some((place, pointed(value, to, base)?)));
            columns.set(column, simple(found.map(|(_, id)| Json::from(id.to_string()))), at(found.map(|(place, _)| place)));
        }
        How::Path { column, to } => {
            let id = first.and_then(Json::as_str).and_then(|text| local(text, to, base));
            columns.set(column, simple(id.map(|id| Json::from(id.to_string()))), at(Some(0)));
        }
        How::Note { column } => {
            let text = first.and_then(|value| value.get("text")).filter(|text| text.is_string()).cloned();
            columns.set(column, simple(text), at(Some(0)));
        }
        _ => {}
    }
    Ok(())
}

/// `onsetDateTime` is a moment, `onsetPeriod` a pair of them; of another type nothing is ours.
fn chosen(bind: &Bind, parent: &Node<'_>, from: &'static str, until: &'static str, columns: &mut Columns) -> Result<()> {
    let key = format!("{}DateTime", bind.element);
    if let Some(text) = parent.string(&key)? {
        columns.set(from, moment(text, false), parent.at(&key)).set(until, Json::Null, parent.at(&key));
        return Ok(());
    }
    let key = format!("{}Period", bind.element);
    let period: Option<Period> = parent.read(&key)?;
    ends(period.as_ref(), false, &parent.at(&key), [from, until], columns)
}

/// Both ends, of days or of moments, refusing a period that ends before it starts (per-1).
fn ends(period: Option<&Period>, is_day: bool, path: &str, [from, until]: [&'static str; 2], columns: &mut Columns) -> Result<()> {
    let read = |text: Option<&String>, last| text.and_then(|text| if is_day { day(text, last) } else { moment(text, last) });
    if period.is_some_and(|period| !period.is_ordered()) {
        return Err(Error::new(&INVALID).fault(path, "invariant", "A period does not end before it starts."));
    }
    columns.set(from, read(period.and_then(|period| period.start.as_ref()), false), format!("{path}.start")).set(
        until,
        read(period.and_then(|period| period.end.as_ref()), true),
        format!("{path}.end"),
    );
    Ok(())
}

/// The first coding of a system we know, else the first there is under the word that stands for all others.
fn concept(coded: &Coded, bind: &Bind, items: &[(&Json, String)], parent: &Node<'_>, columns: &mut Columns) -> Result<()> {
    let (value, path) = match items.first() {
        Some((value, path)) => (Some(CodeableConcept::read(value, path.clone())?), path.clone()),
        None => (None, parent.at(bind.element)),
    };
    let codings = value.as_ref().map(|value| value.coding.as_slice()).unwrap_or_default();
    let word = |coding: &Coding| coded.systems.iter().find(|(_, uri)| coding.system.as_deref() == Some(uri)).map(|(word, _)| *word);
    let known = codings.iter().find_map(|coding| Some((coding, word(coding)?)));
    let other = coded.systems.last().filter(|(_, uri)| uri.is_empty()).map(|(word, _)| *word);
    let coding = known.or_else(|| Some((codings.iter().find(|coding| coding.code.is_some())?, other?)));
    let text = value.as_ref().and_then(|value| value.text.clone());
    let display =
        coding.and_then(|(coding, _)| coding.display.clone()).or(text).or_else(|| coding.and_then(|(coding, _)| coding.code.clone()));
    columns.set(coded.code, coding.and_then(|(coding, _)| coding.code.clone()), path.clone());
    if let Some(column) = coded.system {
        let word = coding.map(|(_, word)| word).or(other);
        columns.set(column, word, path.clone());
    }
    if let Some(column) = coded.version {
        columns.set(column, coding.and_then(|(coding, _)| coding.version.clone()), path.clone());
    }
    if let Some(column) = coded.display {
        columns.set(column, display.or_else(|| bind.otherwise.map(String::from)), path);
    }
    Ok(())
}

fn stored(words: Words, code: &str) -> Option<&'static str> {
    words.iter().find(|(_, known)| *known == code).map(|(word, _)| *word)
}

fn said(concept: CodeableConcept) -> Option<String> {
    let coding = concept.coding.into_iter().next();
    concept.text.or_else(|| coding.and_then(|coding| coding.display.or(coding.code)))
}

/// The first day a date means, or its last.
fn day(text: &str, last: bool) -> Option<String> {
    let (first, next) = PartialDate::parse(text.get(..10).unwrap_or(text))?.days()?;
    let day = if last { next.pred_opt()? } else { first };
    Some(day.to_string())
}

/// The moment a date and time begins, or, for an end that only names a day, the last microsecond of it.
fn moment(text: &str, last: bool) -> Option<String> {
    let interval = temporal::date_time(text)?;
    let at: DateTime<Utc> = if last && !text.contains('T') { interval.end - chrono::TimeDelta::microseconds(1) } else { interval.start };
    Some(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The id behind a literal reference to one of ours; contained, foreign and logical ones are kept as they are.
pub(super) fn pointed(value: &Json, to: &str, base: &str) -> Option<Uuid> {
    let reference = Reference::read(value, String::new()).ok()?;
    local(reference.reference.as_deref()?, to, base)
}

fn local(text: &str, to: &str, base: &str) -> Option<Uuid> {
    match Literal::parse(text, base) {
        Literal::Local { type_name, id, .. } if type_name == to => id.parse().ok(),
        _ => None,
    }
}
