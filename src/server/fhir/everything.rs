//! Compartments: the resources that belong to a patient (an encounter, a practitioner …), of one type or of all.

use super::operations::Call;
use super::{read, search, types};
use crate::fhir::bundle::{Page, searchset};
use crate::fhir::definitions::Definitions;
use crate::fhir::negotiate::{Handling, Prefer, Return};
use crate::fhir::outcome::note;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::{Condition, Query, form};
use crate::fhir::temporal::instant;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::{PAGE_SIZE, PAGE_SIZE_MAX};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

const STRICT: Prefer = Prefer { return_: Return::Representation, handling: Handling::Strict, respond_async: false };

/// What puts a resource of the type into the compartment of that record; nothing, where nothing that is searched by here does.
fn within(def: &'static TypeDef, of: &str, id: &str, base: &str) -> Result<Vec<Condition>> {
    let members = Definitions.compartment(of).map(|known| known.members.as_slice()).unwrap_or_default();
    let codes = members.iter().find(|(name, _)| name == def.name).map(|(_, codes)| codes.as_slice()).unwrap_or_default();
    let mut conditions = Vec::new();
    for param in def.search.iter().filter(|param| codes.iter().any(|code| code == param.name)) {
        let text = form::encode([(param.name, format!("{of}/{id}").as_str())]);
        conditions.extend(search::parse(def.name, def.search, &text, STRICT, base)?.conditions);
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
    read::one(caller, types::sources(of.name)?, id).await?;
    search::run(caller, def.name, &Query { within, ..query }, base).await
}

/// The patient and all that is in their compartment, a page at a time, type after type. A page's events are durable before
/// it leaves; what the caller may not read is left out, and the first page says so.
pub async fn run(call: &Call<'_>) -> Result<Json> {
    let id = super::record_id(call.id)?;
    let patient = read::one(call.caller, types::sources(call.def.name)?, id).await?;
    let wanted: Vec<&str> = call.inputs.texts("_type").flat_map(|names| names.split(',')).collect();
    let since = since(call)?;
    let limit = call.inputs.whole("_count")?.unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE_MAX);
    let kinds: Vec<(&'static TypeDef, Vec<Condition>)> = kinds(&id.to_string(), &wanted, call.base)?;
    let (from, mut cursor) = place(call.inputs.text("_cursor"))?;
    let mut page = Page::default();
    if from == 0 && cursor.is_none() && (wanted.is_empty() || wanted.contains(&"Patient")) && since <= patient.modified() {
        page.matches.push((id.to_string(), patient.resource.into_value()));
    }
    let mut held_back = Vec::new();
    for (at, (def, within)) in kinds.iter().enumerate().skip(from) {
        if page.matches.len() >= limit {
            page.next = Some(format!("{at}."));
            break;
        }
        let Some(found) = one_type(call, def, within, limit - page.matches.len(), cursor.take(), since).await? else {
            held_back.push(def.name);
            continue;
        };
        let of = |key: &str| found[key].as_array().into_iter().flatten();
        page.matches.extend(of("entry").filter(|entry| entry["search"]["mode"] == "match").map(|entry| {
            let resource = entry["resource"].clone();
            (resource["id"].as_str().unwrap_or_default().to_owned(), resource)
        }));
        let next = of("link").find(|link| link["relation"] == "next").and_then(|link| link["url"].as_str());
        if let Some((_, cursor)) = next.and_then(|url| url.rsplit_once("_cursor=")) {
            page.next = Some(format!("{at}.{cursor}"));
            break;
        }
    }
    Ok(bundle(call, page, &held_back, limit))
}

/// The patient comes first; who looked at the chart is no part of it, and would grow by being read.
const APART: &[&str] = &["Patient", "AuditEvent"];
/// Of every change in the chart there is one: they come when they are asked for by their type.
const ASKED_FOR: &str = "Provenance";

/// The types of the compartment that are served, in the order of their names.
fn kinds(id: &str, wanted: &[&str], base: &str) -> Result<Vec<(&'static TypeDef, Vec<Condition>)>> {
    let known = Definitions.compartment("Patient").ok_or_else(|| Error::internal("R4 has a Patient compartment"))?;
    let is_known = |name: &str| name == "Patient" || known.members.iter().any(|(member, _)| member == name);
    if !wanted.iter().all(|name| is_known(name)) {
        return Err(Error::new(&error::PARAMETER_INVALID).fault("_type", "code", "A type is none of the patient's compartment."));
    }
    let is_meant = |name: &str| if wanted.is_empty() { name != ASKED_FOR } else { wanted.contains(&name) };
    let mut kinds = Vec::new();
    for def in types::registry().types().iter().filter(|def| !APART.contains(&def.name) && is_meant(def.name)) {
        let within = within(def, "Patient", id, base)?;
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

/// One page of one type. None: the caller may not read such resources.
async fn one_type(
    call: &Call<'_>,
    def: &'static TypeDef,
    within: &[Condition],
    count: usize,
    cursor: Option<String>,
    since: Option<DateTime<Utc>>,
) -> Result<Option<Json>> {
    let is_open = super::allowed(call.caller, def, Interaction::SearchType).is_ok();
    if !is_open || read::readable(call.caller, types::sources(def.name)?).is_err() {
        return Ok(None);
    }
    let since = since.map(|since| format!("ge{}", since.to_rfc3339_opts(SecondsFormat::AutoSi, true)));
    let text = form::encode(since.as_deref().map(|since| ("_lastUpdated", since)));
    let query = search::parse(def.name, def.search, &text, STRICT, call.base)?;
    let query = Query { count, cursor, within: within.to_vec(), ..query };
    search::run(call.caller, def.name, &query, call.base).await.map(Some)
}

fn bundle(call: &Call<'_>, page: Page, held_back: &[&str], limit: usize) -> Json {
    let path = format!("Patient/{}/$everything", call.id.unwrap_or_default());
    let mut applied: Vec<(String, String)> = Vec::new();
    for name in ["_since", "_type", "_cursor"] {
        applied.extend(call.inputs.texts(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    applied.push(("_count".into(), limit.to_string()));
    let mut made = searchset(call.base, &path, &Query { applied, ..Query::default() }, page);
    for entry in made.get_mut("entry").and_then(Json::as_array_mut).into_iter().flatten() {
        let url = format!(
            "{}/{}/{}",
            call.base,
            entry["resource"]["resourceType"].as_str().unwrap_or_default(),
            entry["resource"]["id"].as_str().unwrap_or_default()
        );
        entry["fullUrl"] = json!(url);
    }
    if let (false, Some(entries)) = (held_back.is_empty(), made.get_mut("entry").and_then(Json::as_array_mut)) {
        let text = format!("The caller may not read these types: {}.", held_back.join(", "));
        entries.push(json!({"resource": note("information", "suppressed", &text), "search": {"mode": "outcome"}}));
    }
    made
}
