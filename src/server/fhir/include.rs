//! `_include` and `_revinclude`: what the matches refer to and what refers to them, each resource once.

use super::read::Shown;
use super::way::Way;
use super::{search, types};
use crate::fhir::definitions::Definitions;
use crate::fhir::index::{self, Index};
use crate::fhir::registry::Interaction;
use crate::fhir::search::param::ID;
use crate::fhir::search::value::{ReferenceValue, System, Token};
use crate::fhir::search::{Condition, Include, Kind, Query, SearchParam, Value as Asked};
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Resources beside the matches of one page.
const INCLUDED_MAX: usize = 1_000;
/// How often `:iterate` goes on from what it found.
const ROUNDS_MAX: usize = 4;

type Names = BTreeMap<&'static str, BTreeSet<Uuid>>;
/// A resource: one row may be several, under one id.
type Known = BTreeSet<(String, Uuid)>;

fn known(shown: &Shown) -> (String, Uuid) {
    (shown.resource.type_name().to_owned(), shown.record.id)
}

/// In the order in which they were come upon.
pub async fn beside(caller: &Caller, way: &mut Way<'_>, query: &Query, matches: &[Shown], base: &str) -> Result<Vec<Shown>> {
    let mut seen: Known = matches.iter().map(known).collect();
    let mut found: Vec<Shown> = Vec::new();
    let mut from = 0;
    for round in 0..ROUNDS_MAX {
        let of: &[Shown] = if round == 0 { matches } else { found.get(from..).unwrap_or_default() };
        let asked: Vec<&Include> = query.includes.iter().filter(|include| round == 0 || include.is_iterate).collect();
        if of.is_empty() || asked.is_empty() {
            break;
        }
        let resources: Vec<(Uuid, Json)> =
            of.iter().map(|shown| (shown.record.id, Json::Object(shown.resource.as_map().clone()))).collect();
        from = found.len();
        for include in asked {
            let new = if include.is_reverse {
                referring(caller, way, include, &resources).await?
            } else {
                referred(caller, way, (include, base), &resources, &seen).await?
            };
            found.extend(new.into_iter().filter(|shown| seen.insert(known(shown))));
            if found.len() > INCLUDED_MAX {
                return Err(Error::new(&error::TOO_COSTLY).detail("More than 1000 resources would be included: ask for a smaller page."));
            }
        }
    }
    Ok(found)
}

/// What the reference parameters of the include lead to.
async fn referred(
    caller: &Caller,
    way: &mut Way<'_>,
    (include, base): (&Include, &str),
    of: &[(Uuid, Json)],
    seen: &Known,
) -> Result<Vec<Shown>> {
    let known = Definitions::r4().parameters(include.from);
    let indexes: Vec<Index> = known
        .filter(|known| known.kind == "reference" && include.param.is_none_or(|param| param.name == known.code))
        .filter_map(|known| Index::of(include.from, known))
        .collect();
    let mut names = Names::new();
    for (_, resource) in of.iter().filter(|(_, resource)| resource["resourceType"] == include.from) {
        for row in index::rows(&indexes, resource, base) {
            let (Some(name), Some(id)) = (row.system, row.target) else { continue };
            let def = types::registry().find(&name).ok().filter(|def| include.to.is_none_or(|to| to == def.name));
            if let Some(def) = def.filter(|def| !seen.contains(&(def.name.to_owned(), id))) {
                names.entry(def.name).or_default().insert(id);
            }
        }
    }
    let mut found = Vec::new();
    for (name, ids) in names {
        let ids = ids.into_iter().map(|id| Asked::Token(Token { system: System::Any, code: Some(id.to_string()) }));
        found.extend(records(caller, way, name, &ID, ids.collect()).await?);
    }
    Ok(found)
}

/// What refers to them by the include's parameter.
async fn referring(caller: &Caller, way: &mut Way<'_>, include: &Include, of: &[(Uuid, Json)]) -> Result<Vec<Shown>> {
    let def = types::registry().find(include.from)?;
    let mut found = Vec::new();
    for param in def.search.iter().filter(|param| param.kind == Kind::Reference && include.param.is_none_or(|asked| asked == *param)) {
        let ids = of.iter().filter_map(|(id, resource)| {
            let name = resource["resourceType"].as_str()?;
            let type_name = Definitions::r4().resources().find(|known| *known == name && include.to.is_none_or(|to| to == *known))?;
            let leads = param.targets.is_empty() || param.targets.contains(&type_name);
            leads.then(|| Asked::Reference(ReferenceValue::Local { type_name: Some(type_name), id: id.to_string() }))
        });
        let ids: Vec<Asked> = ids.collect();
        if !ids.is_empty() {
            found.extend(records(caller, way, def.name, param, ids).await?);
        }
    }
    Ok(found)
}

/// Nothing of a type that the caller may not search.
async fn records(
    caller: &Caller,
    way: &mut Way<'_>,
    name: &'static str,
    param: &'static SearchParam,
    any_of: Vec<Asked>,
) -> Result<Vec<Shown>> {
    let def = types::registry().find(name)?;
    if super::allowed_some(caller, def, Interaction::SearchType).is_err() {
        return Ok(Vec::new());
    }
    let condition = Condition { param, modifier: None, any_of, chains: Vec::new() };
    let query = Query { conditions: vec![condition], count: INCLUDED_MAX, ..Query::default() };
    match search::page(caller, way, name, &query).await {
        Err(refusal) if refusal.code == &error::FORBIDDEN => Ok(Vec::new()),
        Err(refusal) => Err(refusal),
        Ok(page) if page.next.is_some() => {
            Err(Error::new(&error::TOO_COSTLY).detail("More than 1000 resources would be included: ask for a smaller page."))
        }
        Ok(page) => Ok(page.shown),
    }
}
