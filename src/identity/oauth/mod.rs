//! OAuth 2.0 as Enamel serves it: client credentials, codes with PKCE, refresh, revocation, introspection. Opaque tokens.
//! RFC 6749, 7009, 7636, 7662, 9207 and the advice of RFC 9700.
mod authorize;
mod client;
mod form;
mod inspect;
mod refusal;
mod refused;
mod token;

use crate::kernel::Caller;
use crate::kernel::error::{self, Error};
pub(super) use authorize::{AUTHORIZE, asking};
pub(super) use form::Form;
use futures_util::future::BoxFuture;
use poem::endpoint::make;
use poem::http::Method;
use poem::{Endpoint, EndpointExt, Request, Response, Route, get, post};
use refusal::Refusal;
pub use refusal::render;
pub(super) use refused::Refused;

/// Below the server's root.
pub const ROOT: &str = "/oauth2";

pub fn routes() -> Route {
    Route::new()
        .at("/token", post(program(|caller, request| Box::pin(token::exchange(caller, request)))))
        .at("/revoke", post(program(|caller, request| Box::pin(inspect::revoke(caller, request)))))
        .at("/introspect", post(program(|caller, request| Box::pin(inspect::introspect(caller, request)))))
        .at(
            "/authorize",
            get(super::browser::page(|caller, request| Box::pin(authorize::show(caller, request))))
                .post(super::browser::page(|caller, request| Box::pin(authorize::decide(caller, request)))),
        )
}

/// Paths and methods, for `Allow`.
pub const PATHS: &[(&str, &[Method])] = &[
    ("/oauth2/token", &[Method::POST]),
    ("/oauth2/revoke", &[Method::POST]),
    ("/oauth2/introspect", &[Method::POST]),
    ("/oauth2/authorize", &[Method::GET, Method::POST]),
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
