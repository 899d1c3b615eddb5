//! SCIM 2.0 (RFC 7643, 7644): a tenant's directory makes, changes and takes away its people and teams. The bearer is the identity
//! provider's own, opens nothing else, and acts in its own tenant alone.
mod groups;
mod key;
mod patch;
mod query;
mod users;

use super::grant;
use super::token::{Kind, Token};
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::Context;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::future::BoxFuture;
pub use key::ROTATE;
use poem::endpoint::make;
use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, EndpointExt, Request, Response, Route, get};
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub const ROOT: &str = "/scim/v2";
const MEDIA_TYPE: &str = "application/scim+json";
const BYTES_MAX: usize = 256 * 1024;
/// Paths and methods, for `Allow`.
pub const PATHS: &[(&str, &[Method])] = &[
    ("/scim/v2/ServiceProviderConfig", &[Method::GET]),
    ("/scim/v2/Users", &[Method::GET, Method::POST]),
    ("/scim/v2/Users/:id", &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE]),
    ("/scim/v2/Groups", &[Method::GET, Method::POST]),
    ("/scim/v2/Groups/:id", &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE]),
];

sql! {
    /// $1 hash.
    PROVIDER(BYTEA) = "select * from sec.scim_provider($1)";
}

pub fn routes() -> Route {
    Route::new()
        .at("/ServiceProviderConfig", get(program(|_, _| Box::pin(async { Ok(answer(StatusCode::OK, &config())) }))))
        .at("/Users", get(program(|d, r| Box::pin(users::list(d, r)))).post(program(|d, r| Box::pin(users::create(d, r)))))
        .at(
            "/Users/:id",
            get(program(|d, r| Box::pin(users::read(d, r))))
                .put(program(|d, r| Box::pin(users::replace(d, r))))
                .patch(program(|d, r| Box::pin(users::patch(d, r))))
                .delete(program(|d, r| Box::pin(users::delete(d, r)))),
        )
        .at("/Groups", get(program(|d, r| Box::pin(groups::list(d, r)))).post(program(|d, r| Box::pin(groups::create(d, r)))))
        .at(
            "/Groups/:id",
            get(program(|d, r| Box::pin(groups::read(d, r))))
                .put(program(|d, r| Box::pin(groups::replace(d, r))))
                .patch(program(|d, r| Box::pin(groups::patch(d, r))))
                .delete(program(|d, r| Box::pin(groups::delete(d, r)))),
        )
}

/// Whose directory is asking.
struct Directory {
    caller: Caller,
    tenant: Uuid,
    provider: Uuid,
    issuer: String,
    /// Domains the tenant has proved and the provider answers for.
    domains: Vec<String>,
    mapping: Json,
}

type Handler = fn(Directory, Request) -> BoxFuture<'static, Result<Response>>;

fn program(handler: Handler) -> impl Endpoint<Output = Response> {
    make(move |request: Request| async move {
        let caller = request.extensions().get::<Caller>().cloned().ok_or_else(|| Error::new(&error::UNAUTHENTICATED))?;
        let directory = Directory::of(caller, &request).await?;
        Ok::<_, poem::Error>(handler(directory, request).await?)
    })
    .map_to_response()
}

impl Directory {
    async fn of(caller: Caller, request: &Request) -> Result<Directory> {
        let refused = || Error::new(&error::UNAUTHENTICATED);
        let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
        let (scheme, token) = value.split_once(' ').ok_or_else(refused)?;
        let token = Token::parse(Kind::Scim, token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer")).ok_or_else(refused)?;
        let scope = caller.kernel.door.open(&grant::behind(&caller.context, None)).await?;
        let answers = scope.once(&[((&PROVIDER).into(), vec![&token.hash().as_bytes()])]).await?;
        let row = answers.iter().flatten().next().ok_or_else(refused)?;
        Ok(Directory {
            tenant: row.try_get("tenant_id")?,
            provider: row.try_get("id")?,
            issuer: row.try_get("issuer")?,
            domains: row.try_get("domains")?,
            mapping: row.try_get("role_mapping")?,
            caller,
        })
    }

    fn context(&self) -> Context {
        self.caller.server(self.tenant)
    }

    async fn scope(&self) -> Result<Scope> {
        self.caller.kernel.door.open(&self.context()).await
    }

    /// On record in the scope's own transaction.
    fn did(&self, scope: &mut Scope, action: Action, kind: &'static str, id: Uuid) {
        let event = match action {
            Action::Create => "RECORD_CREATED",
            Action::Delete => "RECORD_DELETED",
            _ => "RECORD_UPDATED",
        };
        let mut event = audit_store::of(scope.context(), event, action, Outcome::Success, scope.now());
        (event.resource_type, event.resource_id) = (Some(kind.into()), Some(id));
        event.metadata = Metadata::new().text("method", "SCIM");
        scope.audit(event);
    }

    /// That somebody's particulars were read is on record before they leave.
    async fn saw(&self, kind: &'static str, id: Option<Uuid>) -> Result<()> {
        let (event, action) = match id {
            Some(_) => ("RECORD_READ", Action::Read),
            None => ("RECORD_SEARCHED", Action::Search),
        };
        let mut event = audit_store::of(&self.context(), event, action, Outcome::Success, Utc::now());
        (event.resource_type, event.resource_id) = (Some(kind.into()), id);
        event.metadata = Metadata::new().text("method", "SCIM");
        self.caller.kernel.audit.record(event).await
    }

    fn location(&self, kind: &str, id: Uuid) -> String {
        format!("{}{ROOT}/{kind}/{id}", self.caller.kernel.config.server.public_url)
    }
}

fn id_of(request: &Request) -> Result<Uuid> {
    request.raw_path_param("id").and_then(|id| id.parse().ok()).ok_or_else(|| Error::new(&error::NOT_FOUND))
}

async fn body(request: &mut Request) -> Result<Json> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !matches!(kind.split(';').next().unwrap_or_default().trim(), MEDIA_TYPE | "application/json") {
        return Err(Error::new(&error::MEDIA_TYPE));
    }
    let bytes = request.take_body().into_bytes_limit(BYTES_MAX).await.map_err(|_| Error::new(&error::TOO_LARGE))?;
    let body: Json = serde_json::from_slice(&bytes).map_err(|_| Error::new(&error::MALFORMED))?;
    if body.is_object() { Ok(body) } else { Err(Error::new(&error::MALFORMED)) }
}

/// A member of an object, whatever its letters' case (RFC 7643 §2.1).
fn member<'a>(object: &'a Json, name: &str) -> Option<&'a Json> {
    object.as_object()?.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn text<'a>(object: &'a Json, name: &str) -> Option<&'a str> {
    member(object, name).and_then(Json::as_str)
}

fn wrong(rule: &'static str, detail: &'static str) -> Error {
    Error::new(&error::PARAMETER_INVALID).fault("body", rule, detail)
}

fn answer(status: StatusCode, body: &Json) -> Response {
    Response::builder().status(status).content_type(MEDIA_TYPE).header(header::CACHE_CONTROL, "no-store").body(body.to_string())
}

fn page(resources: Vec<Json>, total: i64, start: i64) -> Json {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total, "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources,
    })
}

fn meta(kind: &str, created: DateTime<Utc>, modified: DateTime<Utc>, location: &str) -> Json {
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({"resourceType": kind, "created": instant(created), "lastModified": instant(modified), "location": location})
}

fn config() -> Json {
    let not = json!({"supported": false});
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true}, "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": query::COUNT_MAX}, "changePassword": not, "sort": not, "etag": not,
        "authenticationSchemes": [{"type": "oauthbearertoken", "name": "Bearer", "description": "The identity provider's own key."}],
    })
}

/// Errors below this path, as RFC 7644 §3.12 has them.
pub fn render(failure: &Error, _: Uuid) -> (&'static str, Vec<u8>) {
    let fault = failure.faults.first();
    let kind = match failure.code.status {
        409 => Some("uniqueness"),
        400 => Some(fault.map_or("invalidSyntax", |fault| fault.rule)),
        _ => None,
    };
    let detail = fault.map(|fault| fault.text.as_str()).or(failure.detail.as_deref()).unwrap_or(failure.code.title);
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": failure.code.status.to_string(), "detail": detail,
    });
    if let Some(kind) = kind {
        body["scimType"] = json!(kind);
    }
    (MEDIA_TYPE, body.to_string().into_bytes())
}
