//! The REST contract: every record's endpoints and every named operation, described and routed from the same tables.
mod answer;
mod operations;
pub mod query;
mod resources;
mod schema;

use crate::kernel::Caller;
use crate::kernel::context::Plane;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Gives, Operation};
use crate::kernel::table::{Table, Verb};
use futures_util::future::BoxFuture;
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

type Handler = fn(Caller, &'static Table, Request) -> BoxFuture<'static, Result<Response>>;

/// One endpoint type for all routes: what to run, boxed once.
enum Route {
    Verb(&'static Table, Handler),
    Operation(&'static Operation),
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
        let answer = match self {
            Route::Verb(table, handler) => handler(caller.clone(), table, request).await,
            Route::Operation(operation) => operations::run(caller.clone(), operation, request).await,
        };
        if let Err(refusal) = &answer
            && refusal.code.status == 403
        {
            let table = match self {
                Route::Verb(table, _) => Some(*table),
                Route::Operation(operation) => match operation.gives {
                    Gives::Record(table) | Gives::Created(table) | Gives::Page(table) | Gives::Made(_, _, table) => Some(table),
                    _ => None,
                },
            };
            if let Some(table) = table {
                caller.refused(table, None, crate::kernel::audit::Action::Execute, refusal).await?;
            }
        }
        Ok(answer?)
    }
}

fn handler(verb: Verb) -> Handler {
    match verb {
        Verb::List => |caller, table, request| Box::pin(resources::list(caller, table, request)),
        Verb::Create => |caller, table, request| Box::pin(resources::create(caller, table, request)),
        Verb::Read => |caller, table, request| Box::pin(resources::get(caller, table, request)),
        Verb::Update => |caller, table, request| Box::pin(resources::patch(caller, table, request)),
        Verb::Delete => |caller, table, request| Box::pin(resources::delete(caller, table, request)),
    }
}

impl OpenApi for Rest {
    fn meta() -> Vec<MetaApi> {
        let described = tables()
            .flat_map(|table| table.verbs.iter().map(move |verb| schema::of_verb(table, *verb)))
            .chain(all_operations().map(|operation| schema::of_operation(operation, public(operation))));
        let mut by_path: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (_, path, operation) in described {
            by_path.entry(path).or_default().push(operation);
        }
        vec![MetaApi { paths: by_path.into_iter().map(|(path, operations)| MetaPath { path, operations }).collect() }]
    }

    fn register(registry: &mut Registry) {
        schema::problem(registry);
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
        for operation in all_operations() {
            if !operation.takes.is_empty() {
                registry.schemas.insert(schema::input_name(operation), schema::of_fields(operation.doc, operation.takes));
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
            routes.entry(path.replace("{id}", ":id")).or_default().insert(method, route.boxed());
        };
        for table in tables() {
            for verb in table.verbs {
                let (method, path, _) = schema::of_verb(table, *verb);
                add(&path, method, Route::Verb(table, handler(*verb)));
            }
        }
        for operation in all_operations() {
            let (method, path, _) = schema::of_operation(operation, false);
            add(&path, method, Route::Operation(operation));
        }
    }
}
