//! A connection begins with a valid credential, rests, and ends for good with its credentials (catalogue 15.02 to 15.04).

use super::tenant_integration::TENANT_INTEGRATION;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Value, store};
use crate::sql;

sql! {
    /// $1 tenant, $2 integration.
    HAS_CREDENTIAL(UUID, UUID) = "
        select exists (select from integration_credentials c
                        where c.tenant_id = $1 and c.integration_id = $2 and c.status = 'ACTIVE' and c.deleted_at is null
                          and coalesce(c.expires_at > now(), true))";
    /// $1 tenant, $2 integration.
    REVOKE_CREDENTIALS(UUID, UUID) = "
        update integration_credentials set status = 'REVOKED' where tenant_id = $1 and integration_id = $2 and status = 'ACTIVE'";
}

const STEPS: Steps = Steps { tag: "Integrations", planes: &[Plane::Staff], permission: Permission::ManageIntegrations };

pub static ACTIVATE: Operation = STEPS.post(
    "activateTenantIntegration",
    "/tenant-integrations/{id}/activate",
    "Begin or go on exchanging; it needs a credential that is active and has not expired",
    &[],
    Gives::Record(&TENANT_INTEGRATION),
    Run::Inside(|scope, call| Box::pin(activate(scope, call))),
);
pub static PAUSE: Operation = STEPS.post(
    "pauseTenantIntegration",
    "/tenant-integrations/{id}/pause",
    "Stop exchanging for a while",
    &[],
    Gives::Record(&TENANT_INTEGRATION),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &TENANT_INTEGRATION, vec![]))),
);
pub static DISABLE: Operation = STEPS.post(
    "disableTenantIntegration",
    "/tenant-integrations/{id}/disable",
    "End the connection for good; its credentials are revoked with it",
    &[],
    Gives::Record(&TENANT_INTEGRATION),
    Run::Inside(|scope, call| Box::pin(disable(scope, call))),
);
async fn activate(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &TENANT_INTEGRATION, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let usable: bool = scope.one(&HAS_CREDENTIAL, &[&was.tenant, &was.id]).await?.try_get(0)?;
    if was.text("status") != Some("DISABLED") && !usable {
        return Err(Error::new(&error::CONFLICT).detail("It has no credential that is active and has not expired."));
    }
    transition(scope, call, &TENANT_INTEGRATION, vec![("last_error", Value::Null)]).await
}

async fn disable(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let answer = transition(scope, call, &TENANT_INTEGRATION, vec![]).await?;
    scope.exec(&REVOKE_CREDENTIALS, &[&scope.tenant()?, &call.id()?]).await?;
    Ok(answer)
}
