//! What no column holds is kept. A client's document has three forms: `original`, as it was sent; `base`, what our
//! mapping rendered from the columns that were taken from it; `now`, what the mapping renders from the columns today.
//! Where `base` and `now` agree the client's own words stand, where they differ the columns do.
//!
//! 1. `now == base` gives `original`.
//! 2. `original == base` gives `now`.
//! 3. A column's value of today is always in the answer (it covers `now`).
//! 4. What the mapping never rendered stays, unless it spoke about a value that is gone: the display of another
//!    reference, the text of another code, another type of the same choice, the narrative of another record.

use super::definitions::Definitions;
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};

/// Keys that only repeat or explain their siblings: when any of the first changes, the second are dropped unless the
/// mapping renders them. Read by shape, so one table serves every type that has such siblings.
const DERIVED: &[(&[&str], &[&str])] = &[
    (&["reference"], &["type", "identifier", "display"]),
    (&["system", "code"], &["version", "display", "userSelected"]),
    (&["value", "code"], &["unit", "comparator"]),
    (&["coding"], &["text"]),
    (&["family", "given", "prefix", "suffix"], &["text"]),
    (&["line", "city", "district", "state", "postalCode", "country"], &["text"]),
    (&["data", "url"], &["hash", "size"]),
    // A record that holds the whole as one text tells nothing about its parts.
    (&["text"], &["family", "given", "prefix", "suffix", "line", "city", "district", "state", "postalCode", "country", "coding"]),
];

/// Elements of this array are several words for one thing: when one changes, the others said the old.
const SYNONYMS: &str = "coding";

/// The document to answer with.
pub fn restore(mut original: Value, base: &Value, now: Value) -> Value {
    if *base == now {
        return original;
    }
    let Value::Object(kept) = &mut original else { return merge(&original, base, now) };
    // A narrative made from the content would tell the old content; one with content of its own stays.
    let is_told_over =
        matches!(kept.get("text").and_then(|text| text.get("status")).and_then(Value::as_str), Some("generated" | "extensions"));
    if is_told_over && kept.contains_key("resourceType") && base.get("text").is_none() {
        kept.shift_remove("text");
    }
    merge(&original, base, now)
}

fn merge(original: &Value, base: &Value, now: Value) -> Value {
    if *base == now {
        return original.clone();
    }
    match (original, base, now) {
        (Value::Object(original), Value::Object(base), Value::Object(now)) => Value::Object(objects(original, base, now)),
        (Value::Array(original), Value::Array(base), Value::Array(now)) => Value::Array(arrays("", original, base, now)),
        (_, _, now) => now,
    }
}

fn objects(original: &Map<String, Value>, base: &Map<String, Value>, mut now: Map<String, Value>) -> Map<String, Value> {
    let gone = gone(original, base, &now);
    let beside: Vec<&str> = gone.iter().filter_map(|key| key.strip_prefix('_')).collect();
    let mut merged = Map::with_capacity(original.len().max(now.len()));
    for (key, value) in original {
        let (base, now) = (base.get(key), now.shift_remove(key));
        let is_gone = base.is_none() && now.is_none() && gone.contains(&key.as_str());
        if let Some(value) = (!is_gone).then(|| member(key, value, base, now)).flatten() {
            merged.insert(key.clone(), value);
        }
    }
    // New today; what the mapping renders now as it did then, and the client never sent, stays unsaid.
    merged.extend(now.into_iter().filter(|(key, value)| base.get(key) != Some(value)));
    for key in beside {
        without_nulls(&mut merged, key);
    }
    merged
}

/// The keys of `original` that the mapping does not render and that spoke about a value which has changed since.
fn gone<'a>(original: &'a Map<String, Value>, base: &Map<String, Value>, now: &Map<String, Value>) -> Vec<&'a str> {
    let changed = |key: &str| base.get(key) != now.get(key);
    let derived: Vec<&str> = DERIVED
        .iter()
        .filter(|(causes, _)| causes.iter().any(|key| changed(key)))
        .flat_map(|(_, derived)| derived.iter().copied())
        .collect();
    let choices: Vec<&str> = base.keys().chain(now.keys()).filter(|key| changed(key)).filter_map(|key| choice(original, key)).collect();
    let speaks = |key: &str| {
        // What stands beside a primitive speaks about its value.
        let of_primitive = key.strip_prefix('_').is_some_and(changed);
        of_primitive || derived.contains(&key) || choice(original, key).is_some_and(|name| choices.contains(&name))
    };
    original.keys().map(String::as_str).filter(|key| !base.contains_key(*key) && speaks(key)).collect()
}

/// The choice element that a key of a resource or an extension is a type of: `deceased` for `deceasedDateTime`.
fn choice<'k>(object: &Map<String, Value>, key: &'k str) -> Option<&'k str> {
    let plain = key.strip_prefix('_').unwrap_or(key);
    if object.contains_key("url") {
        return plain.get(..5).filter(|name| *name == "value");
    }
    let of = Definitions::r4().named(object.get("resourceType")?.as_str()?)?;
    let (element, _) = of.element(plain).filter(|(element, _)| element.is_choice)?;
    plain.get(..element.name.len())
}

fn member(key: &str, original: &Value, base: Option<&Value>, now: Option<Value>) -> Option<Value> {
    if base == now.as_ref() {
        return Some(original.clone());
    }
    match (original, base, now) {
        // An array that is not rendered is one without elements: what it holds beside them stays.
        (Value::Array(original), None, Some(Value::Array(now))) => Some(Value::Array(arrays(key, original, &[], now))),
        (Value::Array(original), Some(Value::Array(base)), None) => {
            let rest = arrays(key, original, base, Vec::new());
            (!rest.is_empty()).then_some(Value::Array(rest))
        }
        (Value::Array(original), Some(Value::Array(base)), Some(Value::Array(now))) => Some(Value::Array(arrays(key, original, base, now))),
        (original, Some(base), Some(now)) => Some(merge(original, base, now)),
        (_, _, now) => now,
    }
}

/// A null in an array of primitives only holds the place of an extension.
fn without_nulls(object: &mut Map<String, Value>, key: &str) {
    if let Some(Value::Array(items)) = object.get_mut(key) {
        items.retain(|item| !item.is_null());
        if items.is_empty() {
            object.shift_remove(key);
        }
    }
}

/// Elements are paired twice: each of `base` with the one of `original` it came from, each of `now` with the one of
/// `base` it was. Elements of `original` that the mapping never rendered stay behind their neighbour.
fn arrays(name: &str, original: &[Value], base: &[Value], now: Vec<Value>) -> Vec<Value> {
    let Some(sources) = sources(original, base) else { return now };
    let was = pairs(base, &now);
    let mut source_of: Vec<Option<usize>> = Vec::with_capacity(now.len());
    let mut merged = Vec::with_capacity(now.len());
    for (item, was) in now.into_iter().zip(was) {
        let source = was.and_then(|b| Some((b, *sources.get(b)?)));
        merged.push(match source {
            Some((b, o)) => merge(&original[o], &base[b], item),
            None => item,
        });
        source_of.push(source.map(|(_, o)| o));
    }
    if name == SYNONYMS { merged } else { with_extras(original, &sources, merged, &source_of) }
}

/// Puts the elements no column knows behind the element they stood behind.
fn with_extras(original: &[Value], sources: &[usize], merged: Vec<Value>, source_of: &[Option<usize>]) -> Vec<Value> {
    let place: HashMap<usize, usize> = source_of.iter().enumerate().filter_map(|(i, o)| Some(((*o)?, i))).collect();
    let mut behind: Vec<Vec<&Value>> = vec![Vec::new(); merged.len() + 1];
    let mut anchor = 0;
    for (index, item) in original.iter().enumerate() {
        if sources.contains(&index) {
            anchor = place.get(&index).map_or(anchor, |i| i + 1);
        } else {
            behind[anchor].push(item);
        }
    }
    let mut out: Vec<Value> = behind[0].iter().map(|item| (*item).clone()).collect();
    for (item, extras) in merged.into_iter().zip(&behind[1..]) {
        out.push(item);
        out.extend(extras.iter().map(|item| (*item).clone()));
    }
    out
}

/// For each element of `base` the one of `original` it was rendered from: the first that covers it, in whatever order
/// they stand; for those that none covers the first that is of the same code; when there are as many left on both sides,
/// by position. None when that cannot be told.
fn sources(original: &[Value], base: &[Value]) -> Option<Vec<usize>> {
    let mut free: Vec<usize> = (0..original.len()).collect();
    let mut found: Vec<Option<usize>> = Vec::with_capacity(base.len());
    for item in base {
        let place = free.iter().position(|o| covers(&original[*o], item));
        found.push(place.map(|place| free.remove(place)));
    }
    for (item, found) in base.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        let place = free.iter().position(|o| codings(item).any(|coding| codings(&original[*o]).any(|other| coding == other)));
        *found = place.map(|place| free.remove(place));
    }
    let open = found.iter().filter(|source| source.is_none()).count();
    if open != 0 && open != free.len() {
        return None;
    }
    let mut rest = free.into_iter();
    found.into_iter().map(|source| source.or_else(|| rest.next())).collect()
}

/// For each element of `now` the one of `base` it was: an equal one, else one of the same identity, else, when there
/// are as many, the one in the same place.
fn pairs(base: &[Value], now: &[Value]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; now.len()];
    let mut free = vec![true; base.len()];
    for identity in [whole, key] {
        let mut waiting: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (b, item) in base.iter().enumerate().filter(|(b, _)| free[*b]) {
            if let Some(id) = identity(item) {
                waiting.entry(id).or_default().push_back(b);
            }
        }
        for (n, item) in now.iter().enumerate() {
            let open = pairs[n].is_none().then(|| identity(item)).flatten();
            if let Some(b) = open.and_then(|id| waiting.get_mut(&id)?.pop_front()) {
                pairs[n] = Some(b);
                free[b] = false;
            }
        }
    }
    if base.len() == now.len() {
        for n in 0..now.len() {
            let may = |b: &Value, n: &Value| key(b).is_none() || key(n).is_none();
            if pairs[n].is_none() && free[n] && may(&base[n], &now[n]) {
                pairs[n] = Some(n);
            }
        }
    }
    pairs
}

fn whole(value: &Value) -> Option<String> {
    Some(value.to_string())
}

/// The codes of what an element is about, as a component of an Observation has them.
fn codings(value: &Value) -> impl Iterator<Item = (Option<&str>, &str)> {
    let codings = value.get("code").and_then(|code| code.get("coding")).and_then(Value::as_array);
    codings.into_iter().flatten().filter_map(|coding| Some((coding.get("system").and_then(Value::as_str), coding.get("code")?.as_str()?)))
}

/// What an element is known by: its id, its extension's URL, system and value or code, the resource it refers to, the code of
/// what it is about.
fn key(value: &Value) -> Option<String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let pair = |a: &str, b: &str| Some(format!("{a} {} {}", text(a).unwrap_or_default(), text(b)?));
    text("id")
        .map(|id| format!("id {id}"))
        .or_else(|| text("reference").map(|r| format!("reference {r}")))
        .or_else(|| pair("system", "value"))
        .or_else(|| pair("system", "code"))
        .or_else(|| text("url").map(|url| format!("url {url}")))
        .or_else(|| codings(value).next().map(|(system, code)| format!("about {} {code}", system.unwrap_or_default())))
}

/// Whether everything in `part` stands in `whole` too.
fn covers(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| covers(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            let mut rest = whole.iter();
            part.iter().all(|part| rest.any(|whole| covers(whole, part)))
        }
        (whole, part) => whole == part,
    }
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
