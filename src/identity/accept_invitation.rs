//! A person joins a tenant that has asked for them. Nobody else can make somebody with a login a member.

use super::grant;
use super::session_operations::{PEOPLE, own_session};
use super::user_tenant::USER_TENANT;
use crate::kernel::audit::Action;
use crate::kernel::context::Permission;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::store;
use crate::sql;
use serde_json::{Value as Json, json};
use uuid::Uuid;

sql! {
    /// $1 login.
    INVITATIONS(UUID) = "select tenant_id, tenant_name, id, user_type from sec.invitations_of($1)";
    /// $1 tenant, $2 invitation.
    ACCEPTED(UUID, UUID) = "select sec.accept_invitation($1, $2)";
}

pub static ACCEPT: Operation = Operation {
    id: "acceptMemberInvitation",
    method: Method::Post,
    path: "/member-invitations/{id}/accept",
    tag: "Identity",
    doc: "Join a tenant that has invited one's own e-mail address; the invitations are in /me",
    takes: &[],
    gives: Gives::Record(&USER_TENANT),
    planes: PEOPLE,
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(accept(call))),
};

/// What a person has been invited to, as `/me` shows it.
pub async fn open_invitations(scope: &mut Scope, user: Uuid) -> Result<Vec<Json>> {
    let rows = scope.rows(&INVITATIONS, &[&user]).await?;
    let shown = rows.iter().map(|row| {
        let (tenant, name): (Uuid, &str) = (row.try_get(0)?, row.try_get(1)?);
        Ok(json!({"id": row.try_get::<_, Uuid>(2)?, "tenant_id": tenant, "tenant_name": name, "user_type": row.try_get::<_, &str>(3)?}))
    });
    shown.collect()
}

async fn accept(call: Call) -> Result<Answer> {
    let (_, user) = own_session(&call)?;
    let (caller, invitation) = (&call.caller, call.id()?);
    let none = || Error::new(&error::NOT_FOUND);
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, None)).await?;
    let answers = scope.once(&[((&INVITATIONS).into(), vec![&user])]).await?;
    let asked = answers.iter().flatten().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("id")?)));
    let asked: Vec<(Uuid, Uuid)> = asked.collect::<Result<_>>()?;
    let (tenant, _) = asked.into_iter().find(|(_, id)| *id == invitation).ok_or_else(none)?;
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let membership: Option<Uuid> = scope.one(&ACCEPTED, &[&tenant, &invitation]).await?.try_get(0)?;
    let record = store::seen(&mut scope, &USER_TENANT, membership.ok_or_else(none)?, &caller.kernel.keys).await?;
    scope.did(Action::Create, &record);
    scope.commit().await?;
    grant::forget(&caller.kernel, |context| context.actor == Some(user) && context.tenant == Some(tenant))?;
    Ok(Answer::Record(record))
}
