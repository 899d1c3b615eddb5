//! The REST contract: every record's endpoints and every named operation, described and routed from the same tables.
mod answer;
mod batch;
mod batch_run;
mod batch_step;
mod document;
mod history;
mod operations;
pub mod projections;
pub mod query;
mod resources;
mod schema;

use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::context::Plane;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Gives, Method, Operation};
use crate::kernel::table::{Projection, Table, Verb};
use crate::server::{BodyLimits, scopes};
pub use document::document;
pub use history::offered as keeps_history;
use poem::endpoint::{BoxEndpoint, EndpointExt};
use poem::http::Method as Http;
use poem::{Endpoint, Request, Response};
use poem_openapi::registry::{MetaApi, MetaPath, MetaSecurityScheme, Registry};
use poem_openapi::{OpenApi, OpenApiService};
pub use resources::body_bytes;
use schema::Shape;
use std::collections::{BTreeMap, HashMap};

/// Every record and operation of the domains; `crate::server::domains` is the one place that lists them.
fn tables() -> impl Iterator<Item = &'static Table> {
    super::domains::tables()
}
fn all_projections() -> impl Iterator<Item = &'static Projection> {
    super::domains::projections()
}
fn all_operations() -> impl Iterator<Item = &'static Operation> {
    super::domains::operations()
}

/// Callable without a token.
fn public(operation: &Operation) -> bool {
    operation.planes.contains(&Plane::Auth)
}

pub struct Rest;

pub fn service() -> OpenApiService<Rest, ()> {
    OpenApiService::new(Rest, "Enamel", "1")
        .description("The native API of Enamel. Lists are cursor pages; changes carry If-Match; errors are RFC 9457 problems.")
        .url_prefix("/api/v1")
}

/// A batch may be larger than one record.
pub fn bodies(limits: BodyLimits) -> BodyLimits {
    limits.at(Http::POST, batch::PATH, batch::BYTES_MAX)
}

fn verb_action(verb: Verb) -> Action {
    match verb {
        Verb::List => Action::Search,
        Verb::Read => Action::Read,
        Verb::Create => Action::Create,
        Verb::Update => Action::Update,
        Verb::Delete => Action::Delete,
    }
}

/// The kind of record whose id stands in its path, else its own name.
fn operation_action(operation: &'static Operation) -> (&'static str, Action) {
    let of = operation.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let table = tables().find(|table| table.path.trim_start_matches('/') == of);
    let action = if operation.method == Method::Get { Action::Read } else { Action::Execute };
    (table.map_or(operation.id, |table| table.schema), action)
}

/// One endpoint type for all routes.
enum Route {
    Verb(&'static Table, Verb),
    Projection(&'static Projection, Verb),
    History(&'static Table),
    Batch,
    Operation(&'static Operation),
}

impl Route {
    /// By the scopes of the caller's token.
    fn covered(&self, caller: &Caller) -> Result<()> {
        match self {
            Route::Verb(table, verb) => scopes::on_verb(caller, table, *verb),
            Route::Projection(projection, verb) => scopes::on_verb(caller, projection.table, *verb),
            Route::History(table) => scopes::on_verb(caller, table, Verb::Read),
            // Each step by its own scope.
            Route::Batch => Ok(()),
            Route::Operation(operation) => scopes::on_operation(caller, operation),
        }
    }

    /// As the audit log calls it. A batch tells of its steps.
    fn what(&self) -> Option<(&'static str, Action)> {
        match self {
            Route::Verb(table, verb) => Some((table.schema, verb_action(*verb))),
            Route::Projection(projection, verb) => Some((projection.table.schema, verb_action(*verb))),
            Route::History(table) => Some((table.schema, Action::Read)),
            Route::Operation(operation) => Some(operation_action(operation)),
            Route::Batch => None,
        }
    }

    async fn run(&self, caller: Caller, request: Request) -> Result<Response> {
        match self {
            Route::Verb(table, Verb::List) => resources::list(caller, table, request).await,
            Route::Verb(table, Verb::Create) => resources::create(caller, table, request).await,
            Route::Verb(table, Verb::Read) => resources::get(caller, table, request).await,
            Route::Verb(table, Verb::Update) => resources::patch(caller, table, request).await,
            Route::Verb(table, Verb::Delete) => resources::delete(caller, table, request).await,
            Route::Projection(projection, verb) => projections::run(caller, projection, *verb, request).await,
            Route::Batch => batch::run(caller, request).await,
            Route::History(table) => history::history(caller, table, request).await,
            Route::Operation(operation) => operations::run(caller, operation, request).await,
        }
    }
}

impl Endpoint for Route {
    type Output = Response;
    async fn call(&self, request: Request) -> poem::Result<Response> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| Error::new(&error::UNAUTHENTICATED))?;
        // Without a token only what is made for the auth plane can be called.
        let open = matches!(self, Route::Operation(operation) if public(operation));
        if caller.context.plane == Plane::Auth && !open {
            return Err(Error::new(&error::UNAUTHENTICATED).into());
        }
        let id = request.raw_path_param("id").and_then(|id| id.parse().ok());
        let answer = match self.covered(&caller) {
            Err(refusal) => Err(refusal),
            Ok(()) => self.run(caller.clone(), request).await,
        };
        // What nobody may be told without it being known; of those who are nobody yet there is nothing to know.
        if let (Err(refusal), Some((what, action))) = (&answer, self.what())
            && caller.context.plane != Plane::Auth
        {
            caller.refused(what, id, action, refusal).await?;
        }
        Ok(answer?)
    }
}

impl OpenApi for Rest {
    fn meta() -> Vec<MetaApi> {
        let described = tables()
            .flat_map(|table| table.verbs.iter().map(move |verb| schema::of_verb(table, *verb)))
            .chain(
                all_projections().flat_map(|projection| projection.verbs.iter().map(move |verb| schema::of_projection(projection, *verb))),
            )
            .chain(tables().filter(|table| history::offered(table)).map(schema::of_history))
            .chain([schema::of_batch()])
            .chain(all_operations().map(|operation| schema::of_operation(operation, public(operation))));
        let mut by_path: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (_, path, operation) in described {
            by_path.entry(path).or_default().push(operation);
        }
        vec![MetaApi { paths: by_path.into_iter().map(|(path, operations)| MetaPath { path, operations }).collect() }]
    }

    fn register(registry: &mut Registry) {
        schema::problem(registry);
        schema::history(registry);
        schema::batch(registry);
        registry.security_schemes.insert(
            "bearer",
            MetaSecurityScheme {
                ty: "http",
                description: Some("An opaque access token of /oauth2/token or /sessions/sign-in."),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
        for table in tables() {
            for shape in [Shape::Read, Shape::Create, Shape::Update, Shape::Page] {
                let offered = match shape {
                    Shape::Read => true,
                    Shape::Create => table.offers(Verb::Create),
                    Shape::Update => table.offers(Verb::Update),
                    Shape::Page => table.offers(Verb::List),
                };
                if offered {
                    registry.schemas.insert(shape.name(table.schema), schema::of_table(table, shape));
                }
            }
        }
        for projection in all_projections() {
            schema::projection(registry, projection);
        }
        for operation in all_operations() {
            if operation.input().next().is_some() {
                registry.schemas.insert(schema::input_name(operation), schema::of_fields(operation.doc, operation.input()));
            }
            match operation.gives {
                Gives::Object(name, fields) | Gives::Made(name, fields, _) => {
                    registry.schemas.insert(name.to_owned(), schema::of_fields(operation.doc, fields));
                }
                Gives::Page(table) => {
                    registry.schemas.insert(Shape::Page.name(table.schema), schema::of_table(table, Shape::Page));
                }
                _ => {}
            }
        }
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Http, BoxEndpoint<'static>>>) {
        let mut add = |path: &str, method: Http, route: Route| {
            routes.entry(path.replace('{', ":").replace('}', "")).or_default().insert(method, route.boxed());
        };
        for table in tables() {
            for verb in table.verbs {
                let (method, path, _) = schema::of_verb(table, *verb);
                add(&path, method, Route::Verb(table, *verb));
            }
            if history::offered(table) {
                let (method, path, _) = schema::of_history(table);
                add(&path, method, Route::History(table));
            }
        }
        for projection in all_projections() {
            for verb in projection.verbs {
                let (method, path, _) = schema::of_projection(projection, *verb);
                add(&path, method, Route::Projection(projection, *verb));
            }
        }
        let (method, path, _) = schema::of_batch();
        add(&path, method, Route::Batch);
        for operation in all_operations() {
            let (method, path, _) = schema::of_operation(operation, false);
            add(&path, method, Route::Operation(operation));
        }
    }
}
