//! What comes by mail: a new password for one that was forgotten, a confirmed address, and the way in for somebody who was invited
//! and has no account yet. Each key is good once and for a short time; whether an account has an address shows nowhere but in
//! its own mailbox.

use super::breached;
use super::device;
use super::grant;
use super::mail::{self, About, Letter};
use super::password::Rules;
use super::service::Service;
use super::sign_in;
use super::token::{Kind, Token};
use super::words::{self, Words};
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::context::{Context, PLATFORM_TENANT, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Caller, Kernel, audit_store};
use crate::sql;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

const RESET_LIVES: TimeDelta = TimeDelta::minutes(15);
const VERIFY_LIVES: TimeDelta = TimeDelta::days(1);
const INVITED: &[u8] = b"invitation by mail";
pub const RESET: &str = "/signin/reset";
pub const JOIN: &str = "/signin/join";
pub const VERIFY: &str = "/signin/verify";

sql! {
    /// $1 e-mail.
    OWNER(TEXT) = "
        select id, email, preferred_locale from users where email_key = kernel.fold($1) and kind = 'HUMAN' and status = 'ACTIVE'";
    /// $1 login, $2 purpose. A newer letter voids the one before it.
    TOKENS_END(UUID, TEXT) = "update user_tokens set used_at = now() where user_id = $1 and purpose = $2 and used_at is null";
    TOKEN_ADD(UUID, UUID, TEXT, BYTEA, TIMESTAMPTZ) = "
        insert into user_tokens (id, user_id, purpose, token_hash, expires_at) values ($1, $2, $3, $4, $5)";
    /// $1 hash, $2 purpose. Once.
    TOKEN_TAKE(BYTEA, TEXT) = "
        update user_tokens t set used_at = now() from users u
         where t.token_hash = $1 and t.purpose = $2 and t.used_at is null and t.expires_at > now() and u.id = t.user_id and u.status = 'ACTIVE'
        returning u.id, u.email, u.full_name, u.mfa_enabled";
    /// $1 hash, $2 purpose.
    TOKEN_SEEN(BYTEA, TEXT) = "
        select u.email, u.full_name, u.mfa_enabled from user_tokens t join users u on u.id = t.user_id and u.status = 'ACTIVE'
         where t.token_hash = $1 and t.purpose = $2 and t.used_at is null and t.expires_at > now()";
    /// $1 login, $2 hash, $3 id for one who has none.
    PASSWORD_SET(UUID, TEXT, UUID) = "
        insert into user_auth_identities (id, user_id, kind, password_hash, password_algorithm, password_changed_at)
        values ($3, $1, 'PASSWORD', $2, 'ARGON2ID', now())
        on conflict (user_id) where kind = 'PASSWORD' and deleted_at is null
        do update set password_hash = excluded.password_hash, password_algorithm = 'ARGON2ID', password_changed_at = now(), must_change = false";
    /// $1 login. Whoever reads the mailbox has proved the address, and is no stranger who tries.
    PROVED(UUID) = "
        update users set email_verified_at = coalesce(email_verified_at, now()), failed_login_count = 0, locked_until = null where id = $1";
    /// $1 tenant, $2 invitation.
    INVITATION(UUID, UUID) = "
        select i.email, i.expires_at, t.name, coalesce(s.default_language, t.default_locale) as language,
               exists (select from users u where u.email_key = i.email_key) as known
          from member_invitations i join tenants t on t.id = i.tenant_id and t.status = 'ACTIVE'
          left join tenant_settings s on s.tenant_id = t.id
         where i.tenant_id = $1 and i.id = $2 and i.accepted_at is null and i.deleted_at is null and i.expires_at > now()";
    USER_ADD(UUID, TEXT, TEXT, TEXT) = "
        insert into users (id, email, full_name, preferred_locale, kind, status, email_verified_at)
        values ($1, $2, $3, $4, 'HUMAN', 'ACTIVE', now()) on conflict (email_key) do nothing";
    /// $1 tenant, $2 invitation.
    ACCEPT(UUID, UUID) = "select sec.accept_invitation($1, $2)";
}

fn wrong() -> Error {
    Error::new(&error::CREDENTIALS_WRONG).detail("The link is no longer good. Ask for a new one.")
}

fn link(kernel: &Kernel, path: &str, token: &str) -> String {
    format!("{}{path}?token={token}", kernel.config.server.public_url)
}

/// Begins a new password for whoever has that address. The work is done behind the answer, which is the same for everybody.
pub fn forgotten(caller: &Caller, email: &str) -> Result<()> {
    let service = Service::of(&caller.kernel)?;
    service.throttle.admit(&format!("mail to {email}"), caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    service.letters.admit_anywhere(email)?;
    let (kernel, context, email) = (caller.kernel.clone(), caller.server(PLATFORM_TENANT), email.to_owned());
    tokio::spawn(async move {
        if let Err(failure) = write_reset(&kernel, &context, &email).await {
            tracing::error!(error = %failure, "A letter for a new password could not be written");
        }
    });
    Ok(())
}

async fn write_reset(kernel: &Arc<Kernel>, context: &Context, email: &str) -> Result<()> {
    let mut scope = kernel.door.open(context).await?;
    let Some(row) = scope.optional(&OWNER, &[&email]).await? else { return scope.commit().await };
    let user: Uuid = row.try_get("id")?;
    let words = words::best("", row.try_get("preferred_locale")?);
    let (token, good_until) = new_token(&mut scope, user, "PASSWORD_RESET", RESET_LIVES).await?;
    let link = link(kernel, RESET, token.expose());
    let letter = Letter::with_link(words, row.try_get("email")?, words.new_password, words.reset_letter, &link);
    note(&mut scope, user, "request-password-reset");
    mail::post(scope, kernel, &About { kind: "PASSWORD_RESET", table: "users", id: user, good_until }, &letter).await
}

async fn new_token(scope: &mut Scope, user: Uuid, purpose: &str, lives: TimeDelta) -> Result<(Token, DateTime<Utc>)> {
    let (token, id, until) = (Token::new(Kind::Mail)?, scope.new_id(), scope.now() + lives);
    scope.exec(&TOKENS_END, &[&user, &purpose]).await?;
    scope.exec(&TOKEN_ADD, &[&id, &user, &purpose, &token.hash().as_bytes(), &until]).await?;
    Ok((token, until))
}

fn note(scope: &mut Scope, user: Uuid, operation: &'static str) {
    let mut event = audit_store::of(scope.context(), "CONFIG_CHANGED", Action::Execute, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some("User".into()), Some(user));
    // Where the server works for nobody it speaks for nobody.
    if scope.context().plane == Plane::Auth {
        event.user_id = Some(user);
    }
    event.metadata = Metadata::new().text("operation", operation);
    scope.audit(event);
}

/// The new password of whoever was sent that key. Their sessions end, their second factor stays. CREDENTIALS_WRONG, INVALID.
pub async fn reset(caller: &Caller, token: &str, password: &str) -> Result<()> {
    let (kernel, service) = (&caller.kernel, Service::of(&caller.kernel)?);
    service.throttle.admit(token, caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let hash = Token::parse(Kind::Mail, token).ok_or_else(wrong)?.hash();
    let context = grant::behind(&caller.context, None);
    let seen = kernel.door.open(&context).await?.once(&[((&TOKEN_SEEN).into(), vec![&hash.as_bytes(), &"PASSWORD_RESET"])]).await?;
    let row = seen.iter().flatten().next().ok_or_else(wrong)?;
    check_new(kernel, password, row.try_get("mfa_enabled")?, &[row.try_get("email")?, row.try_get("full_name")?]).await?;
    let new = service.passwords.hash(context.ip(), password.to_owned().into()).await?;
    let mut scope = kernel.door.open(&context).await?;
    let row = scope.optional(&TOKEN_TAKE, &[&hash.as_bytes(), &"PASSWORD_RESET"]).await?.ok_or_else(wrong)?;
    let (user, id): (Uuid, Uuid) = (row.try_get("id")?, scope.new_id());
    scope.exec(&PASSWORD_SET, &[&user, &new, &id]).await?;
    scope.exec(&PROVED, &[&user]).await?;
    grant::end_all(&mut scope, user, "PASSWORD_CHANGED", None).await?;
    device::forget(&mut scope, user).await?;
    note(&mut scope, user, "reset-password");
    scope.commit().await?;
    grant::forget(kernel, |context| context.actor == Some(user))
}

/// A new password that the rules and the list of breached ones allow.
pub async fn check_new(kernel: &Kernel, password: &str, has_second: bool, context: &[&str]) -> Result<()> {
    Rules::default().check_new(password, has_second, context)?;
    breached::refuse(kernel.config.identity.breached_passwords.as_deref(), password).await
}

/// Asks somebody who is signed in to confirm the address they sign in with.
pub async fn ask_to_verify(caller: &Caller, user: Uuid, email: &str, words: &Words) -> Result<()> {
    let service = Service::of(&caller.kernel)?;
    service.letters.admit_anywhere(email)?;
    let mut scope = caller.kernel.door.open(&caller.server(PLATFORM_TENANT)).await?;
    let (token, good_until) = new_token(&mut scope, user, "EMAIL_VERIFY", VERIFY_LIVES).await?;
    let letter = Letter::with_link(words, email, words.verify, words.verify_letter, &link(&caller.kernel, VERIFY, token.expose()));
    mail::post(scope, &caller.kernel, &About { kind: "EMAIL_VERIFICATION", table: "users", id: user, good_until }, &letter).await
}

/// The address of whoever was sent that key is theirs. CREDENTIALS_WRONG.
pub async fn verify(caller: &Caller, token: &str) -> Result<()> {
    let service = Service::of(&caller.kernel)?;
    service.throttle.admit(token, caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let hash = Token::parse(Kind::Mail, token).ok_or_else(wrong)?.hash();
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, None)).await?;
    let row = scope.optional(&TOKEN_TAKE, &[&hash.as_bytes(), &"EMAIL_VERIFY"]).await?.ok_or_else(wrong)?;
    let user: Uuid = row.try_get("id")?;
    scope.exec(&PROVED, &[&user]).await?;
    note(&mut scope, user, "verify-email");
    scope.commit().await
}

/// What the key of an invitation's letter says; the row behind it says whether it is still good.
#[derive(Serialize, Deserialize)]
struct Invited {
    tenant: Uuid,
    invitation: Uuid,
}

/// An invitation that still stands.
pub struct Asked {
    pub tenant: Uuid,
    invitation: Uuid,
    pub email: String,
    pub clinic: String,
    language: String,
    good_until: DateTime<Utc>,
    /// An account has the address already.
    pub known: bool,
}

/// Sends an invitation of the caller's tenant to its address. NOT_FOUND for one that is no more.
pub async fn send_invitation(caller: &Caller, tenant: Uuid, invitation: Uuid) -> Result<()> {
    let kernel = &caller.kernel;
    let mut scope = kernel.door.open(&caller.server(tenant)).await?;
    let asked = standing(&mut scope, tenant, invitation).await?.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let service = Service::of(kernel)?;
    service.letters.admit_anywhere(&asked.email)?;
    let said = serde_json::to_vec(&Invited { tenant, invitation }).map_err(Error::internal)?;
    let token = BASE64_URL_SAFE_NO_PAD.encode(kernel.keys.own().seal(INVITED, &said)?);
    let words = words::best("", Some(&asked.language));
    let about = format!("{} {}", asked.clinic, words.invite_letter);
    let letter = Letter::with_link(words, &asked.email, words.invitation, &about, &link(kernel, JOIN, &token));
    let about = About { kind: "INVITATION", table: "member_invitations", id: invitation, good_until: asked.good_until };
    mail::post(scope, kernel, &about, &letter).await
}

async fn standing(scope: &mut Scope, tenant: Uuid, invitation: Uuid) -> Result<Option<Asked>> {
    let Some(row) = scope.optional(&INVITATION, &[&tenant, &invitation]).await? else { return Ok(None) };
    let (email, clinic, language) = (row.try_get("email")?, row.try_get("name")?, row.try_get("language")?);
    let good_until = row.try_get("expires_at")?;
    Ok(Some(Asked { tenant, invitation, email, clinic, language, good_until, known: row.try_get("known")? }))
}

/// What the holder of an invitation's letter is asked. CREDENTIALS_WRONG.
pub async fn invited(caller: &Caller, token: &str) -> Result<Asked> {
    let service = Service::of(&caller.kernel)?;
    service.throttle.admit(token, caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
    let said = caller.kernel.keys.own().open(INVITED, &sealed).map_err(|_| wrong())?;
    let said: Invited = serde_json::from_slice(&said).map_err(|_| wrong())?;
    let mut scope = caller.kernel.door.open(&caller.server(said.tenant)).await?;
    let asked = standing(&mut scope, said.tenant, said.invitation).await?;
    scope.commit().await?;
    asked.ok_or_else(wrong)
}

/// Whether that clinic lets this person in without a second factor.
pub async fn needs_second(caller: &Caller, user: Uuid, tenant: Uuid) -> Result<bool> {
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let homes = sign_in::homes(&mut scope, user).await?;
    scope.commit().await?;
    let home = homes.into_iter().find(|home| home.tenant == tenant).ok_or_else(wrong)?;
    Ok(home.second_required)
}

/// A new account for somebody who was invited, as a member of whoever invited them. INVALID, CONFLICT when they have one.
pub async fn join(caller: &Caller, asked: &Asked, name: &str, password: &str) -> Result<Uuid> {
    let kernel = &caller.kernel;
    let fault = |text: &str| Error::new(&error::INVALID).fault("full_name", "length", text);
    if name.trim().is_empty() || name.chars().count() > 300 || name.chars().any(char::is_control) {
        return Err(fault("has 1 to 300 characters"));
    }
    check_new(kernel, password, false, &[&asked.email, name, &asked.clinic]).await?;
    let hash = Service::of(kernel)?.passwords.hash(caller.context.ip(), password.to_owned().into()).await?;
    let mut scope = kernel.door.open(&caller.server(asked.tenant)).await?;
    let (user, identity) = (scope.new_id(), scope.new_id());
    let taken = Error::new(&error::CONFLICT).detail("The address has an account: sign in with it and accept the invitation there.");
    if scope.exec(&USER_ADD, &[&user, &asked.email, &name.trim(), &asked.language]).await? != 1 {
        return Err(taken);
    }
    scope.exec(&PASSWORD_SET, &[&user, &hash, &identity]).await?;
    note(&mut scope, user, "accept-invitation");
    scope.commit().await?;
    let mut scope = kernel.door.open(&grant::proven(&caller.context, asked.tenant, user)).await?;
    let membership: Option<Uuid> = scope.one(&ACCEPT, &[&asked.tenant, &asked.invitation]).await?.try_get(0)?;
    scope.commit().await?;
    membership.map(|_| user).ok_or_else(wrong)
}
