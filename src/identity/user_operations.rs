//! People's accounts along their states, and what they hold in a tenant (catalogue 2.01, 2.13, 2.26).

use super::device;
use super::grant;
use super::letters;
use super::service::Service;
use super::session_operations::PEOPLE;
use super::user::USER;
use super::user_role::USER_ROLE;
use super::user_tenant::USER_TENANT;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Value, store};
use crate::sql;
use secrecy::SecretString;
use uuid::Uuid;

sql! {
    /// $1 login, $2 tenant.
    ELSEWHERE(UUID, UUID) = "select sec.member_elsewhere($1, $2)";
    /// $1 login.
    PASSWORD_OF(UUID) = "
        select i.id, i.password_hash, u.email, u.full_name from user_auth_identities i join users u on u.id = i.user_id
         where i.user_id = $1 and i.kind = 'PASSWORD' and i.deleted_at is null";
    /// $1 identity, $2 the hash it had, $3 the new one.
    PASSWORD_SET(UUID, TEXT, TEXT) = "
        update user_auth_identities set password_hash = $3, password_algorithm = 'ARGON2ID', password_changed_at = now(), must_change = false
         where id = $1 and password_hash = $2";
    /// $1 login, $2 tenant, $3 now.
    pub(super) ROLES_END(UUID, UUID, TIMESTAMPTZ) = "
        update user_roles set valid_until = greatest($3, valid_from + interval '1 microsecond')
         where tenant_id = $2 and user_id = $1 and deleted_at is null and (valid_until is null or valid_until > $3)";
    /// $1 login, $2 tenant, $3 now.
    pub(super) TENANT_SESSIONS_END(UUID, UUID, TIMESTAMPTZ) = "
        with ended as (update sessions set revoked_at = $3, revoke_reason = 'ADMIN'
                        where user_id = $1 and active_tenant_id = $2 and revoked_at is null returning id)
        update refresh_tokens r set revoked_at = $3 from ended where r.session_id = ended.id and r.revoked_at is null";
}

const STEPS: Steps = Steps { tag: "Identity", planes: MANAGERS, permission: Permission::ManageUsers };

const MANAGERS: &[Plane] = &[Plane::Staff, Plane::Platform];
pub static DISABLE: Operation = STEPS.post(
    "disableUser",
    "/users/{id}/disable",
    "Close an account; its sessions end within 5 seconds",
    &[],
    Gives::Record(&USER),
    Run::Apart(|call| Box::pin(move_user(call))),
);
pub static ENABLE: Operation = STEPS.post(
    "enableUser",
    "/users/{id}/enable",
    "Open a closed account",
    &[],
    Gives::Record(&USER),
    Run::Apart(|call| Box::pin(move_user(call))),
);
pub static UNLOCK: Operation = STEPS.post(
    "unlockUser",
    "/users/{id}/unlock",
    "Let somebody try again after too many wrong passwords",
    &[],
    Gives::Record(&USER),
    Run::Apart(|call| Box::pin(unlock(call))),
);
pub static REMOVE_MEMBER: Operation = STEPS.on(&[Plane::Staff]).post(
    "removeUserTenant",
    "/user-tenants/{id}/remove",
    "End a membership: roles end, sessions in this tenant are revoked",
    &[],
    Gives::Record(&USER_TENANT),
    Run::Apart(|call| Box::pin(remove_member(call))),
);
pub static RESTORE_MEMBER: Operation = STEPS.on(&[Plane::Staff]).post(
    "restoreUserTenant",
    "/user-tenants/{id}/restore",
    "Take a membership up again; roles are given anew",
    &[],
    Gives::Record(&USER_TENANT),
    Run::Inside(|scope, call| Box::pin(async move { transition(scope, call, &USER_TENANT, vec![("left_at", Value::Null)]).await })),
);
pub static REVOKE_ROLE: Operation = STEPS.on(&[Plane::Staff]).post(
    "revokeUserRole",
    "/user-roles/{id}/revoke",
    "End a role now",
    &[],
    Gives::Record(&USER_ROLE),
    Run::Inside(|scope, call| Box::pin(revoke_role(scope, call))),
);
pub static CHANGE_PASSWORD: Operation = Operation {
    id: "changePassword",
    method: Method::Post,
    path: "/users/{id}/change-password",
    tag: "Identity",
    doc: "Change one's own password; all other sessions end",
    takes: &[
        Field::text("current_password").required().length(256).write_only(),
        Field::text("new_password").required().length(256).write_only(),
    ],
    gives: Gives::Nothing,
    planes: PEOPLE,
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(change_password(call))),
};

/// A scope that may change accounts, once it is sure that the caller sees this one and that it is their tenant's alone: who
/// could unlock somebody's account of another clinic could try passwords without end.
async fn account(call: &Call) -> Result<(Scope, Uuid)> {
    let (caller, user) = (&call.caller, call.id()?);
    caller.needs_throughout(call.operation.permission)?;
    caller.glance(&caller.context, &USER, user).await?;
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, caller.context.tenant)).await?;
    if caller.context.plane == Plane::Staff && scope.one(&ELSEWHERE, &[&user, &caller.tenant()?]).await?.try_get(0)? {
        return Err(Error::new(&error::FORBIDDEN).detail("The person belongs to other tenants too, and no one of them decides."));
    }
    Ok((scope, user))
}

async fn move_user(call: Call) -> Result<Answer> {
    let (mut scope, user) = account(&call).await?;
    let answer = transition(&mut scope, &call, &USER, vec![]).await?;
    // An account that is opened again has no sessions left from before.
    grant::end_all(&mut scope, user, "USER_DISABLED", None).await?;
    scope.commit().await?;
    grant::forget(&call.caller.kernel, |context| context.actor == Some(user))?;
    Ok(answer)
}

async fn unlock(call: Call) -> Result<Answer> {
    let (mut scope, user) = account(&call).await?;
    let keys = &call.caller.kernel.keys;
    let was = store::lock(&mut scope, &USER, user, call.version, keys).await?;
    let draft = Draft::default().set(&USER, "locked_until", Value::Null)?.set(&USER, "failed_login_count", Value::Int(0))?;
    let record = store::update(&mut scope, &was, &draft, "unlock", keys).await?;
    scope.commit().await?;
    Ok(Answer::Record(record))
}

async fn change_password(call: Call) -> Result<Answer> {
    let (caller, wrong) = (&call.caller, || Error::new(&error::CREDENTIALS_WRONG));
    let user = caller.context.actor.filter(|user| Some(*user) == call.id && caller.context.client.is_none());
    let user = user.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let service = Service::of(&caller.kernel)?;
    service.throttle.admit(&user.to_string(), caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let context = grant::behind(&caller.context, caller.context.tenant);
    let secret = |name: &str| SecretString::from(call.text(name).unwrap_or_default().to_owned());
    let answers = caller.kernel.door.open(&context).await?.once(&[((&PASSWORD_OF).into(), vec![&user])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(wrong)?;
    let (identity, old): (Uuid, String) = (row.try_get(0)?, row.try_get(1)?);
    if !service.passwords.verify(context.ip(), secret("current_password"), Some(old.clone())).await?.ok {
        return Err(wrong());
    }
    let words: [&str; 2] = [row.try_get(2)?, row.try_get(3)?];
    letters::check_new(&caller.kernel, call.text("new_password").unwrap_or_default(), false, &words).await?;
    let new = service.passwords.hash(context.ip(), secret("new_password")).await?;
    let mut scope = caller.kernel.door.open(&context).await?;
    if scope.exec(&PASSWORD_SET, &[&identity, &old, &new]).await? != 1 {
        return Err(Error::new(&error::CONFLICT));
    }
    grant::end_all(&mut scope, user, "PASSWORD_CHANGED", caller.context.session).await?;
    device::forget(&mut scope, user).await?;
    let mut event =
        crate::kernel::audit_store::of(&context, "CONFIG_CHANGED", Action::Update, crate::kernel::audit::Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some("User".into()), Some(user));
    scope.audit(event);
    scope.commit().await?;
    let kept = caller.context.session;
    grant::forget(&caller.kernel, |context| context.actor == Some(user) && context.session != kept)?;
    Ok(Answer::Nothing)
}

/// The membership and its roles end on the caller's own plane; the sessions behind it.
async fn remove_member(call: Call) -> Result<Answer> {
    let (caller, tenant) = (&call.caller, call.caller.tenant()?);
    let mut scope = caller.write(Permission::ManageUsers).await?;
    let now = scope.now();
    let Answer::Record(record) = transition(&mut scope, &call, &USER_TENANT, vec![("left_at", Value::Instant(now))]).await? else {
        return Err(Error::internal("a transition gives its record"));
    };
    let user = record.uuid("user_id").ok_or_else(|| Error::internal("a membership has a user"))?;
    scope.exec(&ROLES_END, &[&user, &tenant, &now]).await?;
    scope.commit().await?;
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    scope.exec(&TENANT_SESSIONS_END, &[&user, &tenant, &now]).await?;
    scope.commit().await?;
    grant::forget(&caller.kernel, |context| context.actor == Some(user) && context.tenant == Some(tenant))?;
    Ok(Answer::Record(record))
}

async fn revoke_role(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &USER_ROLE, call.id()?, call.version, keys).await?;
    let draft = Draft::default().set(&USER_ROLE, "valid_until", Value::Instant(scope.now()))?;
    let record = store::update(scope, &was, &draft, "revoke", keys).await?;
    Ok(Answer::Record(record))
}
