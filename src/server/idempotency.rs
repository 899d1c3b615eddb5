//! Idempotency-Key: one key, one effect, also across crashes, retries and servers. A key belongs to a login (and its
//! application) in a tenant and to a path. Where the effect is one transaction ([`Once`]) the kept answer commits with it, so there is no moment in which
//! one exists without the other. Where it is several ([`apart`]) the key is reserved first and the answer kept afterwards; a
//! reservation nobody comes back for lapses soon after the longest request ends, and the operation's own guards judge the
//! second run. A failure keeps nothing: the key is free for the corrected call.
//!
//! Answers are sealed with the tenant's key: they hold what was written. One that tells a secret is not kept at all, for a
//! secret is shown once; its replay is refused with a code of its own.

use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{PLATFORM_TENANT, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use poem::http::{HeaderName, StatusCode, header};
use poem::{Body, Request, Response};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const KEPT_S: f64 = 24.0 * 3_600.0;
/// A reservation outlives the longest request by this.
const LAPSE_S: f64 = 30.0;
const KEY_LENGTH_MAX: usize = 255;

sql! {
    /// $1 tenant, $2 id, $3 caller, $4 route, $5 key, $6 body hash, $7 seconds it holds. Waits for a twin that is under way;
    /// no row where somebody holds the key.
    KEY_TAKE(UUID, UUID, UUID, TEXT, TEXT, BYTEA, FLOAT8) = "
        insert into idempotency_keys as k (tenant_id, id, caller_id, route, idempotency_key, body_hash, state, expires_at)
        values ($1, $2, $3, $4, $5, $6, 'IN_FLIGHT', clock_timestamp() + make_interval(secs => $7))
        on conflict (tenant_id, caller_id, route, idempotency_key) do update
           set body_hash = excluded.body_hash, state = 'IN_FLIGHT', status_code = null, response_enc = null,
               expires_at = excluded.expires_at
         where k.expires_at <= clock_timestamp()
        returning id, expires_at";
    /// $1 tenant, $2 caller, $3 route, $4 key.
    KEY_FIND(UUID, UUID, TEXT, TEXT) = "
        select id, body_hash, state, response_enc from idempotency_keys
         where tenant_id = $1 and caller_id = $2 and route = $3 and idempotency_key = $4";
    /// $1 tenant, $2 id, $3 its expiry as it was taken, $4 status, $5 sealed answer or null, $6 seconds it is kept. Touches
    /// nothing when the reservation lapsed and another has it.
    KEY_KEEP(UUID, UUID, TIMESTAMPTZ, INT4, BYTEA, FLOAT8) = "
        update idempotency_keys
           set state = 'DONE', status_code = $4, response_enc = $5, expires_at = clock_timestamp() + make_interval(secs => $6)
         where tenant_id = $1 and id = $2 and expires_at = $3 and state = 'IN_FLIGHT'";
    /// $1 tenant, $2 id, $3 its expiry as it was taken.
    KEY_FREE(UUID, UUID, TIMESTAMPTZ) = "
        update idempotency_keys set expires_at = '-infinity'
         where tenant_id = $1 and id = $2 and expires_at = $3 and state = 'IN_FLIGHT'";
    /// $1 login, $2 route, $3 key, $4 the session's tenant or null: the clinic of a patient login in which it has used the
    /// key, else the session's, else its first.
    KEY_CLINIC(UUID, TEXT, TEXT, UUID) = "
        select t from unnest((select sec.tenants(0))::uuid[]) t
         order by exists (select from idempotency_keys k where k.tenant_id = t and k.caller_id = $1 and k.route = $2
                             and k.idempotency_key = $3) desc, t is not distinct from $4 desc, t limit 1";
}

#[derive(Clone)]
pub struct Key {
    key: String,
    route: String,
    body_hash: Vec<u8>,
}

impl Key {
    pub fn of(request: &Request, body: &[u8]) -> Result<Option<Key>> {
        let mut said = request.headers().get_all("idempotency-key").iter();
        let Some(header) = said.next() else { return Ok(None) };
        let key = header.to_str().unwrap_or_default();
        // Of two keys, two readers would take different ones.
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && !key.trim().is_empty();
        if !visible || key.len() > KEY_LENGTH_MAX || said.next().is_some() {
            return Err(Error::new(&error::PARAMETER_INVALID).fault(
                "Idempotency-Key",
                "length",
                "It must stand once and have 1 to 255 visible characters.",
            ));
        }
        let (method, uri) = (request.method(), request.original_uri());
        let route = format!("{method} {}", uri.path()).chars().take(240).collect();
        // What a conditional request is about stands in its query.
        let asked = request.uri().query().map(|query| Sha256::digest(query).to_vec()).unwrap_or_default();
        let body_hash = Sha256::new().chain_update(body).chain_update(asked).finalize().to_vec();
        Ok(Some(Key { key: key.to_owned(), route, body_hash }))
    }

    /// An application's keys are its own, also where it acts for the same person as another: it may have other scopes.
    fn route(&self, caller: &Caller) -> String {
        match caller.context.client {
            Some(client) => format!("{} of {client}", self.route),
            None => self.route.clone(),
        }
    }

    /// Of one entry of a batch: a route no request has.
    pub fn entry(&self, place: usize) -> Key {
        Key { key: self.key.clone(), route: format!("{} #{place}", self.route), body_hash: self.body_hash.clone() }
    }
}

/// A key that is ours until we keep an answer or let it go.
struct Held {
    tenant: Uuid,
    id: Uuid,
    until: DateTime<Utc>,
}

enum Taken {
    Now(Held),
    /// The answer it has had.
    Before {
        tenant: Uuid,
        kept: Json,
    },
}

async fn take(scope: &mut Scope, caller: &Caller, key: &Key, tenant: Uuid, holds_s: f64) -> Result<Taken> {
    let (who, id, route) = (actor(caller)?, scope.new_id(), key.route(caller));
    let taken = scope.optional(&KEY_TAKE, &[&tenant, &id, &who, &route, &key.key, &key.body_hash, &holds_s]).await;
    let taken = taken.map_err(|failure| if failure.code == &error::CONFLICT { Error::new(&error::KEY_IN_FLIGHT) } else { failure })?;
    if let Some(row) = taken {
        return Ok(Taken::Now(Held { tenant, id: row.try_get(0)?, until: row.try_get(1)? }));
    }
    let row = scope.one(&KEY_FIND, &[&tenant, &who, &route, &key.key]).await?;
    let (id, hash, state): (Uuid, Vec<u8>, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if hash != key.body_hash {
        return Err(Error::new(&error::KEY_REUSED));
    }
    if state == "IN_FLIGHT" {
        return Err(Error::new(&error::KEY_IN_FLIGHT));
    }
    let sealed: Vec<u8> = row.try_get::<_, Option<_>>(3)?.ok_or_else(|| Error::new(&error::SHOWN_ONCE))?;
    let opened = caller.kernel.keys.of(tenant).await?.open("idempotency_keys", "response", id, &sealed)?;
    Ok(Taken::Before { tenant, kept: serde_json::from_slice(&opened).map_err(Error::internal)? })
}

impl Held {
    async fn keep(&self, scope: &mut Scope, caller: &Caller, status: u16, answer: Option<&Json>, for_s: f64) -> Result<()> {
        let sealed = match answer {
            Some(answer) => {
                let keys = caller.kernel.keys.of(self.tenant).await?;
                Some(keys.seal("idempotency_keys", "response", self.id, answer.to_string().as_bytes())?)
            }
            None => None,
        };
        scope.exec(&KEY_KEEP, &[&self.tenant, &self.id, &self.until, &i32::from(status), &sealed, &for_s]).await?;
        Ok(())
    }
}

fn actor(caller: &Caller) -> Result<Uuid> {
    caller.context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))
}

/// The tenant a key belongs to. A patient's login may stand in several clinics and in none of them by its session.
async fn home(scope: &mut Scope, caller: &Caller, key: &Key) -> Result<Option<Uuid>> {
    if caller.context.plane != Plane::Patient {
        return Ok(caller.context.tenant);
    }
    let found = scope.optional(&KEY_CLINIC, &[&actor(caller)?, &key.route(caller), &key.key, &caller.context.tenant]).await?;
    found.map(|row| row.try_get(0)).transpose().map_err(Error::from)
}

/// The effect was audited when it happened; telling it again is a read of its own.
fn told_again(scope: &mut Scope, caller: &Caller, tenant: Uuid, record: Option<Uuid>) {
    let mut event = audit_store::of(&caller.context, "RECORD_READ", Action::Read, Outcome::Success, scope.now());
    (event.tenant_id, event.resource_id) = (tenant, record);
    event.metadata = Metadata::new().flag("replayed", true);
    scope.audit(event);
}

/// Whose turn it is: this call's, or the answer has been given before.
pub enum Turn<T> {
    First(Box<Once>),
    Again(T),
}

/// One effect in one transaction, with its key's row in it.
pub struct Once {
    pub scope: Scope,
    caller: Caller,
    held: Option<Held>,
}

impl Once {
    pub async fn begin(scope: Scope, caller: &Caller, key: Option<&Key>) -> Result<Turn<Response>> {
        Ok(match Once::begin_kept(scope, caller, key).await? {
            Turn::First(once) => Turn::First(once),
            Turn::Again(kept) => Turn::Again(revive(&kept)?),
        })
    }

    /// For effects whose answer is a part of a greater one, kept in whatever form [`Self::end_kept`] was given.
    pub async fn begin_kept(mut scope: Scope, caller: &Caller, key: Option<&Key>) -> Result<Turn<Json>> {
        let Some(key) = key else { return Ok(Turn::First(Once { scope, caller: caller.clone(), held: None }.into())) };
        let tenant = home(&mut scope, caller, key).await?.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
        match take(&mut scope, caller, key, tenant, KEPT_S).await? {
            Taken::Now(held) => Ok(Turn::First(Once { scope, caller: caller.clone(), held: Some(held) }.into())),
            Taken::Before { tenant, kept } => {
                told_again(&mut scope, caller, tenant, record_of(&kept));
                scope.commit().await?;
                Ok(Turn::Again(kept))
            }
        }
    }

    /// Keeps the answer and commits. `secret`: the answer is told this once.
    pub async fn end(self, answer: Response, secret: bool) -> Result<Response> {
        if self.held.is_none() {
            self.scope.commit().await?;
            return Ok(answer);
        }
        let (answer, kept) = form(answer).await?;
        self.end_kept(answer.status().as_u16(), (!secret).then_some(&kept)).await?;
        Ok(answer)
    }

    pub async fn end_kept(mut self, status: u16, answer: Option<&Json>) -> Result<()> {
        if let Some(held) = &self.held {
            held.keep(&mut self.scope, &self.caller, status, answer, KEPT_S).await?;
        }
        self.scope.commit().await
    }
}

/// An effect of several transactions. The server keeps the key's row on the caller's behalf.
pub async fn apart(caller: &Caller, key: &Key, secret: bool, run: BoxFuture<'static, Result<Response>>) -> Result<Response> {
    let tenant = match caller.context.plane {
        Plane::Patient => {
            let mut scope = caller.kernel.door.open(&caller.context).await?;
            let home = home(&mut scope, caller, key).await?;
            scope.commit().await?;
            home
        }
        _ => caller.context.tenant,
    };
    let tenant = tenant.unwrap_or(PLATFORM_TENANT);
    let mut scope = caller.kernel.door.open(&caller.server(tenant)).await?;
    let holds_s = f64::from(caller.kernel.config.server.request_deadline_s) + LAPSE_S;
    let held = match take(&mut scope, caller, key, tenant, holds_s).await? {
        Taken::Now(held) => held,
        Taken::Before { tenant, kept } => {
            told_again(&mut scope, caller, tenant, record_of(&kept));
            scope.commit().await?;
            return revive(&kept);
        }
    };
    scope.commit().await?;
    match run.await {
        Ok(answer) => {
            let (answer, kept) = form(answer).await?;
            // What was done is done and told; an answer that cannot be kept leaves a reservation that lapses.
            if let Err(failure) = settle(caller, &held, Some((answer.status(), (!secret).then_some(&kept)))).await {
                tracing::warn!(error = %failure, "The answer of an idempotency key was not kept");
            }
            Ok(answer)
        }
        Err(refusal) => {
            if let Err(failure) = settle(caller, &held, None).await {
                tracing::warn!(error = %failure, "An idempotency key was not let go");
            }
            Err(refusal)
        }
    }
}

async fn settle(caller: &Caller, held: &Held, answer: Option<(StatusCode, Option<&Json>)>) -> Result<()> {
    let mut scope = caller.kernel.door.open(&caller.server(held.tenant)).await?;
    match answer {
        Some((status, answer)) => held.keep(&mut scope, caller, status.as_u16(), answer, KEPT_S).await?,
        None => {
            scope.exec(&KEY_FREE, &[&held.tenant, &held.id, &held.until]).await?;
        }
    }
    scope.commit().await
}

/// The answer, and the form it is kept in.
async fn form(answer: Response) -> Result<(Response, Json)> {
    let (parts, body) = answer.into_parts();
    let bytes = body.into_vec().await.map_err(Error::internal)?;
    let headers: Vec<(String, String)> = [header::CONTENT_TYPE, header::ETAG, header::LOCATION, header::LAST_MODIFIED]
        .iter()
        .filter_map(|name| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned())))
        .collect();
    let kept = json!({"status": parts.status.as_u16(), "headers": headers, "body": String::from_utf8_lossy(&bytes)});
    Ok((Response::from_parts(parts, Body::from(bytes)), kept))
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

/// The id in the kept Location, with or without a version behind it.
fn record_of(kept: &Json) -> Option<Uuid> {
    let headers = kept["headers"].as_array().into_iter().flatten();
    let location = headers.filter(|pair| pair[0] == "location").find_map(|pair| pair[1].as_str()).or(kept["location"].as_str())?;
    location.split("/_history/").next()?.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_for_what_was_asked_with_it() {
        let of = |uri: &'static str, body: &str| {
            let request = Request::builder().uri(uri.parse().unwrap()).header("idempotency-key", "k").finish();
            let key = Key::of(&request, body.as_bytes()).unwrap().unwrap();
            (key.route, key.body_hash)
        };
        let plain = of("/fhir/r4/Patient", "{}");
        assert_eq!(plain, of("/fhir/r4/Patient", "{}"));
        let asked = of("/fhir/r4/Patient?identifier=1", "{}");
        assert_eq!(asked.0, plain.0);
        for other in [plain, of("/fhir/r4/Patient?identifier=2", "{}"), of("/fhir/r4/Patient?identifier=1", "{ }")] {
            assert_ne!(asked.1, other.1);
        }
    }
}
