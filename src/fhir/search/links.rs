//! Conditions and includes that follow references, by the types and parameters that are served.

use super::param::{Kind, SearchParam};
use super::query::{Condition, Rules, asked, find_in, invalid};
use super::value;
use crate::kernel::error::{Error, Result, TOO_COSTLY};

/// A condition on the other end of a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    pub param: &'static SearchParam,
    /// The type that refers, and the type it refers to.
    pub from: &'static str,
    pub to: &'static str,
    /// The condition is on what refers (`_has`).
    pub is_reverse: bool,
    pub then: Box<Condition>,
}

/// Resources asked for beside the matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Include {
    pub from: &'static str,
    /// None: all of the type.
    pub param: Option<&'static SearchParam>,
    pub to: Option<&'static str>,
    pub is_reverse: bool,
    pub is_iterate: bool,
}

/// Types that a chain may go through where it does not name one.
const BRANCHES_MAX: usize = 4;
const TARGETS_MAX: usize = 16;

fn deeper(links: usize) -> Result<usize> {
    links.checked_sub(1).ok_or_else(|| Error::new(&TOO_COSTLY).detail("A chain has at most 3 links."))
}

/// `subject:Patient.name`; without a type, all types the reference leads to that have the parameter.
pub(super) fn chained(
    head: &str,
    rest: &str,
    of: (&str, &'static [SearchParam]),
    sent: (&str, &str),
    links: usize,
    rules: &Rules<'_>,
) -> Result<Option<Condition>> {
    let links = deeper(links)?;
    let (plain, to) = head.split_once(':').map_or((head, None), |(plain, to)| (plain, Some(to)));
    let Some(param) = find_in(plain, of.1) else { return Ok(None) };
    let refused = || invalid(sent.0, "not-supported", "The chain leads nowhere here.");
    let Some(from) = (rules.others)(of.0).filter(|_| param.kind == Kind::Reference) else { return Err(refused()) };
    let targets: Vec<&str> = match to {
        Some(to) => value::target(param, to).into_iter().collect(),
        None => param.targets.to_vec(),
    };
    let mut chains = Vec::new();
    for to in targets.into_iter().take(TARGETS_MAX).filter_map(rules.others) {
        match asked(rest, (to.name, to.search), sent, links, rules) {
            Ok(Some(then)) => chains.push(Chain { param, from: from.name, to: to.name, is_reverse: false, then: Box::new(then) }),
            Ok(None) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    if chains.len() > BRANCHES_MAX {
        return Err(
            Error::new(&TOO_COSTLY).detail("The chain leads to many types: name the one that is meant, as in subject:Patient.name.")
        );
    }
    if chains.is_empty() { Err(refused()) } else { Ok(Some(Condition { param, modifier: None, any_of: Vec::new(), chains })) }
}

/// `_has:Observation:patient:code`, without the `_has:`.
pub(super) fn referring(rest: &str, type_name: &str, sent: (&str, &str), links: usize, rules: &Rules<'_>) -> Result<Condition> {
    let links = deeper(links)?;
    let refused =
        || invalid(sent.0, "not-supported", "The value is _has:Type:reference:parameter, of a type and a reference that lead here.");
    let mut parts = rest.splitn(3, ':');
    let (from, by, then) = (parts.next(), parts.next(), parts.next());
    let from = from.and_then(rules.others).ok_or_else(refused)?;
    let param = by.and_then(|by| find_in(by, from.search)).filter(|param| param.kind == Kind::Reference).ok_or_else(refused)?;
    let to = value::target(param, type_name).ok_or_else(refused)?;
    let then = asked(then.unwrap_or_default(), (from.name, from.search), sent, links, rules)?.ok_or_else(refused)?;
    let chain = Chain { param, from: from.name, to, is_reverse: true, then: Box::new(then) };
    Ok(Condition { param, modifier: None, any_of: Vec::new(), chains: vec![chain] })
}

/// `Observation:subject:Patient`.
pub(super) fn include(name: &str, is_reverse: bool, raw: &str, rules: &Rules<'_>) -> Result<Include> {
    let refused =
        || invalid(name, "not-supported", "The value is Type:reference or Type:reference:Type, of types and references served here.");
    let is_iterate = match name.split_once(':').map(|(_, suffix)| suffix) {
        None => false,
        Some("iterate" | "recurse") => true,
        Some(_) => return Err(refused()),
    };
    let mut parts = raw.split(':');
    let from = parts.next().and_then(rules.others).ok_or_else(refused)?;
    let param = match parts.next().unwrap_or("*") {
        "*" => None,
        by => Some(find_in(by, from.search).filter(|param| param.kind == Kind::Reference).ok_or_else(refused)?),
    };
    let to = parts.next().map(|to| (rules.others)(to).map(|def| def.name).ok_or_else(refused)).transpose()?;
    if parts.next().is_some() { Err(refused()) } else { Ok(Include { from: from.name, param, to, is_reverse, is_iterate }) }
}
