//! The FHIR R4 contract: the types of the domains, served over their records.
mod amount;
mod answer;
mod apart;
mod attach;
mod batch;
mod below;
mod bulk;
mod chain;
mod dates;
mod dental;
mod document;
mod effect;
mod everything;
pub(super) mod extras;
mod find;
pub mod finish;
mod held;
mod history;
mod include;
mod indexed;
mod library;
#[cfg(test)]
mod mapped_tests;
mod matching;
mod meta;
mod narrow;
mod operations;
pub(super) mod other;
mod page;
mod parts;
mod profiles;
mod provenance;
mod read;
mod routes;
mod rows;
mod run;
mod search;
pub mod stale;
mod states;
mod system;
mod terminology;
mod token;
mod transaction;
pub mod types;
mod unsaid;
mod versions;
mod vocabulary;
mod way;
mod write;
mod writing;

use self::answer::Asked;
pub use self::bulk::jobs;
use self::effect::{Aim, Effect, What};
use self::routes::at;
pub use self::routes::{allow, bodies, routes};
use self::way::Way;
use self::write::Change;
use crate::fhir::bundle::Target;
use crate::fhir::negotiate::{self, Prefer, Return};
use crate::fhir::outcome::outcome;
use crate::fhir::patch::Patch;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::{Query, form};
use crate::fhir::{Resource, capability};
use crate::imaging::download;
use crate::kernel::audit::Action;
use crate::kernel::context::Plane;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::Built;
use crate::kernel::{Caller, Kernel};
use crate::server::idempotency::{Key, Turn, apart};
use crate::server::problem::Render;
use crate::server::rest::body_bytes;
use crate::server::scopes;
use chrono::DateTime;
use poem::http::{StatusCode, header};
use poem::{Request, Response};
use serde_json::Value as Json;
use std::sync::Arc;
use uuid::Uuid;

/// Below the public URL.
pub const PATH: &str = crate::identity::oauth::FHIR;
/// What every handler needs.
#[derive(Clone)]
struct Fhir {
    base: Arc<str>,
}

pub use types::mappings;

pub fn base(kernel: &Kernel) -> String {
    format!("{}{PATH}", kernel.config.server.public_url.trim_end_matches('/'))
}

/// Errors of this contract, in the form the caller reads; in JSON, where they named none that we write.
pub fn renderer(request: &Request) -> Render {
    let query = request.uri().query().unwrap_or_default();
    let named = form::decode(query).ok().and_then(|pairs| pairs.into_iter().find(|(name, _)| name == "_format"));
    let format = negotiate::answer_format(request.header(header::ACCEPT), named.as_ref().map(|(_, format)| format.as_str()));
    if format.is_ok_and(negotiate::Format::is_xml) { render_xml } else { render }
}

fn render(error: &Error, _request: Uuid) -> (&'static str, Vec<u8>) {
    rendered(error, negotiate::Format::FhirJson)
}

fn render_xml(error: &Error, _request: Uuid) -> (&'static str, Vec<u8>) {
    rendered(error, negotiate::Format::FhirXml)
}

fn rendered(error: &Error, format: negotiate::Format) -> (&'static str, Vec<u8>) {
    (format.media_type(), format.write(&outcome(error), false))
}

/// What this server can do, for anyone who asks.
pub fn statement(base: &str) -> Json {
    capability::statement(types::registry(), &server(base))
}

fn server(base: &str) -> capability::Server<'_> {
    capability::Server { name: "Enamel", version: env!("CARGO_PKG_VERSION"), date: "2026-11-21", base, security: None }
}

async fn metadata(fhir: Fhir, request: Request) -> Result<Response> {
    let asked = Asked::of(&request)?;
    let shape = asked.shape("CapabilityStatement", &fhir.base)?;
    let mode = form::decode(request.uri().query().unwrap_or_default())?.into_iter().find(|(name, _)| name == "mode");
    let told = match mode.as_ref().map(|(_, mode)| mode.as_str()) {
        None | Some("full" | "normative") => statement(&fhir.base),
        Some("terminology") => capability::terminology(&server(&fhir.base)),
        Some(_) => return Err(Error::new(&error::PARAMETER_INVALID).fault("mode", "code", "The mode is full, normative or terminology.")),
    };
    answer::body(StatusCode::OK, &told, &shape)
}

fn caller(request: &Request) -> Result<Caller> {
    let caller = request.extensions().get::<Caller>().cloned().ok_or_else(|| Error::new(&error::UNAUTHENTICATED))?;
    if caller.context.plane == Plane::Auth { Err(Error::new(&error::UNAUTHENTICATED)) } else { Ok(caller) }
}

/// The type of the path, when it offers the interaction and the caller may have it.
async fn typed(caller: &Caller, request: &Request, interaction: Interaction) -> Result<&'static TypeDef> {
    let def = types::registry().find(request.raw_path_param("type").unwrap_or_default())?;
    let id = request.raw_path_param("id").and_then(|id| id.parse().ok());
    told(caller, def, id, action(interaction), allowed_some(caller, def, interaction)).await?;
    Ok(def)
}

/// Every interaction of either form comes through here: the server offers it, and the token's scopes cover it.
fn allowed(caller: &Caller, def: &TypeDef, interaction: Interaction) -> Result<()> {
    def.allows(interaction)?;
    scopes::on_type(caller, def.name, interaction.letter())
}

/// The same where a scope that is narrowed to what a search finds is enough: reads and searches hold to it ([`narrow`]).
fn allowed_some(caller: &Caller, def: &TypeDef, interaction: Interaction) -> Result<()> {
    match interaction {
        Interaction::Read | Interaction::SearchType => {
            def.allows(interaction)?;
            scopes::on_some(caller, def.name, interaction.letter())
        }
        _ => allowed(caller, def, interaction),
    }
}

fn action(interaction: Interaction) -> Action {
    match interaction.letter() {
        'c' => Action::Create,
        'u' => Action::Update,
        'd' => Action::Delete,
        's' => Action::Search,
        _ => Action::Read,
    }
}

/// An id that is none of ours names nothing.
fn record_id(id: Option<&str>) -> Result<Uuid> {
    id.and_then(|id| id.parse().ok()).ok_or_else(|| Error::new(&error::NOT_FOUND))
}

/// The id of an update stands in the path and in the resource.
fn same_id(id: Option<&str>, resource: &Resource) -> Result<Uuid> {
    if resource.id() != id {
        let text = "The resource has the id of the URL.";
        return Err(Error::new(&error::MALFORMED).fault(format!("{}.id", resource.type_name()), "invariant", text));
    }
    record_id(id).map_err(|_| no_creation())
}

/// A PUT makes what is not there, under an id that a record can have.
fn no_creation() -> Error {
    Error::new(&error::METHOD_NOT_ALLOWED)
        .detail("There is no such resource. A PUT makes one under an id that is a UUID; under any other, use POST.")
}

/// `W/"3"`; a tag that is none of ours matches nothing that is current.
fn version(tag: Option<&str>) -> Result<Option<i64>> {
    let Some(tag) = tag.map(str::trim) else { return Ok(None) };
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let number = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|digits| digits.parse().ok());
    number.map(Some).ok_or_else(|| Error::new(&error::STALE))
}

async fn told<T>(caller: &Caller, def: &TypeDef, id: Option<Uuid>, action: Action, result: Result<T>) -> Result<T> {
    if let (Err(refusal), Some(mapping)) = (&result, types::sources(def.name)?.first()) {
        caller.refused(mapping.table.schema, id, action, refusal).await?;
    }
    result
}

async fn get(fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::Read).await?;
    if def.name == "Binary" && request.header(header::ACCEPT).is_some_and(|accept| !negotiate::names_fhir(accept)) {
        let id = record_id(request.raw_path_param("id"))?;
        // Bytes are looked up as a file: a search that narrows the token's scope is not asked there.
        told(&caller, def, Some(id), Action::Read, allowed(&caller, def, Interaction::Read)).await?;
        return told(&caller, def, Some(id), Action::Read, content(&caller, id).await).await;
    }
    let asked = Asked::of(&request)?;
    let shape = asked.shape(def.name, &fhir.base)?;
    if let Some(known) = request.raw_path_param("id").and_then(|id| library::get(def.name, id)) {
        return library::answer(known?, &shape);
    }
    let id = record_id(request.raw_path_param("id"))?;
    let shown = told(&caller, def, Some(id), Action::Read, narrow::one(&caller, &mut Way::Apart, def, id).await).await?;
    let since = request.header(header::IF_MODIFIED_SINCE).and_then(|text| DateTime::parse_from_rfc2822(text).ok());
    if shown.is_known(request.header(header::IF_NONE_MATCH), since.map(|at| at.to_utc())) {
        return answer::unchanged(&shown);
    }
    answer::resource(StatusCode::OK, shown, &shape, Return::Representation, &fhir.base)
}

/// The bytes themselves, for who asks for another form than a resource: the store has them.
async fn content(caller: &Caller, id: Uuid) -> Result<Response> {
    let signed = download::signed(caller, id).await?;
    Ok(Response::builder().status(StatusCode::FOUND).header(header::LOCATION, signed.url).finish())
}

/// What a change is aimed at: a resource by its id, or the one that meets the query.
fn target(request: &Request) -> Target {
    let part = |name| request.raw_path_param(name).map(str::to_owned);
    let query = request.uri().query().unwrap_or_default().to_owned();
    Target { type_name: part("type").unwrap_or_default(), id: part("id"), history: false, version: None, query }
}

async fn change(fhir: Fhir, mut request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let target = target(&request);
    let interaction = Interaction::of(request.method(), &target)?;
    let def = typed(&caller, &request, interaction).await?;
    let id = target.id.as_deref().and_then(|id| id.parse().ok());
    let done = changed(&fhir, &caller, def, (interaction, &target), &mut request).await;
    told(&caller, def, id, action(interaction), done).await
}

async fn changed(
    fhir: &Fhir,
    caller: &Caller,
    def: &'static TypeDef,
    (interaction, target): (Interaction, &Target),
    request: &mut Request,
) -> Result<Response> {
    let sent = answer::Sent::of(request, interaction).await?;
    let what = match sent.json_patch {
        true => What::Patch(Patch::of_json(&sent.bytes)?),
        false => What::of(def, interaction, sent.resource, target.id.as_deref())?,
    };
    let unless =
        request.headers().get("if-none-exist").map(|value| value.to_str().map_err(|_| Error::new(&error::MALFORMED))).transpose()?;
    let aim = Aim::of(caller, def, interaction, target, unless, &fhir.base)?;
    let shape = match &aim {
        Aim::Condition(query) if target.id.is_none() && interaction != Interaction::Create => sent.asked.shaped(query)?,
        _ => sent.asked.shape(def.name, &fhir.base)?,
    };
    let effect = Effect { def, what, aim, version: version(request.header(header::IF_MATCH))? };
    let kind = Change::of(interaction).ok_or_else(|| Error::new(&error::METHOD_NOT_ALLOWED))?;
    let key = Key::of(request, &sent.bytes)?;
    let mut once = match write::begin(caller, types::sources(def.name)?, kind, key.as_ref()).await? {
        Turn::First(once) => once,
        Turn::Again(answer) => return Ok(answer),
    };
    let done = effect.run(&mut once.scope, caller, &fhir.base).await?;
    once.end(answer::done(done, &shape, sent.asked.prefer.return_, &fhir.base)?, false).await
}

async fn search_get(fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::SearchType).await?;
    let text = request.uri().query().unwrap_or_default();
    found(&fhir, &caller, def, Asked::of(&request)?, text).await
}

async fn search_post(fhir: Fhir, mut request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::SearchType).await?;
    let text = form_text(&mut request).await?;
    found(&fhir, &caller, def, Asked::of(&request)?, &text).await
}

/// What is asked in the form and in the URL.
async fn form_text(request: &mut Request) -> Result<String> {
    negotiate::form_body(request.header(header::CONTENT_TYPE))?;
    let body = body_bytes(request).await?;
    let body = String::from_utf8(body).map_err(|_| Error::new(&error::MALFORMED).detail("The form is not UTF-8."))?;
    let query = request.uri().query().unwrap_or_default();
    Ok([query, body.as_str()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&"))
}

async fn found(fhir: &Fhir, caller: &Caller, def: &'static TypeDef, asked: Asked, text: &str) -> Result<Response> {
    let query = search::parse(def.name, def.search, text, asked.prefer, &fhir.base)?;
    let shape = asked.shaped(&query)?;
    let bundle = told(caller, def, None, Action::Search, found_in(caller, &mut Way::Apart, def.name, &query, &fhir.base).await).await?;
    answer::body(StatusCode::OK, &bundle, &shape)
}

/// What a search asks of PostgreSQL, table after table: for whoever judges how it is carried out.
pub async fn statements(caller: &Caller, type_name: &str, text: &str) -> Result<Vec<Built>> {
    let def = types::registry().find(type_name)?;
    let query = search::parse(def.name, def.search, text, Prefer::STRICT, &base(&caller.kernel))?;
    page::prepared(caller, &mut Way::Apart, def.name, &query).await?.statements(0)
}

/// The searchset of any type that is served.
async fn found_in(caller: &Caller, way: &mut Way<'_>, type_name: &str, query: &Query, base: &str) -> Result<Json> {
    if library::is_of(type_name) {
        return library::run(caller, way, type_name, query, base).await;
    }
    page::run(caller, way, type_name, query, base).await
}

async fn compartment(fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let of = typed(&caller, &request, Interaction::Read).await?;
    let id = record_id(request.raw_path_param("id"))?;
    let def = types::registry().find(request.raw_path_param("member").unwrap_or_default())?;
    told(&caller, def, None, Action::Search, allowed_some(&caller, def, Interaction::SearchType)).await?;
    let asked = Asked::of(&request)?;
    let query = search::parse(def.name, def.search, request.uri().query().unwrap_or_default(), asked.prefer, &fhir.base)?;
    let shape = asked.shaped(&query)?;
    let bundle = told(&caller, of, Some(id), Action::Search, everything::search(&caller, of, id, def, query, &fhir.base).await).await?;
    answer::body(StatusCode::OK, &bundle, &shape)
}

async fn batch(fhir: Fhir, mut request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let (asked, bytes) = Asked::with_body(&mut request).await?;
    let shape = asked.shape("Bundle", &fhir.base)?;
    let key = Key::of(&request, &bytes)?;
    let run = {
        let (caller, key) = (caller.clone(), key.clone());
        async move {
            let bundle = batch::run(&caller, &bytes, asked.prefer, &fhir.base, key.as_ref()).await?;
            answer::body(StatusCode::OK, &bundle, &shape)
        }
    };
    match &key {
        Some(key) => apart(&caller, key, false, Box::pin(run)).await,
        None => run.await,
    }
}
