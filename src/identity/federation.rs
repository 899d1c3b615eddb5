//! Sign-in at a tenant's own OpenID provider. Who somebody is follows from issuer and subject, never from an e-mail, and
//! what a provider says opens its own tenant alone.

use super::browser::{self, Cookie};
use super::grant;
use super::mapped_roles;
use super::oauth::Form;
use super::oidc::{Callback, Claims, Pending, Provider};
use super::opening::Vouched;
use super::second_step::{self, First, Proof};
use super::service::Service;
use super::sign_in_pages::{Flow, ROOT, View};
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Outcome};
use crate::kernel::audit_store;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::{TimeDelta, Utc};
use poem::{Request, Response};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const MINUTES: i64 = 10;
sql! {
    /// $1 tenant, $2 provider.
    PROVIDER(UUID, UUID) = "
        select issuer, client_id, client_secret_enc,
               array(select unnest(allowed_domains) intersect select unnest(proven_domains)) as domains, role_mapping
          from identity_providers
         where tenant_id = $1 and id = $2 and kind = 'OIDC' and status = 'ACTIVE' and deleted_at is null";
    ATTEMPT_ADD(UUID, BYTEA, UUID, UUID, BYTEA, TEXT, TIMESTAMPTZ) = "
        insert into sign_in_attempts (id, state_hash, provider_tenant_id, provider_id, pending_enc, return_to, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7)";
    /// $1 state hash. Once.
    ATTEMPT_TAKE(BYTEA) = "
        update sign_in_attempts set used_at = now() where state_hash = $1 and used_at is null and expires_at > now()
        returning provider_tenant_id, provider_id, pending_enc, return_to";
    /// $1 issuer, $2 subject.
    IDENTITY(TEXT, TEXT) = "
        select user_id from user_auth_identities where kind = 'OIDC' and issuer = $1 and subject = $2 and deleted_at is null";
    /// $1 login, $2 tenant. Somebody who was expected has come.
    WELCOME_MEMBER(UUID, UUID) = "
        update user_tenants set status = 'ACTIVE', joined_at = now()
         where user_id = $1 and tenant_id = $2 and status = 'INVITED' and deleted_at is null";
    /// $1 login.
    WELCOME(UUID) = "update users set status = 'ACTIVE' where id = $1 and status = 'INVITED'";
    /// $1 e-mail.
    TAKEN(TEXT) = "select from users where email_key = kernel.fold($1)";
    /// $1 e-mail, $2 provider, $3 issuer, $4 subject. Somebody whom this provider's directory has made comes for the first time.
    EXPECTED(TEXT, UUID, TEXT, TEXT) = "
        update user_auth_identities i set subject = $4 from users u
         where u.id = i.user_id and u.email_key = kernel.fold($1) and i.identity_provider_id = $2 and i.issuer = $3
           and i.subject = 'scim:' || u.id and i.deleted_at is null
        returning u.id";
    USER_ADD(UUID, TEXT, TEXT) = "
        insert into users (id, email, full_name, kind, status, email_verified_at) values ($1, $2, $3, 'HUMAN', 'ACTIVE', now())";
    IDENTITY_ADD(UUID, UUID, UUID, TEXT, TEXT) = "
        insert into user_auth_identities (id, user_id, kind, identity_provider_id, issuer, subject) values ($1, $2, 'OIDC', $3, $4, $5)";
    MEMBER_ADD(UUID, UUID, UUID, TEXT) = "
        insert into user_tenants (tenant_id, id, user_id, user_type, status, joined_at) values ($1, $2, $3, $4, 'ACTIVE', now())";
}

/// A provider as its tenant has set it up.
pub(super) struct Registered {
    id: Uuid,
    tenant: Uuid,
    pub(super) provider: Provider,
    /// Those it answers for and has proved.
    domains: Vec<String>,
    mapping: Json,
}

pub(super) async fn registered(caller: &Caller, tenant: Uuid, id: Uuid) -> Result<Registered> {
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let answers = scope.once(&[((&PROVIDER).into(), vec![&tenant, &id])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let sealed: Option<Vec<u8>> = row.try_get("client_secret_enc")?;
    let client_secret = match sealed {
        None => None,
        Some(sealed) => {
            let plain = caller.kernel.keys.of(tenant).await?.open("identity_providers", "client_secret", id, &sealed)?;
            Some(String::from_utf8(plain).map_err(Error::internal)?.into())
        }
    };
    let client_id: Option<String> = row.try_get("client_id")?;
    let provider =
        Provider { issuer: row.try_get("issuer")?, client_id: client_id.ok_or_else(|| Error::new(&error::NOT_FOUND))?, client_secret };
    Ok(Registered { id, tenant, provider, domains: row.try_get("domains")?, mapping: row.try_get("role_mapping")? })
}

/// What binds a sign-in under way to the browser that began it: its cookie is part of the seal.
fn place(visit: &str) -> Vec<u8> {
    [b"sign_in_attempts pending ".as_slice(), &Sha256::digest(visit.as_bytes())].concat()
}

pub async fn begin(caller: Caller, request: Request) -> Result<Response> {
    let (kernel, service) = (&caller.kernel, Service::of(&caller.kernel)?);
    let id: Uuid = request.raw_path_param("provider_id").and_then(|text| text.parse().ok()).ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    service.throttle.admit(&id.to_string(), caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes())?;
    let flow = Flow::read(&caller, query.get("return_to"), query.get("tenant")).await?;
    let tenant = flow.tenant.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let held = registered(&caller, tenant, id).await?;
    let redirect = format!("{}{ROOT}/callback", kernel.config.server.public_url);
    let pending = service.openid.begin(&held.provider, &redirect, query.get("login_hint")).await?;
    let (visit, _) = browser::visit(kernel, &request)?;
    let sealed = kernel.keys.own().seal(&place(&visit), &serde_json::to_vec(&pending).map_err(Error::internal)?)?;
    let state = Sha256::digest(pending.state.as_bytes());
    let mut scope = kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let (attempt, until) = (scope.new_id(), scope.now() + TimeDelta::minutes(MINUTES));
    scope.exec(&ATTEMPT_ADD, &[&attempt, &state.as_slice(), &tenant, &id, &sealed, &flow.return_to, &until]).await?;
    scope.commit().await?;
    browser::with_cookie(browser::redirect(&pending.url), &browser::set_cookie(kernel, Cookie::Visit, &visit))
}

pub async fn finish(caller: Caller, request: Request) -> Result<Response> {
    let wrong = || Error::new(&error::CREDENTIALS_WRONG);
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes())?;
    let text = |name: &str| query.get(name).map(str::to_owned);
    let callback = Callback { code: text("code").unwrap_or_default(), state: text("state").ok_or_else(wrong)?, iss: text("iss") };
    let state: Vec<u8> = Sha256::digest(callback.state.as_bytes()).to_vec();
    let visit = browser::cookie(&caller.kernel, &request, Cookie::Visit).ok_or_else(wrong)?;
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, None)).await?;
    let row = scope.optional(&ATTEMPT_TAKE, &[&state]).await?.ok_or_else(wrong)?;
    scope.commit().await?;
    let tenant: Uuid = row.try_get::<_, Option<Uuid>>("provider_tenant_id")?.ok_or_else(wrong)?;
    let provider: Uuid = row.try_get::<_, Option<Uuid>>("provider_id")?.ok_or_else(wrong)?;
    let (sealed, return_to): (Vec<u8>, String) = (row.try_get("pending_enc")?, row.try_get("return_to")?);
    let pending = caller.kernel.keys.own().open(&place(&visit), &sealed).map_err(|_| wrong())?;
    let pending: Pending = serde_json::from_slice(&pending).map_err(Error::internal)?;
    let flow = Flow::read(&caller, Some(&return_to), Some(&tenant.to_string())).await?;
    let view = View::new(&caller, &request, flow, visit).await?;
    match prove(&caller, tenant, provider, &pending, &callback).await {
        Ok((first, true)) => second_step::enter(&caller, &view, &Proof::of(&first), "PROVIDER", false).await,
        Ok((first, false)) => second_step::proceed(&caller, &view, first, second_step::here(&caller, &request).await?).await,
        Err(failure) => {
            let mut event = audit_store::of(
                &grant::behind(&caller.context, Some(tenant)),
                "LOGIN_FAILED",
                Action::Execute,
                Outcome::Denied,
                Utc::now(),
            );
            event.resource_type = Some("IdentityProvider".into());
            event.resource_id = Some(provider);
            caller.kernel.audit.record(event).await?;
            Err(failure)
        }
    }
}

/// The person the provider vouches for, when they belong to its tenant; and whether it has asked them for a second factor.
async fn prove(caller: &Caller, tenant: Uuid, provider: Uuid, pending: &Pending, callback: &Callback) -> Result<(First, bool)> {
    let wrong = || Error::new(&error::CREDENTIALS_WRONG);
    let held = registered(caller, tenant, provider).await?;
    let claims = Service::of(&caller.kernel)?.openid.finish(&held.provider, pending, callback, Utc::now()).await?;
    // Memberships are made by the server, on nobody's behalf.
    let mut scope = caller.kernel.door.open(&caller.server(tenant)).await?;
    let user = match scope.optional(&IDENTITY, &[&claims.issuer, &claims.subject]).await? {
        Some(row) => {
            let user: Uuid = row.try_get(0)?;
            if scope.exec(&WELCOME_MEMBER, &[&user, &tenant]).await? > 0 {
                scope.exec(&WELCOME, &[&user]).await?;
            }
            user
        }
        None => newcomer(&mut scope, &held, &claims).await?,
    };
    if mapped_roles::has_rules(&held.mapping) {
        mapped_roles::follow(&mut scope, tenant, provider, user, &mapped_roles::given(&held.mapping, &claims.said)).await?;
    }
    scope.commit().await?;
    grant::forget(&caller.kernel, |context| context.actor == Some(user) && context.tenant == Some(tenant))?;
    // In force and at home here, as after a password.
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let open = scope.optional(&OPEN, &[&user, &tenant]).await?.ok_or_else(wrong)?;
    scope.commit().await?;
    let (held, needed) = (open.try_get("mfa_enabled")?, open.try_get("second_required")?);
    let session = claims.said["sid"].as_str().map(|sid| Sha256::digest(sid.as_bytes()).to_vec());
    Ok((First { user, tenant, method: "OIDC", held, needed, vouched: Some(Vouched { provider, session }) }, claims.mfa))
}

sql! {
    /// $1 login, $2 tenant.
    OPEN(UUID, UUID) = "
        select u.mfa_enabled, h.second_required from users u cross join lateral sec.homes_of(u.id) h
         where u.id = $1 and u.status = 'ACTIVE' and h.tenant_id = $2";
}

/// Somebody nobody has prepared: taken in with the mapped roles, when the provider answers for the proven domain of a verified
/// e-mail that no account has. An existing account is never linked this way.
async fn newcomer(scope: &mut crate::kernel::db::Scope, held: &Registered, claims: &Claims) -> Result<Uuid> {
    let wrong = || Error::new(&error::CREDENTIALS_WRONG);
    let email = claims.email.as_deref().filter(|_| claims.email_verified).ok_or_else(wrong)?;
    let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).ok_or_else(wrong)?;
    let own = held.domains.iter().any(|known| known.to_lowercase() == domain);
    if own && let Some(row) = scope.optional(&EXPECTED, &[&email, &held.id, &claims.issuer, &claims.subject]).await? {
        return Ok(row.try_get(0)?);
    }
    let roles = mapped_roles::given(&held.mapping, &claims.said);
    let kind = roles.first().map(|role| role.user_type).ok_or_else(wrong)?;
    if !own || scope.optional(&TAKEN, &[&email]).await?.is_some() {
        return Err(wrong());
    }
    let user = scope.new_id();
    let name = claims.name.as_deref().unwrap_or(email);
    scope.exec(&USER_ADD, &[&user, &email, &name]).await?;
    let ids = [scope.new_id(), scope.new_id()];
    scope.exec(&IDENTITY_ADD, &[&ids[0], &user, &held.id, &claims.issuer, &claims.subject]).await?;
    scope.exec(&MEMBER_ADD, &[&held.tenant, &ids[1], &user, &kind]).await?;
    mapped_roles::follow(scope, held.tenant, held.id, user, &roles).await?;
    Ok(user)
}
