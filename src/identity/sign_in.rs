//! Password sign-in. Nothing in it tells whether an account exists: unknown, wrong, locked and disabled take one path,
//! one hash and one answer.

use super::grant;
use super::passkey;
use super::password_hash::StoredHash;
use super::service::Service;
use crate::kernel::audit::{Action, ActorType, AuditEvent, Metadata, Outcome};
use crate::kernel::context::{Context, PLATFORM_TENANT};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Kernel, audit_store};
use crate::sql;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value as Json;
use std::sync::Arc;
use uuid::Uuid;

sql! {
    /// $1 e-mail.
    LOGIN(TEXT) = "
        select u.id, u.status, u.locked_until, u.mfa_enabled, i.id as identity_id, i.password_hash
          from users u
          left join user_auth_identities i on i.user_id = u.id and i.kind = 'PASSWORD' and i.deleted_at is null
         where u.email_key = kernel.fold($1) and u.kind = 'HUMAN'";
    /// $1 e-mail.
    HOMES_BY_EMAIL(TEXT) = "
        select h.* from users u cross join lateral sec.homes_of(u.id) h where u.email_key = kernel.fold($1) and u.kind = 'HUMAN'";
    /// $1 login.
    HOMES(UUID) = "select h.* from sec.homes_of($1) h";
    /// $1 id or slug.
    TENANT(TEXT) = "select sec.tenant_of($1)";
    /// $1 login. Ten in a row cost half a minute, each further one twice as long, a quarter of an hour at most.
    FAILED(UUID) = "
        update users set failed_login_count = failed_login_count + 1,
               locked_until = case when failed_login_count >= 9
                   then now() + least(900, 30 * 2 ^ least(failed_login_count - 9, 10)) * interval '1 second' end
         where id = $1";
    /// $1 login.
    SUCCEEDED(UUID) = "update users set failed_login_count = 0, locked_until = null, last_login_at = now() where id = $1";
    /// $1 identity, $2 the hash it had, $3 the new one.
    UPGRADE(UUID, TEXT, TEXT) = "
        update user_auth_identities set password_hash = $3, password_algorithm = 'ARGON2ID' where id = $1 and password_hash = $2";
}

/// A tenant somebody may enter.
#[derive(Debug, Clone)]
pub struct Home {
    pub tenant: Uuid,
    pub name: String,
    pub slug: String,
    /// Entered through its own identity provider only.
    pub provider_only: bool,
    /// Nobody works there without a second factor.
    pub second_required: bool,
}

/// Somebody who has proved who they are; `homes` is never empty, the one they used last comes first.
pub struct Known {
    pub user: Uuid,
    pub homes: Vec<Home>,
    /// They have a second factor.
    pub second: bool,
}

impl Known {
    /// The home they named, or the first. CREDENTIALS_WRONG for one that is not theirs.
    pub fn choose(&self, wanted: Option<Uuid>) -> Result<&Home> {
        let found = match wanted {
            Some(tenant) => self.homes.iter().find(|home| home.tenant == tenant),
            None => self.homes.first(),
        };
        found.ok_or_else(|| Error::new(&error::CREDENTIALS_WRONG))
    }
}

struct Login {
    user: Uuid,
    open: bool,
    second: bool,
    password: Option<(Uuid, String)>,
}

/// Who has this e-mail and this password. CREDENTIALS_WRONG, RATE_LIMITED, SIGN_IN_BUSY; a failure is on record before
/// it is told. `here` is whose browser this is known to be: they get in while strangers have locked the account for others.
pub async fn by_password(
    kernel: &Arc<Kernel>,
    context: &Context,
    email: &str,
    password: SecretString,
    here: Option<Uuid>,
) -> Result<Known> {
    let service = Service::of(kernel)?;
    service.throttle.admit(email, context.origin.as_ref().and_then(|origin| origin.ip))?;
    // Whoever must come again later has asked the database nothing.
    let turn = service.passwords.turn(context.ip()).await?;
    let scope = kernel.door.open(&grant::behind(context, None)).await?;
    let answers = scope.once(&[((&LOGIN).into(), vec![&email]), ((&HOMES_BY_EMAIL).into(), vec![&email])]).await?;
    let login = match answers[0].first() {
        None => None,
        Some(row) => {
            let locked: Option<DateTime<Utc>> = row.try_get("locked_until")?;
            let (user, identity): (Uuid, Option<Uuid>) = (row.try_get("id")?, row.try_get("identity_id")?);
            let locked = locked.is_some_and(|until| until > Utc::now()) && here != Some(user);
            Some(Login {
                user,
                open: row.try_get::<_, &str>("status")? == "ACTIVE" && !locked,
                second: row.try_get("mfa_enabled")?,
                password: identity.zip(row.try_get("password_hash")?),
            })
        }
    };
    let homes: Vec<Home> = answers[1].iter().map(home).collect::<Result<_>>()?;
    let stored = login.as_ref().and_then(|login| login.password.as_ref()).map(|(_, hash)| hash.clone());
    let verdict = turn.verify(password.clone(), stored).await?;
    let by_tenant = homes.first().map(|home| home.tenant);
    let homes: Vec<Home> = homes.into_iter().filter(|home| !home.provider_only).collect();
    let Some(login) = login.as_ref().filter(|login| verdict.ok && login.open && !homes.is_empty()) else {
        failed(kernel, context, login.map(|login| login.user), by_tenant).await?;
        return Err(Error::new(&error::CREDENTIALS_WRONG));
    };
    if verdict.upgrade
        && let Some((identity, old)) = &login.password
    {
        upgrade(kernel, context, *identity, old, password).await?;
    }
    Ok(Known { user: login.user, homes, second: login.second })
}

/// Whose passkey this is, at home where no identity provider is the only way in. CREDENTIALS_WRONG, RATE_LIMITED.
pub async fn by_passkey(kernel: &Arc<Kernel>, context: &Context, ceremony: &str, credential: &Json) -> Result<Known> {
    let user = passkey::prove(kernel, context, ceremony, credential).await?;
    let mut scope = kernel.door.open(&grant::behind(context, None)).await?;
    let homes: Vec<Home> = homes(&mut scope, user).await?.into_iter().filter(|home| !home.provider_only).collect();
    scope.commit().await?;
    match homes.is_empty() {
        false => Ok(Known { user, homes, second: true }),
        true => Err(Error::new(&error::CREDENTIALS_WRONG)),
    }
}

pub fn home(row: &tokio_postgres::Row) -> Result<Home> {
    Ok(Home {
        tenant: row.try_get("tenant_id")?,
        name: row.try_get("name")?,
        slug: row.try_get("slug")?,
        provider_only: row.try_get("provider_only")?,
        second_required: row.try_get("second_required")?,
    })
}

/// Where somebody may go.
pub async fn homes(scope: &mut Scope, user: Uuid) -> Result<Vec<Home>> {
    scope.rows(&HOMES, &[&user]).await?.iter().map(home).collect()
}

/// The tenant a person named by id or slug.
pub async fn tenant_named(kernel: &Kernel, context: &Context, word: &str) -> Result<Option<Uuid>> {
    let scope = kernel.door.open(&grant::behind(context, None)).await?;
    let answers = scope.once(&[((&TENANT).into(), vec![&word])]).await?;
    match answers.iter().flatten().next() {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(None),
    }
}

/// The log says that somebody was refused. The count is raised behind the answer, which an unknown account has not.
pub(super) async fn failed(kernel: &Arc<Kernel>, context: &Context, user: Option<Uuid>, tenant: Option<Uuid>) -> Result<()> {
    let mut event = audit_store::of(&grant::behind(context, None), "LOGIN_FAILED", Action::Execute, Outcome::Denied, Utc::now());
    event.tenant_id = tenant.unwrap_or(PLATFORM_TENANT);
    event.user_id = user;
    kernel.audit.record(event).await?;
    if let Some(user) = user {
        let (kernel, context) = (kernel.clone(), grant::behind(context, tenant));
        tokio::spawn(async move {
            let counted = async {
                let mut scope = kernel.door.open(&context).await?;
                scope.exec(&FAILED, &[&user]).await?;
                scope.commit().await
            };
            if let Err(failure) = counted.await {
                tracing::warn!(error = %failure, "A failed sign-in could not be counted");
            }
        });
    }
    Ok(())
}

/// Remembers a sign-in that succeeded, inside the scope that opens the session.
pub async fn succeeded(
    scope: &mut Scope,
    user: Uuid,
    tenant: Uuid,
    session: Uuid,
    method: &'static str,
    factor: &'static str,
) -> Result<()> {
    scope.exec(&SUCCEEDED, &[&user]).await?;
    let mut event = succeeding(scope.context(), user, tenant, session, method);
    event.metadata = Metadata::new().text("method", method).text("factor", factor);
    scope.audit(event);
    Ok(())
}

/// Somebody, or a program, has a new session.
pub fn remember(scope: &mut Scope, user: Uuid, tenant: Uuid, session: Uuid, method: &'static str) {
    let event = succeeding(scope.context(), user, tenant, session, method);
    scope.audit(event);
}

pub fn succeeding(context: &Context, user: Uuid, tenant: Uuid, session: Uuid, method: &'static str) -> AuditEvent {
    let mut event = audit_store::of(context, "LOGIN_SUCCESS", Action::Execute, Outcome::Success, Utc::now());
    if event.api_client_id.is_none() {
        event.actor_type = ActorType::User;
    }
    (event.tenant_id, event.user_id, event.session_id) = (tenant, Some(user), Some(session));
    event.metadata = Metadata::new().text("method", method);
    event
}

/// Stores the hash as it would be made today, while the password is known.
async fn upgrade(kernel: &Kernel, context: &Context, identity: Uuid, old: &str, password: SecretString) -> Result<()> {
    let new = Service::of(kernel)?.passwords.hash(context.ip(), password).await?;
    debug_assert!(StoredHash::parse(&new).is_some());
    let mut scope = kernel.door.open(&grant::behind(context, None)).await?;
    scope.exec(&UPGRADE, &[&identity, &old, &new]).await?;
    scope.commit().await
}
