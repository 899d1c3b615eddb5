//! Questions about value sets and hierarchies (`:in`, `:not-in`, `:above`, `:below`) become questions about codes, before
//! any table is asked.

use super::terminology;
use super::way::Way;
use crate::fhir::search::value::{Codes, System, Token};
use crate::fhir::search::{Condition, Filter, Kind, Modifier, Query, Value as Asked};
use crate::fhir::terminology::Known;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use std::borrow::Cow;

/// Codes that one condition is asked for.
const CODES_MAX: usize = 5_000;

fn refused(condition: &Condition, text: &str) -> Error {
    Error::new(&error::PARAMETER_INVALID).fault(condition.param.name, "not-found", text)
}

/// The query with codes in place of sets.
pub async fn settled<'q>(caller: &Caller, way: &mut Way<'_>, query: &'q Query) -> Result<Cow<'q, Query>> {
    if !query.conditions.iter().any(is_open) && !query.filters.iter().any(is_open_filter) {
        return Ok(Cow::Borrowed(query));
    }
    let mut query = query.clone();
    let mut open: Vec<&mut Condition> = query.conditions.iter_mut().collect();
    query.filters.iter_mut().for_each(|filter| leaves(filter, &mut open));
    while let Some(condition) = open.pop() {
        if is_set(condition) {
            settle(caller, way, condition).await?;
        }
        open.extend(condition.chains.iter_mut().map(|chain| &mut *chain.then));
    }
    Ok(Cow::Owned(query))
}

fn is_set(condition: &Condition) -> bool {
    let is_asked = matches!(condition.modifier, Some(Modifier::In | Modifier::NotIn | Modifier::Above | Modifier::Below));
    is_asked && condition.param.kind == Kind::Token
}

fn is_open(condition: &Condition) -> bool {
    is_set(condition) || condition.chains.iter().any(|chain| is_open(&chain.then))
}

fn is_open_filter(filter: &Filter) -> bool {
    match filter {
        Filter::Is(condition) => is_open(condition),
        Filter::Not(inner) => is_open_filter(inner),
        Filter::All(parts) | Filter::Any(parts) => parts.iter().any(is_open_filter),
    }
}

fn leaves<'f>(filter: &'f mut Filter, open: &mut Vec<&'f mut Condition>) {
    match filter {
        Filter::Is(condition) => open.push(condition),
        Filter::Not(inner) => leaves(inner, open),
        Filter::All(parts) | Filter::Any(parts) => parts.iter_mut().for_each(|part| leaves(part, open)),
    }
}

async fn settle(caller: &Caller, way: &mut Way<'_>, condition: &mut Condition) -> Result<()> {
    let mut codes = Codes::new();
    for asked in &condition.any_of {
        match asked {
            Asked::Uri(url) => of_set(caller, way, condition, url, &mut codes).await?,
            Asked::Token(Token { system: System::Is(system), code: Some(code) }) => {
                let found = related(caller, way, condition, (system, code)).await?;
                codes.entry(system.clone()).or_default().extend(found);
            }
            _ => {}
        }
        if codes.values().map(Vec::len).sum::<usize>() > CODES_MAX {
            return Err(Error::new(&error::TOO_COSTLY).detail("A search can ask for 5000 codes of value sets at once."));
        }
    }
    condition.any_of = vec![Asked::Codes(codes)];
    Ok(())
}

async fn of_set(caller: &Caller, way: &mut Way<'_>, condition: &Condition, url: &str, codes: &mut Codes) -> Result<()> {
    let set = terminology::addressed(caller, way, "", "ValueSet", url).await?;
    let set = set.ok_or_else(|| refused(condition, "The value set is not known here."))?;
    let known = terminology::gathered(caller, way, "", vec![set]).await?;
    let found = known.codes(url).ok_or_else(|| refused(condition, "The value set draws on code systems that are not held here."))?;
    for (system, found) in found {
        codes.entry(system).or_default().extend(found);
    }
    Ok(())
}

async fn related(caller: &Caller, way: &mut Way<'_>, condition: &Condition, (system, code): (&str, &str)) -> Result<Vec<String>> {
    let is_above = condition.modifier == Some(Modifier::Above);
    let own = terminology::addressed(caller, way, "", "CodeSystem", system).await?;
    let found = own.and_then(|own| Known::of(vec![own]).related(system, code, is_above));
    found.ok_or_else(|| refused(condition, "The code, or what lies above and below it, is not known here."))
}
