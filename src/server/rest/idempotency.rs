//! Idempotency-Key: one key, one effect, also across crashes, retries and servers. The kept answer commits with the
//! effect, so there is no moment in which one exists without the other. Answers are sealed: they hold what was written.

use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::TimeDelta;
use poem::http::{HeaderName, StatusCode, header};
use poem::{Body, Request, Response};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const KEPT_HOURS: i64 = 24;
const KEY_LENGTH_MAX: usize = 255;

sql! {
    /// $1 tenant, $2 caller, $3 route, $4 key.
    KEY_FIND(UUID, UUID, TEXT, TEXT) = "
        select id, body_hash, status_code, response_enc, expires_at > now() from idempotency_keys
         where tenant_id = $1 and caller_id = $2 and route = $3 and idempotency_key = $4";
    /// $1 tenant, $2 id, $3 caller, $4 route, $5 key, $6 body hash, $7 expiry. Waits for a twin that is under way.
    KEY_TAKE(UUID, UUID, UUID, TEXT, TEXT, BYTEA, TIMESTAMPTZ) = "
        insert into idempotency_keys (tenant_id, id, caller_id, route, idempotency_key, body_hash, state, expires_at)
        values ($1, $2, $3, $4, $5, $6, 'IN_FLIGHT', $7) on conflict do nothing";
    /// $1 tenant, $2 caller, $3 route, $4 key, $5 status, $6 sealed answer.
    KEY_KEEP(UUID, UUID, TEXT, TEXT, INT4, BYTEA) = "
        update idempotency_keys set state = 'DONE', status_code = $5, response_enc = $6
         where tenant_id = $1 and caller_id = $2 and route = $3 and idempotency_key = $4";
}

pub struct Key {
    key: String,
    route: String,
    body_hash: Vec<u8>,
}

impl Key {
    pub fn of(request: &Request, body: &[u8]) -> Result<Option<Key>> {
        let Some(header) = request.headers().get("idempotency-key") else { return Ok(None) };
        let key = header.to_str().unwrap_or_default();
        if key.is_empty() || key.len() > KEY_LENGTH_MAX {
            return Err(Error::new(&error::PARAMETER_INVALID).fault(
                "Idempotency-Key",
                "length",
                "It must have 1 to 255 visible characters.",
            ));
        }
        let route = format!("{} {}", request.method(), request.original_uri().path());
        Ok(Some(Key { key: key.to_owned(), route: route.chars().take(300).collect(), body_hash: Sha256::digest(body).to_vec() }))
    }

    /// The answer this key has already had, to be told after the scope's commit; nothing when this call is the first.
    pub async fn replay(&self, scope: &mut Scope, caller: &Caller) -> Result<Option<Response>> {
        let (tenant, who) = owner(caller)?;
        let (id, expires) = (scope.new_id(), scope.now() + TimeDelta::hours(KEPT_HOURS));
        let taken = scope.exec(&KEY_TAKE, &[&tenant, &id, &who, &self.route, &self.key, &self.body_hash, &expires]).await;
        let taken = taken.map_err(|failure| if failure.code == &error::CONFLICT { Error::new(&error::KEY_IN_FLIGHT) } else { failure })?;
        if taken == 1 {
            return Ok(None);
        }
        let row = scope.one(&KEY_FIND, &[&tenant, &who, &self.route, &self.key]).await?;
        let (id, hash, status): (Uuid, Vec<u8>, Option<i32>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if hash != self.body_hash {
            return Err(Error::new(&error::KEY_REUSED));
        }
        let (Some(_), Some(sealed)) = (status, row.try_get::<_, Option<Vec<u8>>>(3)?) else {
            return Err(Error::new(&error::KEY_IN_FLIGHT));
        };
        let keys = caller.kernel.keys.of(tenant).await?;
        let kept: Json = serde_json::from_slice(&keys.open("idempotency_keys", "response", id, &sealed)?).map_err(Error::internal)?;
        let answer = revive(&kept)?;
        // The effect was audited when it happened; telling it again is a read of its own.
        let mut event = audit_store::of(scope.context(), "RECORD_READ", Action::Read, Outcome::Success, scope.now());
        let location = answer.header(header::LOCATION).and_then(|path| path.rsplit('/').next());
        event.resource_id = location.and_then(|id| id.parse().ok());
        event.metadata = Metadata::new().flag("replayed", true);
        scope.audit(event);
        Ok(Some(answer))
    }

    /// Keeps the answer in the transaction of its effect.
    pub async fn keep(&self, scope: &mut Scope, caller: &Caller, answer: Response) -> Result<Response> {
        let (tenant, who) = owner(caller)?;
        let row = scope.one(&KEY_FIND, &[&tenant, &who, &self.route, &self.key]).await?;
        let id: Uuid = row.try_get(0)?;
        let (parts, body) = answer.into_parts();
        let bytes = body.into_vec().await.map_err(Error::internal)?;
        let headers: Vec<(String, String)> = [header::CONTENT_TYPE, header::ETAG, header::LOCATION]
            .iter()
            .filter_map(|name| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned())))
            .collect();
        let kept = json!({"status": parts.status.as_u16(), "headers": headers, "body": String::from_utf8_lossy(&bytes)}).to_string();
        let sealed = caller.kernel.keys.of(tenant).await?.seal("idempotency_keys", "response", id, kept.as_bytes())?;
        let status = i32::from(parts.status.as_u16());
        scope.exec(&KEY_KEEP, &[&tenant, &who, &self.route, &self.key, &status, &sealed]).await?;
        Ok(Response::from_parts(parts, Body::from(bytes)))
    }
}

/// A key belongs to the caller's login in the tenant it acts in.
fn owner(caller: &Caller) -> Result<(Uuid, Uuid)> {
    let who = caller.context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    Ok((caller.tenant()?, who))
}

fn revive(kept: &Json) -> Result<Response> {
    let broken = || Error::internal("a kept answer is broken");
    let status = kept["status"].as_u64().and_then(|status| u16::try_from(status).ok()).ok_or_else(broken)?;
    let mut answer =
        Response::builder().status(StatusCode::from_u16(status).map_err(Error::internal)?).header("idempotency-replayed", "true");
    for pair in kept["headers"].as_array().ok_or_else(broken)? {
        let (Some(name), Some(value)) = (pair[0].as_str(), pair[1].as_str()) else { return Err(broken()) };
        answer = answer.header(name.parse::<HeaderName>().map_err(Error::internal)?, value);
    }
    Ok(answer.body(kept["body"].as_str().unwrap_or_default().to_owned()))
}
