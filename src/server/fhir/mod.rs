//! The FHIR R4 contract: the types of the domains, served over their records.
mod answer;
mod batch;
mod everything;
mod extras;
mod find;
mod library;
mod operations;
mod other;
mod read;
mod search;
mod terminology;
mod transaction;
mod types;
mod write;

use self::answer::Asked;
use self::write::Change;
use crate::fhir::negotiate::{self, Return};
use crate::fhir::operation::{self, Level, OPERATIONS};
use crate::fhir::outcome::outcome;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::{Query, form};
use crate::fhir::{Resource, capability, check};
use crate::kernel::audit::Action;
use crate::kernel::context::Plane;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Caller, Kernel};
use crate::server::idempotency::{Key, Turn, apart};
use crate::server::problem::Render;
use crate::server::rest::body_bytes;
use crate::server::{AllowTable, BodyLimits, scopes};
use poem::endpoint::{BoxEndpoint, EndpointExt, make};
use poem::http::{Method, StatusCode, header};
use poem::{Request, Response, Route, RouteMethod};
use serde_json::Value as Json;
use std::sync::Arc;
use uuid::Uuid;

/// Below the public URL.
pub const PATH: &str = "/fhir/r4";
/// A patient's whole record in one batch, with documents in it.
const BATCH_BYTES_MAX: usize = 20 << 20;

type Handler<F> = fn(Fhir, Request) -> F;

/// What every handler needs.
#[derive(Clone)]
struct Fhir {
    base: Arc<str>,
}

pub fn base(kernel: &Kernel) -> String {
    format!("{}{PATH}", kernel.config.server.public_url.trim_end_matches('/'))
}

pub fn routes(kernel: &Kernel) -> Route {
    let fhir = Fhir { base: base(kernel).into() };
    fn at<F>(fhir: &Fhir, handler: Handler<F>) -> BoxEndpoint<'static, Response>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let fhir = fhir.clone();
        make(move |request| {
            let running = handler(fhir.clone(), request);
            async move { running.await.map_err(poem::Error::from) }
        })
        .boxed()
    }
    let mut names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    names.dedup();
    let routes = names.into_iter().fold(Route::new(), |routes, name| {
        let run = || RouteMethod::new().get(at(&fhir, operations::run)).post(at(&fhir, operations::run));
        routes.at(format!("/:type/${name}"), run()).at(format!("/:type/:id/${name}"), run())
    });
    routes
        .at("/:type/:id/:member", RouteMethod::new().get(at(&fhir, compartment)))
        .at("/", RouteMethod::new().post(at(&fhir, batch)))
        .at("/metadata", RouteMethod::new().get(at(&fhir, metadata)))
        .at("/:type", RouteMethod::new().get(at(&fhir, search_get)).post(at(&fhir, create)))
        .at("/:type/_search", RouteMethod::new().post(at(&fhir, search_post)))
        .at("/:type/:id", RouteMethod::new().get(at(&fhir, get)).put(at(&fhir, update)).delete(at(&fhir, delete)))
}

/// What each path takes; a type's own paths take what the type offers.
pub fn allow(table: AllowTable) -> AllowTable {
    let path = |rest: &str| format!("{PATH}{rest}");
    let table = table
        .path(&path("/"), &[Method::POST])
        .path(&path("/metadata"), &[Method::GET])
        .path(&path("/:type"), &[Method::GET, Method::POST])
        .path(&path("/:type/_search"), &[Method::POST])
        .path(&path("/:type/:id"), &[Method::GET, Method::PUT, Method::DELETE]);
    types::registry().types().iter().fold(table, |table, def| {
        let takes = |pairs: &[(Interaction, Method)]| -> Vec<Method> {
            pairs.iter().filter(|(interaction, _)| def.allows(*interaction).is_ok()).map(|(_, method)| method.clone()).collect()
        };
        let one = takes(&[(Interaction::Read, Method::GET), (Interaction::Update, Method::PUT), (Interaction::Delete, Method::DELETE)]);
        let table = operation::of_type(def.name).fold(table, |table, operation| {
            let methods: &[Method] = if operation.by_get { &[Method::GET, Method::POST] } else { &[Method::POST] };
            operation.levels.iter().fold(table, |table, level| {
                let between = if *level == Level::Instance { "/:id" } else { "" };
                table.path(&path(&format!("/{}{between}/${}", def.name, operation.name)), methods)
            })
        });
        table
            .path(&path(&format!("/{}/:id/:member", def.name)), &[Method::GET])
            .path(&path(&format!("/{}", def.name)), &takes(&[(Interaction::SearchType, Method::GET), (Interaction::Create, Method::POST)]))
            .path(&path(&format!("/{}/_search", def.name)), &takes(&[(Interaction::SearchType, Method::POST)]))
            .path(&path(&format!("/{}/:id", def.name)), &one)
    })
}

pub fn bodies(limits: BodyLimits) -> BodyLimits {
    limits.at(Method::POST, PATH, BATCH_BYTES_MAX)
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
    told(caller, def, id, action(interaction), allowed(caller, def, interaction)).await?;
    Ok(def)
}

/// Every interaction of either form comes through here: the server offers it, and the token's scopes cover it.
fn allowed(caller: &Caller, def: &TypeDef, interaction: Interaction) -> Result<()> {
    def.allows(interaction)?;
    scopes::on_type(caller, def.name, interaction.letter())
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
    record_id(id).map_err(no_creation)
}

/// A PUT makes nothing here (updateCreate is false), so an id that is not there takes no PUT; somebody else's is such an id.
fn no_creation(refusal: Error) -> Error {
    if refusal.code != &error::NOT_FOUND {
        return refusal;
    }
    Error::new(&error::METHOD_NOT_ALLOWED).detail("There is no such resource, and the server gives the ids: create it with POST.")
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
    let asked = Asked::of(&request)?;
    let shape = asked.shape(def.name, &fhir.base)?;
    if let Some(known) = request.raw_path_param("id").and_then(|id| library::get(def.name, id)) {
        return library::answer(known?, &shape);
    }
    let id = record_id(request.raw_path_param("id"))?;
    let shown = told(&caller, def, Some(id), Action::Read, read::one(&caller, types::sources(def.name)?, id).await).await?;
    let known = request.header(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == shown.record.etag()));
    if known {
        return answer::unchanged(&shown);
    }
    answer::resource(StatusCode::OK, shown, &shape, Return::Representation, &fhir.base)
}

async fn create(fhir: Fhir, mut request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::Create).await?;
    let (asked, bytes) = Asked::with_body(&mut request).await?;
    let shape = asked.shape(def.name, &fhir.base)?;
    if request.headers().contains_key("if-none-exist") {
        return Err(Error::new(&error::NOT_SUPPORTED).detail("Conditional creates are not served; search first."));
    }
    let resource = check::accept(&bytes, def.name)?;
    let (sources, key) = (types::sources(def.name)?, Key::of(&request, &bytes)?);
    let made = async {
        let mut once = match write::begin(&caller, sources, Change::Create, key.as_ref()).await? {
            Turn::First(once) => once,
            Turn::Again(answer) => return Ok(answer),
        };
        let shown = write::create(&mut once.scope, &caller, sources, None, resource, &fhir.base).await?;
        once.end(answer::resource(StatusCode::CREATED, shown, &shape, asked.prefer.return_, &fhir.base)?, false).await
    };
    told(&caller, def, None, Action::Create, made.await).await
}

async fn update(fhir: Fhir, mut request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::Update).await?;
    let (asked, bytes) = Asked::with_body(&mut request).await?;
    let shape = asked.shape(def.name, &fhir.base)?;
    let resource = check::accept(&bytes, def.name)?;
    let id = same_id(request.raw_path_param("id"), &resource)?;
    let version = version(request.header(header::IF_MATCH))?;
    let (sources, key) = (types::sources(def.name)?, Key::of(&request, &bytes)?);
    let done = async {
        let mut once = match write::begin(&caller, sources, Change::Update, key.as_ref()).await? {
            Turn::First(once) => once,
            Turn::Again(answer) => return Ok(answer),
        };
        let shown = write::update(&mut once.scope, &caller, sources, id, version, resource, &fhir.base).await?;
        once.end(answer::resource(StatusCode::OK, shown, &shape, asked.prefer.return_, &fhir.base)?, false).await
    };
    told(&caller, def, Some(id), Action::Update, done.await).await.map_err(no_creation)
}

async fn delete(_fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::Delete).await?;
    let id = record_id(request.raw_path_param("id"))?;
    let version = version(request.header(header::IF_MATCH))?;
    let (sources, key) = (types::sources(def.name)?, Key::of(&request, &[])?);
    let done = async {
        let mut once = match write::begin(&caller, sources, Change::Retire, key.as_ref()).await? {
            Turn::First(once) => once,
            Turn::Again(answer) => return Ok(answer),
        };
        write::retire(&mut once.scope, &caller, sources, id, version).await?;
        once.end(Response::builder().status(StatusCode::NO_CONTENT).finish(), false).await
    };
    told(&caller, def, Some(id), Action::Delete, done.await).await
}

async fn search_get(fhir: Fhir, request: Request) -> Result<Response> {
    let text = request.uri().query().unwrap_or_default().to_owned();
    found(fhir, request, text).await
}

async fn search_post(fhir: Fhir, mut request: Request) -> Result<Response> {
    negotiate::form_body(request.header(header::CONTENT_TYPE))?;
    let body = body_bytes(&mut request).await?;
    let body = String::from_utf8(body).map_err(|_| Error::new(&error::MALFORMED).detail("The form is not UTF-8."))?;
    let query = request.uri().query().unwrap_or_default();
    let text = [query, body.as_str()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
    found(fhir, request, text).await
}

async fn found(fhir: Fhir, request: Request, text: String) -> Result<Response> {
    let caller = caller(&request)?;
    let def = typed(&caller, &request, Interaction::SearchType).await?;
    let asked = Asked::of(&request)?;
    let query = search::parse(def.name, def.search, &text, asked.prefer, &fhir.base)?;
    let shape = asked.shaped(&query)?;
    let bundle = told(&caller, def, None, Action::Search, found_in(&caller, def.name, &query, &fhir.base).await).await?;
    answer::body(StatusCode::OK, &bundle, &shape)
}

/// The searchset of any type that is served.
async fn found_in(caller: &Caller, type_name: &str, query: &Query, base: &str) -> Result<Json> {
    if library::is_of(type_name) {
        return library::run(caller, type_name, query, base).await;
    }
    search::run(caller, type_name, query, base).await
}

async fn compartment(fhir: Fhir, request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let of = typed(&caller, &request, Interaction::Read).await?;
    let id = record_id(request.raw_path_param("id"))?;
    let def = types::registry().find(request.raw_path_param("member").unwrap_or_default())?;
    told(&caller, def, None, Action::Search, allowed(&caller, def, Interaction::SearchType)).await?;
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
