//! From an access token to its caller. An answer is kept for a few seconds, so what is revoked is felt within five.

use super::oauth::Proof;
use super::scope;
use super::service::Service;
use super::token::{Kind, Token};
use crate::kernel::certificate::Certificate;
use crate::kernel::config::Network;
use crate::kernel::context::{Caps, Context, Origin, PLATFORM_TENANT, Permission, Plane, Rates};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Caller, Kernel};
use crate::sql;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::Row;
use uuid::Uuid;

/// Below the five seconds in which a revocation has to be felt, with room for the request under way.
const BELIEVED_FOR: Duration = Duration::from_secs(4);
const KNOWN_MAX: usize = 20_000;
const UNKNOWN_MAX: usize = 2_000;
/// A session in use is written to once in this time.
const ACTIVITY_EVERY: TimeDelta = TimeDelta::seconds(60);

sql! {
    /// $1 hash.
    RESOLVE(BYTEA) = "select * from sec.resolve_token($1)";
    /// $1 session.
    RESOLVE_SESSION(UUID) = "select * from sec.resolve_session($1)";
    /// $1 hash.
    VISIT(BYTEA) = "select tenant_id, visit_id, share_id, permissions, tenant_rate from sec.resolve_visit($1)";
    /// $1 session, $2 now.
    TOUCH(UUID, TIMESTAMPTZ) = "
        update sessions set last_activity_at = $2 where id = $1 and last_activity_at < $2 - interval '55 seconds'";
}

/// A token as it came with a request; with the proof of its key or the certificate, where one goes with it.
pub struct Shown {
    pub token: String,
    pub proof: Option<Proof>,
    /// What the client of the connection has shown.
    pub certificate: Option<Arc<Certificate>>,
}

/// The caller behind a token. UNAUTHENTICATED, whatever the reason.
pub async fn resolve(kernel: &Arc<Kernel>, shown: &Shown, request: Uuid, origin: Arc<Origin>) -> Result<Caller> {
    let token = shown.token.as_str();
    if let Some(visit) = Token::parse(Kind::Share, token) {
        return visitor(kernel, &visit, request, origin).await;
    }
    let token = Token::parse(Kind::Access, token).ok_or_else(refused)?;
    let bearer = bearer(kernel, &token).await?.ok_or_else(refused)?;
    if bearer.expires <= Utc::now() || !bearer.admits(&origin) {
        return Err(refused());
    }
    // Each without the other is nothing: neither a stolen token, nor a proof for a token that needs none.
    match (&bearer.dpop, &shown.proof) {
        (None, None) => {}
        (Some(key), Some(proof)) if proof.key(kernel, Some(token.expose())).await?.as_ref() == Some(key) => {}
        _ => return Err(refused()),
    }
    let certificate = shown.certificate.as_ref().map(|certificate| &certificate.thumbprint);
    if bearer.certificate.is_some() && bearer.certificate.as_ref() != certificate {
        return Err(refused());
    }
    let mut context = bearer.context.clone();
    (context.request, context.origin) = (request, Some(origin));
    Ok(Caller { kernel: kernel.clone(), context, reads_subtree: bearer.reads_subtree, scopes: bearer.scopes.clone() })
}

/// Whoever has opened a share: nobody by name, and asked anew at each request, so that what is revoked ends at once.
async fn visitor(kernel: &Arc<Kernel>, visit: &Token, request: Uuid, origin: Arc<Origin>) -> Result<Caller> {
    let scope = kernel.door.open(&Context::system(Plane::Auth, None)).await?;
    let answers = scope.once(&[((&VISIT).into(), vec![&visit.hash().as_bytes()])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(refused)?;
    let permissions: Vec<String> = row.try_get("permissions")?;
    let mut context = Context::system(Plane::Share, Some(row.try_get("tenant_id")?));
    context.session = Some(row.try_get("visit_id")?);
    context.subject = Some(row.try_get("share_id")?);
    context.rates.tenant = rate(row, "tenant_rate")?;
    context.caps = Caps::of(&permissions.iter().filter_map(|word| Permission::parse(word)).collect::<Vec<_>>());
    (context.request, context.origin) = (request, Some(origin));
    Ok(Caller { kernel: kernel.clone(), context, reads_subtree: false, scopes: Arc::from([]) })
}

fn refused() -> Error {
    Error::new(&error::UNAUTHENTICATED)
}

/// Any session by its token, access token and browser cookie alike; the kind is part of what is hashed.
pub(super) async fn bearer(kernel: &Arc<Kernel>, token: &Token) -> Result<Option<Arc<Bearer>>> {
    let service = Service::of(kernel)?;
    let hash = token.hash().key();
    if let Some(known) = service.tokens.get(&hash) {
        return Ok(known);
    }
    let scope = kernel.door.open(&Context::system(Plane::Auth, None)).await?;
    let answers = scope.once(&[((&RESOLVE).into(), vec![&hash.as_slice()])]).await?;
    let now = Utc::now();
    let idle = TimeDelta::seconds(i64::from(kernel.config.identity.session_idle_s));
    let found = match answers.iter().flatten().next() {
        Some(row) => Bearer::read(row, now, idle)?.map(Arc::new),
        None => None,
    };
    if let Some(found) = &found
        && now - found.last_activity > ACTIVITY_EVERY
        && let Some(session) = found.context.session
    {
        tokio::spawn(touch(kernel.clone(), session, now));
    }
    service.tokens.keep(hash, found.clone());
    Ok(found)
}

/// Where whoever holds that session stands now, however old its tokens are: for work that was ordered with it and goes on
/// behind them. Nothing when it was ended, or its user, client or tenant is not in force.
pub async fn holder(kernel: &Kernel, session: Uuid) -> Result<Option<Context>> {
    let scope = kernel.door.open(&Context::system(Plane::Auth, None)).await?;
    let answers = scope.once(&[((&RESOLVE_SESSION).into(), vec![&session])]).await?;
    let Some(row) = answers.iter().flatten().next() else { return Ok(None) };
    // Of what stands whatever the time, nothing has expired before time began.
    Ok(Bearer::read(row, DateTime::UNIX_EPOCH, TimeDelta::zero())?.map(|bearer| bearer.context))
}

async fn touch(kernel: Arc<Kernel>, session: Uuid, now: DateTime<Utc>) {
    let touched = async {
        let mut scope = kernel.door.open(&Context::system(Plane::Auth, None)).await?;
        scope.exec(&TOUCH, &[&session, &now]).await?;
        scope.commit().await
    };
    if let Err(failure) = touched.await {
        tracing::warn!(error = %failure, "A session's last activity could not be written");
    }
}

/// Who holds a token, as the database said a moment ago.
pub(super) struct Bearer {
    pub context: Context,
    pub reads_subtree: bool,
    pub scopes: Arc<[String]>,
    /// The launch's context, which is told and narrows nobody by itself.
    pub patient: Option<Uuid>,
    pub encounter: Option<Uuid>,
    /// The key to which the token is bound.
    pub dpop: Option<String>,
    /// Of an exchanged token: the tenant of its application.
    pub from: Option<Uuid>,
    /// The thumbprint of the certificate to which the token is bound (RFC 8705).
    pub certificate: Option<String>,
    pub expires: DateTime<Utc>,
    last_activity: DateTime<Utc>,
    ranges: Vec<Network>,
}

impl Bearer {
    /// Nothing when the session, its user, its client or its tenant is not in force.
    fn read(row: &Row, now: DateTime<Utc>, idle: TimeDelta) -> Result<Option<Bearer>> {
        let expires: DateTime<Utc> = row.try_get("expires_at")?;
        let last_activity: DateTime<Utc> = row.try_get("last_activity_at")?;
        let revoked: Option<DateTime<Utc>> = row.try_get("revoked_at")?;
        let word = |name: &str| row.try_get::<_, Option<&str>>(name);
        let (client, tenant): (Option<Uuid>, Option<Uuid>) = (row.try_get("client_id")?, row.try_get("tenant_id")?);
        let in_force = revoked.is_none()
            && expires > now
            && now - last_activity <= idle
            && word("user_status")? == Some("ACTIVE")
            && (tenant.is_none() || word("tenant_status")? == Some("ACTIVE"))
            && (client.is_none() || word("client_status")? == Some("ACTIVE"));
        let from: Option<Uuid> = row.try_get("from_tenant_id")?;
        // Somebody of the staff acts for the group, and nobody else.
        let stands = |(plane, _): &(Plane, Caps)| in_force && (from.is_none() || *plane == Plane::Staff);
        let Some((plane, caps)) = standing(row)?.filter(stands) else { return Ok(None) };
        let ranges: Vec<String> = row.try_get::<_, Option<_>>("client_ranges")?.unwrap_or_default();
        let mut context = Context::system(plane, tenant);
        context.actor = Some(row.try_get("user_id")?);
        context.session = Some(row.try_get("session_id")?);
        context.client = client;
        context.break_glass = row.try_get("break_glass_id")?;
        let program = word("auth_method")? == Some("API_CLIENT");
        context.rates = Rates { client: rate(row, "client_rate")?, tenant: rate(row, "tenant_rate")?, program };
        let narrowed = Caps(row.try_get("scope_caps")?);
        context.caps = caps.and(narrowed);
        let (scopes, patient): (Vec<String>, Option<Uuid>) = (row.try_get("scopes")?, row.try_get("patient_id")?);
        let of_a_patient = scope::of_a_patient(&scopes);
        // Nobody speaks for a patient whom nobody has named.
        if of_a_patient && (patient.is_none() || !matches!(plane, Plane::Staff | Plane::Patient)) {
            return Ok(None);
        }
        if plane == Plane::Staff {
            context.part = Caps(row.try_get("part")?).and(narrowed);
            if of_a_patient {
                // The launch's one patient is their part, and they have nothing throughout.
                (context.part, context.caps, context.subject) = (context.part.or(context.caps), Caps::NONE, patient);
            }
        }
        if plane == Plane::Patient {
            context.subject = patient;
        }
        Ok(Some(Bearer {
            context,
            reads_subtree: plane == Plane::Staff && !of_a_patient && word("tenant_type")? == Some("DSO"),
            scopes: scopes.into(),
            patient,
            encounter: row.try_get("encounter_id")?,
            dpop: row.try_get("dpop_thumbprint")?,
            from,
            certificate: row.try_get("certificate_thumbprint")?,
            expires,
            last_activity,
            // An entry that cannot be read admits nobody: it must not fall away silently.
            ranges: ranges
                .iter()
                .map(|range| range.parse().or_else(|_| "255.255.255.255/32".parse()))
                .collect::<Result<_, _>>()
                .map_err(Error::internal)?,
        }))
    }

    fn admits(&self, origin: &Origin) -> bool {
        self.ranges.is_empty() || origin.ip.is_some_and(|ip| self.ranges.iter().any(|range| range.contains(ip)))
    }
}

fn rate(row: &Row, name: &str) -> Result<Option<u32>> {
    Ok(row.try_get::<_, Option<i32>>(name)?.and_then(|rate| u32::try_from(rate).ok()))
}

/// Where somebody stands in the tenant of the session, and what they may there.
fn standing(row: &Row) -> Result<Option<(Plane, Caps)>> {
    let caps = Caps(row.try_get("caps")?);
    let roles: Vec<&str> = row.try_get("role_codes")?;
    let has = |code: &str| roles.contains(&code);
    // In a clinic of its group a program is a member like others.
    if row.try_get::<_, &str>("auth_method")? == "API_CLIENT" && row.try_get::<_, Option<Uuid>>("from_tenant_id")?.is_none() {
        return Ok(Some((Plane::Staff, Caps::ALL)));
    }
    let member = row.try_get::<_, Option<&str>>("membership_status")? == Some("ACTIVE");
    let works = member && row.try_get::<_, Option<&str>>("user_type")? != Some("PATIENT");
    if !works {
        let patient: bool = row.try_get("is_patient")?;
        return Ok(patient.then_some((Plane::Patient, Caps(row.try_get("patient_caps")?))));
    }
    let platform = row.try_get::<_, Option<Uuid>>("tenant_id")? == Some(PLATFORM_TENANT);
    Ok(Some(match () {
        () if platform && has("PLATFORM_ADMIN") => (Plane::Platform, caps),
        () if has("READ_ONLY_AUDITOR") => (Plane::Audit, caps),
        () => (Plane::Staff, caps),
    }))
}

type Answer = Option<Arc<Bearer>>;
type Hash = [u8; 32];

/// Answers by token hash, bounded; the wrong tokens of a flood cannot push out the right ones.
#[derive(Default)]
pub struct KnownTokens {
    known: Mutex<HashMap<Hash, (Instant, Arc<Bearer>)>>,
    unknown: Mutex<HashMap<Hash, Instant>>,
}

impl KnownTokens {
    fn get(&self, hash: &Hash) -> Option<Answer> {
        if let Some((at, bearer)) = lock(&self.known).get(hash)
            && at.elapsed() < BELIEVED_FOR
        {
            return Some(Some(bearer.clone()));
        }
        lock(&self.unknown).get(hash).filter(|at| at.elapsed() < BELIEVED_FOR).map(|_| None)
    }

    fn keep(&self, hash: Hash, answer: Answer) {
        let now = Instant::now();
        match answer {
            Some(bearer) => {
                let mut known = lock(&self.known);
                if known.len() >= KNOWN_MAX {
                    known.retain(|_, (at, _)| at.elapsed() < BELIEVED_FOR);
                }
                if known.len() < KNOWN_MAX {
                    known.insert(hash, (now, bearer));
                }
            }
            None => {
                lock(&self.known).remove(&hash);
                let mut unknown = lock(&self.unknown);
                if unknown.len() >= UNKNOWN_MAX {
                    unknown.retain(|_, at| at.elapsed() < BELIEVED_FOR);
                }
                if unknown.len() < UNKNOWN_MAX {
                    unknown.insert(hash, now);
                }
            }
        }
    }

    /// What this server has just ended ends here at once; other servers follow when their answers are old.
    pub(super) fn forget(&self, gone: impl Fn(&Context) -> bool) {
        lock(&self.known).retain(|_, (_, bearer)| !gone(&bearer.context));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
