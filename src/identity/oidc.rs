//! Sign-in at another's OpenID provider: authorization code with PKCE, state, nonce and the issuer check of
//! RFC 9207 (OpenID Connect Core 1.0 §3.1).
//!
//! [`RelyingParty::begin`] makes the redirect and what must be remembered on our side; [`RelyingParty::finish`]
//! turns what the browser brings back into claims. Whatever is wrong there is CREDENTIALS_WRONG and nothing more;
//! which check failed goes to the log. A provider that cannot be reached is UNAVAILABLE.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreIdTokenClaims, CoreJwsSigningAlgorithm,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, LoginHint, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, TokenResponse, UserInfoError,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use subtle::ConstantTimeEq;

use super::oidc_logout::{self, LoggedOut};
use super::oidc_provider::{Freshness, Metadata, Providers};
use super::outbound::{Outbound, OutboundError};
use crate::kernel::error::CREDENTIALS_WRONG;
use crate::kernel::{Error, Result};

/// How far the other side's clock may be off.
pub(super) const SKEW: TimeDelta = TimeDelta::seconds(60);
const RANDOM_BYTES: u32 = 32;

type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;
type TokenError = openidconnect::StandardErrorResponse<CoreErrorResponseType>;

/// A provider as a tenant has registered it.
#[derive(Debug, Clone)]
pub struct Provider {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
}

/// A sign-in under way. Kept on the server for a few minutes, bound to the browser by a cookie, used once.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pending {
    /// Where to send the browser.
    pub url: String,
    pub issuer: String,
    pub client_id: String,
    pub redirect_uri: String,
    pub state: String,
    pub nonce: String,
    pub pkce_verifier: String,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// The query the browser brings to the redirect URI.
#[derive(Clone, Deserialize)]
pub struct Callback {
    pub code: String,
    pub state: String,
    pub iss: Option<String>,
}

/// Who signed in, as the provider says. The person is `issuer` and `subject`; the e-mail never identifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub name: Option<String>,
    pub auth_time: Option<DateTime<Utc>>,
    /// The provider says that it has asked for a second factor (RFC 8176).
    pub mfa: bool,
    /// All that the token says, for rules about roles.
    pub said: Json,
}

/// Our side of OpenID Connect. One for the process.
pub struct RelyingParty {
    outbound: Outbound,
    providers: Providers,
}

impl RelyingParty {
    pub fn new(outbound: Outbound) -> Self {
        Self { providers: Providers::new(outbound.clone(), Freshness::default()), outbound }
    }

    /// Fetches what is to be known of `issuer`, for the operation that tests a provider's configuration. UNAVAILABLE.
    pub async fn discover(&self, issuer: &str) -> Result<Arc<Metadata>> {
        self.providers.discover(issuer).await
    }

    /// Starts a sign-in. UNAVAILABLE when the provider cannot be discovered.
    pub async fn begin(&self, provider: &Provider, redirect_uri: &str, login_hint: Option<&str>) -> Result<Pending> {
        let metadata = self.discover(&provider.issuer).await?;
        if !self.outbound.takes_scheme(metadata.authorization_endpoint().url().scheme()) {
            return Err(Error::unavailable("the authorization endpoint is not https"));
        }
        let client = client(&metadata, provider, redirect_uri)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new_random_len(RANDOM_BYTES),
                || Nonce::new_random_len(RANDOM_BYTES),
            )
            .add_scopes(["email", "profile"].map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge);
        if let Some(hint) = login_hint {
            request = request.set_login_hint(LoginHint::new(hint.to_owned()));
        }
        let (url, state, nonce) = request.url();
        Ok(Pending {
            url: url.into(),
            issuer: provider.issuer.clone(),
            client_id: provider.client_id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            pkce_verifier: verifier.into_secret(),
        })
    }

    /// Ends a sign-in: everything the browser and the provider say is checked against `pending`.
    /// CREDENTIALS_WRONG, UNAVAILABLE.
    pub async fn finish(&self, provider: &Provider, pending: &Pending, callback: &Callback, now: DateTime<Utc>) -> Result<Claims> {
        if pending.issuer != provider.issuer || pending.client_id != provider.client_id {
            return Err(wrong("the sign-in was begun at another provider"));
        }
        if !bool::from(pending.state.as_bytes().ct_eq(callback.state.as_bytes())) {
            return Err(wrong("state"));
        }
        let metadata = self.discover(&provider.issuer).await?;
        check_response_issuer(&metadata, callback.iss.as_deref())?;
        let client = client(&metadata, provider, &pending.redirect_uri)?;
        let tokens = self.exchange(&client, pending, &callback.code).await?;
        let id_token = match verified(&client, &tokens, pending, now) {
            Err(Refusal::UnknownKey) => {
                let newer = self.providers.newer_keys(&provider.issuer, &metadata).await;
                let metadata = newer.ok_or_else(|| wrong("the token's key is unknown"))?;
                let client = self::client(&metadata, provider, &pending.redirect_uri)?;
                verified(&client, &tokens, pending, now).map_err(Refusal::into_error)?
            }
            other => other.map_err(Refusal::into_error)?,
        };
        let mut claims = claims_of_token(&provider.issuer, &id_token)?;
        claims.said = said(&tokens);
        if claims.email.is_none() && metadata.userinfo_endpoint().is_some() {
            let info = self.user_info(&client, &tokens, &id_token).await?;
            complete(&mut claims, &info);
        }
        Ok(claims)
    }

    /// Whose session a provider says has ended. CREDENTIALS_WRONG, UNAVAILABLE.
    pub async fn logged_out(&self, provider: &Provider, token: &str, now: DateTime<Utc>) -> Result<LoggedOut> {
        let metadata = self.discover(&provider.issuer).await?;
        match oidc_logout::read(&metadata, provider, token, now) {
            Err(Refusal::UnknownKey) => {
                let newer = self.providers.newer_keys(&provider.issuer, &metadata).await;
                let metadata = newer.ok_or_else(|| wrong("the token's key is unknown"))?;
                oidc_logout::read(&metadata, provider, token, now).map_err(Refusal::into_error)
            }
            other => other.map_err(Refusal::into_error),
        }
    }

    async fn exchange(&self, client: &Client, pending: &Pending, code: &str) -> Result<CoreTokenResponse> {
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| Error::unavailable("the provider has no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.pkce_verifier.clone()));
        request.request_async(&self.outbound).await.map_err(token_failure)
    }

    /// The e-mail is at userinfo only, with providers that keep to the letter of Core §5.4.
    async fn user_info(&self, client: &Client, tokens: &CoreTokenResponse, id_token: &CoreIdTokenClaims) -> Result<CoreUserInfoClaims> {
        client
            .user_info(tokens.access_token().clone(), Some(id_token.subject().clone()))
            .map_err(|_| Error::unavailable("the provider has no userinfo endpoint"))?
            .request_async(&self.outbound)
            .await
            .map_err(|error| match error {
                UserInfoError::ClaimsVerification(_) => wrong("userinfo is about somebody else"),
                UserInfoError::Request(outbound) => outbound.into(),
                _ => Error::unavailable("userinfo cannot be read"),
            })
    }
}

/// Why an ID token or a logout token is not taken.
pub(super) enum Refusal {
    /// Perhaps the provider has turned its keys over.
    UnknownKey,
    Wrong(&'static str),
}

impl Refusal {
    fn into_error(self) -> Error {
        match self {
            Self::UnknownKey => wrong("the token's key is unknown"),
            Self::Wrong(what) => wrong(what),
        }
    }
}

fn wrong(what: &'static str) -> Error {
    Error::new(&CREDENTIALS_WRONG).because(what)
}

fn client(metadata: &Metadata, provider: &Provider, redirect_uri: &str) -> Result<Client> {
    let secret = provider.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
    let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(Error::internal)?;
    let methods = metadata.token_endpoint_auth_methods_supported();
    let has = |method| methods.is_some_and(|methods| methods.contains(&method));
    let by_post = has(CoreClientAuthMethod::ClientSecretPost) && !has(CoreClientAuthMethod::ClientSecretBasic);
    let client = CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(provider.client_id.clone()), secret)
        .set_redirect_uri(redirect)
        .set_auth_type(if by_post { AuthType::RequestBody } else { AuthType::BasicAuth });
    Ok(client)
}

/// RFC 9207 §2.4: against an attacker's provider that passes its code off as another's.
fn check_response_issuer(metadata: &Metadata, iss: Option<&str>) -> Result<()> {
    match iss {
        Some(iss) if iss != metadata.issuer().as_str() => Err(wrong("iss names another issuer")),
        None if metadata.additional_metadata().sent => Err(wrong("iss is missing")),
        _ => Ok(()),
    }
}

/// All checks of Core §3.1.3.7. Signature, issuer, audience, expiry and nonce are the crate's; algorithms, time,
/// `azp` and `at_hash` are set or checked here.
fn verified(client: &Client, tokens: &CoreTokenResponse, pending: &Pending, now: DateTime<Utc>) -> Result<CoreIdTokenClaims, Refusal> {
    let token = tokens.id_token().ok_or(Refusal::Wrong("there is no ID token"))?;
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs([CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, CoreJwsSigningAlgorithm::EcdsaP256Sha256])
        .set_other_audience_verifier_fn(|_| false)
        .set_time_fn(move || now - SKEW)
        .set_issue_time_verifier_fn(move |at| if at <= now + SKEW { Ok(()) } else { Err("issued in the future".into()) });
    let claims = token.claims(&verifier, &Nonce::new(pending.nonce.clone())).map_err(|error| refusal(&error))?;
    if claims.authorized_party().is_some_and(|party| party != client.client_id()) {
        return Err(Refusal::Wrong("azp"));
    }
    if let Some(expected) = claims.access_token_hash() {
        let unusable = |_| Refusal::Wrong("at_hash cannot be made");
        let algorithm = token.signing_alg().map_err(|_| Refusal::Wrong("alg"))?;
        let key = token.signing_key(&verifier).map_err(|_| Refusal::Wrong("key"))?;
        let made = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).map_err(unusable)?;
        if made != *expected {
            return Err(Refusal::Wrong("at_hash"));
        }
    }
    Ok(claims.clone())
}

/// The crate's texts hold the values they complain about: only the kind goes on.
fn refusal(error: &ClaimsVerificationError) -> Refusal {
    use ClaimsVerificationError as E;
    Refusal::Wrong(match error {
        E::SignatureVerification(SignatureVerificationError::NoMatchingKey) => return Refusal::UnknownKey,
        E::SignatureVerification(SignatureVerificationError::DisallowedAlg(_)) => "alg",
        E::SignatureVerification(_) => "signature",
        E::Expired(_) => "exp or iat",
        E::InvalidAudience(_) => "aud",
        E::InvalidIssuer(_) => "iss",
        E::InvalidNonce(_) => "nonce",
        _ => "the ID token",
    })
}

fn token_failure(error: RequestTokenError<OutboundError, TokenError>) -> Error {
    match error {
        RequestTokenError::Request(outbound) => outbound.into(),
        RequestTokenError::ServerResponse(answer) => match answer.error().as_ref() {
            "server_error" | "temporarily_unavailable" => Error::unavailable("the token endpoint failed"),
            _ => wrong("the token endpoint refused the code"),
        },
        _ => Error::unavailable("the token endpoint's answer cannot be read"),
    }
}

fn claims_of_token(issuer: &str, token: &CoreIdTokenClaims) -> Result<Claims> {
    let subject = token.subject().as_str();
    // Core §2: at most 255 ASCII characters.
    if !(1..=255).contains(&subject.len()) || !subject.bytes().all(|b| b.is_ascii() && !b.is_ascii_control()) {
        return Err(wrong("sub"));
    }
    let email = token.email().and_then(|email| plain(email.as_str(), 254));
    Ok(Claims {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        email_verified: email.is_some() && token.email_verified() == Some(true),
        email,
        name: token.name().and_then(|name| name.get(None)).and_then(|name| plain(name.as_str(), 200)),
        auth_time: token.auth_time(),
        said: Json::Null,
        mfa: token.auth_method_refs().is_some_and(|methods| methods.iter().any(|method| method.as_str() == "mfa")),
    })
}

/// The payload of a token whose signature holds.
fn said(tokens: &CoreTokenResponse) -> Json {
    let token = tokens.id_token().map(ToString::to_string).unwrap_or_default();
    let payload = token.split('.').nth(1).and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
    payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn complete(claims: &mut Claims, info: &CoreUserInfoClaims) {
    claims.email = info.email().and_then(|email| plain(email.as_str(), 254));
    claims.email_verified = claims.email.is_some() && info.email_verified() == Some(true);
    if claims.name.is_none() {
        claims.name = info.name().and_then(|name| name.get(None)).and_then(|name| plain(name.as_str(), 200));
    }
}

/// A text from outside that is stored and shown: bounded and without control characters, or not at all.
fn plain(text: &str, chars_max: usize) -> Option<String> {
    let usable = !text.is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control);
    usable.then(|| text.to_owned())
}
