//! A client's proof by its own key instead of a secret (RFC 7523, SMART App Launch, private_key_jwt).

use super::client::Client;
use super::jwt;
use crate::identity::service::Service;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::{Caller, Kernel};
use crate::sql;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use sha2::{Digest, Sha256};

pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest life an assertion may claim, and what clocks may differ by.
const LIVES_MAX_S: i64 = 300;
const SKEW_S: i64 = 10;
const JTI_MAX: usize = 255;

sql! {
    /// $1 id, $2 hash, $3 until when it could pass. No row where it was shown before.
    SHOWN(UUID, BYTEA, TIMESTAMPTZ) = "
        insert into shown_assertions (id, shown_hash, expires_at) values ($1, $2, $3) on conflict (shown_hash) do nothing";
}

#[derive(Clone, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
    jti: String,
}

/// One name, also as a list of one: whoever else is named could show it here.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Of([String; 1]),
}

impl Audience {
    fn name(&self) -> &str {
        match self {
            Audience::One(name) | Audience::Of([name]) => name,
        }
    }
}

/// Who says so, before it is proven.
pub fn names(text: &str) -> Option<String> {
    jwt::unproven::<Claims>(text).filter(|claims| claims.iss == claims.sub).map(|claims| claims.sub)
}

/// Whether the client has signed it, for this server and this moment, and shows it for the first time.
pub async fn proves(caller: &Caller, client: &Client, text: &str) -> Result<bool> {
    let Some(head) = jwt::head(text, &["JWT"]) else { return Ok(false) };
    // A place for keys that the token itself names is asked only where it is registered.
    let registered = head.jku.is_none() || head.jku == client.jwks_uri;
    let Some(kid) = head.kid.as_deref().filter(|_| registered) else { return Ok(false) };
    let service = Service::of(&caller.kernel)?;
    let Some(key) = service.client_keys.find(client.jwks.as_ref(), client.jwks_uri.as_deref(), kid, head.alg).await else {
        return Ok(false);
    };
    let Some(claims) = jwt::claims::<Claims>(text, head.alg, &key) else { return Ok(false) };
    match claims.holds(caller, client) {
        Some(until) => first(&caller.kernel, client.public_id.as_bytes(), &claims.jti, until).await,
        None => Ok(false),
    }
}

impl Claims {
    /// Until when it could be shown, when all it says is right.
    fn holds(&self, caller: &Caller, client: &Client) -> Option<DateTime<Utc>> {
        let now = Utc::now().timestamp();
        let issuer = caller.kernel.config.server.public_url.as_str();
        // SMART names the token endpoint, newer clients the server itself; both are ours alone.
        let ours = self.aud.name() == issuer || self.aud.name() == format!("{}/oauth2/token", issuer.trim_end_matches('/'));
        let right = self.iss == client.public_id
            && self.sub == client.public_id
            && ours
            && self.exp > now
            && self.exp <= now + LIVES_MAX_S + SKEW_S
            && self.nbf.is_none_or(|from| from <= now + SKEW_S)
            && self.iat.is_none_or(|made| made <= now + SKEW_S)
            && (1..=JTI_MAX).contains(&self.jti.len());
        DateTime::from_timestamp(self.exp, 0).filter(|_| right)
    }
}

/// Kept in the database until it could pass no more, for every server and across restarts.
pub async fn first(kernel: &Kernel, whose: &[u8], jti: &str, until: DateTime<Utc>) -> Result<bool> {
    let mut scope = kernel.door.open(&Context::system(Plane::Auth, None)).await?;
    let first = first_in(&mut scope, whose, jti, until).await?;
    scope.commit().await?;
    Ok(first)
}

/// The same, together with what it is shown for.
pub async fn first_in(scope: &mut Scope, whose: &[u8], jti: &str, until: DateTime<Utc>) -> Result<bool> {
    let hash = Sha256::digest([whose, b" ", jti.as_bytes()].concat());
    let id = scope.new_id();
    Ok(scope.exec(&SHOWN, &[&id, &hash.as_slice(), &(until + TimeDelta::seconds(60))]).await? == 1)
}
