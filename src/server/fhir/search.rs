//! What a search asks of a table: its conditions, its order, and which of them is walked.

use super::way::Way;
use super::writing::NEVER;
use super::{apart, find, held, narrow, page, read, types, vocabulary};
use crate::fhir::mapping::Mapping;
use crate::fhir::negotiate::Prefer;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search;
use crate::fhir::search::value::Reading;
use crate::fhir::search::{Query, Rules, Total};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::{PAGE_SIZE, PAGE_SIZE_MAX, sort_of};
use crate::kernel::table::{List, Record, Sort, Stamps, Table, Ty, Width, store};
use chrono::Utc;
use uuid::Uuid;

const LAST_UPDATED: Sort = Sort { name: "_lastUpdated", column: "updated_at", ty: Ty::Instant, nullable: false };

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
    let query = parse(def.name, def.search, text, Prefer::STRICT, base)?;
    if query.conditions.is_empty() {
        return Err(Error::new(&error::PARAMETER_INVALID).detail("A condition names at least one search parameter."));
    }
    Ok(Query { count: 2, cursor: None, summary: None, sort: Vec::new(), total: Total::None, ..query })
}

/// Which resources of the caller's own tenant meet it; of many, two. Asked in the transaction that acts on the answer.
pub async fn matches(scope: &mut Scope, caller: &Caller, def: &TypeDef, condition: &Query) -> Result<Vec<Uuid>> {
    let own = Caller { reads_subtree: false, ..caller.clone() };
    let condition = &*vocabulary::settled(&own, &mut Way::Within(&mut *scope), condition).await?;
    let mut lists = Vec::new();
    for (mapping, context) in read::readable(&own, types::sources(def.name)?)? {
        let list = list(&own, &context, mapping, condition, false).await?;
        if can_be_met(&list) {
            lists.push((mapping, list.page(context.plane, context.tenant)?, list, context));
        }
    }
    let Some((.., context)) = lists.first() else { return Ok(Vec::new()) };
    let queries = lists.iter().map(|(_, page, ..)| page.asked()).collect();
    let answers = page::current(&own, &mut Way::Within(scope), context, queries).await?;
    let mut found = Vec::new();
    for ((mapping, _, list, context), rows) in lists.iter().zip(answers) {
        let records = store::keyed(list, context.plane, &rows, &caller.kernel.keys).await?;
        let records: Vec<Record> = records.into_iter().map(|(record, _)| record).take(condition.count).collect();
        own.searched(context, mapping.table, &records).await?;
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
    match page::one(&own, &mut Way::Apart, def.name, &condition(caller, def, text, base)?).await?.shown.as_slice() {
        [one] => Ok(format!("{name}/{}", one.record.id)),
        [] => Err(refused("The condition is met by no resource the caller can see.")),
        _ => Err(refused("The condition is met by several resources.")),
    }
}

/// When a row was last another: rows that never change have no such column of their own.
pub fn changed(table: &Table) -> &'static str {
    match table.stamps {
        Stamps::Versioned => "updated_at",
        Stamps::Created => "created_at",
        Stamps::None => "occurred_at",
    }
}

/// An index of every table has the order, or there is none.
pub fn is_walked(sources: &[&'static Mapping], sorts: &[search::Sort]) -> bool {
    match sorts {
        [] => true,
        [sort] => sources.iter().all(|mapping| walk(mapping, sort).is_some()),
        _ => false,
    }
}

/// The order of an index.
fn walk(mapping: &Mapping, sort: &search::Sort) -> Option<Sort> {
    match sort.param.name {
        "_id" => sort_of(mapping.table, "id"),
        "_lastUpdated" => Some(Sort { column: changed(mapping.table), ..LAST_UPDATED }),
        name => mapping.sorts.iter().copied().find(|known| known.name == name),
    }
}

pub async fn list(caller: &Caller, context: &Context, mapping: &'static Mapping, query: &Query, is_walked: bool) -> Result<List> {
    let mut list = List { width: Width::Lean, limit: query.count, ..List::new(mapping.table) };
    list.question = question(caller, query);
    match query.sort.first().filter(|_| is_walked) {
        Some(sort) => {
            list.sort = walk(mapping, sort).unwrap_or(list.sort);
            list.descending = sort.is_descending;
        }
        None => {
            let orders: Option<_> = query.sort.iter().map(|sort| held::order(mapping, sort)).collect();
            list.orders = orders.ok_or_else(|| Error::internal(format!("{} has no such order", mapping.table.name)))?;
        }
    }
    list.extra.extend(mapping.rows().map(|told| (told.into(), Vec::new())));
    // What leaves the fewest records is walked; the others are asked of those.
    let (mut conditions, mut within) = (query.conditions.iter().collect::<Vec<_>>(), query.within.as_slice());
    if let Some(either) = apart::walks(caller, context, mapping, within).await? {
        (list.either, within) = (either, &[]);
    } else if let Some(place) = (0..conditions.len()).max_by_key(|place| apart::drives(mapping, conditions[*place]))
        && let Some(either) = apart::walks(caller, context, mapping, std::slice::from_ref(conditions[place])).await?
    {
        list.either = either;
        conditions.remove(place);
    }
    for condition in conditions {
        list.extra.push(find::condition(caller, context, mapping, condition).await?);
    }
    for filter in &query.filters {
        list.extra.push(find::filter(caller, context, mapping, filter).await?);
    }
    if !within.is_empty() {
        list.extra.push(find::any_of(caller, context, mapping, within).await?);
    }
    list.extra.extend(Box::pin(narrow::condition(caller, context, mapping, 's')).await?);
    Ok(list)
}

/// Of a type's several tables some have nothing that is asked for.
pub fn can_be_met(list: &List) -> bool {
    list.extra.iter().all(|(text, _)| text != NEVER)
}

/// Who asks for what: a page's cursor is of no use to others, nor to another question. How many a page has may change.
fn question(caller: &Caller, query: &Query) -> String {
    let who = caller.context.who();
    let asked = query.applied.iter().filter(|(name, _)| !matches!(name.as_str(), "_cursor" | "_count" | "_total" | "_pretty" | "_format"));
    let asked: Vec<String> = asked.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{who} {}", asked.join("&"))
}
