//! The keys that sign ID tokens: RS256, private halves sealed in the database, so that every server signs alike.
//!
//! A new key takes over every 60 days, or when somebody orders it, and is published for some minutes before: whoever keeps a
//! copy of our keys knows it by then. The old one stays published until all that it signed has expired.

use crate::kernel::Kernel;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, PLATFORM_TENANT, Plane};
use crate::kernel::error::{Error, Result};
use crate::sql;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::Jwk;
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

const SIGNS_DAYS: i64 = 60;
const PUBLISHED_DAYS: i64 = 62;
const PUBLISHED_BEFORE: TimeDelta = TimeDelta::minutes(10);
/// How long this server believes what it has read.
const BELIEVED_FOR: Duration = Duration::from_secs(30);

sql! {
    KEYS() = "
        select id, public_key, private_key_enc, signs_from from signing_keys where expires_at > now() order by generation desc";
    /// $1 id, $2 private key as it is sealed now.
    RESEAL(UUID, BYTEA) = "update signing_keys set private_key_enc = $2 where id = $1";
    /// $1 id, $2 public key, $3 sealed private key, $4 signs from, $5 until. Of servers that start together one makes the key.
    KEY_ADD(UUID, JSONB, BYTEA, TIMESTAMPTZ, TIMESTAMPTZ) = "
        insert into signing_keys (id, generation, public_key, private_key_enc, signs_from, expires_at)
        select $1, coalesce(max(generation), 0) + 1, $2, $3, $4, $5 from signing_keys on conflict (generation) do nothing";
}

/// What the envelope key before this one has sealed is sealed by this one: how many there were.
pub async fn reseal(kernel: &Kernel) -> Result<u64> {
    let jobs = Context::system(Plane::Jobs, Some(PLATFORM_TENANT));
    let (mut scope, own) = (kernel.door.open(&jobs).await?, kernel.keys.own());
    let mut resealed = 0;
    for row in scope.rows(&KEYS, &[]).await? {
        let (id, sealed): (Uuid, &[u8]) = (row.try_get("id")?, row.try_get("private_key_enc")?);
        if !own.is_current(sealed) {
            let der = zeroize::Zeroizing::new(own.open(&place(id), sealed)?);
            resealed += scope.exec(&RESEAL, &[&id, &own.seal(&place(id), &der)?]).await?;
        }
    }
    if resealed > 0 {
        let mut event = audit_store::of(&jobs, "KEY_CHANGED", Action::Update, Outcome::Success, scope.now());
        event.resource_type = Some("SigningKey".into());
        event.metadata = Metadata::new().text("reason", "REWRAPPED");
        scope.audit(event);
    }
    scope.commit().await?;
    Ok(resealed)
}

pub struct Key {
    id: Uuid,
    public: Json,
    pair: KeyPair,
    signs_from: DateTime<Utc>,
}

type Known = (Instant, Arc<Vec<Key>>);

#[derive(Default)]
pub struct SigningKeys(Mutex<Option<Known>>);

fn place(id: Uuid) -> Vec<u8> {
    [b"signing_keys private_key ".as_slice(), id.as_bytes()].concat()
}

impl SigningKeys {
    /// All that are published, the newest first. The first question makes the first one.
    pub async fn published(&self, kernel: &Kernel) -> Result<Arc<Vec<Key>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, keys)) = known.filter(|(at, _)| at.elapsed() < BELIEVED_FOR) {
            return Ok(keys);
        }
        let mut keys = read(kernel).await?;
        if keys.first().is_none_or(|newest| newest.signs_from < Utc::now() - TimeDelta::days(SIGNS_DAYS)) {
            make(kernel, &Context::system(Plane::Auth, None), false).await?;
            keys = read(kernel).await?;
        }
        let keys = Arc::new(keys);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), keys.clone()));
        Ok(keys)
    }

    /// A new key by order: it signs when it has been published for a while. Its id.
    pub async fn rotate(&self, kernel: &Kernel, context: &Context) -> Result<Uuid> {
        let id = make(kernel, context, true).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        id.ok_or_else(|| Error::unavailable("another server has just made one"))
    }

    /// `typ`: what kind of token it is, so that none passes for another (RFC 8725 §3.11).
    pub async fn sign(&self, kernel: &Kernel, typ: &str, claims: &Json) -> Result<String> {
        let keys = self.published(kernel).await?;
        let now = Utc::now();
        let key = keys.iter().find(|key| key.signs_from <= now).or(keys.first());
        key.ok_or_else(|| Error::internal("no key to sign with"))?.sign(typ, claims)
    }

    /// The claims of a token that one of our keys has signed, however old it is.
    pub async fn own(&self, kernel: &Kernel, text: &str) -> Result<Option<Json>> {
        let keys = self.published(kernel).await?;
        let Some(head) = super::jwt::head(text, &["JWT"]) else { return Ok(None) };
        let key = keys.iter().find(|key| head.kid.as_deref() == Some(&key.id.to_string()));
        let key: Option<Jwk> = key.and_then(|key| serde_json::from_value(key.public.clone()).ok());
        Ok(key.and_then(|key| super::jwt::claims(text, head.alg, &key)))
    }
}

impl Key {
    pub fn public(&self) -> &Json {
        &self.public
    }

    fn sign(&self, typ: &str, claims: &Json) -> Result<String> {
        let head = json!({"alg": "RS256", "typ": typ, "kid": self.id});
        let part = |json: &Json| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let said = format!("{}.{}", part(&head), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature);
        signed.map_err(|_| Error::internal("a token cannot be signed"))?;
        Ok(format!("{said}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

async fn read(kernel: &Kernel) -> Result<Vec<Key>> {
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let answers = scope.once(&[((&KEYS).into(), vec![])]).await?;
    let keys = answers.iter().flatten().map(|row| {
        let (id, sealed): (Uuid, Vec<u8>) = (row.try_get("id")?, row.try_get("private_key_enc")?);
        let der = zeroize::Zeroizing::new(kernel.keys.own().open(&place(id), &sealed)?);
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| Error::internal("a signing key cannot be read"))?;
        Ok(Key { id, pair, public: row.try_get("public_key")?, signs_from: row.try_get("signs_from")? })
    });
    keys.collect()
}

/// None when another server was quicker. The first key of all signs at once.
async fn make(kernel: &Kernel, context: &Context, ordered: bool) -> Result<Option<Uuid>> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::internal("a signing key cannot be made"))?;
    let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&pair).map_err(|_| Error::internal("a signing key has no form"))?;
    // Of the platform: what it changed is in its log.
    let jobs = Context { plane: Plane::Jobs, ..crate::identity::grant::behind(context, Some(PLATFORM_TENANT)) };
    let mut scope = kernel.door.open(&jobs).await?;
    let held = scope.rows(&KEYS, &[]).await?;
    let newest: Option<DateTime<Utc>> = held.first().map(|row| row.try_get("signs_from")).transpose()?;
    let now = scope.now();
    if !ordered && newest.is_some_and(|newest| newest >= now - TimeDelta::days(SIGNS_DAYS)) {
        return scope.commit().await.map(|()| None);
    }
    let id = scope.new_id();
    let (from, sealed) = (newest.map_or(now, |_| now + PUBLISHED_BEFORE), kernel.keys.own().seal(&place(id), der.as_ref())?);
    let until = from + TimeDelta::days(PUBLISHED_DAYS);
    if scope.exec(&KEY_ADD, &[&id, &public(&pair, id), &sealed, &from, &until]).await? == 0 {
        return scope.commit().await.map(|()| None);
    }
    let mut event = audit_store::of(&jobs, "KEY_CHANGED", Action::Create, Outcome::Success, now);
    (event.resource_type, event.resource_id) = (Some("SigningKey".into()), Some(id));
    event.metadata = Metadata::new().text("reason", if ordered { "ORDERED" } else { "AGE" });
    scope.audit(event);
    scope.commit().await?;
    Ok(Some(id))
}

fn public(pair: &KeyPair, id: Uuid) -> Json {
    let key = pair.public_key();
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (n, e) = (key.modulus(), key.exponent());
    json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
        "n": part(n.big_endian_without_leading_zero()), "e": part(e.big_endian_without_leading_zero()),
    })
}
