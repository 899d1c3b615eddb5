//! Which program asks, and whether it is who it says (RFC 6749 §2.3). An unknown client and a wrong secret are one answer.

use super::crowd::Asked;
use super::place::Place;
use super::refusal::Refusal;
use super::{Form, assertion, jwt, refused};
use crate::identity::scope;
use crate::identity::service::Service;
use crate::identity::token::TokenHash;
use crate::kernel::Caller;
use crate::kernel::certificate::Certificate;
use crate::kernel::config::Network;
use crate::kernel::error::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use jsonwebtoken::jwk::JwkSet;
use poem::Request;
use poem::http::header;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// Uses within a minute are told as one.
const TOLD_EVERY_S: i64 = 60;

pub struct Client {
    pub id: Uuid,
    pub public_id: String,
    pub tenant: Uuid,
    pub name: String,
    pub kind: String,
    pub redirects: Vec<String>,
    pub scopes: Vec<String>,
    pub grants: Vec<String>,
    /// None: an application of a vendor, and nobody has said yet in which tenant it acts.
    pub service_user: Option<Uuid>,
    /// Where a person may be sent after signing out.
    pub logouts: Vec<String>,
    pub jwks: Option<JwkSet>,
    pub jwks_uri: Option<String>,
    /// The thumbprint of the certificate by which it has proved itself; its tokens are bound to it.
    pub certificate: Option<String>,
    names: Vec<String>,
    thumbprints: Vec<String>,
    secrets: Vec<TokenHash>,
    ranges: Vec<String>,
    used: Option<DateTime<Utc>>,
}

/// How a client proves itself.
enum Proof {
    None,
    Secret(String),
    Assertion(String),
}

impl Client {
    /// An active client of an active tenant. An application of a vendor that was not admitted where it acts is none.
    pub async fn find(caller: &Caller, public_id: &str, place: &Place) -> Result<Option<Client>> {
        let asked = Asked { public_id: public_id.to_owned(), shown: place.shown, named: place.named.clone(), here: place.here };
        let Some(row) = Service::of(&caller.kernel)?.crowd.client(asked).await? else { return Ok(None) };
        if row.try_get::<_, &str>("status")? != "ACTIVE" {
            return Ok(None);
        }
        let until: Option<DateTime<Utc>> = row.try_get("previous_secret_expires_at")?;
        let hash =
            |name: &str| -> Result<Option<TokenHash>> { Ok(row.try_get::<_, Option<&[u8]>>(name)?.and_then(TokenHash::from_stored)) };
        let previous = if until.is_some_and(|until| until > Utc::now()) { hash("previous_secret_hash")? } else { None };
        let jwks: Option<serde_json::Value> = row.try_get("jwks")?;
        let mut scopes: Vec<String> = row.try_get("scopes")?;
        // What a tenant has admitted an application for, as far as its vendor has registered it for that.
        if let Some(registered) = row.try_get::<_, Option<Vec<String>>>("app_scopes")? {
            scopes.retain(|word| scope::narrowed(word, &registered).is_some());
        }
        Ok(Some(Client {
            id: row.try_get("id")?,
            public_id: row.try_get("client_id")?,
            logouts: row.try_get("logout_uris")?,
            jwks: jwks.as_ref().map(jwt::stored).transpose()?,
            jwks_uri: row.try_get("jwks_uri")?,
            certificate: None,
            names: row.try_get("tls_names")?,
            thumbprints: row.try_get("tls_thumbprints")?,
            used: row.try_get("used_at")?,
            tenant: row.try_get("tenant_id")?,
            name: row.try_get("name")?,
            kind: row.try_get("client_type")?,
            redirects: row.try_get("redirect_uris")?,
            scopes,
            grants: row.try_get("grant_types")?,
            service_user: row.try_get("service_user_id")?,
            secrets: hash("client_secret_hash")?.into_iter().chain(previous).collect(),
            ranges: row.try_get("allowed_ip_ranges")?,
        }))
    }

    /// Those of these tenants that have admitted the application.
    pub async fn admitted(caller: &Caller, public_id: &str, tenants: impl Iterator<Item = Uuid>) -> Result<Vec<Uuid>> {
        let asked = tenants.map(async |tenant| {
            let place = Place { here: Some(tenant), ..Place::default() };
            Ok(Client::find(caller, public_id, &place).await?.and_then(|client| client.place()))
        });
        let found: Result<Vec<Option<Uuid>>> = join_all(asked).await.into_iter().collect();
        Ok(found?.into_iter().flatten().collect())
    }

    /// The tenant in which it acts.
    pub fn place(&self) -> Option<Uuid> {
        self.service_user.map(|_| self.tenant)
    }

    pub fn may(&self, grant: &str) -> bool {
        self.grants.iter().any(|held| held == grant)
    }

    pub fn is_public(&self) -> bool {
        self.kind == "PUBLIC"
    }

    fn admits(&self, caller: &Caller) -> bool {
        let ip = caller.context.origin.as_ref().and_then(|origin| origin.ip);
        let inside = |range: &String| ip.zip(range.parse::<Network>().ok()).is_some_and(|(ip, range)| range.contains(ip));
        self.ranges.is_empty() || self.ranges.iter().any(inside)
    }

    /// It is known by its certificate (RFC 8705), and by nothing else.
    fn is_certified(&self) -> bool {
        !self.names.is_empty() || !self.thumbprints.is_empty()
    }

    /// Whoever has registered a key or a certificate proves itself by nothing else.
    async fn proves(&self, caller: &Caller, proof: &Proof, shown: Option<&Certificate>) -> Result<bool> {
        let keyed = self.jwks.is_some() || self.jwks_uri.is_some();
        match proof {
            Proof::None if self.is_certified() => match shown {
                Some(shown) if self.thumbprints.contains(&shown.thumbprint) => Ok(true),
                Some(shown) if shown.is_named(&self.names) => {
                    Ok(Service::of(&caller.kernel)?.authorities.as_ref().is_some_and(|known| known.vouch_for(shown)))
                }
                _ => Ok(false),
            },
            Proof::None => Ok(self.is_public() && !keyed),
            Proof::Secret(secret) => {
                let given = TokenHash::from_stored(&Sha256::digest(secret.as_bytes()));
                Ok(!keyed && given.is_some_and(|given| self.secrets.iter().fold(false, |found, held| found | (*held == given))))
            }
            Proof::Assertion(text) => Ok(keyed && assertion::proves(caller, self, text).await?),
        }
    }

    /// Written down when it was not a moment ago.
    async fn came(&self, caller: &Caller) -> Result<()> {
        if self.place().is_none() || self.used.is_some_and(|used| (Utc::now() - used).num_seconds() < TOLD_EVERY_S) {
            return Ok(());
        }
        Service::of(&caller.kernel)?.crowd.came(self.tenant, self.id).await
    }
}

/// The client of a request to the token, revocation or introspection endpoint. A refusal is on record before it is told.
pub async fn authenticated(caller: &Caller, request: &Request, form: &Form) -> Result<Client, Refusal> {
    let (public_id, proof) = credentials(request, form)?;
    let mut client = Client::find(caller, &public_id, &Place::of(form)).await?;
    let shown = request.data::<Arc<Certificate>>();
    if let Some(client) = &mut client
        && client.admits(caller)
        && client.proves(caller, &proof, shown.map(Arc::as_ref)).await?
    {
        client.certificate = shown.filter(|_| client.is_certified()).map(|shown| shown.thumbprint.clone());
        client.came(caller).await?;
    } else {
        refused::remember(caller, client.as_ref().map(|client| (client.tenant, client.id))).await?;
        return Err(Refusal::client());
    }
    client.ok_or_else(Refusal::client)
}

/// By an assertion, by header or in the body, never two of them.
fn credentials(request: &Request, form: &Form) -> Result<(String, Proof), Refusal> {
    let header = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let header = header.filter(|header| header.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic")));
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    if form.get("client_assertion").is_some() || form.get("client_assertion_type").is_some() {
        if header.is_some() || secret.is_some() {
            return Err(Refusal::request("The client proves itself in one way only."));
        }
        return asserted(form, id);
    }
    let Some(header) = header else {
        let id = id.ok_or_else(Refusal::client)?;
        return Ok((id.to_owned(), secret.map_or(Proof::None, |secret| Proof::Secret(secret.to_owned()))));
    };
    if secret.is_some() {
        return Err(Refusal::request("The client proves itself in one way only."));
    }
    let pair = header.split_once(' ');
    let pair = pair.and_then(|(_, text)| BASE64_STANDARD.decode(text.trim()).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
    let (named, proof) = pair.as_deref().and_then(|pair| pair.split_once(':')).ok_or_else(Refusal::client)?;
    let (named, proof) = (decoded(named).ok_or_else(Refusal::client)?, decoded(proof).ok_or_else(Refusal::client)?);
    if id.is_some_and(|id| id != named) {
        return Err(Refusal::client());
    }
    Ok((named, if proof.is_empty() { Proof::None } else { Proof::Secret(proof) }))
}

fn asserted(form: &Form, id: Option<&str>) -> Result<(String, Proof), Refusal> {
    if form.get("client_assertion_type") != Some(assertion::TYPE) {
        return Err(Refusal::request("client_assertion_type is jwt-bearer, as RFC 7523 names it."));
    }
    let text = form.get("client_assertion").ok_or_else(|| Refusal::request("client_assertion is needed."))?;
    let named = assertion::names(text).filter(|named| id.is_none_or(|id| id == named)).ok_or_else(Refusal::client)?;
    Ok((named, Proof::Assertion(text.to_owned())))
}

/// Both parts are form-encoded inside the header (§2.3.1).
fn decoded(part: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("p={}", part.replace('&', "%26"))).ok()?;
    pairs.into_iter().next().map(|(_, value)| value).filter(|value| !value.contains('\0'))
}
