//! The OpenID provider of `enamel up`: demo people sign in, one key signs, nothing is stored but that key.
//!
//! Development software: it shows passwords on its page and listens on loopback alone. It speaks the protocol in
//! full all the same (code with PKCE S256, exact redirect URIs, single-use codes, `iss` in the response), because
//! the relying party is tested against it.
mod authorize;
mod grants;
mod key;
mod token;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use poem::http::StatusCode;
use poem::listener::TcpAcceptor;
use poem::middleware::{AddData, SetHeader, SizeLimit};
use poem::web::{Data, Json};
use poem::{EndpointExt, IntoEndpoint, Response, Route, Server, get, handler, post};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::grants::Grants;
use self::key::Key;
use crate::kernel::{Error, Result};

const FORM_BYTES_MAX: usize = 64 * 1024;
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// Somebody who can sign in. The password is shown on the sign-in page.
#[derive(Debug, Clone)]
pub struct Person {
    pub sub: String,
    pub email: String,
    pub password: String,
    pub name: String,
}

/// A relying party. Without a secret it is a public client, held by PKCE alone.
#[derive(Debug, Clone)]
pub struct Client {
    pub client_id: String,
    pub client_secret: Option<String>,
    pub redirect_uris: Vec<String>,
}

/// The running provider. Stops when dropped; [`Issuer::stop`] waits for it.
pub struct Issuer {
    url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Issuer {
    /// Listens on `addr` (port 0 picks one) and keeps its key in `dir`. Refuses an address that is not loopback.
    pub async fn start(addr: SocketAddr, dir: &Path, people: Vec<Person>, clients: Vec<Client>) -> Result<Self> {
        if !addr.ip().is_loopback() {
            return Err(Error::internal("the development sign-in listens on loopback only"));
        }
        let key = Key::load_or_make(dir)?;
        let listener = tokio::net::TcpListener::bind(addr).await.map_err(Error::internal)?;
        let url = format!("http://{}", listener.local_addr().map_err(Error::internal)?);
        let state = Arc::new(State { url: url.clone(), people, clients, key, grants: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).map_err(Error::internal)?)
            .name("development sign-in")
            .run_with_graceful_shutdown(
                app(state),
                async {
                    // An error is a dropped sender, which means the same.
                    stopped.await.ok();
                },
                Some(STOP_WITHIN),
            );
        Ok(Self { url, stop, server: tokio::spawn(server) })
    }

    pub fn issuer_url(&self) -> &str {
        &self.url
    }

    pub async fn stop(self) -> Result<()> {
        self.stop.send(()).ok();
        self.server.await.map_err(Error::internal)?.map_err(Error::internal)
    }
}

struct State {
    url: String,
    people: Vec<Person>,
    clients: Vec<Client>,
    key: Key,
    grants: Mutex<Grants>,
}

impl State {
    fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.client_id == client_id)
    }

    fn person(&self, sub: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.sub == sub)
    }

    fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn app(state: Arc<State>) -> impl IntoEndpoint {
    // A form without a length is refused; a GET has neither.
    let limit = || SizeLimit::new(FORM_BYTES_MAX);
    Route::new()
        .at("/.well-known/openid-configuration", get(discovery))
        .at("/jwks", get(jwks))
        .at("/authorize", get(authorize::show).post(authorize::sign_in.with(limit())))
        .at("/token", post(token::exchange.with(limit())))
        .at("/userinfo", get(token::user_info))
        .at("/style.css", get(stylesheet))
        .with(AddData::new(state))
        .with(SetHeader::new().overriding("cache-control", "no-store").overriding("x-content-type-options", "nosniff"))
}

#[handler]
fn discovery(Data(state): Data<&Arc<State>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", state.url);
    Json(json!({
        "issuer": state.url,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "scopes_supported": ["openid", "email", "profile"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": ["sub", "email", "email_verified", "name", "auth_time"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

#[handler]
fn jwks(Data(state): Data<&Arc<State>>) -> Json<Value> {
    Json(state.key.jwks())
}

#[handler]
fn stylesheet() -> Response {
    Response::builder().content_type("text/css; charset=utf-8").body(include_str!("../../../../templates/enamel.css"))
}

/// RFC 6749 §5.2.
fn refusal(status: StatusCode, error: &'static str) -> Response {
    Response::builder().status(status).content_type("application/json").body(json!({ "error": error }).to_string())
}
