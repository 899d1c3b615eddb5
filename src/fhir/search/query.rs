//! The parameters of a request, put in order.

use super::filter::{self, Filter};
use super::form;
use super::links::{self, Chain, Include};
use super::param::{ID, Kind, LAST_UPDATED, Modifier, SearchParam};
use super::value::{self, Reading, Value, split};
use crate::fhir::definitions::Definitions;
use crate::fhir::negotiate::Handling;
use crate::fhir::registry::TypeDef;
use crate::kernel::error::{Error, PARAMETER_INVALID, Result, TOO_COSTLY};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Alternatives of one parameter (`name=a,b,c`).
const ALTERNATIVES_MAX: usize = 1000;
const VALUE_LENGTH_MAX: usize = 64 * 1024;
const SORTS_MAX: usize = 8;
/// Parameters that would narrow the result in a way we do not: passing over one of them would give out more than was
/// asked for, so they are refused however the caller wants unknown parameters handled.
const NARROWING: &[&str] = &["_has", "_text", "_content", "_query", "_type", "_source", "_security", "_tag", "_profile"];
/// References that one condition may follow.
pub(super) const LINKS_MAX: usize = 3;
const INCLUDES_MAX: usize = 16;

/// What a type offers and the server decides.
pub struct Rules<'a> {
    pub type_name: &'a str,
    pub params: &'static [SearchParam],
    pub handling: Handling,
    pub count_default: usize,
    pub count_max: usize,
    pub reading: Reading<'a>,
    /// The other types served, which chains and includes name.
    pub others: fn(&str) -> Option<&'static TypeDef>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub param: &'static SearchParam,
    pub modifier: Option<Modifier>,
    /// One of these must hold (with `:not`, none).
    pub any_of: Vec<Value>,
    /// In place of values: one of these must hold of what the reference leads to.
    pub chains: Vec<Chain>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    pub param: &'static SearchParam,
    pub is_descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summary {
    True,
    Text,
    Data,
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Total {
    #[default]
    None,
    Estimate,
    Accurate,
}

/// A search, all of whose conditions must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub conditions: Vec<Condition>,
    /// All of these must hold too.
    pub filters: Vec<Filter>,
    pub includes: Vec<Include>,
    /// One of these must hold, where there are any: what puts a resource into a compartment.
    pub within: Vec<Condition>,
    /// Matches on a page; 0 asks for the total alone.
    pub count: usize,
    pub sort: Vec<Sort>,
    pub summary: Option<Summary>,
    pub elements: Vec<String>,
    pub total: Total,
    /// Where the page starts; opaque, made and verified by who serves the pages.
    pub cursor: Option<String>,
    pub format: Option<String>,
    pub is_pretty: bool,
    /// What the self link tells: exactly the parameters that took effect.
    pub applied: Vec<(String, String)>,
    /// What was passed over (lenient handling).
    pub ignored: Vec<String>,
}

impl Query {
    /// The least that a date leaves of the time until now; None where no date is asked for.
    pub fn time_left(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let mut limits: BTreeMap<&str, (Option<_>, Option<_>)> = BTreeMap::new();
        for Condition { param, any_of, .. } in &self.conditions {
            if let [Value::Date(date), others @ ..] = any_of.as_slice() {
                let (since, until) = if others.is_empty() { date.limits() } else { (None, None) };
                let (latest, earliest) = limits.entry(param.name).or_default();
                *latest = since.max(*latest);
                *earliest = until.into_iter().chain(*earliest).min();
            }
        }
        let left = |(since, until): (Option<_>, Option<_>)| since.map_or(TimeDelta::MAX, |since| until.unwrap_or(now).min(now) - since);
        limits.into_values().map(left).min()
    }
    pub fn is_count_only(&self) -> bool {
        self.count == 0 || self.summary == Some(Summary::Count)
    }
}

/// Reads a query string or the form body of `_search` (or both, joined by `&`).
pub fn parse(text: &str, rules: &Rules<'_>) -> Result<Query> {
    let mut query = Query { count: rules.count_default, ..Query::default() };
    let mut seen: Vec<String> = Vec::new();
    for (name, raw) in form::decode(text)? {
        if raw.len() > VALUE_LENGTH_MAX {
            return Err(Error::new(&TOO_COSTLY).detail("A parameter is longer than 64 kB."));
        }
        let is_control = control(&mut query, &name, &raw, rules)?;
        if is_control && seen.contains(&name) {
            return Err(invalid(&name, "cardinality", "The parameter may be given once."));
        }
        if !is_control {
            condition(&mut query, &name, &raw, rules)?;
        }
        seen.push(name);
    }
    Ok(query)
}

pub(super) fn invalid(name: &str, rule: &'static str, text: &str) -> Error {
    Error::new(&PARAMETER_INVALID).fault(speakable(name), rule, text)
}

/// Names are the caller's; one that can be no parameter's is not repeated.
fn speakable(name: &str) -> &str {
    let is_name = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b));
    if is_name { name } else { "?" }
}

fn one_of<T: Copy>(name: &str, raw: &str, choices: &[(&str, T)]) -> Result<T> {
    let found = choices.iter().find(|(word, _)| *word == raw);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        invalid(name, "code", &format!("The value must be one of {}.", words.join(", ")))
    })
}

/// Parameters that shape the answer. False: it is none of them.
fn control(query: &mut Query, name: &str, raw: &str, rules: &Rules<'_>) -> Result<bool> {
    let mut told = raw.to_string();
    match name {
        "_count" => {
            query.count =
                raw.parse::<usize>().map_err(|_| invalid(name, "format", "The value must be a whole number from 0."))?.min(rules.count_max);
            told = query.count.to_string();
        }
        "_sort" => {
            query.sort = sorts(raw, rules, &mut query.ignored)?;
            told = sorted(&query.sort);
        }
        "_summary" => {
            let choices = [
                ("true", Some(Summary::True)),
                ("text", Some(Summary::Text)),
                ("data", Some(Summary::Data)),
                ("count", Some(Summary::Count)),
                ("false", None),
            ];
            query.summary = one_of(name, raw, &choices)?;
        }
        "_total" => {
            query.total = one_of(name, raw, &[("none", Total::None), ("estimate", Total::Estimate), ("accurate", Total::Accurate)])?
        }
        "_elements" => query.elements = elements(name, raw, rules.type_name)?,
        "_pretty" => query.is_pretty = one_of(name, raw, &[("true", true), ("false", false)])?,
        "_format" => query.format = Some(raw.into()),
        "_cursor" => {
            let is_ours = !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            query.cursor = Some(raw.into()).filter(|_| is_ours);
            if !is_ours {
                return Err(invalid(name, "format", "The cursor is none of ours."));
            }
        }
        _ => return Ok(false),
    }
    if !told.is_empty() {
        query.applied.push((name.into(), told));
    }
    Ok(true)
}

fn elements(name: &str, raw: &str, type_name: &str) -> Result<Vec<String>> {
    let of = Definitions::r4().named(type_name);
    let is_known = |element: &str| of.is_some_and(|of| of.root.children.iter().any(|known| known.name == element));
    // Some name the type among the elements; it is in every answer.
    let named = raw.split(',').map(|element| element.trim().to_string());
    let names: Vec<String> = named.filter(|element| element != "resourceType").collect();
    if names.iter().all(|element| is_known(element)) {
        Ok(names)
    } else {
        Err(invalid(name, "unknown", "An element is unknown to the type."))
    }
}

fn find(name: &str, rules: &Rules<'_>) -> Option<&'static SearchParam> {
    find_in(name, rules.params)
}

pub(super) fn find_in(name: &str, params: &'static [SearchParam]) -> Option<&'static SearchParam> {
    [&ID, &LAST_UPDATED].into_iter().chain(params).find(|param| param.name == name)
}

fn sorts(raw: &str, rules: &Rules<'_>, ignored: &mut Vec<String>) -> Result<Vec<Sort>> {
    let mut sorts: Vec<Sort> = Vec::new();
    for key in raw.split(',') {
        let (name, is_descending) = key.strip_prefix('-').map_or((key, false), |name| (name, true));
        match find(name, rules).filter(|param| param.is_sortable) {
            Some(param) if sorts.iter().all(|sort| sort.param != param) => sorts.push(Sort { param, is_descending }),
            Some(_) => {}
            None if rules.handling == Handling::Strict => {
                return Err(invalid("_sort", "not-supported", "A sort key is unknown or cannot be sorted by."));
            }
            None => ignored.push("_sort".into()),
        }
        if sorts.len() > SORTS_MAX {
            return Err(Error::new(&TOO_COSTLY).detail("At most 8 sort keys can be given."));
        }
    }
    Ok(sorts)
}

fn sorted(sorts: &[Sort]) -> String {
    let keys: Vec<String> = sorts.iter().map(|sort| format!("{}{}", if sort.is_descending { "-" } else { "" }, sort.param.name)).collect();
    keys.join(",")
}

fn condition(query: &mut Query, name: &str, raw: &str, rules: &Rules<'_>) -> Result<()> {
    let plain = name.split_once(':').map_or(name, |(plain, _)| plain);
    if matches!(plain, "_include" | "_revinclude") {
        query.includes.push(links::include(name, plain == "_revinclude", raw, rules)?);
        if query.includes.len() > INCLUDES_MAX {
            return Err(Error::new(&TOO_COSTLY).detail("At most 16 includes can be given."));
        }
    } else if name == "_filter" {
        query.filters.push(filter::read(raw, rules)?);
    } else if name == "_list" {
        query.conditions.push(links::referring("List:item:_id", rules.type_name, (name, raw), LINKS_MAX, rules)?);
    } else {
        match asked(name, (rules.type_name, rules.params), (name, raw), LINKS_MAX, rules)? {
            Some(condition) => query.conditions.push(condition),
            None if NARROWING.contains(&plain) || name.contains('.') => {
                return Err(invalid(name, "not-supported", "The parameter is not supported."));
            }
            None if rules.handling == Handling::Strict => return Err(invalid(name, "not-supported", "The parameter is unknown here.")),
            None => {
                query.ignored.push(speakable(name).into());
                return Ok(());
            }
        }
    }
    query.applied.push((name.into(), raw.into()));
    Ok(())
}

/// One parameter of the type; `whole` is the parameter's name as it was sent. None: the type has none of that name.
pub(super) fn asked(
    name: &str,
    of: (&str, &'static [SearchParam]),
    (whole, raw): (&str, &str),
    links: usize,
    rules: &Rules<'_>,
) -> Result<Option<Condition>> {
    if let Some(rest) = name.strip_prefix("_has:") {
        return links::referring(rest, of.0, (whole, raw), links, rules).map(Some);
    }
    if let Some((head, rest)) = name.split_once('.') {
        return links::chained(head, rest, of, (whole, raw), links, rules);
    }
    let (plain, suffix) = name.split_once(':').map_or((name, None), |(plain, suffix)| (plain, Some(suffix)));
    find_in(plain, of.1).map(|param| plainly(param, suffix, (whole, raw), rules)).transpose()
}

fn plainly(param: &'static SearchParam, suffix: Option<&str>, (name, raw): (&str, &str), rules: &Rules<'_>) -> Result<Condition> {
    let (modifier, of_type) =
        modifier(param, suffix).ok_or_else(|| invalid(name, "not-supported", "The modifier is not supported here."))?;
    let alternatives = split(raw, ',');
    if alternatives.len() > ALTERNATIVES_MAX {
        return Err(Error::new(&TOO_COSTLY).detail("A parameter takes at most 1000 alternatives."));
    }
    let values = alternatives.iter().map(|raw| value::read(param, modifier, of_type, raw, &rules.reading));
    let any_of = values.collect::<Result<Vec<Value>, _>>().map_err(|text| invalid(name, "format", text))?;
    Ok(Condition { param, modifier, any_of, chains: Vec::new() })
}

/// The modifier, or the type a reference is narrowed to (`subject:Patient`). None: neither is offered.
fn modifier(param: &SearchParam, suffix: Option<&str>) -> Option<(Option<Modifier>, Option<&'static str>)> {
    let Some(suffix) = suffix else { return Some((None, None)) };
    if let Some(modifier) = Modifier::named(suffix) {
        return param.modifiers.contains(&modifier).then_some((Some(modifier), None));
    }
    let target = value::target(param, suffix).filter(|_| param.kind == Kind::Reference)?;
    Some((None, Some(target)))
}

#[cfg(test)]
#[path = "query_tests.rs"]
pub mod tests;
