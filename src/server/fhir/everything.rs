//! Compartments: the resources that belong to a patient (an encounter, a practitioner …), of one type or of all.

use super::operations::Call;
use super::way::Way;
use super::{narrow, page, read, search, types};
use crate::fhir::bundle::{Page, searchset};
use crate::fhir::definitions::Definitions;
use crate::fhir::negotiate::Prefer;
use crate::fhir::outcome::note;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::{Condition, Kind, Query, form};
use crate::fhir::temporal::{self, instant};
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::{PAGE_SIZE, PAGE_SIZE_MAX};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// What puts a resource of the type into the compartment of that record; nothing, where nothing that is searched by here does.
fn within(def: &'static TypeDef, of: &str, id: &str, base: &str) -> Result<Vec<Condition>> {
    let members = Definitions.compartment(of).map(|known| known.members.as_slice()).unwrap_or_default();
    let codes = members.iter().find(|(name, _)| name == def.name).map(|(_, codes)| codes.as_slice()).unwrap_or_default();
    let mut conditions = Vec::new();
    for param in def.search.iter().filter(|param| codes.iter().any(|code| code == param.name)) {
        let text = form::encode([(param.name, format!("{of}/{id}").as_str())]);
        conditions.extend(search::parse(def.name, def.search, &text, Prefer::STRICT, base)?.conditions);
    }
    Ok(conditions)
}

/// `Patient/id/Condition?…`: a search among what belongs to the record. One that the caller cannot see holds nothing.
pub async fn search(caller: &Caller, of: &'static TypeDef, id: Uuid, def: &'static TypeDef, query: Query, base: &str) -> Result<Json> {
    let none = || Error::new(&error::NO_ROUTE).detail("The compartment holds no resources of this type.");
    let within = within(def, of.name, &id.to_string(), base)?;
    if within.is_empty() {
        return Err(none());
    }
    narrow::one(caller, &mut Way::Apart, of, id).await?;
    page::run(caller, &mut Way::Apart, def.name, &Query { within, ..query }, base).await
}

/// The patient (or encounter) and all that is in their compartment, a page at a time, type after type. A page's events are durable before
/// it leaves; what the caller may not read is left out, and the first page says so.
pub async fn run(call: &Call<'_>) -> Result<Json> {
    let id = super::record_id(call.id)?;
    let own = read::one(call.caller, types::sources(call.def.name)?, id).await?;
    let wanted: Vec<&str> = call.inputs.texts("_type").flat_map(|names| names.split(',')).collect();
    let since = since(call)?;
    let limit = call.inputs.whole("_count")?.unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE_MAX);
    let kinds: Vec<(&'static TypeDef, Vec<Condition>)> = kinds(call.def.name, &id.to_string(), &wanted, call.base)?;
    let (from, mut cursor) = place(call.inputs.text("_cursor"))?;
    let mut page = Page::default();
    if from == 0 && cursor.is_none() && (wanted.is_empty() || wanted.contains(&call.def.name)) && since <= own.modified() {
        page.matches.push((id.to_string(), own.resource.into_value()));
    }
    let (mut open, mut held_back) = (Vec::new(), Vec::new());
    for (at, (def, within)) in kinds.iter().enumerate().skip(from) {
        match one_type(call, def, within, limit, cursor.take(), since).await? {
            Some(prepared) => open.push((at, prepared)),
            None => held_back.push(def.name),
        }
    }
    let mut open = open.into_iter().peekable();
    while let Some((at, first)) = open.next() {
        if page.matches.len() >= limit {
            page.next = Some(format!("{at}."));
            break;
        }
        // Many types at once, as far as one plane reads them.
        let (mut places, mut some) = (vec![at], vec![first]);
        while let Some((at, next)) =
            open.next_if(|(_, next)| some.len() < TYPES_AT_ONCE && some.iter().all(|one| one.context.plane == next.context.plane))
        {
            places.push(at);
            some.push(next);
        }
        if take(call, &mut page, &places, &some, limit).await? {
            break;
        }
    }
    Ok(bundle(call, page, &held_back, limit))
}

/// Adds the pages of these types; true, where the page ends among them.
async fn take(call: &Call<'_>, page: &mut Page, places: &[usize], some: &[page::Prepared], limit: usize) -> Result<bool> {
    let found = page::pages(call.caller, &mut Way::Apart, some, limit - page.matches.len()).await?;
    for (at, matches) in places.iter().zip(found) {
        if page.matches.len() >= limit {
            page.next = Some(format!("{at}."));
            return Ok(true);
        }
        page.matches.extend(matches.shown.into_iter().map(|shown| (shown.record.id.to_string(), shown.resource.into_value())));
        if let Some(cursor) = matches.next {
            page.next = Some(format!("{at}.{cursor}"));
            return Ok(true);
        }
    }
    Ok(false)
}

/// Types of which one round trip asks.
const TYPES_AT_ONCE: usize = 32;
/// Who looked at the chart is no part of it, and would grow by being read.
const APART: &str = "AuditEvent";
/// Of every change in the chart there is one: they come when they are asked for by their type.
const ASKED_FOR: &str = "Provenance";
/// What care is dated by, in the order in which a type's own parameters are believed.
const DATES: [&str; 8] = ["date", "occurrence", "period", "onset-date", "authored", "authoredon", "effective", "created"];

/// The types of the compartment that are served, in the order of their names.
fn kinds(of: &str, id: &str, wanted: &[&str], base: &str) -> Result<Vec<(&'static TypeDef, Vec<Condition>)>> {
    let known = Definitions.compartment(of).ok_or_else(|| Error::internal("R4 has such a compartment"))?;
    let is_known = |name: &str| name == of || known.members.iter().any(|(member, _)| member == name);
    if !wanted.iter().all(|name| is_known(name)) {
        return Err(Error::new(&error::PARAMETER_INVALID).fault("_type", "code", "A type is none of the compartment."));
    }
    let is_meant = |name: &str| if wanted.is_empty() { name != ASKED_FOR } else { wanted.contains(&name) };
    let mut kinds = Vec::new();
    for def in types::registry().types().iter().filter(|def| ![APART, of].contains(&def.name) && is_meant(def.name)) {
        let within = within(def, of, id, base)?;
        if !within.is_empty() {
            kinds.push((*def, within));
        }
    }
    Ok(kinds)
}

/// Which type a page begins with, and where in it.
fn place(cursor: Option<&str>) -> Result<(usize, Option<String>)> {
    let wrong = || Error::new(&error::PARAMETER_INVALID).fault("_cursor", "format", "The cursor is none of ours.");
    let Some((at, cursor)) = cursor.map(|cursor| cursor.split_once('.').ok_or_else(wrong)).transpose()? else { return Ok((0, None)) };
    Ok((at.parse().map_err(|_| wrong())?, Some(cursor).filter(|cursor| !cursor.is_empty()).map(str::to_owned)))
}

/// None: whenever it was changed.
fn since(call: &Call<'_>) -> Result<Option<DateTime<Utc>>> {
    let wrong = || Error::new(&error::PARAMETER_INVALID).fault("_since", "format", "The value must be an instant.");
    call.inputs.text("_since").map(|text| instant(text).ok_or_else(wrong)).transpose()
}

/// From the day `start` to the day `end`, as a search asks for them.
fn bounds(call: &Call<'_>) -> Result<Vec<String>> {
    let mut bounds = Vec::new();
    for (name, prefix) in [("start", "ge"), ("end", "le")] {
        if let Some(text) = call.inputs.text(name) {
            let wrong = || Error::new(&error::PARAMETER_INVALID).fault(name, "format", "The value must be a date.");
            temporal::search(text).ok_or_else(wrong)?;
            bounds.push(format!("{prefix}{text}"));
        }
    }
    Ok(bounds)
}

/// The search of one type. None: the caller may not read such resources.
async fn one_type(
    call: &Call<'_>,
    def: &'static TypeDef,
    within: &[Condition],
    count: usize,
    cursor: Option<String>,
    since: Option<DateTime<Utc>>,
) -> Result<Option<page::Prepared>> {
    let is_open = super::allowed_some(call.caller, def, Interaction::SearchType).is_ok();
    if !is_open || read::readable(call.caller, types::sources(def.name)?).is_err() {
        return Ok(None);
    }
    let since = since.map(|since| format!("ge{}", since.to_rfc3339_opts(SecondsFormat::AutoSi, true)));
    let mut asked: Vec<(&str, &str)> = since.as_deref().map(|since| ("_lastUpdated", since)).into_iter().collect();
    let bounds: Vec<String> = bounds(call)?;
    // What is not dated is always of the time that is asked for.
    if let Some(date) = DATES.iter().find(|date| def.search.iter().any(|param| param.name == **date && param.kind == Kind::Date)) {
        asked.extend(bounds.iter().map(|bound| (*date, bound.as_str())));
    }
    let text = form::encode(asked);
    let query = search::parse(def.name, def.search, &text, Prefer::STRICT, call.base)?;
    let query = Query { count, cursor, within: within.to_vec(), ..query };
    page::prepared(call.caller, &mut Way::Apart, def.name, &query).await.map(Some)
}

fn bundle(call: &Call<'_>, page: Page, held_back: &[&str], limit: usize) -> Json {
    let path = format!("{}/{}/$everything", call.def.name, call.id.unwrap_or_default());
    let mut applied: Vec<(String, String)> = Vec::new();
    for name in ["_since", "_type", "start", "end", "_cursor"] {
        applied.extend(call.inputs.texts(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    applied.push(("_count".into(), limit.to_string()));
    let mut made = searchset(call.base, &path, &Query { applied, ..Query::default() }, page);
    if let (false, Some(entries)) = (held_back.is_empty(), made.get_mut("entry").and_then(Json::as_array_mut)) {
        let text = format!("The caller may not read these types: {}.", held_back.join(", "));
        entries.push(json!({"resource": note("information", "suppressed", &text), "search": {"mode": "outcome"}}));
    }
    made
}
