//! Texts.

use super::{Call, Function, function};
use crate::fhir::path::eval::{Evaluator, Outcome, boolean, bounded, maybe, one};
use crate::fhir::path::value::Item;
use crate::fhir::path::{TEXT_MAX, Trouble};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::{Regex, RegexBuilder};
use std::cell::RefCell;
use std::collections::HashMap;

/// Memory a compiled pattern may take.
const PATTERN_MAX: usize = 2 << 20;
/// What compiling a pattern costs, in steps.
const COMPILING: usize = 1_000;
/// Patterns kept compiled by one thread; the specification has few.
const PATTERNS_KEPT: usize = 64;

pub const ALL: &[Function] = &[
    function("indexOf", 1, 1, |evaluator, call| found(evaluator, call, |text, part| text.find(part))),
    function("lastIndexOf", 1, 1, |evaluator, call| found(evaluator, call, |text, part| text.rfind(part))),
    function("substring", 1, 2, substring),
    function("startsWith", 1, 1, |evaluator, call| test(evaluator, call, |text, part| text.starts_with(part))),
    function("endsWith", 1, 1, |evaluator, call| test(evaluator, call, |text, part| text.ends_with(part))),
    function("contains", 1, 1, |evaluator, call| test(evaluator, call, |text, part| text.contains(part))),
    function("upper", 0, 0, |_, call| turned(call, |text| Some(text.to_uppercase()))),
    function("lower", 0, 0, |_, call| turned(call, |text| Some(text.to_lowercase()))),
    function("trim", 0, 0, |_, call| turned(call, |text| Some(text.trim().to_owned()))),
    function("length", 0, 0, |_, call| {
        maybe(call.subject_text()?.and_then(|text| i64::try_from(text.chars().count()).ok()).map(Item::Integer))
    }),
    function("toChars", 0, 0, |_, call| {
        Ok(call.subject_text()?.unwrap_or_default().chars().map(|letter| Item::text(letter.to_string())).collect())
    }),
    function("replace", 2, 2, replace),
    function("matches", 1, 1, |evaluator, call| matched(evaluator, call, false)),
    function("matchesFull", 1, 1, |evaluator, call| matched(evaluator, call, true)),
    function("replaceMatches", 2, 2, replace_matches),
    function("split", 1, 1, |evaluator, call| {
        let (Some(text), Some(by)) = (call.subject_text()?, call.text(evaluator, 0)?) else { return Ok(Vec::new()) };
        Ok(text.split(by.as_str()).map(|part| Item::text(part.to_owned())).collect())
    }),
    function("join", 0, 1, |evaluator, call| {
        let by = call.text(evaluator, 0)?.unwrap_or_default();
        let text = |item: &Item<'_>| match item.plain() {
            Some(Item::Text(text)) => Ok(text.into_owned()),
            _ => Err(Trouble::Execution("Only texts are joined.")),
        };
        let parts = call.input.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() { Ok(Vec::new()) } else { bounded(parts.join(&by)) }
    }),
    function("encode", 1, 1, |evaluator, call| {
        let by = call.text(evaluator, 0)?.unwrap_or_default();
        turned(call, |text| match by.as_str() {
            "hex" => Some(text.bytes().map(|byte| format!("{byte:02x}")).collect()),
            "base64" => Some(STANDARD.encode(text)),
            "urlbase64" => Some(URL_SAFE.encode(text)),
            _ => None,
        })
    }),
    function("decode", 1, 1, |evaluator, call| {
        let by = call.text(evaluator, 0)?.unwrap_or_default();
        turned(call, |text| {
            let bytes = match by.as_str() {
                "hex" => unhex(text)?,
                "base64" => STANDARD.decode(text).ok()?,
                "urlbase64" => URL_SAFE.decode(text).ok()?,
                _ => return None,
            };
            String::from_utf8(bytes).ok()
        })
    }),
    function("escape", 1, 1, |evaluator, call| {
        let by = call.text(evaluator, 0)?.unwrap_or_default();
        turned(call, |text| match by.as_str() {
            "html" => Some(HTML.iter().fold(text.to_owned(), |text, (letter, entity)| text.replace(letter, entity))),
            "json" => Some(JSON.iter().fold(text.to_owned(), |text, (letter, escaped)| text.replace(letter, escaped))),
            _ => None,
        })
    }),
    function("unescape", 1, 1, |evaluator, call| {
        let by = call.text(evaluator, 0)?.unwrap_or_default();
        turned(call, |text| match by.as_str() {
            "html" => Some(HTML.iter().rev().fold(text.to_owned(), |text, (letter, entity)| text.replace(entity, letter))),
            "json" => unescaped(text),
            _ => None,
        })
    }),
];

const HTML: &[(&str, &str)] = &[("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")];
const JSON: &[(&str, &str)] = &[("\\", "\\\\"), ("\"", "\\\""), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\u{c}", "\\f")];

fn turned<'a>(call: Call<'a, '_>, turn: impl Fn(&str) -> Option<String>) -> Outcome<'a> {
    match call.subject_text()?.and_then(|text| turn(&text)) {
        Some(text) => bounded(text),
        None => Ok(Vec::new()),
    }
}

/// A quote that stands without a backslash stays what it is.
fn unescaped(text: &str) -> Option<String> {
    let mut made = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            made.push(letter);
            continue;
        }
        made.push(match letters.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\u{c}',
            'b' => '\u{8}',
            'u' => {
                let digits: String = letters.by_ref().take(4).collect();
                u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)?
            }
            other => other,
        });
    }
    Some(made)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok()).collect()
}

/// A place in characters, counted from 0; -1: nowhere.
fn found<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>, find: fn(&str, &str) -> Option<usize>) -> Outcome<'a> {
    let (Some(text), Some(part)) = (call.subject_text()?, call.text(evaluator, 0)?) else { return Ok(Vec::new()) };
    let place = find(&text, &part).and_then(|at| text.get(..at)).and_then(|before| i64::try_from(before.chars().count()).ok());
    one(Item::Integer(place.unwrap_or(-1)))
}

fn test<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>, test: fn(&str, &str) -> bool) -> Outcome<'a> {
    let (Some(text), Some(part)) = (call.subject_text()?, call.text(evaluator, 0)?) else { return Ok(Vec::new()) };
    boolean(test(&text, &part))
}

fn substring<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let (Some(text), Some(start)) = (call.subject_text()?, call.integer(evaluator, 0)?) else { return Ok(Vec::new()) };
    let count = match call.args.get(1) {
        Some(_) => call.integer(evaluator, 1)?.map_or(usize::MAX, |count| usize::try_from(count.max(0)).unwrap_or(usize::MAX)),
        None => usize::MAX,
    };
    let Ok(start) = usize::try_from(start) else { return Ok(Vec::new()) };
    if start >= text.chars().count() {
        return Ok(Vec::new());
    }
    one(Item::text(text.chars().skip(start).take(count).collect::<String>()))
}

fn replace<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let (Some(text), Some(part), Some(by)) = (call.subject_text()?, call.text(evaluator, 0)?, call.text(evaluator, 1)?) else {
        return Ok(Vec::new());
    };
    if (text.len() / part.len().max(1) + 1).saturating_mul(by.len()) > TEXT_MAX {
        return Err(Trouble::Limit);
    }
    bounded(text.replace(&part, &by))
}

/// A linear-time pattern, so no text can make it slow. Compiled once: invariants ask the same ones again and again.
fn pattern(evaluator: &mut Evaluator<'_, '_>, text: &str, is_full: bool) -> Result<Regex, Trouble> {
    thread_local! {
        static KNOWN: RefCell<HashMap<(String, bool), Regex>> = RefCell::default();
    }
    // Known or not, so that an expression costs the same each time.
    evaluator.step(COMPILING)?;
    KNOWN.with_borrow_mut(|known| {
        if let Some(regex) = known.get(&(text.to_owned(), is_full)) {
            return Ok(regex.clone());
        }
        let source = if is_full { format!("^(?:{text})$") } else { text.to_owned() };
        let wrong = Trouble::Execution("The pattern cannot be read.");
        let made = RegexBuilder::new(&source).dot_matches_new_line(true).size_limit(PATTERN_MAX).build().map_err(|_| wrong)?;
        if known.len() >= PATTERNS_KEPT {
            known.clear();
        }
        known.insert((text.to_owned(), is_full), made.clone());
        Ok(made)
    })
}

fn matched<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>, is_full: bool) -> Outcome<'a> {
    let (Some(text), Some(source)) = (call.subject_text()?, call.text(evaluator, 0)?) else { return Ok(Vec::new()) };
    boolean(pattern(evaluator, &source, is_full)?.is_match(&text))
}

fn replace_matches<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let (Some(text), Some(source), Some(by)) = (call.subject_text()?, call.text(evaluator, 0)?, call.text(evaluator, 1)?) else {
        return Ok(Vec::new());
    };
    if source.is_empty() {
        return one(Item::text(text));
    }
    if (text.len() + 1).saturating_mul(by.len() + 1) > TEXT_MAX {
        return Err(Trouble::Limit);
    }
    bounded(pattern(evaluator, &source, false)?.replace_all(&text, by.as_str()).into_owned())
}
