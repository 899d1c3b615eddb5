//! What R4 says a value of a resource means to a search, written from its words and not from the server's code.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use enamel::fhir::definitions::parameter::SearchParameter;
use enamel::fhir::path::{Alone, Context, Expression, Item, Node};
use serde_json::{Value, json};

pub const UNITS: [(&str, f64, char); 5] = [("mm", 0.001, 'm'), ("cm", 0.01, 'm'), ("m", 1.0, 'm'), ("g", 1.0, 'g'), ("mg", 0.001, 'g')];
pub const UCUM: &str = "http://unitsofmeasure.org";

pub fn words(value: &Value) -> Vec<&str> {
    let of = |key: &str| match &value[key] {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let keys = ["family", "given", "prefix", "suffix", "text", "line", "city", "district", "state", "postalCode", "country"];
    value.as_str().into_iter().chain(keys.into_iter().flat_map(of)).collect()
}

type Span = (DateTime<Utc>, DateTime<Utc>);

/// From the first moment of a partial date to the first that is no more of it.
pub fn span(text: &str) -> Option<Span> {
    let midnight = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    if text.len() > 10 {
        let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
        return Some((at, at + TimeDelta::seconds(1)));
    }
    let start = NaiveDate::from_ymd_opt(number(0..4)?.cast_signed(), number(5..7).unwrap_or(1), number(8..10).unwrap_or(1))?;
    let end = match text.len() {
        4 => start.with_year(start.year() + 1)?,
        7 => start + Months::new(1),
        _ => start.succ_opt()?,
    };
    Some((midnight(start), midnight(end)))
}

pub fn lasts(value: &Value) -> Option<Span> {
    if let Some(text) = value.as_str() {
        return span(text);
    }
    let of = |key: &str| value[key].as_str().and_then(span);
    let (start, end) = (of("start"), of("end"));
    (start.is_some() || end.is_some())
        .then(|| (start.map_or(DateTime::<Utc>::MIN_UTC, |it| it.0), end.map_or(DateTime::<Utc>::MAX_UTC, |it| it.1)))
}

/// R4 §3.1.1.4.7: `own` is the resource's, `asked` the parameter's.
pub fn dated(prefix: &str, own: Span, asked: Span) -> bool {
    let contains = asked.0 <= own.0 && own.1 <= asked.1;
    match prefix {
        "" | "eq" => contains,
        "ne" => !contains,
        "gt" => own.1 > asked.1,
        "lt" => own.0 < asked.0,
        "ge" => own.1 > asked.1 || contains,
        "le" => own.0 < asked.0 || contains,
        "sa" => own.0 >= asked.1,
        _ => own.1 <= asked.0,
    }
}

pub fn measured(value: &Value, prefix: &str, text: &str, unit: Option<&str>) -> bool {
    let Some(mut own) = value["value"].as_f64() else { return false };
    let asked: f64 = text.parse().unwrap();
    let half = 0.5 * 10f64.powi(-i32::try_from(text.split_once('.').map_or(0, |(_, places)| places.len())).unwrap());
    if let Some(unit) = unit {
        let known = |code: &str| UNITS.iter().find(|(known, ..)| *known == code).unwrap();
        let (Some(code), true) = (value["code"].as_str(), value["system"] == UCUM) else { return false };
        let (of_own, of_asked) = (known(code), known(unit));
        if of_own.2 != of_asked.2 {
            return false;
        }
        own = own * of_own.1 / of_asked.1;
    }
    // Decimals as doubles: what is equal is equal up to their grain.
    let grain = 1e-9 * asked.abs().max(1.0);
    let is_in = own >= asked - half - grain && own <= asked + half + grain;
    match prefix {
        "" | "eq" => is_in,
        "ne" => !is_in,
        "gt" | "sa" => own > asked + grain,
        "lt" | "eb" => own < asked - grain,
        "ge" => own >= asked - grain,
        _ => own <= asked + grain,
    }
}

/// What the official expression selects. None where that takes more than the resource itself, as the type of what a reference to
/// a contained or an unknown resource leads to, or where R4 leaves it open, as it does of elements that have extensions alone.
pub fn selected(resource: &Value, parameter: &SearchParameter) -> Option<Vec<Value>> {
    let name = resource["resourceType"].as_str().unwrap();
    let node = Node::resource(resource).unwrap();
    let now = DateTime::<Utc>::UNIX_EPOCH.fixed_offset();
    let context =
        Context { resource: node, root: node, document: node, now, world: &Alone, is_strict: false, steps_max: 100_000, variables: &[] };
    let mut found = Vec::new();
    for path in parameter.expression.split(" | ").map(str::trim) {
        let first = path.trim_start_matches('(').split(['.', ' ']).next().unwrap();
        if first.starts_with(char::is_lowercase) {
            return None;
        }
        if ![name, "Resource", "DomainResource"].contains(&first) {
            continue;
        }
        let (path, to) = path.split_once(".where(resolve() is ").map_or((path, None), |(path, to)| (path, Some(to.trim_end_matches(')'))));
        let expression = Expression::parse(path).unwrap();
        let items = expression.evaluate(Item::Node(node), &context).unwrap();
        for item in &items {
            let value = match item {
                Item::Node(node) => node.value.cloned()?,
                Item::Boolean(flag) => json!(flag),
                _ => continue,
            };
            let is_of = match (to, value["reference"].as_str()) {
                (None, _) => true,
                (Some(_), None) => return None,
                (Some(_), Some(text)) if text.starts_with(['#', 'u']) => return None,
                (Some(to), Some(text)) => plain(text).rsplit('/').nth(1) == Some(to),
            };
            found.extend(is_of.then_some(value));
        }
    }
    Some(found)
}

/// A reference without the version it names.
pub fn plain(reference: &str) -> &str {
    reference.split("/_history/").next().unwrap_or(reference)
}
