//! Which program asks, and whether it is who it says (RFC 6749 §2.3). An unknown client and a wrong secret are one answer.

use super::refusal::Refusal;
use super::{Form, refused};
use crate::identity::grant;
use crate::identity::token::TokenHash;
use crate::kernel::Caller;
use crate::kernel::config::Network;
use crate::kernel::error::Result;
use crate::sql;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use poem::Request;
use poem::http::header;
use sha2::{Digest, Sha256};
use uuid::Uuid;

sql! {
    /// $1 public id.
    CLIENT(TEXT) = "select * from sec.client_of($1)";
}

pub struct Client {
    pub id: Uuid,
    pub tenant: Uuid,
    pub name: String,
    pub kind: String,
    pub redirects: Vec<String>,
    pub scopes: Vec<String>,
    pub grants: Vec<String>,
    pub service_user: Uuid,
    secrets: Vec<TokenHash>,
    ranges: Vec<String>,
}

impl Client {
    /// An active client of an active tenant.
    pub async fn find(caller: &Caller, public_id: &str) -> Result<Option<Client>> {
        let scope = caller.kernel.door.open(&grant::behind(&caller.context, None)).await?;
        let answers = scope.once(&[((&CLIENT).into(), vec![&public_id])]).await?;
        let Some(row) = answers.iter().flatten().next() else { return Ok(None) };
        if row.try_get::<_, &str>("status")? != "ACTIVE" {
            return Ok(None);
        }
        let until: Option<DateTime<Utc>> = row.try_get("previous_secret_expires_at")?;
        let hash =
            |name: &str| -> Result<Option<TokenHash>> { Ok(row.try_get::<_, Option<&[u8]>>(name)?.and_then(TokenHash::from_stored)) };
        let previous = if until.is_some_and(|until| until > Utc::now()) { hash("previous_secret_hash")? } else { None };
        Ok(Some(Client {
            id: row.try_get("id")?,
            tenant: row.try_get("tenant_id")?,
            name: row.try_get("name")?,
            kind: row.try_get("client_type")?,
            redirects: row.try_get("redirect_uris")?,
            scopes: row.try_get("scopes")?,
            grants: row.try_get("grant_types")?,
            service_user: row.try_get("service_user_id")?,
            secrets: hash("client_secret_hash")?.into_iter().chain(previous).collect(),
            ranges: row.try_get("allowed_ip_ranges")?,
        }))
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

    fn proves(&self, secret: Option<&str>) -> bool {
        match secret {
            None => self.is_public(),
            Some(secret) => {
                let given = TokenHash::from_stored(&Sha256::digest(secret.as_bytes()));
                given.is_some_and(|given| self.secrets.iter().fold(false, |found, held| found | (*held == given)))
            }
        }
    }
}

/// The client of a request to the token, revocation or introspection endpoint. A refusal is on record before it is told.
pub async fn authenticated(caller: &Caller, request: &Request, form: &Form) -> Result<Client, Refusal> {
    let (public_id, secret) = credentials(request, form)?;
    let client = Client::find(caller, &public_id).await?;
    match client {
        Some(client) if client.admits(caller) && client.proves(secret.as_deref()) => Ok(client),
        other => {
            refused::remember(caller, other.map(|client| (client.tenant, client.id))).await?;
            Err(Refusal::client())
        }
    }
}

/// By header or in the body, never both.
fn credentials(request: &Request, form: &Form) -> Result<(String, Option<String>), Refusal> {
    let header = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    let Some(header) = header else {
        let id = id.ok_or_else(Refusal::client)?;
        return Ok((id.to_owned(), secret.map(str::to_owned)));
    };
    if secret.is_some() {
        return Err(Refusal::request("The client proves itself in one way only."));
    }
    let pair = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let pair = pair.and_then(|(_, text)| BASE64_STANDARD.decode(text.trim()).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
    let (named, proof) = pair.as_deref().and_then(|pair| pair.split_once(':')).ok_or_else(Refusal::client)?;
    let (named, proof) = (decoded(named).ok_or_else(Refusal::client)?, decoded(proof).ok_or_else(Refusal::client)?);
    if id.is_some_and(|id| id != named) {
        return Err(Refusal::client());
    }
    Ok((named, Some(proof).filter(|proof| !proof.is_empty())))
}

/// Both parts are form-encoded inside the header (§2.3.1).
fn decoded(part: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("p={}", part.replace('&', "%26"))).ok()?;
    pairs.into_iter().next().map(|(_, value)| value).filter(|value| !value.contains('\0'))
}
