//! What this server is, for programs that ask before they are known: RFC 8414, OpenID Connect Discovery, SMART App Launch, and
//! the keys that sign. The same for everybody; nothing in it is of a tenant.

use super::{brands, exchange, jwt_algorithms};
use crate::identity::scope::PLAIN;
use crate::identity::service::Service;
use crate::kernel::Caller;
use crate::kernel::error::{Error, Result};
use poem::http::header;
use poem::{Request, Response};
use serde_json::{Value as Json, json};

const CAPABILITIES: &[&str] = &[
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
];

/// Any origin may read it: there is nothing in it that a page could not fetch by itself, and no cookie is looked at.
fn open(body: &Json, age_s: u32) -> Response {
    Response::builder()
        .content_type("application/json")
        .header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .header(header::CACHE_CONTROL, format!("public, max-age={age_s}"))
        .body(body.to_string())
}

fn metadata(caller: &Caller) -> Json {
    let issuer = caller.kernel.config.server.public_url.as_str();
    let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
    let scopes: Vec<&str> = PLAIN.iter().copied().chain(["patient/*.cruds", "user/*.cruds", "system/*.cruds"]).collect();
    let server = &caller.kernel.config.server;
    let certificates = server.sees_certificates();
    let mut proofs = vec!["client_secret_basic", "client_secret_post", "private_key_jwt"];
    proofs.extend(certificates.then_some("self_signed_tls_client_auth"));
    proofs.extend((certificates && server.client_ca.is_some()).then_some("tls_client_auth"));
    let confidential = proofs.clone();
    proofs.push("none");
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth2/authorize"),
        "token_endpoint": at("/oauth2/token"),
        "revocation_endpoint": at("/oauth2/revoke"),
        "introspection_endpoint": at("/oauth2/introspect"),
        "pushed_authorization_request_endpoint": at("/oauth2/par"),
        "registration_endpoint": at("/oauth2/register"),
        "jwks_uri": at("/oauth2/jwks"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token", exchange::GRANT],
        "token_endpoint_auth_methods_supported": proofs,
        "token_endpoint_auth_signing_alg_values_supported": jwt_algorithms(),
        "revocation_endpoint_auth_methods_supported": proofs,
        "introspection_endpoint_auth_methods_supported": confidential,
        "tls_client_certificate_bound_access_tokens": certificates,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": jwt_algorithms(),
        "authorization_response_iss_parameter_supported": true,
    })
}

fn with(mut base: Json, more: Json) -> Json {
    if let (Json::Object(base), Json::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

pub async fn server(caller: Caller, _: Request) -> Result<Response> {
    Ok(open(&metadata(&caller), 3600))
}

pub async fn openid(caller: Caller, _: Request) -> Result<Response> {
    let issuer = caller.kernel.config.server.public_url.trim_end_matches('/');
    let more = json!({
        "userinfo_endpoint": format!("{issuer}/oauth2/userinfo"),
        "end_session_endpoint": format!("{issuer}/oauth2/logout"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "fhirUser", "name", "locale", "email", "email_verified"],
        "prompt_values_supported": ["none", "login", "consent"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "claims_parameter_supported": false,
    });
    Ok(open(&with(metadata(&caller), more), 3600))
}

pub async fn smart(caller: Caller, _: Request) -> Result<Response> {
    let issuer = caller.kernel.config.server.public_url.trim_end_matches('/');
    let more = json!({
        "capabilities": CAPABILITIES,
        "user_access_brand_bundle": format!("{issuer}{}", brands::PATH),
        "user_access_brand_identifier": brands::identifier(&caller.kernel),
    });
    Ok(open(&with(metadata(&caller), more), 3600))
}

pub async fn jwks(caller: Caller, _: Request) -> Result<Response> {
    let keys = Service::of(&caller.kernel)?.signing.published(&caller.kernel).await?;
    let keys: Vec<&Json> = keys.iter().map(super::signing::Key::public).collect();
    if keys.is_empty() { Err(Error::internal("no keys to publish")) } else { Ok(open(&json!({"keys": keys}), 300)) }
}
