//! Searches: the conditions of every table of a type, their pages merged by one order, and the parts of the page.

use super::read::{self, Paged, Shown};
use super::way::Way;
use super::{apart, extras, find, held, include, narrow, stale, types, vocabulary};
use crate::fhir::bundle::{self, Page};
use crate::fhir::mapping::Mapping;
use crate::fhir::negotiate::Prefer;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::value::Reading;
use crate::fhir::search::{Query, Rules, Total};
use crate::fhir::{search, subset};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Param, Query as Asked, Scope};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::{Built, PAGE_SIZE, PAGE_SIZE_MAX, sort_of};
use crate::kernel::table::{Cursor, List, Record, Sort, Stamps, Table, Ty, Width, ordered, store};
use chrono::Utc;
use futures_util::future::{BoxFuture, try_join, try_join_all};
use serde_json::Value as Json;
use std::cmp::Ordering;
use tokio_postgres::Row;
use uuid::Uuid;

const LAST_UPDATED: Sort = Sort { name: "_lastUpdated", column: "updated_at", ty: Ty::Instant, nullable: false };

/// A row and what it is ordered by.
struct Found {
    row: Paged,
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
    let answers = current(&own, &mut Way::Within(scope), context, queries).await?;
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
    match page(&own, &mut Way::Apart, def.name, &condition(caller, def, text, base)?).await?.shown.as_slice() {
        [one] => Ok(format!("{name}/{}", one.record.id)),
        [] => Err(refused("The condition is met by no resource the caller can see.")),
        _ => Err(refused("The condition is met by several resources.")),
    }
}

/// The searchset for a query string.
pub async fn run(caller: &Caller, way: &mut Way<'_>, type_name: &str, query: &Query, base: &str) -> Result<Json> {
    let page = page(caller, way, type_name, query).await?;
    answered(caller, way, type_name, query, page, base).await
}

/// The searchset of several types, which are asked the same and ordered alike.
pub async fn joined(caller: &Caller, way: &mut Way<'_>, all: Vec<Prepared>, query: &Query, base: &str) -> Result<Json> {
    let mut all = all.into_iter();
    let mut whole = all.next().ok_or_else(|| Error::internal("a search is of some type"))?;
    for one in all {
        if one.context.plane != whole.context.plane {
            return Err(Error::new(&error::PARAMETER_INVALID).fault("_type", "not-supported", "These types are not read together."));
        }
        whole.open.extend(one.open);
        whole.lists.extend(one.lists);
    }
    if let (Some(text), Some((_, first))) = (&query.cursor, whole.lists.first()) {
        let cursor = Cursor::open(text, first, caller.kernel.keys.own())?;
        whole.lists.iter_mut().for_each(|(_, list)| list.after = Some(cursor.clone()));
    }
    let page = pages(caller, way, &[whole], usize::MAX).await?.pop();
    let page = page.ok_or_else(|| Error::internal("a search has a page"))?;
    answered(caller, way, "", query, page, base).await
}

/// A page with what is included beside it.
async fn answered(caller: &Caller, way: &mut Way<'_>, type_name: &str, query: &Query, page: Matches, base: &str) -> Result<Json> {
    let Matches { shown, total, next } = page;
    let included = include::beside(caller, way, query, &shown, base).await?;
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

/// A search of one type, ready to be asked.
pub struct Prepared {
    open: Vec<(&'static Mapping, Context)>,
    lists: Vec<(&'static Mapping, List)>,
    pub context: Context,
    query: Query,
}

pub async fn prepared(caller: &Caller, way: &mut Way<'_>, type_name: &str, query: &Query) -> Result<Prepared> {
    let sources = types::sources(type_name)?;
    let open = read::readable(caller, sources)?;
    let query = Box::pin(vocabulary::settled(caller, way, query)).await?.into_owned();
    let mut lists = Vec::with_capacity(open.len());
    let is_walked = is_walked(sources, &query.sort);
    for (mapping, context) in &open {
        let list = List { beside: extras::beside(mapping), ..list(caller, context, mapping, &query, is_walked).await? };
        lists.extend(can_be_met(&list).then_some((*mapping, list)));
    }
    let context = open.first().map(|(_, context)| context.clone()).ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    if let (Some(text), Some((_, first))) = (&query.cursor, lists.first()) {
        let cursor = Cursor::open(text, first, caller.kernel.keys.own())?;
        lists.iter_mut().for_each(|(_, list)| list.after = Some(cursor.clone()));
    }
    Ok(Prepared { open, lists, context, query })
}

pub async fn page(caller: &Caller, way: &mut Way<'_>, type_name: &str, query: &Query) -> Result<Matches> {
    let one = prepared(caller, way, type_name, query).await?;
    let mut pages = pages(caller, way, &[one], usize::MAX).await?;
    pages.pop().ok_or_else(|| Error::internal("a search has a page"))
}

/// A page of each, in one round trip for all of them and one for the rows below their records, where there are any; `left` in all, the first
/// ones first.
pub async fn pages(caller: &Caller, way: &mut Way<'_>, all: &[Prepared], mut left: usize) -> Result<Vec<Matches>> {
    let (mut places, mut records, mut told) = (Vec::with_capacity(all.len()), Vec::new(), Vec::new());
    let Some(context) = all.first().map(|first| &first.context) else { return Ok(Vec::new()) };
    for (one, (found, total)) in all.iter().zip(fetch(caller, way, context, all).await?) {
        let limit = if one.query.is_count_only() { 0 } else { one.query.count.min(left) };
        let next = match (found.get(limit), limit.checked_sub(1).and_then(|last| found.get(last)), one.lists.first()) {
            (Some(_), Some(last), Some((_, list))) => {
                let cursor = Cursor { value: last.key.clone(), id: last.row.record.id, tenant: last.row.record.tenant };
                Some(cursor.seal(list, caller.kernel.keys.own())?)
            }
            _ => None,
        };
        let own: Vec<Paged> = found.into_iter().take(limit).map(|found| found.row).collect();
        told.extend(seen(caller, one, &own));
        left -= own.len();
        places.push((own.len(), total, next));
        records.extend(own);
    }
    let (_, shown) = try_join(try_join_all(told), read::many(caller, way, context, records)).await?;
    let mut shown = shown.into_iter();
    Ok(places.into_iter().map(|(count, total, next)| Matches { shown: shown.by_ref().take(count).collect(), total, next }).collect())
}

/// One event for each table; an empty page is told of the first.
fn seen<'c>(caller: &'c Caller, one: &Prepared, records: &[Paged]) -> Vec<BoxFuture<'c, Result<()>>> {
    let mut told = Vec::new();
    for (place, (mapping, context)) in one.open.iter().enumerate() {
        let mut of = records.iter().filter(|row| std::ptr::eq(row.mapping, *mapping)).map(|row| &row.record).peekable();
        if of.peek().is_some() || (place == 0 && records.is_empty()) {
            told.push(caller.searched(context, mapping.table, of));
        }
    }
    told
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

/// An index of every table has the order, or there is none.
fn is_walked(sources: &[&'static Mapping], sorts: &[search::Sort]) -> bool {
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

async fn list(caller: &Caller, context: &Context, mapping: &'static Mapping, query: &Query, is_walked: bool) -> Result<List> {
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
fn can_be_met(list: &List) -> bool {
    list.extra.iter().all(|(text, _)| text != find::NEVER)
}

/// Who asks for what: a page's cursor is of no use to others, nor to another question. How many a page has may change.
fn question(caller: &Caller, query: &Query) -> String {
    let who = caller.context.who();
    let asked = query.applied.iter().filter(|(name, _)| !matches!(name.as_str(), "_cursor" | "_count" | "_total" | "_pretty" | "_format"));
    let asked: Vec<String> = asked.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{who} {}", asked.join("&"))
}

impl Prepared {
    fn has_total(&self) -> bool {
        self.query.is_count_only() || self.query.total != Total::None
    }
    /// Its pages, then its counts.
    pub fn statements(&self) -> Result<Vec<Built>> {
        let mut built = Vec::new();
        for (_, list) in self.lists.iter().filter(|_| !self.query.is_count_only()) {
            built.push(list.page(self.context.plane, self.context.tenant)?);
        }
        for (_, list) in self.lists.iter().filter(|_| self.has_total()) {
            built.push(list.count(self.context.plane, self.context.tenant)?);
        }
        Ok(built)
    }

    /// The rows of all tables after the cursor, merged; one more than the page, when there are more.
    async fn merged(&self, answers: &[Vec<Row>], keys: &Keyring) -> Result<(Vec<Found>, Option<u64>)> {
        let pages = if self.query.is_count_only() { 0 } else { self.lists.len() };
        let mut found = Vec::new();
        for ((mapping, list), rows) in self.lists.iter().zip(answers.iter().take(pages)) {
            // The row that proves a next page stays in until the tables are merged.
            let records = store::keyed(list, self.context.plane, rows, keys).await?;
            for (row, (record, key)) in rows.iter().zip(records) {
                let kept = extras::of_row(mapping, &record, row, keys).await?;
                found.push(Found { row: Paged { mapping, record, kept }, key });
            }
        }
        if let Some((_, list)) = self.lists.first().filter(|_| self.lists.len() > 1) {
            found.sort_by(|one, other| order(list, one, other));
        }
        let mut total = 0;
        for rows in answers.iter().skip(pages) {
            let count: i64 = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
            total += u64::try_from(count).unwrap_or(0);
        }
        Ok((found, self.has_total().then_some(total)))
    }
}

async fn fetch(caller: &Caller, way: &mut Way<'_>, context: &Context, all: &[Prepared]) -> Result<Vec<(Vec<Found>, Option<u64>)>> {
    let built = all.iter().map(Prepared::statements).collect::<Result<Vec<_>>>()?;
    let queries: Vec<(_, Vec<Param<'_>>)> = built.iter().flatten().map(Built::asked).collect();
    let answers = current(caller, way, context, queries).await?;
    let (mut rest, mut merged) = (answers.as_slice(), Vec::with_capacity(all.len()));
    for (one, built) in all.iter().zip(&built) {
        let (own, others) = rest.split_at_checked(built.len()).ok_or_else(|| Error::internal("an answer for each statement"))?;
        merged.push(one.merged(own, &caller.kernel.keys).await?);
        rest = others;
    }
    Ok(merged)
}

/// The answers, once the values beside the columns are those of the records as they stand.
async fn current(
    caller: &Caller,
    way: &mut Way<'_>,
    context: &Context,
    mut queries: Vec<(Asked, Vec<Param<'_>>)>,
) -> Result<Vec<Vec<Row>>> {
    queries.push(stale::asked());
    let mut rounds = stale::ROUNDS_MAX;
    loop {
        let mut answers = way.once(caller, context, &queries).await?;
        let stale = answers.pop().unwrap_or_default();
        if stale.is_empty() || rounds == 0 {
            return Ok(answers);
        }
        rounds -= 1;
        match (stale::renew(&caller.kernel, &stale).await?, &way) {
            (Some(1..), _) => {}
            (Some(0), Way::Apart) => tokio::time::sleep(stale::WAIT).await,
            // What this transaction itself has marked, nobody else can see.
            _ => return Ok(answers),
        }
    }
}

/// As PostgreSQL orders a page: the key, those without one last, then id and tenant.
fn order(list: &List, one: &Found, other: &Found) -> Ordering {
    let place = |found: &Found| (found.row.record.id, found.row.record.tenant);
    let ids = place(one).cmp(&place(other));
    if !list.orders.is_empty() {
        return ordered::compare(&list.orders, one.key.as_deref(), other.key.as_deref()).then(ids);
    }
    let keyed = match (&one.key, &other.key) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => return Ordering::Less,
        (None, Some(_)) => return Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    let order = keyed.then(ids);
    if list.descending { order.reverse() } else { order }
}
