//! A second factor: enrolled, proven, revoked, and asked for at sign-in (catalogue 2.12, B16). One-time codes of RFC 6238, each
//! good once (§5.2), and recovery codes for the day the telephone is lost.

use super::grant;
use super::service::Service;
use super::session_operations::{PEOPLE, object, own_session};
use super::sign_in;
use super::user_mfa_factor::USER_MFA_FACTOR;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::context::{Context, PLATFORM_TENANT, Permission};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::kernel::{Kernel, audit_store};
use crate::sql;
use aws_lc_rs::rand;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::Mac;
use serde_json::json;
use std::sync::Arc;
use totp_rs::{Builder, Secret, Totp};
use uuid::Uuid;

/// After this a person signs in again before anything about their factors changes.
const RECENT: TimeDelta = TimeDelta::minutes(10);
const FACTORS_MAX: usize = 5;
const RECOVERY_CODES: usize = 10;

sql! {
    /// $1 session, $2 not before.
    RECENT_SESSION(UUID, TIMESTAMPTZ) = "select 1 from sessions where id = $1 and revoked_at is null and created_at >= $2";
    /// $1 login. Sign-ins with one factor take turns.
    FACTORS(UUID) = "
        select f.id, f.totp_secret_enc from user_mfa_factors f join users u on u.id = f.user_id
         where f.user_id = $1 and f.kind = 'TOTP' and f.status = 'ACTIVE' and f.deleted_at is null
           and u.status = 'ACTIVE' and (u.locked_until is null or u.locked_until <= now())
         order by f.id for update of f";
    /// $1 login.
    HELD(UUID) = "select id, status from user_mfa_factors where user_id = $1 and status <> 'REVOKED' and deleted_at is null";
    /// $1 factor.
    SECRET(UUID) = "select id, totp_secret_enc from user_mfa_factors where id = $1";
    /// $1 factor, $2 time step. A code is good once.
    SPEND_STEP(UUID, INT8) = "update user_mfa_factors set sign_count = $2, last_used_at = now() where id = $1 and sign_count < $2";
    /// $1 login, $2 hash.
    SPEND_CODE(UUID, BYTEA) = "update user_recovery_codes set used_at = now() where user_id = $1 and code_hash = $2 and used_at is null";
    /// $1 login.
    CODES_END(UUID) = "update user_recovery_codes set used_at = now() where user_id = $1 and used_at is null";
    CODE_ADD(UUID, UUID, BYTEA) = "insert into user_recovery_codes (id, user_id, code_hash) values ($1, $2, $3)";
    /// $1 login.
    REQUIRE(UUID, BOOL) = "update users set mfa_enabled = $2 where id = $1";
    /// $1 login.
    EMAIL(UUID) = "select email from users where id = $1";
}

static ENROLLED: &[Field] = &[
    Field::uuid("id").required(),
    Field::text("secret").required().shown_once().doc("base32, for an authenticator that cannot read the address"),
    Field::text("provisioning_uri").required().shown_once().doc("otpauth address, to be shown as a QR code"),
];
static CONFIRMED: &[Field] = &[
    Field::uuid("id").required(),
    Field::texts("recovery_codes").required().shown_once().doc("each good for one sign-in; earlier ones are void"),
];

const fn step(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], gives: Gives, run: Run) -> Operation {
    let (tag, planes, permission) = ("Identity", PEOPLE, Permission::Own);
    Operation { id, method: Method::Post, path, tag, doc, takes, gives, planes, permission, run }
}

pub static ENROL: Operation = step(
    "enrolUserMfaFactor",
    "/user-mfa-factors/enrol",
    "Begin a second factor of one-time codes (RFC 6238) within 10 minutes of signing in; it counts once confirmed",
    &[Field::text("label").length(300)],
    Gives::Made("EnrolledFactor", ENROLLED, &USER_MFA_FACTOR),
    Run::Apart(|call| Box::pin(enrol(call))),
);
pub static CONFIRM: Operation = step(
    "confirmUserMfaFactor",
    "/user-mfa-factors/{id}/confirm",
    "Prove a second factor with a code; every sign-in asks for one from now on",
    &[Field::text("code").required().length(16).write_only()],
    Gives::Object("ConfirmedFactor", CONFIRMED),
    Run::Apart(|call| Box::pin(confirm(call))),
);
pub static REVOKE: Operation = step(
    "revokeUserMfaFactor",
    "/user-mfa-factors/{id}/revoke",
    "Give a second factor up, within 10 minutes of signing in",
    &[],
    Gives::Record(&USER_MFA_FACTOR),
    Run::Apart(|call| Box::pin(revoke(call))),
);

/// The person, in a scope that may write their factors. STEP_UP_NEEDED when their sign-in is long ago.
async fn recently(call: &Call) -> Result<(Scope, Uuid)> {
    let (session, user) = own_session(call)?;
    let context = &call.caller.context;
    let mut scope = call.caller.kernel.door.open(&grant::behind(context, context.tenant)).await?;
    let since = scope.now() - RECENT;
    match scope.optional(&RECENT_SESSION, &[&session, &since]).await? {
        Some(_) => Ok((scope, user)),
        None => Err(Error::new(&error::STEP_UP_NEEDED)),
    }
}

/// One of the person's own, locked.
async fn own(scope: &mut Scope, call: &Call, user: Uuid) -> Result<Record> {
    let record = store::lock(scope, &USER_MFA_FACTOR, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if record.uuid("user_id") == Some(user) { Ok(record) } else { Err(Error::new(&error::NOT_FOUND)) }
}

async fn enrol(call: Call) -> Result<Answer> {
    let (mut scope, user) = recently(&call).await?;
    let keys = &call.caller.kernel.keys;
    let mut active = 0;
    for row in scope.rows(&HELD, &[&user]).await? {
        if row.try_get::<_, &str>("status")? == "ACTIVE" {
            active += 1;
            continue;
        }
        // Begun and never proven: the secret that was shown then is void.
        let was = store::lock(&mut scope, &USER_MFA_FACTOR, row.try_get("id")?, None, keys).await?;
        moved(&mut scope, &call, &was, "REVOKED", "revoke").await?;
    }
    if active >= FACTORS_MAX {
        return Err(Error::new(&error::CONFLICT).detail("Revoke one of your second factors first; five are enough."));
    }
    let mut bytes = [0; 20];
    rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    let secret = Secret::new_stack(bytes);
    let email: String = scope.one(&EMAIL, &[&user]).await?.try_get(0)?;
    let draft = Draft::default()
        .set(&USER_MFA_FACTOR, "user_id", Value::Uuid(user))?
        .set(&USER_MFA_FACTOR, "kind", Value::Text("TOTP".into()))?
        .set(&USER_MFA_FACTOR, "label", call.text("label").map_or(Value::Null, |label| Value::Text(label.to_owned())))?
        .set(&USER_MFA_FACTOR, "totp_secret", Value::Text(secret.to_base32()))?;
    let made = store::insert(&mut scope, &USER_MFA_FACTOR, &draft, keys).await?;
    scope.did(Action::Create, &made);
    scope.commit().await?;
    // A colon ends the issuer in the address.
    let uri = Builder::new().with_secret(secret.clone()).with_account_name(email.replace(':', " ")).with_issuer(Some("Enamel")).build();
    let uri = uri.and_then(|totp| totp.to_url()).map_err(Error::internal)?;
    Ok(Answer::Made(made.id, object(json!({"id": made.id, "secret": secret.to_base32(), "provisioning_uri": uri}))))
}

async fn confirm(call: Call) -> Result<Answer> {
    let (_, user) = own_session(&call)?;
    let (caller, kernel) = (&call.caller, &call.caller.kernel);
    let service = Service::of(kernel)?;
    service.throttle.admit(&user.to_string(), caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let mut scope = kernel.door.open(&grant::behind(&caller.context, caller.context.tenant)).await?;
    let was = own(&mut scope, &call, user).await?;
    if was.text("status") != Some("PENDING") {
        return Err(Error::new(&error::MOVE_REFUSED).detail("Only a factor that was just begun is confirmed."));
    }
    let sealed = scope.rows(&SECRET, &[&was.id]).await?;
    let step = match sealed.first() {
        Some(row) => accepted(kernel, row, call.text("code").unwrap_or_default(), scope.now()).await?,
        None => None,
    };
    let step = step.ok_or_else(|| Error::new(&error::INVALID).fault("code", "wrong", "The code is not the one of this moment."))?;
    scope.exec(&SPEND_STEP, &[&was.id, &step]).await?;
    moved(&mut scope, &call, &was, "ACTIVE", "confirm").await?;
    scope.exec(&REQUIRE, &[&user, &true]).await?;
    let codes = recovery_codes(&mut scope, service, user).await?;
    scope.commit().await?;
    Ok(Answer::Object(object(json!({"id": was.id, "recovery_codes": codes}))))
}

async fn revoke(call: Call) -> Result<Answer> {
    let (mut scope, user) = recently(&call).await?;
    let was = own(&mut scope, &call, user).await?;
    let record = moved(&mut scope, &call, &was, "REVOKED", "revoke").await?;
    let left = scope.rows(&FACTORS, &[&user]).await?;
    if left.is_empty() {
        scope.exec(&REQUIRE, &[&user, &false]).await?;
        scope.exec(&CODES_END, &[&user]).await?;
    }
    scope.commit().await?;
    Ok(Answer::Record(record))
}

async fn moved(scope: &mut Scope, call: &Call, was: &Record, to: &str, by: &str) -> Result<Record> {
    let draft = Draft::default().set(&USER_MFA_FACTOR, "status", Value::Text(to.into()))?;
    let record = store::update(scope, was, &draft, by, &call.caller.kernel.keys).await?;
    let mut event = audit_store::of(scope.context(), "CONFIG_CHANGED", Action::Execute, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some("UserMfaFactor".into()), Some(record.id));
    event.metadata = Metadata::new().text("operation", by);
    scope.audit(event);
    Ok(record)
}

/// The time step of the code, within one step of the clock either way.
async fn accepted(kernel: &Kernel, row: &tokio_postgres::Row, code: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
    let (id, sealed): (Uuid, Option<Vec<u8>>) = (row.try_get("id")?, row.try_get("totp_secret_enc")?);
    let Some(sealed) = sealed else { return Ok(None) };
    let plain = kernel.keys.of(PLATFORM_TENANT).await?.open("user_mfa_factors", "totp_secret", id, &sealed)?;
    let secret = Secret::try_from_base32(String::from_utf8_lossy(&plain)).map_err(|_| Error::internal("a stored secret is none"))?;
    Ok(checked(&Builder::new().with_secret(secret).build_noncompliant(), code, now))
}

fn checked(totp: &Totp, code: &str, now: DateTime<Utc>) -> Option<i64> {
    let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    let step = totp.check(&code, u64::try_from(now.timestamp()).ok()?)?;
    i64::try_from(step).ok()
}

/// Ten new codes of 80 bits in place of those from before; only their keyed hashes are stored.
async fn recovery_codes(scope: &mut Scope, service: &Service, user: Uuid) -> Result<Vec<String>> {
    scope.exec(&CODES_END, &[&user]).await?;
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let mut bytes = [0; 10];
        rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
        let letters = Secret::new(Box::new(bytes)).to_base32().to_lowercase();
        let (id, hash) = (scope.new_id(), recovery_hash(service, &letters));
        scope.exec(&CODE_ADD, &[&id, &user, &hash]).await?;
        codes.push([&letters[..4], &letters[4..8], &letters[8..12], &letters[12..]].join("-"));
    }
    Ok(codes)
}

fn recovery_hash(service: &Service, code: &str) -> Vec<u8> {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    service.recovery.clone().chain_update(letters.as_bytes()).finalize().into_bytes().to_vec()
}

/// Which factor this code is, a word of `sessions.mfa_level`; the code is spent. SECOND_FACTOR_NEEDED without one,
/// CREDENTIALS_WRONG for a wrong one, which counts like a wrong password.
pub async fn prove(kernel: &Arc<Kernel>, context: &Context, user: Uuid, tenant: Uuid, code: Option<&str>) -> Result<&'static str> {
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else { return Err(Error::new(&error::SECOND_FACTOR_NEEDED)) };
    let service = Service::of(kernel)?;
    service.throttle.admit(&user.to_string(), context.origin.as_ref().and_then(|origin| origin.ip))?;
    let mut scope = kernel.door.open(&grant::proven(context, tenant, user)).await?;
    let factors = scope.rows(&FACTORS, &[&user]).await?;
    for row in &factors {
        if let Some(step) = accepted(kernel, row, code, scope.now()).await?
            && scope.exec(&SPEND_STEP, &[&row.try_get::<_, Uuid>("id")?, &step]).await? == 1
        {
            scope.commit().await?;
            return Ok("TOTP");
        }
    }
    if !factors.is_empty() && scope.exec(&SPEND_CODE, &[&user, &recovery_hash(service, code)]).await? == 1 {
        scope.commit().await?;
        return Ok("RECOVERY");
    }
    drop(scope);
    sign_in::failed(kernel, context, Some(user), Some(tenant)).await?;
    Err(Error::new(&error::CREDENTIALS_WRONG))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the secret and the last six of its eight digits for SHA-1.
    #[test]
    fn the_vectors_of_the_standard_are_accepted_around_their_moment() {
        let totp = Builder::new().with_secret(Secret::new(Box::from(*b"12345678901234567890"))).build_noncompliant();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            let at = |offset| DateTime::from_timestamp(seconds + offset, 0).unwrap();
            assert_eq!(checked(&totp, code, at(0)), Some(seconds / 30));
            assert_eq!(checked(&totp, &format!(" {} {}", &code[..3], &code[3..]), at(0)), Some(seconds / 30));
            assert_eq!((checked(&totp, code, at(30)), checked(&totp, code, at(90))), (Some(seconds / 30), None));
            assert_eq!(checked(&totp, "000000", at(0)), None);
        }
        for odd in ["", "28708", "2870820", "28708a", "٢٨٧٠٨٢"] {
            assert_eq!(checked(&totp, odd, DateTime::from_timestamp(59, 0).unwrap()), None, "{odd}");
        }
    }
}
