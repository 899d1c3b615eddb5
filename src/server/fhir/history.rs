//! Histories of a resource, a type and of all that is served (R4 §3.1.0.12), and single versions.

use super::answer::{self, Asked};
use super::versions::{self, Place, Version, Window};
use super::way::Way;
use super::{Fhir, allowed, caller, read, record_id, search, told, typed, types};
use crate::fhir::bundle::{self, Past, Reply};
use crate::fhir::mapping::Mapping;
use crate::fhir::negotiate::{Prefer, Return};
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::{Query, form};
use crate::fhir::{subset, temporal};
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::context::Context;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::Record;
use chrono::DateTime;
use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use serde_json::Value as Json;
use uuid::Uuid;

/// What a history is of.
#[derive(Clone, Copy)]
pub enum Of {
    One(&'static TypeDef, Uuid),
    Type(&'static TypeDef),
    All,
}

pub async fn vread(fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::Vread).await?;
    let shape = Asked::of(&request)?.shape(def.name, &fhir.base)?;
    let id = record_id(request.raw_path_param("id"))?;
    let shown = version(&caller, &mut Way::Apart, def, id, request.raw_path_param("vid")).await;
    let shown = told(&caller, def, Some(id), Action::Read, shown).await?;
    answer::resource(StatusCode::OK, shown, &shape, Return::Representation, &fhir.base)
}

/// A version is a whole number, written in one way.
pub async fn version(caller: &Caller, way: &mut Way<'_>, def: &TypeDef, id: Uuid, version: Option<&str>) -> Result<read::Shown> {
    let number = version.and_then(|text| text.parse::<i64>().ok().filter(|number| number.to_string() == text));
    let number = number.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    versions::one(caller, way, types::sources(def.name)?, id, number).await
}

pub async fn instance(fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::HistoryInstance).await?;
    let id = record_id(request.raw_path_param("id"))?;
    let page = page(&fhir, &caller, &request, Of::One(def, id)).await;
    told(&caller, def, Some(id), Action::Read, page).await
}

pub async fn of_type(fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::HistoryType).await?;
    let page = page(&fhir, &caller, &request, Of::Type(def)).await;
    told(&caller, def, None, Action::Search, page).await
}

pub async fn of_all(fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    page(&fhir, &caller, &request, Of::All).await
}

async fn page(fhir: &Fhir, caller: &Caller, request: &Request, of: Of) -> Result<Response> {
    let asked = Asked::of(request)?;
    let (bundle, query) = run(caller, &mut Way::Apart, of, request.uri().query().unwrap_or_default(), asked.prefer, &fhir.base).await?;
    answer::body(StatusCode::OK, &bundle, &asked.shaped(&query)?)
}

/// A page of a history and what it was asked with.
pub async fn run(caller: &Caller, way: &mut Way<'_>, of: Of, text: &str, prefer: Prefer, base: &str) -> Result<(Json, Query)> {
    let (mut window, query) = window(of, text, prefer, base)?;
    let (path, open, tenant) = match of {
        Of::One(def, id) => {
            let found = read::found(caller, way, types::sources(def.name)?, id).await?;
            window.record = Some(id);
            (format!("{}/{id}/_history", def.name), vec![(found.mapping, found.context)], Some(found.whole.root.tenant))
        }
        Of::Type(def) => (format!("{}/_history", def.name), read::readable(caller, types::sources(def.name)?)?, None),
        Of::All => ("_history".to_owned(), all(caller)?, None),
    };
    let open = versions::told(open)?;
    let (mut versions, next) = versions::page(caller, way, &open, &window).await?;
    // The same id may stand in two clinics of a group.
    versions.retain(|version| tenant.is_none_or(|tenant| version.record.tenant == tenant));
    if tenant.is_none() {
        searched(caller, &open, &versions).await?;
    }
    let past = versions.into_iter().map(|version| past(version, &query)).collect();
    Ok((bundle::history(base, &path, &query, past, next.map(cursor).as_deref()), query))
}

/// Every type that the caller may have the history of.
fn all(caller: &Caller) -> Result<Vec<(&'static Mapping, Context)>> {
    let mut open = Vec::new();
    let mut refusal = Error::new(&error::FORBIDDEN);
    for def in types::registry().types() {
        match allowed(caller, def, Interaction::HistoryType).and_then(|()| read::readable(caller, types::sources(def.name)?)) {
            Ok(of) => open.extend(of),
            Err(why) => refusal = why,
        }
    }
    if open.is_empty() { Err(refusal) } else { Ok(open) }
}

/// One event for each table; an empty page is told of the first.
async fn searched(caller: &Caller, open: &[(&'static Mapping, Context)], versions: &[Version]) -> Result<()> {
    let mut rest: Vec<&Version> = versions.iter().collect();
    for (place, (mapping, context)) in open.iter().enumerate() {
        let (of, others): (Vec<&Version>, Vec<&Version>) = rest.into_iter().partition(|version| std::ptr::eq(version.mapping, *mapping));
        rest = others;
        if !of.is_empty() || (place == 0 && versions.is_empty()) {
            let records: Vec<Record> = of.into_iter().map(|version| version.record.clone()).collect();
            caller.searched(context, mapping.table, &records).await?;
        }
    }
    Ok(())
}

/// What is a history's own is read here, what shapes every answer with a search.
fn window(of: Of, text: &str, prefer: Prefer, base: &str) -> Result<(Window, Query)> {
    let mut window = Window::default();
    let (mut own, mut rest) = (Vec::new(), Vec::new());
    for (name, value) in form::decode(text)? {
        match name.as_str() {
            "_since" | "_at" => {
                let wrong = |rule, text| Error::new(&error::PARAMETER_INVALID).fault(name.as_str(), rule, text);
                let moment = temporal::search(&value).ok_or_else(|| wrong("format", "It must be a date or a moment."))?;
                let is_new =
                    if name == "_since" { window.since.replace(moment.start).is_none() } else { window.stood.replace(moment).is_none() };
                if !is_new {
                    return Err(wrong("cardinality", "The parameter may be given once."));
                }
                own.push((name, value));
            }
            _ => rest.push((name, value)),
        }
    }
    let rest = form::encode(rest.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let type_name = match of {
        Of::One(def, _) | Of::Type(def) => def.name,
        Of::All => "Resource",
    };
    let mut query = search::parse(type_name, &[], &rest, prefer, base)?;
    window.most = query.count;
    if let Some(text) = &query.cursor {
        let none = || Error::new(&error::PARAMETER_INVALID).fault("_cursor", "format", "The cursor is none of ours.");
        window.after = Some(placed(text).ok_or_else(none)?);
    }
    query.applied.extend(own);
    Ok((window, query))
}

/// A time and an id of the log, which tell nothing of what is in it.
fn cursor(place: Place) -> String {
    format!("{}.{}", place.at.timestamp_micros(), place.row.simple())
}

fn placed(text: &str) -> Option<Place> {
    let (at, row) = text.split_once('.')?;
    Some(Place { at: DateTime::from_timestamp_micros(at.parse().ok()?)?, row: row.parse().ok()? })
}

fn past(version: Version, query: &Query) -> Past {
    let Version { mapping, record, mut resource } = version;
    let made = record.get("created_at") == record.get("updated_at");
    let (method, status) = match (&resource, made) {
        (None, _) => (Method::DELETE, 204),
        (_, true) => (Method::POST, 201),
        (_, false) => (Method::PUT, 200),
    };
    for resource in resource.iter_mut() {
        subset::cut(resource, query);
    }
    let reply = Reply {
        status,
        etag: Some(record.etag()),
        last_modified: read::modified(&record),
        resource: resource.map(crate::fhir::Resource::into_value),
        ..Reply::default()
    };
    Past { type_name: mapping.of.name, id: record.id.to_string(), method, reply }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let place = Place { at: DateTime::from_timestamp_micros(1_795_283_423_123_456).unwrap(), row: Uuid::now_v7() };
        assert_eq!(placed(&cursor(place)), Some(place));
        assert_eq!((placed("1"), placed("x.y"), placed("1.")), (None, None, None));
    }

    #[test]
    fn a_history_is_narrowed_once() {
        let read = |text: &str| window(Of::All, text, Prefer::default(), "https://enamel.test/fhir/r4");
        let (asked, query) = read("_since=2026-01-01T00:00:00%2B01:00&_count=3&_at=2026-02").unwrap();
        assert_eq!((asked.since.unwrap().to_rfc3339().as_str(), asked.most), ("2025-12-31T23:00:00+00:00", 3));
        assert_eq!(asked.stood.unwrap().end.to_rfc3339(), "2026-03-01T00:00:00+00:00");
        assert_eq!(query.applied.len(), 3);
        for wrong in ["_since=x", "_since=2026&_since=2026", "_at=", "_cursor=1.2"] {
            assert_eq!(read(wrong).unwrap_err().code.status, 400, "{wrong}");
        }
    }
}
