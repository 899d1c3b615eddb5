//! Searches: the conditions of every table of a type, their pages merged by one order, and the parts of the page.

use super::read::{self, Shown};
use super::{find, include, types};
use crate::fhir::bundle::{self, Page};
use crate::fhir::mapping::Mapping;
use crate::fhir::negotiate::{Handling, Prefer};
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::value::Reading;
use crate::fhir::search::{Query, Rules, Total};
use crate::fhir::{search, subset};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::db::{Param, Scope};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::{PAGE_SIZE, PAGE_SIZE_MAX, sort_of};
use crate::kernel::table::{Cursor, List, Record, Sort, Stamps, Table, Ty, Width, store};
use chrono::Utc;
use serde_json::Value as Json;
use std::cmp::Ordering;
use uuid::Uuid;

const LAST_UPDATED: Sort = Sort { name: "_lastUpdated", column: "updated_at", ty: Ty::Instant, nullable: false };

/// A row and what it is ordered by.
struct Found {
    mapping: &'static Mapping,
    record: Record,
    key: Option<String>,
}

pub fn parse(type_name: &str, params: &'static [search::SearchParam], text: &str, prefer: Prefer, base: &str) -> Result<Query> {
    let reading = Reading { base, now: Utc::now() };
    let others = |name: &str| types::registry().find(name).ok();
    let rules = Rules { type_name, params, handling: prefer.handling, count_default: PAGE_SIZE, count_max: PAGE_SIZE_MAX, reading, others };
    search::parse(text, &rules)
}

/// A condition, read strictly: what is passed over would be met by more than was meant, and nothing is met by all.
pub fn condition(caller: &Caller, def: &TypeDef, text: &str, base: &str) -> Result<Query> {
    super::allowed(caller, def, Interaction::SearchType)?;
    strict(def, text, base)
}

/// The same, asked by the server for itself.
pub fn strict(def: &TypeDef, text: &str, base: &str) -> Result<Query> {
    let prefer = Prefer { handling: Handling::Strict, ..Prefer::default() };
    let query = parse(def.name, def.search, text, prefer, base)?;
    if query.conditions.is_empty() {
        return Err(Error::new(&error::PARAMETER_INVALID).detail("A condition names at least one search parameter."));
    }
    Ok(Query { count: 2, cursor: None, summary: None, sort: Vec::new(), total: Total::None, ..query })
}

/// Which resources of the caller's own tenant meet it; of many, two. Asked in the transaction that acts on the answer.
pub async fn matches(scope: &mut Scope, caller: &Caller, def: &TypeDef, condition: &Query) -> Result<Vec<Uuid>> {
    let own = Caller { reads_subtree: false, ..caller.clone() };
    let mut found = Vec::new();
    for (mapping, context) in read::readable(&own, types::sources(def.name)?)? {
        let list = list(&own, &context, mapping, condition).await?;
        let page = list.page(context.plane, context.tenant)?;
        let rows = scope.rows(page.query.clone(), &page.params()).await?;
        let records = store::keyed(&list, context.plane, &rows, &caller.kernel.keys).await?;
        let records: Vec<Record> = records.into_iter().map(|(record, _)| record).take(condition.count).collect();
        own.searched(&context, mapping.table, &records).await?;
        found.extend(records.iter().map(|record| record.id));
    }
    found.truncate(condition.count);
    Ok(found)
}

/// The one resource that a conditional reference `Type?query` means.
pub async fn single(caller: &Caller, reference: &str, base: &str) -> Result<String> {
    let refused = |text: &str| Error::new(&error::REFERENCE_UNKNOWN).fault("reference", "reference", text);
    let (name, text) = reference.split_once('?').ok_or_else(|| refused("A conditional reference is a type and a query."))?;
    let def = types::registry().find(name)?;
    let own = Caller { reads_subtree: false, ..caller.clone() };
    match page(&own, def.name, &condition(caller, def, text, base)?).await?.shown.as_slice() {
        [one] => Ok(format!("{name}/{}", one.record.id)),
        [] => Err(refused("The condition is met by no resource the caller can see.")),
        _ => Err(refused("The condition is met by several resources.")),
    }
}

/// The searchset for a query string.
pub async fn run(caller: &Caller, type_name: &str, query: &Query, base: &str) -> Result<Json> {
    let Matches { shown, total, next } = page(caller, type_name, query).await?;
    let included = include::beside(caller, query, &shown, base).await?;
    let matches = shown.into_iter().map(|shown| cut(shown, query)).collect();
    let included = included.into_iter().map(|shown| (shown.record.id.to_string(), shown.resource.into_value())).collect();
    Ok(bundle::searchset(base, type_name, query, Page { matches, included, total, next }))
}

/// One page of what a query finds.
pub struct Matches {
    pub shown: Vec<Shown>,
    total: Option<u64>,
    pub next: Option<String>,
}

pub async fn page(caller: &Caller, type_name: &str, query: &Query) -> Result<Matches> {
    let sources = types::sources(type_name)?;
    let open = read::readable(caller, sources)?;
    let mut lists = Vec::with_capacity(open.len());
    for (mapping, context) in &open {
        lists.push((*mapping, list(caller, context, mapping, query).await?));
    }
    let context = open.first().map(|(_, context)| context.clone()).ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let (page, total) = fetch(caller, &context, &mut lists, query).await?;
    let limit = if query.is_count_only() { 0 } else { query.count };
    let next = match (page.get(limit), limit.checked_sub(1).and_then(|last| page.get(last)), lists.first()) {
        (Some(_), Some(last), Some((_, list))) => {
            let cursor = Cursor { value: last.key.clone(), id: last.record.id, tenant: last.record.tenant };
            Some(cursor.seal(list, caller.kernel.keys.own())?)
        }
        _ => None,
    };
    let records: Vec<(&'static Mapping, Record)> = page.into_iter().take(limit).map(|found| (found.mapping, found.record)).collect();
    for (place, (mapping, context)) in open.iter().enumerate() {
        let of: Vec<Record> = records.iter().filter(|(of, _)| std::ptr::eq(*of, *mapping)).map(|(_, record)| record.clone()).collect();
        if !of.is_empty() || (place == 0 && records.is_empty()) {
            caller.searched(context, mapping.table, &of).await?;
        }
    }
    let shown = read::many(caller, &context, records).await?;
    Ok(Matches { shown, total, next })
}

/// When a row was last another: rows that never change have no such column of their own.
pub fn changed(table: &Table) -> &'static str {
    match table.stamps {
        Stamps::Versioned => "updated_at",
        Stamps::Created => "created_at",
        Stamps::None => "occurred_at",
    }
}

fn cut(shown: Shown, query: &Query) -> (String, Json) {
    let Shown { record, mut resource } = shown;
    subset::cut(&mut resource, query);
    (record.id.to_string(), resource.into_value())
}

async fn list(caller: &Caller, context: &Context, mapping: &'static Mapping, query: &Query) -> Result<List> {
    let mut list = List { width: Width::Lean, ..List::new(mapping.table) };
    list.limit = query.count;
    match query.sort.as_slice() {
        [] => {}
        [sort] => {
            list.sort = match sort.param.name {
                "_id" => sort_of(mapping.table, "id"),
                "_lastUpdated" => Some(Sort { column: changed(mapping.table), ..LAST_UPDATED }),
                name => mapping.sorts.iter().copied().find(|known| known.name == name),
            }
            .ok_or_else(|| Error::internal(format!("{} is not sorted by {}", mapping.table.name, sort.param.name)))?;
            list.descending = sort.is_descending;
        }
        _ => return Err(Error::new(&error::PARAMETER_INVALID).fault("_sort", "not-supported", "One sort key can be given.")),
    }
    list.extra.extend(mapping.rows().map(|told| (told.into(), Vec::new())));
    for condition in &query.conditions {
        list.extra.push(find::condition(caller, context, mapping, condition).await?);
    }
    if !query.within.is_empty() {
        list.extra.push(find::any_of(caller, context, mapping, &query.within).await?);
    }
    Ok(list)
}

/// The rows of all tables after the cursor, merged; one more than the page, when there are more.
async fn fetch(
    caller: &Caller,
    context: &Context,
    lists: &mut [(&'static Mapping, List)],
    query: &Query,
) -> Result<(Vec<Found>, Option<u64>)> {
    let own = caller.kernel.keys.own();
    if let (Some(text), Some((_, first))) = (&query.cursor, lists.first()) {
        let cursor = Cursor::open(text, first, own)?;
        lists.iter_mut().for_each(|(_, list)| list.after = Some(cursor.clone()));
    }
    let (count_only, with_total) = (query.is_count_only(), query.is_count_only() || query.total != Total::None);
    let (mut pages, mut counts) = (Vec::new(), Vec::new());
    for (_, list) in lists.iter() {
        if !count_only {
            pages.push(list.page(context.plane, context.tenant)?);
        }
        if with_total {
            counts.push(list.count(context.plane, context.tenant)?);
        }
    }
    let queries: Vec<(_, Vec<Param<'_>>)> = pages.iter().chain(&counts).map(|built| (built.query.clone(), built.params())).collect();
    let answers = caller.kernel.door.open(context).await?.once(&queries).await?;
    let mut found = Vec::new();
    for ((mapping, list), rows) in lists.iter().zip(answers.iter().take(pages.len())) {
        // The row that proves a next page stays in until the tables are merged.
        let records = store::keyed(list, context.plane, rows, &caller.kernel.keys).await?;
        found.extend(records.into_iter().map(|(record, key)| Found { mapping, key, record }));
    }
    if let Some((_, list)) = lists.first().filter(|_| lists.len() > 1) {
        found.sort_by(|one, other| order(list, one, other));
    }
    let mut total = 0;
    for rows in answers.iter().skip(pages.len()) {
        let count: i64 = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
        total += u64::try_from(count).unwrap_or(0);
    }
    Ok((found, with_total.then_some(total)))
}

/// As PostgreSQL orders a page: the key, those without one last, then id and tenant.
fn order(list: &List, one: &Found, other: &Found) -> Ordering {
    let ids = (one.record.id, one.record.tenant).cmp(&(other.record.id, other.record.tenant));
    let keyed = match (&one.key, &other.key) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => return Ordering::Less,
        (None, Some(_)) => return Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    let order = keyed.then(ids);
    if list.descending { order.reverse() } else { order }
}
