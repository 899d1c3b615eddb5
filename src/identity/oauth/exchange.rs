//! Acting in a clinic of one's group (RFC 8693): an application's token for the group's tenant is exchanged for a narrower one in
//! a clinic below it. What it may do there the roles decide that its person, or the program itself, has in that clinic; the
//! group's own roles reach no further than its reading. It lasts no longer than the token it came from, and ends with it.

use super::Form;
use super::client::Client;
use super::refusal::Refusal;
use crate::identity::grant;
use crate::identity::opening::{self, Issued, Opening, Parent};
use crate::identity::resolve::{self, Bearer};
use crate::identity::scope::{self, Level};
use crate::identity::sign_in;
use crate::identity::token::{Kind, Token};
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{Error, Result};
use crate::sql;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use uuid::Uuid;

pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

sql! {
    /// $1 session. It does not end meanwhile.
    SUBJECT(UUID) = "
        select auth_method, mfa_level, provider_id, proved_at from sessions where id = $1 and revoked_at is null for share";
    /// $1 login, $2 tenant, $3 the group: how somebody gets in who has a role there.
    REACH(UUID, UUID, UUID) = "
        select h.provider_only, h.second_required from sec.homes_of($1) h
         where h.tenant_id = $2 and sec.reaches($3, $2)
           and exists (select from user_tenants m where m.tenant_id = $2 and m.user_id = $1 and m.status = 'ACTIVE'
                          and m.user_type <> 'PATIENT' and m.deleted_at is null)
           and exists (select from user_roles r where r.tenant_id = $2 and r.user_id = $1 and r.deleted_at is null
                          and (r.valid_from is null or r.valid_from <= now()) and (r.valid_until is null or r.valid_until > now()))";
}

/// `audience` names the clinic by its id or slug. One that is not there, not the group's, or not this person's is one answer.
pub async fn exchange(caller: &Caller, client: &Client, form: &Form, dpop: Option<String>) -> Result<Issued, Refusal> {
    if client.is_public() {
        return Err(Refusal::new("unauthorized_client", "A client without a secret cannot exchange tokens."));
    }
    if form.get("subject_token_type") != Some(ACCESS_TOKEN) || form.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(Refusal::request("An access token is exchanged for an access token."));
    }
    if form.get("actor_token").is_some() {
        return Err(Refusal::request("actor_token is not taken: the client itself is who acts."));
    }
    let audience = form.get("audience").ok_or_else(|| Refusal::request("audience is needed."))?;
    let text = form.get("subject_token").ok_or_else(|| Refusal::request("subject_token is needed."))?;
    let subject = subject(caller, client, text, dpop.as_deref()).await?;
    let carried: Vec<String> = subject.scopes.iter().filter(|word| speaks_for_staff(word)).cloned().collect();
    let scopes = match form.get("scope") {
        None => carried,
        Some(asked) => scope::narrowed(asked, &carried).unwrap_or_default(),
    };
    if scopes.is_empty() {
        return Err(Refusal::new("invalid_scope", "The token does not reach that far."));
    }
    let target = sign_in::tenant_named(&caller.kernel, &caller.context, audience).await?;
    let issued = match target {
        Some(target) => open(caller, client, &subject, target, scopes, dpop).await?,
        None => None,
    };
    match issued {
        Some(issued) => Ok(issued),
        None => {
            caller.kernel.audit.record(told(&of(caller, client, &subject, client.tenant), None)).await?;
            Err(Refusal::new("invalid_target", "The token does not reach there."))
        }
    }
}

/// Words for one patient stay with that patient, and those about signing in with the sign-in.
fn speaks_for_staff(word: &str) -> bool {
    scope::Resource::parse(word).is_some_and(|scope| scope.level != Level::Patient)
}

/// The bearer of a token that was issued to this client in its own tenant, with the key it is bound to.
async fn subject(caller: &Caller, client: &Client, text: &str, dpop: Option<&str>) -> Result<Arc<Bearer>, Refusal> {
    let bearer = match Token::parse(Kind::Access, text) {
        Some(token) => resolve::bearer(&caller.kernel, &token).await?,
        None => None,
    };
    let own = |bearer: &Arc<Bearer>| {
        let context = &bearer.context;
        (context.client, context.tenant, context.plane, bearer.from) == (Some(client.id), Some(client.tenant), Plane::Staff, None)
            && bearer.expires > Utc::now()
            && (bearer.dpop.is_none() || bearer.dpop.as_deref() == dpop)
            && (bearer.certificate.is_none() || bearer.certificate == client.certificate)
    };
    bearer.filter(own).ok_or_else(|| Refusal::request("subject_token is no token that this client can exchange."))
}

/// As this client, for that person, in that tenant.
fn of(caller: &Caller, client: &Client, subject: &Bearer, tenant: Uuid) -> Context {
    let context = grant::behind(&caller.context, Some(tenant));
    Context { client: Some(client.id), actor: subject.context.actor, session: subject.context.session, ..context }
}

/// What the group's log says of it.
fn told(context: &Context, issued: Option<&Issued>) -> crate::kernel::audit::AuditEvent {
    let outcome = if issued.is_some() { Outcome::Success } else { Outcome::Denied };
    let mut event = audit_store::of(context, "TOKEN_EXCHANGED", Action::Execute, outcome, Utc::now());
    if let Some(issued) = issued {
        (event.resource_type, event.resource_id) = (Some("Session".into()), Some(issued.session));
        event.metadata = Metadata::new().text("tenant", issued.tenant.to_string()).texts("scopes", &issued.scopes);
    }
    event
}

/// None where the token does not reach.
async fn open(
    caller: &Caller,
    client: &Client,
    subject: &Bearer,
    target: Uuid,
    scopes: Vec<String>,
    dpop: Option<String>,
) -> Result<Option<Issued>> {
    let (user, session) = subject.context.actor.zip(subject.context.session).ok_or_else(|| Error::internal("a bearer is somebody"))?;
    let mut scope = caller.kernel.door.open(&of(caller, client, subject, target)).await?;
    let Some(held) = scope.optional(&SUBJECT, &[&session]).await? else { return Ok(None) };
    let Some(reach) = scope.optional(&REACH, &[&user, &target, &client.tenant]).await? else { return Ok(None) };
    let (program, factor): (bool, String) = (held.try_get::<_, &str>("auth_method")? == "API_CLIENT", held.try_get("mfa_level")?);
    // As when a person changes tenants: what one clinic's provider says opens no other, and a second factor stays asked for.
    let by_provider = reach.try_get("provider_only")? || held.try_get::<_, Option<Uuid>>("provider_id")?.is_some();
    let second_lacks = reach.try_get("second_required")? && factor == "NONE";
    if !program && (by_provider || second_lacks) {
        return Ok(None);
    }
    let proved: DateTime<Utc> = held.try_get("proved_at")?;
    let opening = Opening {
        client: Some(client.id),
        factor: factor.into(),
        scopes,
        dpop,
        certificate: client.certificate.clone(),
        proved: Some(proved),
        parent: Some(Parent { session, until: subject.expires }),
        from: Some(client.tenant),
        ..Opening::of(user, target, if program { "API_CLIENT" } else { "OAUTH" }, Kind::Access)
    };
    let issued = opening::open(&mut scope, &caller.kernel.config.identity, opening).await?;
    sign_in::remember(&mut scope, user, target, issued.session, "EXCHANGE");
    scope.audit(told(&of(caller, client, subject, client.tenant), Some(&issued)));
    scope.commit().await?;
    Ok(Some(issued))
}
