//! OAuth 2.0 and OpenID Connect as Enamel serves them, with SMART App Launch on top: client credentials, codes with PKCE,
//! refresh, revocation, introspection, ID tokens, registration by a vendor's statement. Access tokens are opaque.
//! RFC 6749, 7009, 7523, 7591, 7636, 7662, 8414, 8693, 9126, 9207, 9449 and the advice of RFC 9700.
mod app_origins;
mod asked;
mod assertion;
mod authorize;
pub mod backchannel;
mod brands;
mod client;
mod client_keys;
mod consent;
mod crowd;
mod discovery;
mod dpop;
mod exchange;
mod form;
mod handle;
mod id_token;
mod inspect;
pub mod jwt;
mod logged_out;
mod logout;
mod metadata;
mod place;
mod refusal;
mod refused;
mod register;
mod signing;
mod statement;
mod token;

use crate::kernel::error::{self, Error};
use crate::kernel::{Caller, Kernel};
pub(super) use app_origins::AppOrigins;
pub use app_origins::is_app;
pub(super) use asked::asking;
pub(super) use authorize::AUTHORIZE;
pub(super) use brands::Brands;
use client::Client;
pub(super) use client_keys::ClientKeys;
pub(super) use crowd::Crowd;
pub use dpop::Proof;
pub(super) use form::Form;
use futures_util::future::BoxFuture;
pub(super) use handle::{Launching, launch};
use poem::endpoint::make;
use poem::http::Method;
use poem::{Endpoint, EndpointExt, Request, Response, Route, RouteMethod, get, post};
use refusal::Refusal;
pub use refusal::render;
pub(super) use refused::Refused;
pub(super) use signing::SigningKeys;
pub use signing::reseal as reseal_signing_keys;
use uuid::Uuid;

/// Below the server's root.
pub const ROOT: &str = "/oauth2";
/// Below the server's root: the resource server that SMART knows.
pub const FHIR: &str = "/fhir/r4";

/// The base that applications are launched against.
pub(super) fn fhir_base(kernel: &Kernel) -> String {
    format!("{}{FHIR}", kernel.config.server.public_url.trim_end_matches('/'))
}

/// Where a tenant's provider tells that somebody has signed out there.
pub(super) fn hears_logouts(kernel: &Kernel, tenant: Uuid, provider: Uuid) -> String {
    format!("{}{ROOT}/logged-out/{tenant}/{provider}", kernel.config.server.public_url.trim_end_matches('/'))
}

/// Those of these tenants in which the application acts.
pub(super) async fn admitted(caller: &Caller, public_id: &str, tenants: impl Iterator<Item = Uuid>) -> crate::kernel::Result<Vec<Uuid>> {
    Client::admitted(caller, public_id, tenants).await
}

/// What clients may sign with.
fn jwt_algorithms() -> [&'static str; 4] {
    ["RS384", "ES384", "RS256", "ES256"]
}

pub fn routes() -> Route {
    let page = super::browser::page;
    Route::new()
        .at("/token", post(program(|caller, request| Box::pin(token::grant(caller, request)))))
        .at("/revoke", post(program(|caller, request| Box::pin(inspect::revoke(caller, request)))))
        .at("/introspect", post(program(|caller, request| Box::pin(inspect::introspect(caller, request)))))
        .at("/par", post(program(|caller, request| Box::pin(handle::push(caller, request)))))
        .at("/register", post(program(|caller, request| Box::pin(register::register(caller, request)))))
        .at("/userinfo", both(|| program(|caller, request| Box::pin(id_token::userinfo(caller, request)))))
        .at("/logged-out/:tenant_id/:provider_id", post(program(|caller, request| Box::pin(logged_out::take(caller, request)))))
        .at("/jwks", get(page(|caller, request| Box::pin(discovery::jwks(caller, request)))))
        .at(
            "/authorize",
            get(page(|caller, request| Box::pin(authorize::show(caller, request))))
                .post(page(|caller, request| Box::pin(authorize::decide(caller, request)))),
        )
        .at("/logout", both(|| page(|caller, request| Box::pin(logout::leave(caller, request)))))
}

fn both<E: Endpoint<Output = Response> + 'static>(made: impl Fn() -> E) -> RouteMethod {
    get(made()).post(made())
}

/// What is asked before anything is known of the server; not below [`ROOT`].
pub fn well_known(routes: Route) -> Route {
    let page = super::browser::page;
    routes
        .at(SERVER, get(page(|caller, request| Box::pin(discovery::server(caller, request)))))
        .at(OPENID, get(page(|caller, request| Box::pin(discovery::openid(caller, request)))))
        .at(SMART, get(page(|caller, request| Box::pin(discovery::smart(caller, request)))))
        .at(brands::PATH, get(page(|caller, request| Box::pin(brands::bundle(caller, request)))))
}

const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";
const SMART: &str = "/fhir/r4/.well-known/smart-configuration";

/// Paths and methods, for `Allow`.
pub const PATHS: &[(&str, &[Method])] = &[
    ("/oauth2/token", &[Method::POST]),
    ("/oauth2/revoke", &[Method::POST]),
    ("/oauth2/introspect", &[Method::POST]),
    ("/oauth2/par", &[Method::POST]),
    ("/oauth2/register", &[Method::POST]),
    ("/oauth2/userinfo", &[Method::GET, Method::POST]),
    ("/oauth2/jwks", &[Method::GET]),
    ("/oauth2/logged-out/:tenant_id/:provider_id", &[Method::POST]),
    ("/oauth2/authorize", &[Method::GET, Method::POST]),
    ("/oauth2/logout", &[Method::GET, Method::POST]),
    (SERVER, &[Method::GET]),
    (OPENID, &[Method::GET]),
    (SMART, &[Method::GET]),
    (brands::PATH, &[Method::GET]),
];

type Handler = fn(Caller, Request) -> BoxFuture<'static, Result<Response, Refusal>>;

/// An endpoint for programs: every refusal in the form of RFC 6749 §5.2.
fn program(handler: Handler) -> impl Endpoint<Output = Response> {
    make(move |request: Request| async move {
        let caller = request.extensions().get::<Caller>().cloned().ok_or_else(|| Error::new(&error::UNAUTHENTICATED))?;
        Ok::<_, poem::Error>(match handler(caller, request).await {
            Ok(response) => response,
            Err(refusal) => refusal.respond(),
        })
    })
    .map_to_response()
}
