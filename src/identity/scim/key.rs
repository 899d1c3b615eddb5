//! The key with which a tenant's directory comes.

use crate::identity::identity_provider::IDENTITY_PROVIDER;
use crate::identity::session_operations::object;
use crate::identity::token::{Kind, Token};
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::Field;
use crate::sql;
use serde_json::json;

sql! {
    /// $1 tenant, $2 provider, $3 hash.
    SET(UUID, UUID, BYTEA) = "
        update identity_providers set scim_token_hash = $3 where tenant_id = $1 and id = $2 and deleted_at is null";
}

static KEY: &[Field] =
    &[Field::text("token").required().shown_once().doc("the bearer of the tenant's directory at `/scim/v2`; the one before is void")];

pub static ROTATE: Operation = Operation {
    id: "rotateScimToken",
    method: Method::Post,
    path: "/identity-providers/{id}/rotate-scim-token",
    tag: "Identity",
    doc: "Make a new key for the directory behind the provider (SCIM 2.0)",
    takes: &[],
    gives: Gives::Object("ScimToken", KEY),
    planes: &[Plane::Staff],
    permission: Permission::ManageUsers,
    run: Run::Apart(|call| Box::pin(rotate(call))),
};

async fn rotate(call: Call) -> Result<Answer> {
    let (caller, id, tenant) = (&call.caller, call.id()?, call.caller.tenant()?);
    let acting = caller.acting(tenant, Permission::ManageUsers)?;
    caller.glance(&caller.reading(&IDENTITY_PROVIDER)?, &IDENTITY_PROVIDER, id).await?;
    let token = Token::new(Kind::Scim)?;
    let mut scope = caller.kernel.door.open(&acting).await?;
    if scope.exec(&SET, &[&tenant, &id, &token.hash().as_bytes()]).await? != 1 {
        return Err(Error::new(&error::NOT_FOUND));
    }
    let mut event = audit_store::of(scope.context(), "CONFIG_CHANGED", Action::Update, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some("IdentityProvider".into()), Some(id));
    event.metadata = Metadata::new().text("operation", "rotate-scim-token");
    scope.audit(event);
    scope.commit().await?;
    Ok(Answer::Object(object(json!({"token": token.expose()}))))
}
