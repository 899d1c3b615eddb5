//! Which path goes to which handler, and what each of them takes.

use super::{
    Fhir, PATH, base, batch, bulk, change, compartment, get, history, metadata, operations, search_get, search_post, system, types,
};
use crate::fhir::operation::{self, Level, OPERATIONS, Operation};
use crate::fhir::registry::Interaction;
use crate::kernel::Kernel;
use crate::kernel::error::Result;
use crate::server::{AllowTable, BodyLimits};
use poem::endpoint::{BoxEndpoint, EndpointExt, make};
use poem::http::Method;
use poem::{Request, Response, Route, RouteMethod};
use std::slice::from_ref;

/// A patient's whole record in one batch, with documents in it.
const BATCH_BYTES_MAX: usize = 20 << 20;

type Handler<F> = fn(Fhir, Request) -> F;

pub fn at<F>(fhir: &Fhir, handler: Handler<F>) -> BoxEndpoint<'static, Response>
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

pub fn routes(kernel: &Kernel) -> Route {
    let fhir = Fhir { base: base(kernel).into() };
    let change = || at(&fhir, change);
    let mut names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    names.sort_unstable();
    names.dedup();
    let run = || RouteMethod::new().get(at(&fhir, operations::run)).post(at(&fhir, operations::run));
    let routes = names
        .into_iter()
        .fold(Route::new(), |routes, name| routes.at(format!("/:type/${name}"), run()).at(format!("/:type/:id/${name}"), run()));
    let routes = operation::of_system().fold(routes, |routes, known| routes.at(format!("/${}", known.name), run()));
    bulk::routes(routes, &fhir)
        .at("/:type/:id/:member", RouteMethod::new().get(at(&fhir, compartment)))
        .at("/", RouteMethod::new().get(at(&fhir, system::get)).post(at(&fhir, batch)))
        .at("/_search", RouteMethod::new().post(at(&fhir, system::post)))
        .at("/metadata", RouteMethod::new().get(at(&fhir, metadata)))
        .at("/_history", RouteMethod::new().get(at(&fhir, history::of_all)))
        .at("/:type", RouteMethod::new().get(at(&fhir, search_get)).post(change()).put(change()).patch(change()).delete(change()))
        .at("/:type/_search", RouteMethod::new().post(at(&fhir, search_post)))
        .at("/:type/:id", RouteMethod::new().get(at(&fhir, get)).put(change()).patch(change()).delete(change()))
        .at("/:type/_history", RouteMethod::new().get(at(&fhir, history::of_type)))
        .at("/:type/:id/_history", RouteMethod::new().get(at(&fhir, history::instance)))
        .at("/:type/:id/_history/:vid", RouteMethod::new().get(at(&fhir, history::vread)))
}

/// What each interaction is asked with.
const ASKED: &[(Interaction, Method, &str)] = &[
    (Interaction::SearchType, Method::GET, ""),
    (Interaction::Create, Method::POST, ""),
    (Interaction::Update, Method::PUT, ""),
    (Interaction::Patch, Method::PATCH, ""),
    (Interaction::Delete, Method::DELETE, ""),
    (Interaction::SearchType, Method::POST, "/_search"),
    (Interaction::HistoryType, Method::GET, "/_history"),
    (Interaction::Read, Method::GET, "/:id"),
    (Interaction::Update, Method::PUT, "/:id"),
    (Interaction::Patch, Method::PATCH, "/:id"),
    (Interaction::Delete, Method::DELETE, "/:id"),
    (Interaction::HistoryInstance, Method::GET, "/:id/_history"),
    (Interaction::Vread, Method::GET, "/:id/_history/:vid"),
];

/// What each path takes; a type's own paths take what the type offers.
pub fn allow(table: AllowTable) -> AllowTable {
    let table = bulk::allow(table);
    let path = |name: &str, rest: &str| format!("{PATH}/{name}{rest}");
    let table = table
        .path(&path("", ""), &[Method::GET, Method::POST])
        .path(&path("_search", ""), &[Method::POST])
        .path(&path("metadata", ""), &[Method::GET])
        .path(&path("_history", ""), &[Method::GET]);
    let table = ASKED.iter().fold(table, |table, (_, method, rest)| table.path(&path(":type", rest), from_ref(method)));
    let table = operation::of_system().fold(table, |table, known| table.path(&path(&format!("${}", known.name), ""), methods(known)));
    types::registry().types().iter().fold(table, |table, def| {
        let table = ASKED.iter().fold(table, |table, (interaction, method, rest)| {
            let takes = if def.allows(*interaction).is_ok() { from_ref(method) } else { &[] };
            table.path(&path(def.name, rest), takes)
        });
        let table = operation::of_type(def).fold(table, |table, operation| {
            operation.levels_of(def).fold(table, |table, level| {
                let between = if level == Level::Instance { "/:id" } else { "" };
                table.path(&path(def.name, &format!("{between}/${}", operation.name)), methods(operation))
            })
        });
        table.path(&path(def.name, "/:id/:member"), &[Method::GET])
    })
}

fn methods(operation: &Operation) -> &'static [Method] {
    if operation.by_get { &[Method::GET, Method::POST] } else { &[Method::POST] }
}

pub fn bodies(limits: BodyLimits) -> BodyLimits {
    limits.at(Method::POST, PATH, BATCH_BYTES_MAX)
}
