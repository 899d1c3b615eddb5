//! Searches over several types at once (R4 §3.1.0.6): `?_type=Condition,Observation&patient=…`, by what all of them know.

use super::answer::{self, Asked};
use super::way::Way;
use super::{Fhir, allowed_some, caller, found_in, page, search, told, types};
use crate::fhir::negotiate::Prefer;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::{Query, form};
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::error::{self, Error, Result};
use poem::http::StatusCode;
use poem::{Request, Response};
use serde_json::Value as Json;

/// Types of one search; each is some statements.
const TYPES_MAX: usize = 16;
const TYPE: &str = "_type";

pub async fn get(fhir: Fhir, request: Request) -> Result<Response> {
    let text = request.uri().query().unwrap_or_default().to_owned();
    found(&fhir, &request, &text).await
}

pub async fn post(fhir: Fhir, mut request: Request) -> Result<Response> {
    let text = super::form_text(&mut request).await?;
    found(&fhir, &request, &text).await
}

async fn found(fhir: &Fhir, request: &Request, text: &str) -> Result<Response> {
    let (caller, asked) = (caller(request)?, Asked::of(request)?);
    let (defs, rest) = named(text)?;
    for def in &defs {
        told(&caller, def, None, Action::Search, allowed_some(&caller, def, Interaction::SearchType)).await?;
    }
    let queries = defs.iter().map(|def| parsed(def, &defs, &rest, asked.prefer, &fhir.base)).collect::<Result<Vec<Query>>>()?;
    let Some((first, query)) = defs.first().zip(queries.first()) else { return Err(unnamed()) };
    let shape = asked.shaped(query)?;
    let bundle = match defs.len() {
        1 => found_in(&caller, &mut Way::Apart, first.name, query, &fhir.base).await,
        _ => together(&caller, &defs, &queries, &fhir.base).await,
    };
    answer::body(StatusCode::OK, &told(&caller, first, None, Action::Search, bundle).await?, &shape)
}

fn unnamed() -> Error {
    Error::new(&error::PARAMETER_INVALID).fault(TYPE, "required", "Say which types are searched.")
}

/// The types that are named, each once, and what else is asked.
fn named(text: &str) -> Result<(Vec<&'static TypeDef>, String)> {
    let (types_asked, rest): (Vec<_>, Vec<_>) = form::decode(text)?.into_iter().partition(|(name, _)| name == TYPE);
    let mut defs: Vec<&'static TypeDef> = Vec::new();
    for name in types_asked.iter().flat_map(|(_, names)| names.split(',')) {
        let unknown = |_| Error::new(&error::PARAMETER_INVALID).fault(TYPE, "code", "A type is none that is served.");
        let def = types::registry().find(name).map_err(unknown)?;
        if defs.iter().all(|known| known.name != def.name) {
            defs.push(def);
        }
    }
    match defs.len() {
        0 => Err(unnamed()),
        1..=TYPES_MAX => Ok((defs, form::encode(rest.iter().map(|(name, value)| (name.as_str(), value.as_str()))))),
        _ => Err(Error::new(&error::TOO_COSTLY).detail("At most 16 types are searched at once.")),
    }
}

fn parsed(def: &TypeDef, defs: &[&TypeDef], rest: &str, prefer: Prefer, base: &str) -> Result<Query> {
    let mut query = search::parse(def.name, def.search, rest, prefer, base)?;
    let names: Vec<&str> = defs.iter().map(|def| def.name).collect();
    query.applied.insert(0, (TYPE.to_owned(), names.join(",")));
    Ok(query)
}

/// The pages of all of them, in one order.
async fn together(caller: &Caller, defs: &[&'static TypeDef], queries: &[Query], base: &str) -> Result<Json> {
    let refused = |name: &str, text: &str| Err(Error::new(&error::PARAMETER_INVALID).fault(name, "not-supported", text));
    let Some(first) = queries.first() else { return Err(unnamed()) };
    if queries.iter().any(|query| query.applied != first.applied) {
        return refused(TYPE, "A parameter is not known to all of the types.");
    }
    if first.sort.iter().any(|sort| !matches!(sort.param.name, "_id" | "_lastUpdated")) || first.sort.len() > 1 {
        return refused("_sort", "Several types are sorted by _id or by _lastUpdated.");
    }
    let mut all = Vec::with_capacity(defs.len());
    for (def, query) in defs.iter().zip(queries) {
        // The cursor is of all of them.
        let query = Query { cursor: None, ..query.clone() };
        all.push(page::prepared(caller, &mut Way::Apart, def.name, &query).await?);
    }
    page::joined(caller, &mut Way::Apart, all, first, base).await
}
