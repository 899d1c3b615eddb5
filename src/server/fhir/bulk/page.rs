//! A page of an export: records of one table in the order of their ids, as they stood at the moment the export shows.
//!
//! No snapshot of the database is held: it would keep vacuum from its work for hours and be lost with its server. What has
//! not changed since that moment is read as it stands; what has is taken from the change log, as it stood then. The export
//! begins when every transaction older than its moment has ended, so nothing older appears behind it.

use super::order::{self, Level, Order};
use crate::fhir::mapping::Mapping;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::Query as Search;
use crate::fhir::temporal::Interval;
use crate::fhir::{Resource, subset};
use crate::governance::change_log_entry::CHANGE_LOG_ENTRY;
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::db::Query;
use crate::kernel::error::{Error, Result};
use crate::kernel::table::list::{Built, Extra};
use crate::kernel::table::{Cursor, List, Record, Stamps, Value, Width, store};
use crate::server::fhir::read::{Paged, Shown};
use crate::server::fhir::versions::{self, Window};
use crate::server::fhir::way::Way;
use crate::server::fhir::{allowed, extras, find, read, search, types};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::borrow::Cow;
use std::collections::HashMap;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Records of one page: bounded, for each may carry documents.
const RECORDS: usize = 250;
/// Patients that one event of the audit names.
const NAMED_MAX: usize = 200;

/// What is read in one order and by one server: the records of one table, or those of them that were removed.
pub struct Slice {
    pub name: String,
    pub def: &'static TypeDef,
    pub removed: bool,
    mapping: &'static Mapping,
    context: Context,
    conditions: Vec<Extra>,
    cut: Search,
}

/// Lines of a file, and where the next page starts.
pub struct Page {
    pub lines: Vec<u8>,
    pub count: i64,
    pub next: Option<Cursor>,
}

/// All of an order, in one order for every server.
pub async fn slices(caller: &Caller, order: &Order) -> Result<Vec<Slice>> {
    let mut slices = Vec::new();
    for name in &order.types {
        let def = types::registry().find(name)?;
        let sources = types::sources(def.name)?;
        if allowed(caller, def, Interaction::Read).is_err() {
            continue;
        }
        for (mapping, context) in read::readable(caller, sources).unwrap_or_default() {
            let is_open = caller.needs_throughout(mapping.table.read).is_ok();
            let is_wanted = order.level == Level::System || mapping.table.patient.is_some() || !types_have_patients(def.name)?;
            // Of every change there is a Provenance of the log's: they come when they are asked for by their type.
            let is_apart = !order.are_named && mapping.table.name == CHANGE_LOG_ENTRY.name;
            if !is_open || !is_wanted || is_apart {
                continue;
            }
            let place = sources.iter().position(|known| std::ptr::eq(*known, mapping)).unwrap_or_default();
            let conditions = conditions(caller, &context, mapping, order).await?;
            let cut = cut(order, def);
            let slice = |removed: bool| Slice {
                name: format!("{name}/{place}{}", if removed { "/removed" } else { "" }),
                def,
                removed,
                mapping,
                context: context.clone(),
                conditions: conditions.clone(),
                cut: cut.clone(),
            };
            slices.push(slice(false));
            slices.extend((order.since.is_some() && mapping.table.soft_delete).then(|| slice(true)));
        }
    }
    Ok(slices)
}

fn types_have_patients(name: &str) -> Result<bool> {
    Ok(types::sources(name)?.iter().any(|mapping| mapping.table.patient.is_some()))
}

fn cut(order: &Order, def: &TypeDef) -> Search {
    let of = |(of, _): &&(Option<String>, String)| of.as_deref().is_none_or(|of| of == def.name);
    Search { elements: order.elements.iter().filter(of).map(|(_, element)| element.clone()).collect(), ..Search::default() }
}

/// Whose records, and which: the same for those that stand and those that were removed.
async fn conditions(caller: &Caller, context: &Context, mapping: &'static Mapping, order: &Order) -> Result<Vec<Extra>> {
    let mut all: Vec<Extra> = mapping.rows().map(|told| (told.into(), Vec::new())).into_iter().collect();
    if let (Level::Patient | Level::Group, Some(column)) = (order.level, mapping.table.patient) {
        all.push(match &order.patients {
            None => (format!("r.{column} is not null").into(), Vec::new()),
            Some(patients) => (format!("r.{column} = any ($value)").into(), vec![(Value::Uuids(patients.clone()), Type::UUID_ARRAY)]),
        });
    }
    let (mut any, mut values) = (Vec::new(), Vec::new());
    for (_, query) in order.filters.iter().filter(|(name, _)| name == mapping.of.name) {
        let mut each = Vec::new();
        for condition in order::conditions(mapping.of.name, query, &order.head.base)? {
            let (sql, more) = find::condition(caller, context, mapping, &condition).await?;
            each.push(format!("({sql})"));
            values.extend(more);
        }
        any.push(format!("({})", each.join(" and ")));
    }
    if !any.is_empty() {
        all.push((any.join(" or ").into(), values));
    }
    Ok(all)
}

fn at(sql: String, moment: DateTime<Utc>) -> Extra {
    let count = sql.matches("$value").count();
    (sql.into(), vec![(Value::Instant(moment), Type::TIMESTAMPTZ); count])
}

impl Slice {
    fn list(&self, order: &Order, after: Option<Cursor>) -> List {
        let table = self.mapping.table;
        let changed = search::changed(table);
        let beside = if self.removed { None } else { extras::beside(self.mapping) };
        let mut list = List { width: Width::Lean, include_deleted: true, limit: RECORDS, after, beside, ..List::new(table) };
        list.extra.clone_from(&self.conditions);
        let born = if table.stamps == Stamps::None { changed } else { "created_at" };
        list.extra.push(at(format!("r.{born} <= $value"), order.head.at));
        if let Some(since) = order.since {
            list.extra.push(at(format!("r.{changed} > $value"), since));
        }
        if let Some(until) = order.until.filter(|_| !self.removed) {
            let mut within = at(format!("r.{changed} <= $value"), until);
            // Of one that changed since, an earlier version may be meant.
            let later = at(format!(" or r.{changed} > $value"), order.head.at);
            within.0.to_mut().push_str(&later.0);
            within.1.extend(later.1);
            list.extra.push(within);
        }
        if self.removed {
            list.extra.push(at("r.deleted_at <= $value".to_owned(), order.until.unwrap_or(order.head.at).min(order.head.at)));
        } else if table.soft_delete {
            list.extra.push(at("(r.deleted_at is null or r.deleted_at > $value)".to_owned(), order.head.at));
        }
        list
    }
}

pub async fn read(caller: &Caller, order: &Order, slice: &Slice, after: Option<Cursor>) -> Result<Page> {
    let list = slice.list(order, after);
    let built = list.page(slice.context.plane, slice.context.tenant)?;
    let answers = caller.kernel.door.open(&slice.context).await?.once(&[built.asked()]).await?;
    let rows = answers.first().map(Vec::as_slice).unwrap_or_default();
    let (records, next) = store::page(&list, slice.context.plane, rows, &caller.kernel.keys).await?;
    // Before any of it can leave.
    for some in records.chunks(NAMED_MAX) {
        caller.searched(&slice.context, slice.mapping.table, some).await?;
    }
    let mut page = Page { lines: Vec::new(), count: 0, next };
    if slice.removed {
        page.removed(slice.def, &records)?;
        return Ok(page);
    }
    let mut paged = Vec::with_capacity(records.len());
    for (row, record) in rows.iter().zip(records) {
        let kept = extras::of_row(slice.mapping, &record, row, &caller.kernel.keys).await?;
        paged.push(Paged { mapping: slice.mapping, record, kept });
    }
    for resource in standing(caller, order, slice, paged).await? {
        page.line(resource, &slice.cut)?;
    }
    Ok(page)
}

impl Page {
    fn line(&mut self, mut resource: Resource, cut: &Search) -> Result<()> {
        subset::cut(&mut resource, cut);
        serde_json::to_writer(&mut self.lines, resource.as_map()).map_err(Error::internal)?;
        self.lines.push(b'\n');
        self.count += 1;
        Ok(())
    }

    /// A transaction that would remove them.
    fn removed(&mut self, def: &TypeDef, records: &[Record]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let entries: Vec<_> =
            records.iter().map(|record| json!({"request": {"method": "DELETE", "url": format!("{}/{}", def.name, record.id)}})).collect();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        serde_json::to_writer(&mut self.lines, &bundle).map_err(Error::internal)?;
        self.lines.push(b'\n');
        self.count += 1;
        Ok(())
    }
}

/// The records as they stood at the moment of the order.
async fn standing(caller: &Caller, order: &Order, slice: &Slice, records: Vec<Paged>) -> Result<Vec<Resource>> {
    let is_past = |paged: &Paged| read::modified(&paged.record).is_some_and(|at| at > order.head.at);
    let (past, unchanged): (Vec<Paged>, Vec<Paged>) = records.into_iter().partition(is_past);
    let mut past: Vec<Record> = past.into_iter().map(|paged| paged.record).collect();
    let shown = read::many(caller, &mut Way::Apart, &slice.context, unchanged).await?;
    let now = if slice.mapping.parts.is_empty() { HashMap::new() } else { versions_now(caller, slice, &shown).await? };
    let mut resources = Vec::with_capacity(shown.len() + past.len());
    for Shown { record, resource } in shown {
        // Its parts were read behind it: of one that changed in between they may be those of a later version.
        match now.get(&record.id) {
            Some(version) if *version != record.version => past.push(record),
            _ => resources.push(resource),
        }
    }
    for record in past {
        resources.extend(as_it_was(caller, order, slice, record).await?);
    }
    Ok(resources)
}

async fn versions_now(caller: &Caller, slice: &Slice, shown: &[Shown]) -> Result<HashMap<Uuid, i64>> {
    let table = slice.mapping.table;
    if table.stamps != Stamps::Versioned || shown.is_empty() {
        return Ok(HashMap::new());
    }
    let home = if table.has_tenant() { " and r.tenant_id = any ($2)" } else { " and $2 is not null" };
    let text = format!("select r.id, r.version from {} r where r.id = any ($1){home}", table.name);
    let built = Built {
        query: Query::new(Cow::Owned(text), Cow::Owned(vec![Type::UUID_ARRAY, Type::UUID_ARRAY])),
        values: vec![
            Value::Uuids(shown.iter().map(|shown| shown.record.id).collect()),
            Value::Uuids(shown.iter().map(|shown| shown.record.tenant).collect()),
        ],
    };
    let answers = caller.kernel.door.open(&slice.context).await?.once(&[built.asked()]).await?;
    answers.iter().flatten().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// From the change log; nothing where it was not there then, or had not changed since the moment asked for.
async fn as_it_was(caller: &Caller, order: &Order, slice: &Slice, record: Record) -> Result<Option<Resource>> {
    let open = [(slice.mapping, slice.context.clone())];
    // Up to that moment and no further.
    let stood = Interval { start: order.head.at, end: order.head.at + TimeDelta::microseconds(1) };
    let window = Window { record: Some(record.id), stood: Some(stood), most: 1, ..Window::default() };
    let (versions, _) = versions::page(caller, &mut Way::Apart, &open, &window).await?;
    let then = versions.into_iter().find(|version| version.record.tenant == record.tenant);
    let is_asked_for = |record: &Record| {
        let at = read::modified(record);
        order.since.is_none_or(|since| at > Some(since)) && order.until.is_none_or(|until| at <= Some(until))
    };
    Ok(then.filter(|version| is_asked_for(&version.record)).and_then(|version| version.resource))
}

/// How many of them the caller sees.
pub async fn known_patients(caller: &Caller, ids: &[Uuid]) -> Result<usize> {
    let own = Caller { reads_subtree: false, ..caller.clone() };
    let mut known = 0;
    for (mapping, context) in read::readable(&own, types::sources("Patient")?)? {
        let mut list = List { width: Width::Lean, ..List::new(mapping.table) };
        list.extra.push(("r.id = any ($value)".into(), vec![(Value::Uuids(ids.to_vec()), Type::UUID_ARRAY)]));
        let built = list.count(context.plane, context.tenant)?;
        let answers = own.kernel.door.open(&context).await?.once(&[built.asked()]).await?;
        let count: i64 = answers.iter().flatten().next().map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
        known += usize::try_from(count).map_err(Error::internal)?;
    }
    Ok(known)
}
