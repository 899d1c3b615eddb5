//! A second factor over REST: enrolled, proven, revoked, and asked for at sign-in (catalogue 2.12, B16).

use super::factors;
use super::grant;
use super::passkey;
use super::service::Service;
use super::session_operations::{PEOPLE, object, own_session};
use super::sign_in;
use super::user_mfa_factor::USER_MFA_FACTOR;
use crate::kernel::Kernel;
use crate::kernel::context::{Context, Permission};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps};
use crate::kernel::table::{Field, Value};
use crate::sql;
use chrono::TimeDelta;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use uuid::Uuid;

/// After this a person proves again who they are before anything about their factors changes.
pub const RECENT: TimeDelta = TimeDelta::minutes(10);

sql! {
    /// $1 session, $2 not before.
    RECENT_SESSION(UUID, TIMESTAMPTZ) = "select 1 from sessions where id = $1 and revoked_at is null and proved_at >= $2";
    /// $1 login. Sign-ins with one factor take turns.
    FACTORS(UUID) = "
        select f.id, f.totp_secret_enc from user_mfa_factors f join users u on u.id = f.user_id
         where f.user_id = $1 and f.status = 'ACTIVE' and f.deleted_at is null
           and u.status = 'ACTIVE' and (u.locked_until is null or u.locked_until <= now())
         order by f.id for update of f";
    /// $1 login, $2 hash.
    SPEND_CODE(UUID, BYTEA) = "update user_recovery_codes set used_at = now() where user_id = $1 and code_hash = $2 and used_at is null";
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
pub(super) static CEREMONY: &[Field] = &[
    Field::json("options").required().doc("for `navigator.credentials`, in the JSON form of Web Authentication"),
    Field::text("ceremony").required().doc("to be sent back with the authenticator's answer, within 5 minutes"),
];

const STEPS: Steps = Steps { tag: "Identity", planes: PEOPLE, permission: Permission::Own };

pub static ENROL: Operation = STEPS.post(
    "enrolUserMfaFactor",
    "/user-mfa-factors/enrol",
    "Begin a second factor of one-time codes (RFC 6238) within 10 minutes of signing in; it counts once confirmed",
    &[Field::text("label").length(300)],
    Gives::Made("EnrolledFactor", ENROLLED, &USER_MFA_FACTOR),
    Run::Apart(|call| Box::pin(enrol(call))),
);
pub static CONFIRM: Operation = STEPS.post(
    "confirmUserMfaFactor",
    "/user-mfa-factors/{id}/confirm",
    "Prove a second factor with a code; every sign-in asks for one from now on",
    &[Field::text("code").required().length(16).write_only()],
    Gives::Object("ConfirmedFactor", CONFIRMED),
    Run::Apart(|call| Box::pin(confirm(call))),
);
pub static PASSKEY_OPTIONS: Operation = STEPS.post(
    "beginPasskey",
    "/user-mfa-factors/passkey-options",
    "What the person's authenticator needs to make a passkey, within 10 minutes of signing in",
    &[],
    Gives::Object("PasskeyCeremony", CEREMONY),
    Run::Apart(|call| Box::pin(passkey_options(call))),
);
pub static ADD_PASSKEY: Operation = STEPS.post(
    "addPasskey",
    "/user-mfa-factors/passkeys",
    "Keep a passkey the person's authenticator has made; it opens their account by itself from now on",
    &[
        Field::text("ceremony").required().length(4000),
        Field::json("credential").required().write_only().doc("the authenticator's answer, in the JSON form of Web Authentication"),
        Field::text("label").length(300),
    ],
    Gives::Made("AddedPasskey", CONFIRMED, &USER_MFA_FACTOR),
    Run::Apart(|call| Box::pin(add_passkey(call))),
);
pub static REVOKE: Operation = STEPS.post(
    "revokeUserMfaFactor",
    "/user-mfa-factors/{id}/revoke",
    "Give a second factor up, within 10 minutes of signing in",
    &[],
    Gives::Record(&USER_MFA_FACTOR),
    Run::Apart(|call| Box::pin(revoke(call))),
);

/// Whether somebody proved who they are so short a while ago. STEP_UP_NEEDED.
pub async fn recent(scope: &mut Scope, session: Uuid, within: TimeDelta) -> Result<()> {
    let since = scope.now() - within;
    match scope.optional(&RECENT_SESSION, &[&session, &since]).await? {
        Some(_) => Ok(()),
        None => Err(Error::new(&error::STEP_UP_NEEDED)),
    }
}

/// The person, in a scope that may write their factors.
async fn recently(call: &Call) -> Result<(Scope, Uuid)> {
    let (session, user) = own_session(call)?;
    let context = &call.caller.context;
    let mut scope = call.caller.kernel.door.open(&grant::behind(context, context.tenant)).await?;
    recent(&mut scope, session, RECENT).await?;
    Ok((scope, user))
}

async fn enrol(call: Call) -> Result<Answer> {
    let (mut scope, user) = recently(&call).await?;
    let begun = factors::begin_totp(&mut scope, &call.caller.kernel, user, call.text("label")).await?;
    scope.commit().await?;
    Ok(Answer::Made(begun.id, object(json!({"id": begun.id, "secret": begun.secret, "provisioning_uri": begun.uri}))))
}

async fn confirm(call: Call) -> Result<Answer> {
    let (_, user) = own_session(&call)?;
    let (caller, kernel) = (&call.caller, &call.caller.kernel);
    Service::of(kernel)?.throttle.admit(&user.to_string(), caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let mut scope = kernel.door.open(&grant::behind(&caller.context, caller.context.tenant)).await?;
    let (id, code) = (call.id()?, call.text("code").unwrap_or_default());
    let codes = factors::confirm_totp(&mut scope, kernel, user, id, call.version, code).await?;
    scope.commit().await?;
    Ok(Answer::Object(object(json!({"id": id, "recovery_codes": codes}))))
}

async fn passkey_options(call: Call) -> Result<Answer> {
    let (mut scope, user) = recently(&call).await?;
    let begun = factors::begin_passkey(&mut scope, &call.caller.kernel, user).await?;
    scope.commit().await?;
    Ok(ceremony(begun))
}

pub(super) fn ceremony(begun: passkey::Ceremony) -> Answer {
    Answer::Object(object(json!({"options": begun.options, "ceremony": begun.sealed})))
}

/// The ceremony and the answer to it, as an operation was given them.
pub(super) fn answered(call: &Call) -> (&str, &Json) {
    let credential = match call.value("credential") {
        Some(Value::Json(credential)) => credential,
        _ => &Json::Null,
    };
    (call.text("ceremony").unwrap_or_default(), credential)
}

async fn add_passkey(call: Call) -> Result<Answer> {
    let (mut scope, user) = recently(&call).await?;
    let (id, codes) = factors::add_passkey(&mut scope, &call.caller.kernel, user, answered(&call), call.text("label")).await?;
    scope.commit().await?;
    Ok(Answer::Made(id, object(json!({"id": id, "recovery_codes": codes}))))
}

async fn revoke(call: Call) -> Result<Answer> {
    let (mut scope, user) = recently(&call).await?;
    let record = factors::revoke(&mut scope, &call.caller.kernel, user, call.id()?, call.version).await?;
    scope.commit().await?;
    Ok(Answer::Record(record))
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
        if let Some(step) = factors::accepted(kernel, row, code, scope.now()).await?
            && scope.exec(&factors::SPEND_STEP, &[&row.try_get::<_, Uuid>("id")?, &step]).await? == 1
        {
            scope.commit().await?;
            return Ok("TOTP");
        }
    }
    if !factors.is_empty() && scope.exec(&SPEND_CODE, &[&user, &factors::recovery_hash(service, code)]).await? == 1 {
        scope.commit().await?;
        return Ok("RECOVERY");
    }
    drop(scope);
    sign_in::failed(kernel, context, Some(user), Some(tenant)).await?;
    Err(Error::new(&error::CREDENTIALS_WRONG))
}
