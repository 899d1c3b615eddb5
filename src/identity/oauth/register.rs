//! Dynamic client registration (RFC 7591) for the applications of approved vendors. One is registered once for all tenants, and
//! used where a tenant has admitted it (`admit_app.rs`). A newer statement of the same software says it anew, under the same id.

use super::assertion;
use super::metadata::App;
use super::refusal::Refusal;
use super::refused;
use super::statement::{self, Statement, unapproved};
use crate::identity::grant;
use crate::identity::service::Service;
use crate::identity::token::{Kind, Token};
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::error::{self, Error};
use crate::kernel::hex::hex;
use crate::kernel::json::{self, Limits};
use crate::kernel::{Caller, audit_store};
use crate::sql;
use chrono::{DateTime, TimeDelta, Utc};
use poem::http::{StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

const BYTES_MAX: usize = 64 * 1024;
/// How long a secret works on when a newer one was given.
const OVERLAP_HOURS: i64 = 24;

sql! {
    /// $1 vendor, $2 software. Twins take turns.
    FIND(UUID, TEXT) = "
        select client_type, status, stated_at from vendor_apps where vendor_id = $1 and software_id = $2 for update";
    /// $1 id, $2 vendor, $3 public id, $4 kind, $5 software, $6 its version, $7 name, $8 how it proves itself, $9 hash of a secret, $10
    /// keys, $11 where they are, $12 addresses, $13 of launches, $14 after signing out, $15 where that is told, $16 site, $17 logo,
    /// $18 terms, $19 privacy, $20 scopes, $21 grants, $22 when it was stated, $23 until when an older secret works.
    KEEP(UUID, UUID, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, BYTEA, JSONB, TEXT, TEXT_ARRAY, TEXT, TEXT_ARRAY, TEXT, TEXT, TEXT, TEXT, TEXT,
         TEXT_ARRAY, TEXT_ARRAY, TIMESTAMPTZ, TIMESTAMPTZ) = "
        insert into vendor_apps (id, vendor_id, client_id, client_type, software_id, software_version, name, auth_method, client_secret_hash,
                                 jwks, jwks_uri, redirect_uris, launch_uri, logout_uris, backchannel_logout_uri, client_uri, logo_uri, tos_uri,
                                 policy_uri, scopes, grant_types, stated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        on conflict (vendor_id, software_id) do update
           set software_version = excluded.software_version, name = excluded.name, auth_method = excluded.auth_method,
               previous_secret_hash = case when excluded.client_secret_hash is not null then vendor_apps.client_secret_hash end,
               previous_secret_expires_at = $23, client_secret_hash = excluded.client_secret_hash, jwks = excluded.jwks,
               jwks_uri = excluded.jwks_uri, redirect_uris = excluded.redirect_uris, launch_uri = excluded.launch_uri,
               logout_uris = excluded.logout_uris, backchannel_logout_uri = excluded.backchannel_logout_uri,
               client_uri = excluded.client_uri, logo_uri = excluded.logo_uri, tos_uri = excluded.tos_uri,
               policy_uri = excluded.policy_uri, scopes = excluded.scopes, stated_at = excluded.stated_at
         where vendor_apps.client_type = excluded.client_type
        returning id, client_id, created_at";
}

pub async fn register(caller: Caller, mut request: Request) -> Result<Response, Refusal> {
    Service::of(&caller.kernel)?.registrations.admit_address(caller.context.ip())?;
    let mut body = body(&mut request).await?;
    let by_hand = "Without a software statement of an approved vendor, a tenant's administrator registers the program there.";
    let text = body.remove("software_statement").and_then(|text| text.as_str().map(str::to_owned)).ok_or_else(|| unapproved(by_hand))?;
    match stated(&caller, &text, body).await {
        Err(refusal) if refusal.error.ends_with("_software_statement") => {
            refused::remember(&caller, None).await?;
            Err(refusal)
        }
        answer => answer,
    }
}

async fn body(request: &mut Request) -> Result<Map<String, Json>, Refusal> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Error::new(&error::MEDIA_TYPE).into());
    }
    let bytes = request.take_body().into_bytes_limit(BYTES_MAX).await.map_err(|_| Error::new(&error::TOO_LARGE))?;
    match json::parse(&bytes, Limits::BODY) {
        Ok(Json::Object(body)) => Ok(body),
        _ => Err(Refusal::request("The body is a JSON object.")),
    }
}

/// What the statement says goes before what the body says beside it (§2.3).
async fn stated(caller: &Caller, text: &str, body: Map<String, Json>) -> Result<Response, Refusal> {
    let mut statement = statement::proven(caller, text).await?;
    // What others show in its name is not counted.
    Service::of(&caller.kernel)?.registrations.admit_anywhere(&statement.vendor.to_string())?;
    let software = statement.says.get("software_id").and_then(Json::as_str).map(str::to_owned);
    let mut says = body;
    says.append(&mut statement.says);
    let app = App::read(&says, software)?;
    let secret = if app.keeps_secret() { Some(Token::new(Kind::ClientSecret)?) } else { None };
    let (public_id, since) = keep(caller, &statement, &app, secret.as_ref()).await?;
    let mut told = app.told();
    told.extend([
        ("client_id".to_owned(), json!(public_id)),
        ("client_id_issued_at".to_owned(), json!(since.timestamp())),
        ("software_statement".to_owned(), json!(text)),
    ]);
    if let Some(secret) = &secret {
        told.extend([("client_secret".to_owned(), json!(secret.expose())), ("client_secret_expires_at".to_owned(), json!(0))]);
    }
    let response = Response::builder().status(StatusCode::CREATED).content_type("application/json");
    let response = response.header(header::CACHE_CONTROL, "no-store").header(header::PRAGMA, "no-cache");
    Ok(response.body(Json::Object(told).to_string()))
}

/// The public id, and since when it is known.
async fn keep(caller: &Caller, statement: &Statement, app: &App, secret: Option<&Token>) -> Result<(String, DateTime<Utc>), Refusal> {
    let context = grant::behind(&caller.context, None);
    let mut scope = caller.kernel.door.open(&context).await?;
    if !assertion::first_in(&mut scope, statement.vendor.as_bytes(), &statement.jti, statement.until).await? {
        return Err(Refusal::new("invalid_software_statement", "The statement was shown before."));
    }
    let was = scope.optional(&FIND, &[&statement.vendor, &app.software_id]).await?;
    let other = || Refusal::new("invalid_client_metadata", "The same software is registered as a client of another kind.");
    if let Some(was) = &was {
        if was.try_get::<_, &str>("status").map_err(Error::from)? != "ACTIVE" {
            return Err(unapproved("The platform has suspended this software."));
        }
        if was.try_get::<_, &str>("client_type").map_err(Error::from)? != app.client_type {
            return Err(other());
        }
        if was.try_get::<_, DateTime<Utc>>("stated_at").map_err(Error::from)? > statement.made {
            return Err(Refusal::new("invalid_software_statement", "A newer statement has registered this software."));
        }
    }
    let (id, public_id, now) = (scope.new_id(), hex(Uuid::new_v4().as_bytes()), scope.now());
    let hash = secret.map(Token::hash);
    let (hash, until) = (hash.as_ref().map(|hash| hash.as_bytes()), now + TimeDelta::hours(OVERLAP_HOURS));
    let row = scope
        .optional(
            &KEEP,
            &[
                &id,
                &statement.vendor,
                &public_id,
                &app.client_type,
                &app.software_id,
                &app.software_version,
                &app.name,
                &app.auth_method,
                &hash,
                &app.jwks,
                &app.jwks_uri,
                &app.redirect_uris,
                &app.launch_uri,
                &app.logout_uris,
                &app.backchannel_logout_uri,
                &app.client_uri,
                &app.logo_uri,
                &app.tos_uri,
                &app.policy_uri,
                &app.scopes,
                &app.grant_types,
                &statement.made,
                &until,
            ],
        )
        .await?
        .ok_or_else(other)?;
    let read = |failure: tokio_postgres::Error| Refusal::from(Error::from(failure));
    let kept: Uuid = row.try_get("id").map_err(read)?;
    let action = if was.is_some() { Action::Update } else { Action::Create };
    let mut event = audit_store::of(&context, "CLIENT_REGISTERED", action, Outcome::Success, now);
    (event.resource_type, event.resource_id) = (Some("VendorApp".into()), Some(kept));
    event.metadata = Metadata::new().text("vendor", statement.vendor.to_string()).texts("scopes", &app.scopes);
    scope.audit(event);
    let answer = (row.try_get("client_id").map_err(read)?, row.try_get("created_at").map_err(read)?);
    scope.commit().await?;
    // Where it proves itself otherwise now, what it held has ended.
    grant::forget(&caller.kernel, |context| context.client.is_some())?;
    Ok(answer)
}
