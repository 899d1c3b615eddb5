//! Sessions and their tokens: renewed and ended here, opened in [`super::opening`]. The two places that write them, for REST,
//! pages and OAuth alike.

use super::opening::{Issued, REFRESH_ADD};
use super::scope;
use super::service::Service;
use super::token::{Kind, Token};
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::bell::Bell;
use crate::kernel::config::IdentityConfig;
use crate::kernel::context::{Caps, Context, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Kernel, audit_store};
use crate::sql;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// How long a refresh whose answer was lost can be asked again.
const GRACE: TimeDelta = TimeDelta::seconds(10);

sql! {
    /// $1 session, $2 token hash, $3 token expiry, $4 now, $5 the token's scopes, where they are fewer, $6 their permissions, $7 the
    /// certificate shown, which may be a newer one of its client.
    SESSION_RENEW(UUID, BYTEA, TIMESTAMPTZ, TIMESTAMPTZ, TEXT_ARRAY, INT8, TEXT) = "
        update sessions set token_hash = $2, token_expires_at = $3, last_activity_at = $4, token_scopes = $5, scope_caps = $6,
               certificate_thumbprint = $7 where id = $1";
    /// $1 hash. Twins take turns.
    REFRESH_FIND(BYTEA) = "
        select r.id, r.session_id, r.user_id, r.family_id, r.expires_at, r.used_at, r.revoked_at, n.used_at as next_used_at,
               s.api_client_id, s.active_tenant_id, s.revoked_at as ended_at, s.expires_at as ends_at, s.token_expires_at,
               s.last_activity_at, s.scopes, s.token_scopes, s.patient_id, s.encounter_id, s.dpop_thumbprint, s.certificate_thumbprint, u.status,
               exists (select from sec.homes_of(s.user_id) h where h.tenant_id = s.active_tenant_id) as at_home
          from refresh_tokens r
          join sessions s on s.id = r.session_id
          join users u on u.id = r.user_id
          left join refresh_tokens n on n.id = r.replaced_by_id
         where r.token_hash = $1 for update of r, s";
    /// $1 id, $2 now, $3 successor.
    REFRESH_SPEND(UUID, TIMESTAMPTZ, UUID) = "update refresh_tokens set used_at = $2, replaced_by_id = $3 where id = $1";
    /// $1 session, $2 now, $3 reason.
    SESSION_END(UUID, TIMESTAMPTZ, TEXT) = "
        with ended as (update sessions set revoked_at = $2, revoke_reason = $3 where id = $1 and revoked_at is null returning id)
        update refresh_tokens r set revoked_at = $2 from ended where r.session_id = ended.id and r.revoked_at is null";
    /// $1 user, $2 now, $3 reason, $4 a session that stays.
    SESSIONS_END(UUID, TIMESTAMPTZ, TEXT, UUID) = "
        with ended as (update sessions set revoked_at = $2, revoke_reason = $3
                        where user_id = $1 and revoked_at is null and id is distinct from $4 returning id)
        update refresh_tokens r set revoked_at = $2 from ended where r.session_id = ended.id and r.revoked_at is null";
    /// $1 user.
    CODES_END(UUID) = "select sec.end_codes($1)";
}

/// The context in which identity works for a caller: who they are stays, what they may see is not asked.
pub fn behind(context: &Context, tenant: Option<Uuid>) -> Context {
    Context { plane: Plane::Auth, caps: Caps::NONE, part: Caps::NONE, subject: None, tenant, ..context.clone() }
}

/// The same for somebody who has just proved who they are: what is written down is written as theirs.
pub fn proven(context: &Context, tenant: Uuid, user: Uuid) -> Context {
    Context { actor: Some(user), ..behind(context, Some(tenant)) }
}

/// A refresh token, as found and locked.
struct Held {
    id: Uuid,
    session: Uuid,
    user: Uuid,
    family: Uuid,
    ends: DateTime<Utc>,
    used: Option<DateTime<Utc>>,
    successor_unused: bool,
    token_ends: Option<DateTime<Utc>>,
    tenant: Uuid,
    scopes: Vec<String>,
    token_scopes: Option<Vec<String>>,
    patient: Option<Uuid>,
    encounter: Option<Uuid>,
    dpop: Option<String>,
    certificate: Option<String>,
}

/// A refresh token as it comes, and from whom.
pub struct Renewal<'a> {
    pub token: &'a str,
    pub client: Option<Uuid>,
    /// Scopes of the grant that the next access token is to have; all of them when nothing is said.
    pub asked: Option<&'a str>,
    /// The key that was proven to be there.
    pub dpop: Option<&'a str>,
    /// The certificate by which the client has proved itself.
    pub certificate: Option<&'a str>,
}

/// Spends a refresh token for a new pair. A second use ends the session and everything that came from it.
/// CREDENTIALS_WRONG, whatever the reason; INVALID for scopes that the grant does not have.
pub async fn renew(kernel: &Kernel, context: &Context, renewal: Renewal<'_>) -> Result<Issued> {
    let wrong = || Error::new(&error::CREDENTIALS_WRONG);
    let spent = Token::parse(Kind::Refresh, renewal.token).ok_or_else(wrong)?;
    let service = Service::of(kernel)?;
    let mut scope = kernel.door.open(&behind(context, None)).await?;
    let held = find(&mut scope, &spent, renewal.client, &kernel.config.identity).await?;
    // What a key goes with is renewed with that key.
    let held = held.filter(|held| held.dpop.is_none() || held.dpop.as_deref() == renewal.dpop);
    // The client is the same; its certificate may have been renewed meanwhile.
    let held = held.filter(|held| held.certificate.is_none() || renewal.certificate.is_some());
    let mut held = held.ok_or_else(wrong)?;
    let now = scope.now();
    let fewer = match renewal.asked {
        None => None,
        Some(asked) => Some(scope::narrowed(asked, &held.scopes).ok_or_else(|| Error::new(&error::INVALID))?),
    };
    let access = Token::successor(Kind::Access, &spent, &service.successors)?;
    let refresh = Token::successor(Kind::Refresh, &spent, &service.successors)?;
    let token_ends = match held.used {
        None => {
            let token_ends = held.ends.min(now + TimeDelta::seconds(kernel.config.identity.access_token_s.into()));
            let next = scope.new_id();
            scope.exec(&REFRESH_ADD, &[&next, &held.session, &held.user, &refresh.hash().as_bytes(), &held.family, &held.ends]).await?;
            scope.exec(&REFRESH_SPEND, &[&held.id, &now, &next]).await?;
            let scopes = fewer.as_ref().unwrap_or(&held.scopes);
            let caps = if renewal.client.is_some() { scope::caps(scopes) } else { Caps::ALL };
            let hash = access.hash();
            scope
                .exec(&SESSION_RENEW, &[&held.session, &hash.as_bytes(), &token_ends, &now, &fewer, &caps.0, &renewal.certificate])
                .await?;
            held.token_scopes = fewer;
            let mut event =
                audit_store::of(&proven(context, held.tenant, held.user), "TOKEN_REFRESHED", Action::Execute, Outcome::Success, now);
            (event.tenant_id, event.session_id) = (held.tenant, Some(held.session));
            scope.audit(event);
            token_ends
        }
        // The answer was lost on its way: the same pair again, as long as nobody has used it.
        Some(used) if now - used <= GRACE && held.successor_unused => held.token_ends.unwrap_or(held.ends),
        Some(_) => {
            scope.exec(&SESSION_END, &[&held.session, &now, &"REUSE_DETECTED"]).await?;
            let mut event =
                audit_store::of(&proven(context, held.tenant, held.user), "TOKEN_REVOKED", Action::Execute, Outcome::Denied, now);
            (event.tenant_id, event.user_id, event.session_id) = (held.tenant, Some(held.user), Some(held.session));
            event.metadata = Metadata::new().text("reason", "REUSE_DETECTED");
            scope.commit().await?;
            kernel.audit.record(event).await?;
            service.tokens.forget(|context| context.session == Some(held.session));
            return Err(wrong());
        }
    };
    scope.commit().await?;
    let expires_in_s = (token_ends - now).num_seconds();
    Ok(Issued {
        session: held.session,
        tenant: held.tenant,
        access,
        refresh: Some(refresh),
        expires_in_s,
        scopes: held.token_scopes.unwrap_or(held.scopes),
        patient: held.patient,
        encounter: held.encounter,
        dpop: held.dpop.is_some(),
    })
}

async fn find(scope: &mut Scope, token: &Token, client: Option<Uuid>, config: &IdentityConfig) -> Result<Option<Held>> {
    let Some(row) = scope.optional(&REFRESH_FIND, &[&token.hash().as_bytes()]).await? else { return Ok(None) };
    let now = scope.now();
    let at = |name: &str| row.try_get::<_, Option<DateTime<Utc>>>(name);
    let (expires, ends): (DateTime<Utc>, DateTime<Utc>) = (row.try_get("expires_at")?, row.try_get("ends_at")?);
    let scopes: Vec<String> = row.try_get("scopes")?;
    let idle = now - row.try_get::<_, DateTime<Utc>>("last_activity_at")?;
    let rested = idle > TimeDelta::seconds(config.session_idle_s.into()) && !scopes.iter().any(|word| word == scope::OFFLINE);
    let in_force = at("ended_at")?.is_none()
        && expires > now
        && ends > now
        && !rested
        && row.try_get::<_, &str>("status")? == "ACTIVE"
        && row.try_get::<_, bool>("at_home")?
        && row.try_get::<_, Option<Uuid>>("api_client_id")? == client;
    let Some(tenant) = row.try_get::<_, Option<Uuid>>("active_tenant_id")?.filter(|_| in_force) else { return Ok(None) };
    Ok(Some(Held {
        id: row.try_get("id")?,
        session: row.try_get("session_id")?,
        user: row.try_get("user_id")?,
        family: row.try_get("family_id")?,
        ends: expires.min(ends),
        used: at("used_at")?,
        successor_unused: at("next_used_at")?.is_none(),
        token_ends: at("token_expires_at")?,
        tenant,
        scopes,
        token_scopes: row.try_get("token_scopes")?,
        patient: row.try_get("patient_id")?,
        encounter: row.try_get("encounter_id")?,
        dpop: row.try_get("dpop_thumbprint")?,
        certificate: row.try_get("certificate_thumbprint")?,
    }))
}

/// Ends one session inside `scope`; call [`forget`] when it is committed.
pub async fn end(scope: &mut Scope, session: Uuid, reason: &'static str) -> Result<()> {
    let now = scope.now();
    scope.exec(&SESSION_END, &[&session, &now, &reason]).await?;
    let mut event = audit_store::of(scope.context(), "TOKEN_REVOKED", Action::Execute, Outcome::Success, now);
    event.resource_type = Some("Session".into());
    event.resource_id = Some(session);
    event.metadata = Metadata::new().text("reason", reason);
    scope.audit(event);
    Ok(())
}

/// Ends every session of somebody, but one, and those about to begin by a code.
pub async fn end_all(scope: &mut Scope, user: Uuid, reason: &'static str, but: Option<Uuid>) -> Result<()> {
    let now = scope.now();
    scope.exec(&SESSIONS_END, &[&user, &now, &reason, &but]).await?;
    scope.rows(&CODES_END, &[&user]).await?;
    Ok(())
}

/// This server believes the tokens no more; the others ask again within seconds. Whoever is to hear of it, hears of it now.
pub fn forget(kernel: &Kernel, gone: impl Fn(&Context) -> bool) -> Result<()> {
    Service::of(kernel)?.tokens.forget(gone);
    Bell::of(kernel).logouts.notify_one();
    Ok(())
}
