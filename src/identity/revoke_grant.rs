//! A person takes back what they allowed an application (catalogue 2.23): its tokens end within five seconds.

use super::grant;
use super::oauth_authorization::OAUTH_AUTHORIZATION;
use super::session_operations::own_session;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Value, store};
use crate::sql;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 authorization: what came from its code, when it was redeemed.
    SESSION_OF_GRANT(UUID, UUID) = "select session_id from oauth_authorizations where tenant_id = $1 and id = $2";
}

pub static REVOKE_GRANT: Operation = Operation {
    id: "revokeOauthAuthorization",
    method: Method::Post,
    path: "/oauth-authorizations/{id}/revoke",
    tag: "Identity",
    doc: "Take back what one has allowed an application; its tokens end within 5 seconds",
    takes: &[],
    gives: Gives::Record(&OAUTH_AUTHORIZATION),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(revoke(call))),
};

/// The policies show the person their own grants; who writes is identity, which locks the row against its code's exchange.
async fn revoke(call: Call) -> Result<Answer> {
    let (_, user) = own_session(&call)?;
    let (caller, id, keys) = (&call.caller, call.id()?, &call.caller.kernel.keys);
    let own = caller.glance(&caller.context, &OAUTH_AUTHORIZATION, id).await?;
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(own.tenant))).await?;
    let was = store::lock(&mut scope, &OAUTH_AUTHORIZATION, id, call.version, keys).await?;
    if was.uuid("user_id") != Some(user) {
        return Err(Error::new(&error::NOT_FOUND));
    }
    if was.text("revoked_at").is_some() {
        scope.commit().await?;
        return Ok(Answer::Record(was));
    }
    let draft = Draft::default().set(&OAUTH_AUTHORIZATION, "revoked_at", Value::Instant(scope.now()))?;
    let record = store::update(&mut scope, &was, &draft, "revoke", keys).await?;
    let session: Option<Uuid> = scope.one(&SESSION_OF_GRANT, &[&own.tenant, &id]).await?.try_get(0)?;
    if let Some(session) = session {
        grant::end(&mut scope, session, "LOGOUT").await?;
    }
    scope.commit().await?;
    grant::forget(&caller.kernel, |context| session.is_some() && context.session == session)?;
    Ok(Answer::Record(record))
}
