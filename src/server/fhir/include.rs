//! `_include` and `_revinclude`: what the matches refer to and what refers to them, each resource once. What columns lead to is
//! asked for behind the page, in its round trip; what only the resources say, once they are read.

use super::page::{self, Fetched, Prepared};
use super::read::Shown;
use super::types;
use super::way::Way;
use crate::fhir::definitions::Definitions;
use crate::fhir::find::Find;
use crate::fhir::index::{self, Index};
use crate::fhir::registry::Interaction;
use crate::fhir::search::param::ID;
use crate::fhir::search::value::{Ids, Named};
use crate::fhir::search::{Condition, Include, Kind, Query, SearchParam, Value as Asked};
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use futures_util::future::try_join_all;
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

/// What an include of the first round finds in one type, asked for behind the page.
pub struct Ahead {
    include: usize,
    is_reverse: bool,
    type_name: &'static str,
    pub asked: Prepared,
}

impl Ahead {
    pub fn is_reverse(&self) -> bool {
        self.is_reverse
    }
}

/// Where columns lead. Nothing for an include of all there is: what may be of many types is asked for when it is known.
pub async fn ahead(caller: &Caller, way: &mut Way<'_>, query: &Query, page: &Prepared) -> Result<Vec<Ahead>> {
    let mut ahead = Vec::new();
    for (place, include) in query.includes.iter().enumerate() {
        let Some(param) = include.param else { continue };
        let named = if include.is_reverse { page.reversed(include, param) } else { page.led_to(include, param) };
        for (type_name, param, any_of) in named {
            let asked = prepared(caller, way, type_name, param, any_of).await?.filter(|asked| asked.context.plane == page.context.plane);
            ahead.extend(asked.map(|asked| Ahead { include: place, is_reverse: include.is_reverse, type_name, asked }));
        }
    }
    Ok(ahead)
}

/// A type, a parameter of it, and what that is asked.
type Question = (&'static str, &'static SearchParam, Vec<Asked>);

impl Prepared {
    fn reversed(&self, include: &Include, param: &'static SearchParam) -> Vec<Question> {
        let pages = self.pages().unwrap_or_default();
        let of_pages = pages.into_iter().filter(|(mapping, _)| leads(include, param, mapping.of.name));
        let any_of: Vec<Asked> =
            of_pages.map(|(mapping, told)| Asked::Ids(Ids { type_name: Some(mapping.of.name), of: Named::As(told.ids()) })).collect();
        if any_of.is_empty() { Vec::new() } else { vec![(include.from, param, any_of)] }
    }

    fn led_to(&self, include: &Include, param: &SearchParam) -> Vec<Question> {
        let mut named: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let pages = self.pages().unwrap_or_default().into_iter().filter(|(mapping, _)| mapping.of.name == include.from);
        for (mapping, told) in pages {
            for find in mapping.find(param.name).into_iter().flat_map(Find::each) {
                let (column, rows, to) = match find {
                    Find::Points { column, to } | Find::Leads { column, to, .. } => (column, String::new(), to),
                    Find::Rows { from, column, to } => (column, format!(" cross join lateral (select i.* from {from}) i"), to),
                    _ => continue,
                };
                if include.to.is_none_or(|asked| asked == *to) {
                    let text =
                        format!("select {column} from {} r{rows} where (r.tenant_id, r.id) in ({})", mapping.table.name, told.keys());
                    named.entry(to).or_default().push(text);
                }
            }
        }
        let question = |(to, walks): (&'static str, Vec<String>)| {
            let of = Named::As(format!("array({})", walks.join(" union all ")));
            (to, &ID, vec![Asked::Ids(Ids { type_name: None, of })])
        };
        named.into_iter().map(question).collect()
    }
}

/// In the order in which they were come upon.
pub async fn beside(
    caller: &Caller,
    way: &mut Way<'_>,
    query: &Query,
    matches: &[Shown],
    mut ahead: Vec<(Ahead, Fetched)>,
    base: &str,
) -> Result<Vec<Shown>> {
    let mut seen: Known = matches.iter().map(known).collect();
    let mut found: Vec<Shown> = Vec::new();
    let mut from = 0;
    for round in 0..ROUNDS_MAX {
        let of: &[Shown] = if round == 0 { matches } else { found.get(from..).unwrap_or_default() };
        let asked: Vec<(usize, &Include)> =
            query.includes.iter().enumerate().filter(|(_, include)| round == 0 || include.is_iterate).collect();
        if of.is_empty() || asked.is_empty() {
            break;
        }
        let resources: Vec<(Uuid, Json)> =
            of.iter().map(|shown| (shown.record.id, Json::Object(shown.resource.as_map().clone()))).collect();
        from = found.len();
        for (place, include) in asked {
            let (own, others) = ahead.into_iter().partition(|(one, _)| round == 0 && one.include == place);
            ahead = others;
            let new = if include.is_reverse {
                referring(caller, way, include, &resources, own).await?
            } else {
                referred(caller, way, (include, base), &resources, &seen, own).await?
            };
            found.extend(new.into_iter().filter(|shown| seen.insert(known(shown))));
            if found.len() > INCLUDED_MAX {
                return Err(too_many());
            }
        }
    }
    Ok(found)
}

fn too_many() -> Error {
    Error::new(&error::TOO_COSTLY).detail("More than 1000 resources would be included: ask for a smaller page.")
}

/// What the reference parameters of the include lead to.
async fn referred(
    caller: &Caller,
    way: &mut Way<'_>,
    (include, base): (&Include, &str),
    of: &[(Uuid, Json)],
    seen: &Known,
    ahead: Vec<(Ahead, Fetched)>,
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
    let (mut found, mut told) = (Vec::new(), Vec::new());
    for (one, fetched) in ahead {
        let Some(ids) = names.get_mut(one.type_name) else { continue };
        let (shown, events) = fetched.picked(caller, &one.asked, |record| ids.contains(&record.id))?;
        ids.retain(|id| shown.iter().all(|shown| shown.record.id != *id));
        found.extend(shown);
        told.extend(events);
    }
    try_join_all(told).await?;
    for (name, ids) in names.into_iter().filter(|(_, ids)| !ids.is_empty()) {
        let ids = Asked::Ids(Ids { type_name: None, of: Named::These(ids.into_iter().collect()) });
        found.extend(records(caller, way, name, &ID, vec![ids]).await?);
    }
    Ok(found)
}

/// What refers to them by the include's parameter.
async fn referring(
    caller: &Caller,
    way: &mut Way<'_>,
    include: &Include,
    of: &[(Uuid, Json)],
    ahead: Vec<(Ahead, Fetched)>,
) -> Result<Vec<Shown>> {
    let mut found = Vec::new();
    if let Some((one, fetched)) = ahead.into_iter().next() {
        if fetched.len() > INCLUDED_MAX {
            return Err(too_many());
        }
        let (shown, told) = fetched.picked(caller, &one.asked, |_| true)?;
        try_join_all(told).await?;
        return Ok(shown);
    }
    let def = types::registry().find(include.from)?;
    let params = def.search.iter().filter(|param| param.kind == Kind::Reference && include.param.is_none_or(|asked| asked == *param));
    for param in params {
        let mut named = Names::new();
        for (id, resource) in of {
            let type_name = Definitions::r4().resources().find(|known| resource["resourceType"] == *known);
            if let Some(type_name) = type_name.filter(|name| leads(include, param, name)) {
                named.entry(type_name).or_default().insert(*id);
            }
        }
        let ids = |(name, ids): (_, BTreeSet<Uuid>)| Asked::Ids(Ids { type_name: Some(name), of: Named::These(ids.into_iter().collect()) });
        let any_of: Vec<Asked> = named.into_iter().map(ids).collect();
        if !any_of.is_empty() {
            found.extend(records(caller, way, def.name, param, any_of).await?);
        }
    }
    Ok(found)
}

/// Whether a reference of that parameter may be to the type.
fn leads(include: &Include, param: &SearchParam, type_name: &str) -> bool {
    include.to.is_none_or(|to| to == type_name) && (param.targets.is_empty() || param.targets.contains(&type_name))
}

async fn records(
    caller: &Caller,
    way: &mut Way<'_>,
    name: &'static str,
    param: &'static SearchParam,
    any_of: Vec<Asked>,
) -> Result<Vec<Shown>> {
    let Some(asked) = prepared(caller, way, name, param, any_of).await? else { return Ok(Vec::new()) };
    let page = page::pages(caller, way, &[asked], usize::MAX).await?.pop();
    let page = page.ok_or_else(|| Error::internal("a search has a page"))?;
    if page.next.is_some() { Err(too_many()) } else { Ok(page.shown) }
}

/// None of a type that the caller may not search.
async fn prepared(
    caller: &Caller,
    way: &mut Way<'_>,
    name: &'static str,
    param: &'static SearchParam,
    any_of: Vec<Asked>,
) -> Result<Option<Prepared>> {
    let def = types::registry().find(name).ok().filter(|def| super::allowed_some(caller, def, Interaction::SearchType).is_ok());
    if def.is_none() {
        return Ok(None);
    }
    let condition = Condition { param, modifier: None, any_of, chains: Vec::new() };
    let query = Query { conditions: vec![condition], count: INCLUDED_MAX, ..Query::default() };
    match page::prepared(caller, way, name, &query).await {
        Err(refusal) if refusal.code == &error::FORBIDDEN => Ok(None),
        prepared => prepared.map(Some),
    }
}
