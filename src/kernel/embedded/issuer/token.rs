//! The token endpoint (code and PKCE for an ID token) and userinfo.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use openidconnect::url::form_urlencoded;
use poem::http::{StatusCode, header};
use poem::web::{Data, Form};
use poem::{Request, Response, handler};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::grants::{Grant, TOKEN_LIFE};
use super::{Client, Person, State, refusal};
use crate::kernel::Result;

const ID_TOKEN_LIFE_S: u64 = 300;

#[derive(Deserialize)]
pub struct Exchange {
    grant_type: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

#[handler]
pub fn exchange(Data(state): Data<&Arc<State>>, request: &Request, Form(form): Form<Exchange>) -> Response {
    if form.grant_type.as_deref() != Some("authorization_code") {
        return refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let Some(client) = client_of(state, request, &form) else {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    let now = Instant::now();
    let mut grants = state.grants();
    let Some((code, grant)) = form.code.as_deref().and_then(|code| Some((code, grants.look(code, now)?))) else {
        return refusal(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let matches = grant.client_id == client.client_id
        && Some(&grant.redirect_uri) == form.redirect_uri.as_ref()
        && form.code_verifier.as_deref().is_some_and(|verifier| answers(&grant.code_challenge, verifier));
    if !matches {
        return refusal(StatusCode::BAD_REQUEST, "invalid_grant");
    }
    let made = grants.spend(code, &grant, now).and_then(|token| Ok((id_token(state, &grant, &token)?, token)));
    let Ok((id_token, token)) = made else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    };
    let answer = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFE.as_secs(),
        "scope": grant.scopes.join(" "),
        "id_token": id_token,
    });
    Response::builder().content_type("application/json").body(answer.to_string())
}

#[handler]
pub fn user_info(Data(state): Data<&Arc<State>>, request: &Request) -> Response {
    let bearer = request
        .header(header::AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(|token| state.grants().bearer(token, Instant::now()));
    let person = bearer.as_ref().and_then(|bearer| state.person(&bearer.sub));
    let Some((person, bearer)) = person.zip(bearer.as_ref()) else {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_token");
    };
    let mut claims = claims_of(person, &bearer.scopes);
    claims.insert("sub".into(), json!(person.sub));
    Response::builder().content_type("application/json").body(Value::Object(claims).to_string())
}

/// `client_secret_basic` or `client_secret_post`, never both (RFC 6749 §2.3); a public client by its id alone.
fn client_of<'a>(state: &'a State, request: &Request, form: &Exchange) -> Option<&'a Client> {
    let (id, secret) = match request.header(header::AUTHORIZATION) {
        Some(_) if form.client_secret.is_some() => return None,
        Some(value) => {
            let pair = String::from_utf8(BASE64_STANDARD.decode(value.strip_prefix("Basic ")?).ok()?).ok()?;
            let (id, secret) = pair.split_once(':')?;
            (form_decoded(id)?, Some(form_decoded(secret)?))
        }
        None => (form.client_id.clone()?, form.client_secret.clone()),
    };
    let client = state.client(&id)?;
    let right = match (&client.client_secret, secret) {
        (Some(known), Some(given)) => known.as_bytes().ct_eq(given.as_bytes()).into(),
        (None, None) => true,
        (None, Some(given)) => given.is_empty(),
        (Some(_), None) => false,
    };
    right.then_some(client)
}

/// Basic credentials are form-encoded before they are joined.
fn form_decoded(text: &str) -> Option<String> {
    form_urlencoded::parse(text.as_bytes()).next().map(|(decoded, _)| decoded.into_owned())
}

fn answers(challenge: &str, verifier: &str) -> bool {
    let made = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

fn id_token(state: &State, grant: &Grant, access_token: &str) -> Result<String> {
    let now = jsonwebtoken::get_current_timestamp();
    let mut claims = state.person(&grant.sub).map_or_else(Map::new, |person| claims_of(person, &grant.scopes));
    claims.extend([
        ("iss".into(), json!(state.url)),
        ("sub".into(), json!(grant.sub)),
        ("aud".into(), json!(grant.client_id)),
        ("iat".into(), json!(now)),
        ("exp".into(), json!(now + ID_TOKEN_LIFE_S)),
        ("auth_time".into(), json!(grant.auth_time)),
        ("at_hash".into(), json!(BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token.as_bytes())[..16]))),
    ]);
    if let Some(nonce) = &grant.nonce {
        claims.insert("nonce".into(), json!(nonce));
    }
    state.key.sign(&Value::Object(claims))
}

/// What the scopes open (Core §5.4).
fn claims_of(person: &Person, scopes: &[String]) -> Map<String, Value> {
    let mut claims = Map::new();
    let asked = |scope: &str| scopes.iter().any(|asked| asked == scope);
    if asked("email") {
        claims.insert("email".into(), json!(person.email));
        claims.insert("email_verified".into(), json!(true));
    }
    if asked("profile") {
        claims.insert("name".into(), json!(person.name));
    }
    claims
}
