//! What somebody has beside their password: one-time codes (RFC 6238, each good once), passkeys, and recovery codes for the day
//! the telephone is lost. The same steps for REST and for the pages, inside the scope of whoever has proved who they are.

use super::device;
use super::passkey::{self, Ceremony, Holder};
use super::service::Service;
use super::user_mfa_factor::USER_MFA_FACTOR;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::context::PLATFORM_TENANT;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::{Draft, Record, Value, store};
use crate::kernel::{Kernel, audit_store};
use crate::sql;
use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use hmac::Mac;
use serde_json::Value as Json;
use totp_rs::{Builder, Secret, Totp};
use uuid::Uuid;

const FACTORS_MAX: usize = 5;
const RECOVERY_CODES: usize = 10;

sql! {
    /// $1 login.
    HELD(UUID) = "
        select id, kind, label, status, credential_id, created_at, last_used_at from user_mfa_factors
         where user_id = $1 and status <> 'REVOKED' and deleted_at is null order by created_at, id";
    /// $1 factor.
    SECRET(UUID) = "select id, totp_secret_enc from user_mfa_factors where id = $1";
    /// $1 factor, $2 time step. A code is good once.
    pub SPEND_STEP(UUID, INT8) = "update user_mfa_factors set sign_count = $2, last_used_at = now() where id = $1 and sign_count < $2";
    /// $1 login.
    CODES_END(UUID) = "update user_recovery_codes set used_at = now() where user_id = $1 and used_at is null";
    CODE_ADD(UUID, UUID, BYTEA) = "insert into user_recovery_codes (id, user_id, code_hash) values ($1, $2, $3)";
    /// $1 login.
    REQUIRE(UUID, BOOL) = "update users set mfa_enabled = $2 where id = $1";
    /// $1 login.
    HOLDER(UUID) = "select email, full_name from users where id = $1";
}

/// A factor that counts, or has been begun.
pub struct Factor {
    pub id: Uuid,
    pub passkey: bool,
    pub active: bool,
    pub label: Option<String>,
    pub since: DateTime<Utc>,
    pub last_used: Option<DateTime<Utc>>,
    credential: Option<Vec<u8>>,
}

pub async fn held(scope: &mut Scope, user: Uuid) -> Result<Vec<Factor>> {
    let rows = scope.rows(&HELD, &[&user]).await?;
    let factor = |row: &tokio_postgres::Row| {
        Ok(Factor {
            id: row.try_get("id")?,
            passkey: row.try_get::<_, &str>("kind")? == "WEBAUTHN",
            active: row.try_get::<_, &str>("status")? == "ACTIVE",
            label: row.try_get("label")?,
            since: row.try_get("created_at")?,
            last_used: row.try_get("last_used_at")?,
            credential: row.try_get("credential_id")?,
        })
    };
    rows.iter().map(factor).collect()
}

/// A secret for an authenticator, shown once; it counts when confirmed.
pub struct Begun {
    pub id: Uuid,
    pub secret: String,
    /// An otpauth address, to be shown as a QR code.
    pub uri: String,
}

pub async fn begin_totp(scope: &mut Scope, kernel: &Kernel, user: Uuid, label: Option<&str>) -> Result<Begun> {
    room(scope, kernel, user).await?;
    let mut bytes = [0; 20];
    rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    let secret = Secret::new_stack(bytes).to_base32();
    let draft = drafted(user, "TOTP", label)?.set(&USER_MFA_FACTOR, "totp_secret", Value::Text(secret.clone()))?;
    let made = store::insert(scope, &USER_MFA_FACTOR, &draft, &kernel.keys).await?;
    scope.did(Action::Create, &made);
    shown(scope, user, made.id, secret).await
}

/// What [`begin_totp`] has shown, to be shown again after a wrong code.
pub async fn begun_totp(scope: &mut Scope, kernel: &Kernel, user: Uuid, id: Uuid) -> Result<Begun> {
    pending(scope, kernel, user, id, None).await?;
    let secret = match scope.rows(&SECRET, &[&id]).await?.first() {
        Some(row) => opened(kernel, row).await?,
        None => None,
    };
    shown(scope, user, id, secret.ok_or_else(|| Error::new(&error::NOT_FOUND))?).await
}

async fn shown(scope: &mut Scope, user: Uuid, id: Uuid, secret: String) -> Result<Begun> {
    let email: String = scope.one(&HOLDER, &[&user]).await?.try_get(0)?;
    let key = Secret::try_from_base32(&secret).map_err(|_| Error::internal("a stored secret is none"))?;
    // A colon ends the issuer in the address.
    let uri = Builder::new().with_secret(key).with_account_name(email.replace(':', " ")).with_issuer(Some("Enamel")).build();
    Ok(Begun { id, secret, uri: uri.and_then(|totp| totp.to_url()).map_err(Error::internal)? })
}

/// The factor counts from now on; the recovery codes are new. INVALID for a wrong code.
pub async fn confirm_totp(
    scope: &mut Scope,
    kernel: &Kernel,
    user: Uuid,
    id: Uuid,
    version: Option<i64>,
    code: &str,
) -> Result<Vec<String>> {
    let was = pending(scope, kernel, user, id, version).await?;
    let step = match scope.rows(&SECRET, &[&id]).await?.first() {
        Some(row) => accepted(kernel, row, code, scope.now()).await?,
        None => None,
    };
    let step = step.ok_or_else(|| Error::new(&error::INVALID).fault("code", "wrong", "The code is not the one of this moment."))?;
    scope.exec(&SPEND_STEP, &[&id, &step]).await?;
    counts(scope, kernel, user, &was).await
}

pub async fn begin_passkey(scope: &mut Scope, kernel: &Kernel, user: Uuid) -> Result<Ceremony> {
    let held: Vec<Vec<u8>> = held(scope, user).await?.into_iter().filter_map(|factor| factor.credential).collect();
    let row = scope.one(&HOLDER, &[&user]).await?;
    let holder = Holder { user, email: row.try_get(0)?, name: row.try_get(1)? };
    passkey::of(kernel)?.register(kernel, &holder, held)
}

/// The passkey counts from now on. INVALID for an answer that does not hold, CONFLICT for a passkey that is somebody's already.
pub async fn add_passkey(
    scope: &mut Scope,
    kernel: &Kernel,
    user: Uuid,
    answer: (&str, &Json),
    label: Option<&str>,
) -> Result<(Uuid, Vec<String>)> {
    room(scope, kernel, user).await?;
    let made = passkey::of(kernel)?.registered(kernel, scope, user, answer.0, answer.1).await?;
    let (credential, key) = passkey::stored(&made)?;
    let draft = drafted(user, "WEBAUTHN", label)?.set(&USER_MFA_FACTOR, "credential_id", Value::Bytes(credential))?.set(
        &USER_MFA_FACTOR,
        "public_key",
        Value::Bytes(key),
    )?;
    let was = store::insert(scope, &USER_MFA_FACTOR, &draft, &kernel.keys).await?;
    scope.did(Action::Create, &was);
    Ok((was.id, counts(scope, kernel, user, &was).await?))
}

/// Gives one of the person's own up. With the last one go the recovery codes; browsers that were remembered are asked again.
pub async fn revoke(scope: &mut Scope, kernel: &Kernel, user: Uuid, id: Uuid, version: Option<i64>) -> Result<Record> {
    let was = own(scope, kernel, user, id, version).await?;
    let record = moved(scope, kernel, &was, "REVOKED", "revoke").await?;
    if !held(scope, user).await?.iter().any(|factor| factor.active) {
        scope.exec(&REQUIRE, &[&user, &false]).await?;
        scope.exec(&CODES_END, &[&user]).await?;
    }
    device::forget(scope, user).await?;
    Ok(record)
}

/// Ten new codes in place of those from before; only their keyed hashes are stored.
pub async fn recovery_codes(scope: &mut Scope, kernel: &Kernel, user: Uuid) -> Result<Vec<String>> {
    scope.exec(&CODES_END, &[&user]).await?;
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let mut bytes = [0; 10];
        rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
        let letters = Secret::new(Box::new(bytes)).to_base32().to_lowercase();
        let (id, hash) = (scope.new_id(), recovery_hash(Service::of(kernel)?, &letters));
        scope.exec(&CODE_ADD, &[&id, &user, &hash]).await?;
        codes.push([&letters[..4], &letters[4..8], &letters[8..12], &letters[12..]].join("-"));
    }
    Ok(codes)
}

pub fn recovery_hash(service: &Service, code: &str) -> Vec<u8> {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    service.recovery.clone().chain_update(letters.as_bytes()).finalize().into_bytes().to_vec()
}

/// Room for one more; what was begun and never proven is void.
async fn room(scope: &mut Scope, kernel: &Kernel, user: Uuid) -> Result<()> {
    let (active, begun): (Vec<Factor>, Vec<Factor>) = held(scope, user).await?.into_iter().partition(|factor| factor.active);
    for factor in begun {
        let was = store::lock(scope, &USER_MFA_FACTOR, factor.id, None, &kernel.keys).await?;
        moved(scope, kernel, &was, "REVOKED", "revoke").await?;
    }
    match active.len() < FACTORS_MAX {
        true => Ok(()),
        false => Err(Error::new(&error::CONFLICT).detail("Revoke one of your second factors first; five are enough.")),
    }
}

fn drafted(user: Uuid, kind: &str, label: Option<&str>) -> Result<Draft> {
    Draft::default().set(&USER_MFA_FACTOR, "user_id", Value::Uuid(user))?.set(&USER_MFA_FACTOR, "kind", Value::Text(kind.into()))?.set(
        &USER_MFA_FACTOR,
        "label",
        label.map_or(Value::Null, |label| Value::Text(label.to_owned())),
    )
}

/// One of the person's own, locked.
async fn own(scope: &mut Scope, kernel: &Kernel, user: Uuid, id: Uuid, version: Option<i64>) -> Result<Record> {
    let record = store::lock(scope, &USER_MFA_FACTOR, id, version, &kernel.keys).await?;
    if record.uuid("user_id") == Some(user) { Ok(record) } else { Err(Error::new(&error::NOT_FOUND)) }
}

async fn pending(scope: &mut Scope, kernel: &Kernel, user: Uuid, id: Uuid, version: Option<i64>) -> Result<Record> {
    let was = own(scope, kernel, user, id, version).await?;
    match was.text("status") {
        Some("PENDING") => Ok(was),
        _ => Err(Error::new(&error::MOVE_REFUSED).detail("Only a factor that was just begun is confirmed.")),
    }
}

async fn counts(scope: &mut Scope, kernel: &Kernel, user: Uuid, was: &Record) -> Result<Vec<String>> {
    moved(scope, kernel, was, "ACTIVE", "confirm").await?;
    scope.exec(&REQUIRE, &[&user, &true]).await?;
    recovery_codes(scope, kernel, user).await
}

async fn moved(scope: &mut Scope, kernel: &Kernel, was: &Record, to: &str, by: &str) -> Result<Record> {
    let draft = Draft::default().set(&USER_MFA_FACTOR, "status", Value::Text(to.into()))?;
    let record = store::update(scope, was, &draft, by, &kernel.keys).await?;
    let mut event = audit_store::of(scope.context(), "CONFIG_CHANGED", Action::Execute, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some("UserMfaFactor".into()), Some(record.id));
    event.metadata = Metadata::new().text("operation", by);
    scope.audit(event);
    Ok(record)
}

/// The time step of the code, within one step of the clock either way.
pub async fn accepted(kernel: &Kernel, row: &tokio_postgres::Row, code: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
    let Some(secret) = opened(kernel, row).await? else { return Ok(None) };
    let secret = Secret::try_from_base32(secret).map_err(|_| Error::internal("a stored secret is none"))?;
    Ok(checked(&Builder::new().with_secret(secret).build_noncompliant(), code, now))
}

async fn opened(kernel: &Kernel, row: &tokio_postgres::Row) -> Result<Option<String>> {
    let (id, sealed): (Uuid, Option<Vec<u8>>) = (row.try_get("id")?, row.try_get("totp_secret_enc")?);
    let Some(sealed) = sealed else { return Ok(None) };
    let plain = kernel.keys.of(PLATFORM_TENANT).await?.open("user_mfa_factors", "totp_secret", id, &sealed)?;
    String::from_utf8(plain).map(Some).map_err(Error::internal)
}

fn checked(totp: &Totp, code: &str, now: DateTime<Utc>) -> Option<i64> {
    let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    let step = totp.check(&code, u64::try_from(now.timestamp()).ok()?)?;
    i64::try_from(step).ok()
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
