//! Pages of what searches find: the rows of all tables of a type merged by one order, the rows below their records, and what is
//! included beside them where columns lead to it, all of it in one round trip.

use super::below::{self, Parts, Whose};
use super::read::{self, Shown};
use super::search::{can_be_met, is_walked, list};
use super::way::Way;
use super::{extras, include, other, stale, types, vocabulary};
use crate::fhir::bundle::{self, Page};
use crate::fhir::mapping::{Mapping, Whole};
use crate::fhir::search::{Query, Total};
use crate::fhir::subset;
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Param, Query as Asked};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::Built;
use crate::kernel::table::{Cursor, List, Record, ordered, store};
use chrono::{TimeDelta, Utc};
use futures_util::future::{BoxFuture, try_join, try_join_all};
use serde_json::Value as Json;
use std::cmp::Ordering;
use tokio_postgres::Row;

/// A list by its number in a round trip: the statements behind its page know the page by settings of the transaction.
#[derive(Clone, Copy)]
pub struct Told(usize);

impl Told {
    pub fn ids(self) -> String {
        self.held("ids")
    }
    /// Of each of its rows the tenant and the id.
    pub fn keys(self) -> String {
        format!("select k.tenant_id, k.id from unnest({}, {}) k(tenant_id, id)", self.held("tenants"), self.held("ids"))
    }
    fn held(self, what: &str) -> String {
        format!("((select nullif(current_setting('page.{what}_{}', true), ''))::uuid[])", self.0)
    }
    /// The page's statement, which tells those behind it whose its first `limit` rows are. What no row depends on is evaluated
    /// once before any, so that a page without rows tells that too.
    fn telling(self, page: &str, limit: usize) -> String {
        let set = |what: &str, list: &str| format!("set_config('page.{what}_{}', coalesce({list}::text, ''), true)", self.0);
        let (ids, tenants) = (set("ids", "array_agg(id)"), set("tenants", "array_agg(tenant_id)"));
        format!(
            "with page as materialized ({page}) select page.* from page \
             where (select {ids} || {tenants} from (select id, tenant_id from page limit {limit}) shown) is not null"
        )
    }
}

/// Rows by an index cost what they cost where tables are in memory, so that a page walks the index that has its order and stops.
const WALKED: &str = "set local random_page_cost = 1.1";
/// What the planner expects of dates is too little for it to see that a page stops early, so it is not asked for each.
const ONCE: &str = "set local random_page_cost = 1.1; set local plan_cache_mode = force_generic_plan";
/// A code may be met by nearly all and what is new by nothing: then the walk for all dates would read everything.
const FOR_VALUES: &str = "set local random_page_cost = 1.1; set local plan_cache_mode = force_custom_plan";
/// So little of the time until now.
const DAYS: TimeDelta = TimeDelta::days(31);

/// A search, ready to be asked.
pub struct Prepared {
    open: Vec<(&'static Mapping, Context)>,
    lists: Vec<(&'static Mapping, List)>,
    pub context: Context,
    query: Query,
    /// Of the tables where everything stands that was sent.
    planning: Option<&'static str>,
    /// Others are asked behind it for what its page leads to.
    is_followed: bool,
}

/// A record with its parts, what was sent beyond our columns, and what it is ordered by.
struct Found {
    mapping: &'static Mapping,
    whole: Whole,
    kept: Option<extras::Extras>,
    key: Option<String>,
}

impl Found {
    fn shown(self) -> Result<Shown> {
        read::shown(self.mapping, self.whole, self.kept)
    }
}

/// What is told of what was seen, before any of it is sent.
pub type Events<'c> = Vec<BoxFuture<'c, Result<()>>>;

/// What a search found: a page and the row that proves a next one.
#[derive(Default)]
pub struct Fetched {
    found: Vec<Found>,
    total: Option<u64>,
    /// The rows of each table's page alone, together.
    told: usize,
}

impl Fetched {
    /// Those that are wanted, and that they were seen.
    pub fn picked<'c>(self, caller: &'c Caller, one: &Prepared, wanted: impl Fn(&Record) -> bool) -> Result<(Vec<Shown>, Events<'c>)> {
        let found: Vec<Found> = self.found.into_iter().filter(|found| wanted(&found.whole.root)).collect();
        let told = seen(caller, one, &found);
        Ok((found.into_iter().map(Found::shown).collect::<Result<_>>()?, told))
    }
    pub fn len(&self) -> usize {
        self.found.len()
    }
}

/// One page of what a query finds.
pub struct Matches {
    pub shown: Vec<Shown>,
    pub next: Option<String>,
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
    let planning = match query.time_left(Utc::now()) {
        Some(left) if left <= DAYS => FOR_VALUES,
        Some(_) => ONCE,
        None => WALKED,
    };
    Ok(Prepared { open, lists, context, query, planning: Some(planning), is_followed: false })
}

/// The searchset for a query string.
pub async fn run(caller: &Caller, way: &mut Way<'_>, type_name: &str, query: &Query, base: &str) -> Result<Json> {
    let whole = prepared(caller, way, type_name, query).await?;
    answered(caller, way, type_name, query, whole, base).await
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
    answered(caller, way, "", query, whole, base).await
}

/// A page with what is included beside it.
async fn answered(caller: &Caller, way: &mut Way<'_>, type_name: &str, query: &Query, mut whole: Prepared, base: &str) -> Result<Json> {
    let ahead = include::ahead(caller, way, query, &whole).await?;
    whole.is_followed = !ahead.is_empty();
    let all: Vec<&Prepared> = std::iter::once(&whole).chain(ahead.iter().map(|one| &one.asked)).collect();
    let mut fetched = fetch(caller, way, &all).await?.into_iter();
    let page = fetched.next().unwrap_or_default();
    let (told, limit) = (page.told, whole.limit());
    let (found, total, next) = whole.cut(page, limit, &caller.kernel.keys)?;
    // Which of its tables' rows are on no page was not known to what was asked behind them.
    let is_all_shown = told == found.len();
    let told = try_join_all(seen(caller, &whole, &found));
    let beside = async {
        let shown = found.into_iter().map(Found::shown).collect::<Result<Vec<_>>>()?;
        let ahead = ahead.into_iter().zip(fetched).filter(|(one, _)| is_all_shown || !one.is_reverse()).collect();
        let included = include::beside(caller, way, query, &shown, ahead, base).await?;
        Ok((shown, included))
    };
    let (_, (shown, included)) = try_join(told, beside).await?;
    let matches = shown.into_iter().map(|shown| cut(shown, query)).collect();
    let included = included.into_iter().map(|shown| (shown.record.id.to_string(), shown.resource.into_value())).collect();
    Ok(bundle::searchset(base, type_name, query, Page { matches, included, total, next }))
}

fn cut(shown: Shown, query: &Query) -> (String, Json) {
    let Shown { record, mut resource } = shown;
    subset::cut(&mut resource, query);
    (record.id.to_string(), resource.into_value())
}

pub async fn one(caller: &Caller, way: &mut Way<'_>, type_name: &str, query: &Query) -> Result<Matches> {
    let one = prepared(caller, way, type_name, query).await?;
    let mut pages = pages(caller, way, &[one], usize::MAX).await?;
    pages.pop().ok_or_else(|| Error::internal("a search has a page"))
}

/// A page of each, `left` in all, the first ones first.
pub async fn pages(caller: &Caller, way: &mut Way<'_>, all: &[Prepared], mut left: usize) -> Result<Vec<Matches>> {
    let (mut told, mut pages) = (Vec::new(), Vec::with_capacity(all.len()));
    for (one, fetched) in all.iter().zip(fetch(caller, way, &all.iter().collect::<Vec<_>>()).await?) {
        let page = one.cut(fetched, one.limit().min(left), &caller.kernel.keys)?;
        told.extend(seen(caller, one, &page.0));
        left -= page.0.len();
        pages.push(page);
    }
    let shown = async {
        let shown = |found: Vec<Found>| found.into_iter().map(Found::shown).collect::<Result<Vec<_>>>();
        pages.into_iter().map(|(found, _, next)| Ok(Matches { shown: shown(found)?, next })).collect()
    };
    Ok(try_join(try_join_all(told), shown).await?.1)
}

/// One event for each table; an empty page is told of the first.
fn seen<'c>(caller: &'c Caller, one: &Prepared, found: &[Found]) -> Events<'c> {
    let mut told = Vec::new();
    for (place, (mapping, context)) in one.open.iter().enumerate() {
        let mut of = found.iter().filter(|found| std::ptr::eq(found.mapping, *mapping)).map(|found| &found.whole.root).peekable();
        if of.peek().is_some() || (place == 0 && found.is_empty()) {
            told.push(caller.searched(context, mapping.table, of));
        }
    }
    told
}

impl Prepared {
    fn has_total(&self) -> bool {
        self.query.is_count_only() || self.query.total != Total::None
    }
    fn limit(&self) -> usize {
        if self.query.is_count_only() { 0 } else { self.query.count }
    }
    /// Those whose pages are asked for.
    fn paged(&self) -> &[(&'static Mapping, List)] {
        if self.query.is_count_only() { &[] } else { &self.lists }
    }
    /// The types it finds, each table's page by what tells of it; None, where one has no tenant and tells nothing.
    pub fn pages(&self) -> Option<Vec<(&'static Mapping, Told)>> {
        let told = self.paged().iter().enumerate().map(|(place, (mapping, _))| (*mapping, Told(place)));
        self.lists.iter().all(|(mapping, _)| mapping.table.has_tenant()).then(|| told.collect())
    }

    /// Its pages, then its counts; `first` is the number of its first list.
    pub fn statements(&self, first: usize) -> Result<Vec<Built>> {
        let Context { plane, tenant, .. } = self.context;
        let mut built = Vec::new();
        for (number, (mapping, list)) in (first..).zip(self.paged()) {
            let mut page = list.page(plane, tenant)?;
            page.query.planning = self.planning.filter(|_| other::HOMES.iter().any(|home| std::ptr::eq(*home, mapping.table)));
            let tells = self.is_followed || below::parts(mapping, plane).next().is_some();
            if tells && mapping.table.has_tenant() {
                page.query.text = Told(number).telling(&page.query.text, list.limit).into();
            }
            built.push(page);
        }
        for (_, list) in self.lists.iter().filter(|_| self.has_total()) {
            built.push(list.count(plane, tenant)?);
        }
        Ok(built)
    }

    /// The rows below the records of its pages.
    fn below(&self, first: usize) -> Vec<Built> {
        let plane = self.context.plane;
        let of = |(number, (mapping, _)): (usize, &(&'static Mapping, List))| {
            let parts = below::parts(mapping, plane);
            parts.map(|(_, part)| below::part_query(mapping, part, plane, Whose::Page(Told(number)))).collect::<Vec<_>>()
        };
        (first..).zip(self.paged()).flat_map(of).collect()
    }

    /// The rows of all tables after the cursor, merged; one more than the page, when there are more.
    async fn merged(&self, answers: Vec<Vec<Row>>, below: &mut impl Iterator<Item = Vec<Row>>, keys: &Keyring) -> Result<Fetched> {
        let plane = self.context.plane;
        let mut answers = answers.into_iter();
        let mut fetched = Fetched::default();
        for ((mapping, list), rows) in self.paged().iter().zip(answers.by_ref()) {
            let parts: Parts = below::parts_of(mapping, plane, below, keys).await?;
            fetched.told += rows.len().min(list.limit);
            // The row that proves a next page stays in until the tables are merged.
            let records = store::keyed(list, plane, &rows, keys).await?;
            for (row, (record, key)) in rows.iter().zip(records) {
                let kept = extras::of_row(mapping, &record, row, keys).await?;
                fetched.found.push(Found { mapping, whole: below::joined(mapping, record, &parts), kept, key });
            }
        }
        if let Some((_, list)) = self.lists.first().filter(|_| self.lists.len() > 1) {
            fetched.found.sort_by(|one, other| order(list, one, other));
        }
        let mut total = 0;
        for rows in answers {
            let count: i64 = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
            total += u64::try_from(count).unwrap_or(0);
        }
        fetched.total = self.has_total().then_some(total);
        Ok(fetched)
    }

    /// So many of them, and where the next page starts.
    fn cut(&self, fetched: Fetched, limit: usize, keys: &Keyring) -> Result<(Vec<Found>, Option<u64>, Option<String>)> {
        let Fetched { mut found, total, .. } = fetched;
        let next = match (found.get(limit), limit.checked_sub(1).and_then(|last| found.get(last)), self.lists.first()) {
            (Some(_), Some(last), Some((_, list))) => {
                let root = &last.whole.root;
                Some(Cursor { value: last.key.clone(), id: root.id, tenant: root.tenant }.seal(list, keys.own())?)
            }
            _ => None,
        };
        found.truncate(limit);
        Ok((found, total, next))
    }
}

/// What each finds, with the rows below: the pages first, so that those behind them know them.
async fn fetch(caller: &Caller, way: &mut Way<'_>, all: &[&Prepared]) -> Result<Vec<Fetched>> {
    let Some(first) = all.first() else { return Ok(Vec::new()) };
    let (mut number, mut built, mut below, mut counts) = (0, Vec::new(), Vec::new(), Vec::with_capacity(all.len()));
    for one in all {
        let statements = one.statements(number)?;
        counts.push(statements.len());
        built.extend(statements);
        below.extend(one.below(number));
        number += one.lists.len();
    }
    let queries: Vec<(_, Vec<Param<'_>>)> = built.iter().chain(&below).map(Built::asked).collect();
    let mut answers = current(caller, way, &first.context, queries).await?;
    let mut below = answers.split_off(built.len().min(answers.len())).into_iter();
    let (mut answers, mut fetched) = (answers.into_iter(), Vec::with_capacity(all.len()));
    for (one, count) in all.iter().zip(counts) {
        let own = answers.by_ref().take(count).collect();
        fetched.push(one.merged(own, &mut below, &caller.kernel.keys).await?);
    }
    Ok(fetched)
}

/// The answers, once the values beside the columns are those of the records as they stand.
pub async fn current(
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
    let place = |found: &Found| (found.whole.root.id, found.whole.root.tenant);
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
