//! Who signed in, for the application that asked: the ID token, and the same at the userinfo endpoint.

use super::client::Client;
use super::refusal::Refusal;
use crate::identity::opening::Issued;
use crate::identity::scope::{EMAIL, FHIR_USER, OPENID, PROFILE};
use crate::identity::service::Service;
use crate::kernel::Caller;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use poem::http::header;
use poem::{Request, Response};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const LIVES_S: i64 = 300;

sql! {
    /// $1 login.
    PERSON(UUID) = "select full_name, email, email_verified_at is not null as verified, preferred_locale from users where id = $1";
    /// $1 tenant, $2 login: what of ours they are there, as somebody who treats or as one who is treated.
    FHIR_USERS(UUID, UUID) = "
        select (select p.id from providers p where p.tenant_id = $1 and p.user_id = $2 and p.deleted_at is null order by p.id limit 1) as provider_id,
               (select a.patient_id from patient_portal_accounts a
                 where a.tenant_id = $1 and a.user_id = $2 and a.status = 'ACTIVE' order by a.patient_id limit 1) as patient_id";
}

/// How and when somebody signed in for a grant.
pub struct SignIn {
    pub user: Uuid,
    pub nonce: Option<String>,
    pub at: Option<DateTime<Utc>>,
    /// The browser's: one for all that was allowed from it.
    pub session: Uuid,
}

/// None, where the grant is not about who signed in.
pub async fn of(caller: &Caller, client: &Client, issued: &Issued, sign_in: &SignIn) -> Result<Option<String>> {
    if !issued.scopes.iter().any(|word| word == OPENID) {
        return Ok(None);
    }
    let now = Utc::now().timestamp();
    let hash = Sha256::digest(issued.access.expose().as_bytes());
    let mut claims = claims(caller, client.tenant, sign_in.user, &issued.scopes).await?;
    claims.extend([
        ("iss".to_owned(), json!(caller.kernel.config.server.public_url)),
        ("aud".to_owned(), json!(client.public_id)),
        ("iat".to_owned(), json!(now)),
        ("exp".to_owned(), json!(now + LIVES_S)),
        ("sid".to_owned(), json!(sign_in.session)),
        ("at_hash".to_owned(), json!(BASE64_URL_SAFE_NO_PAD.encode(&hash[..16]))),
    ]);
    claims.extend(sign_in.at.map(|at| ("auth_time".to_owned(), json!(at.timestamp()))));
    claims.extend(sign_in.nonce.as_ref().map(|nonce| ("nonce".to_owned(), json!(nonce))));
    Service::of(&caller.kernel)?.signing.sign(&caller.kernel, "JWT", &Json::Object(claims)).await.map(Some)
}

/// What the scopes tell about a person.
async fn claims(caller: &Caller, tenant: Uuid, user: Uuid, scopes: &[String]) -> Result<Map<String, Json>> {
    let has = |word: &str| scopes.iter().any(|held| held == word);
    let mut claims = Map::from_iter([("sub".to_owned(), json!(user))]);
    if has(FHIR_USER) {
        let url = fhir_user(caller, tenant, user).await?;
        claims.extend(url.map(|url| (FHIR_USER.to_owned(), json!(url))));
    }
    if has(PROFILE) || has(EMAIL) {
        let scope = caller.kernel.door.open(&Context::system(Plane::Auth, Some(tenant))).await?;
        let answers = scope.once(&[((&PERSON).into(), vec![&user])]).await?;
        let row = answers.iter().flatten().next().ok_or_else(|| Error::new(&error::NOT_FOUND))?;
        if has(PROFILE) {
            claims.insert("name".to_owned(), json!(row.try_get::<_, &str>("full_name")?));
            claims.insert("locale".to_owned(), json!(row.try_get::<_, &str>("preferred_locale")?));
        }
        if has(EMAIL) {
            claims.insert("email".to_owned(), json!(row.try_get::<_, &str>("email")?));
            claims.insert("email_verified".to_owned(), json!(row.try_get::<_, bool>("verified")?));
        }
    }
    Ok(claims)
}

/// The resource of the person in that tenant; some of the staff are none.
pub async fn fhir_user(caller: &Caller, tenant: Uuid, user: Uuid) -> Result<Option<String>> {
    let scope = caller.kernel.door.open(&caller.server(tenant)).await?;
    let answers = scope.once(&[((&FHIR_USERS).into(), vec![&tenant, &user])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(|| Error::internal("one row"))?;
    let (provider, patient): (Option<Uuid>, Option<Uuid>) = (row.try_get("provider_id")?, row.try_get("patient_id")?);
    let base = super::fhir_base(&caller.kernel);
    let provider = provider.map(|id| format!("{base}/Practitioner/{id}"));
    Ok(provider.or_else(|| patient.map(|id| format!("{base}/Patient/{id}"))))
}

/// OpenID Connect Core §5.3, by the access token.
pub async fn userinfo(caller: Caller, _: Request) -> Result<Response, Refusal> {
    let context = &caller.context;
    let named = context.actor.zip(context.tenant).filter(|_| context.client.is_some());
    let (user, tenant) = named.ok_or_else(|| Refusal::token("invalid_token", "An access token of an application is needed."))?;
    if !caller.scopes.iter().any(|word| word == OPENID) {
        return Err(Refusal::token("insufficient_scope", "The token has not the scope openid."));
    }
    let claims = claims(&caller, tenant, user, &caller.scopes).await?;
    let response = Response::builder().content_type("application/json").header(header::CACHE_CONTROL, "no-store");
    Ok(response.body(Json::Object(claims).to_string()))
}
