//! A connection begins with a valid credential, rests, ends for good with its credentials, and is asked to synchronise
//! (catalogue 15.02 to 15.04).

use super::sync_job::{JOB_TYPE, SYNC_JOB};
use super::tenant_integration::TENANT_INTEGRATION;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Value, store};
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
    /// $1 tenant, $2 integration, $3 kind of job.
    IS_SYNCING(UUID, UUID, TEXT) = "
        select exists (select from sync_jobs j where j.tenant_id = $1 and j.integration_id = $2 and j.job_type = $3
                          and j.status in ('QUEUED', 'RUNNING'))";
}

const fn step(id: &'static str, path: &'static str, doc: &'static str, run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: "Integrations",
        doc,
        takes: &[],
        gives: Gives::Record(&TENANT_INTEGRATION),
        planes: &[Plane::Staff],
        permission: Permission::ManageIntegrations,
        run,
    }
}

pub static ACTIVATE: Operation = step(
    "activateTenantIntegration",
    "/tenant-integrations/{id}/activate",
    "Begin or go on exchanging; it needs a credential that is active and has not expired",
    Run::Inside(|scope, call| Box::pin(activate(scope, call))),
);
pub static PAUSE: Operation = step(
    "pauseTenantIntegration",
    "/tenant-integrations/{id}/pause",
    "Stop exchanging for a while",
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &TENANT_INTEGRATION, vec![]))),
);
pub static DISABLE: Operation = step(
    "disableTenantIntegration",
    "/tenant-integrations/{id}/disable",
    "End the connection for good; its credentials are revoked with it",
    Run::Inside(|scope, call| Box::pin(disable(scope, call))),
);
pub static SYNC: Operation = Operation {
    id: "syncTenantIntegration",
    method: Method::Post,
    path: "/tenant-integrations/{id}/sync",
    tag: "Integrations",
    doc: "Queue one exchange of an ACTIVE connection; one of each kind at a time",
    takes: &[JOB_TYPE],
    gives: Gives::Created(&SYNC_JOB),
    planes: &[Plane::Staff],
    permission: Permission::ManageIntegrations,
    run: Run::Inside(|scope, call| Box::pin(sync(scope, call))),
};

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

async fn sync(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &TENANT_INTEGRATION, call.id()?, call.version, keys).await?;
    if was.text("status") != Some("ACTIVE") {
        return Err(Error::new(&error::CONFLICT).detail("The connection is not active.").fault("status", "state", "It must be ACTIVE."));
    }
    let kind = call.text("job_type").unwrap_or_default();
    let direction = direction(was.text("direction").unwrap_or_default(), kind)
        .ok_or_else(|| Error::new(&error::INVALID).fault("job_type", "direction", "The connection does not exchange in that direction."))?;
    if scope.one(&IS_SYNCING, &[&was.tenant, &was.id, &kind]).await?.try_get(0)? {
        return Err(Error::new(&error::CONFLICT).detail("An exchange of this kind is queued or running."));
    }
    let draft = Draft::default()
        .set(&SYNC_JOB, "integration_id", Value::Uuid(was.id))?
        .set(&SYNC_JOB, "job_type", Value::Text(kind.to_owned()))?
        .set(&SYNC_JOB, "direction", Value::Text(direction.to_owned()))?;
    Ok(Answer::Record(store::insert(scope, &SYNC_JOB, &draft, keys).await?))
}

/// Where the data of that kind of job goes, if the connection goes there too.
fn direction(connection: &str, kind: &str) -> Option<&'static str> {
    let way = match kind {
        "CLAIM_EXPORT" | "PATIENT_EXPORT" | "ELIGIBILITY" => "OUTBOUND",
        _ => "INBOUND",
    };
    (connection == "BOTH" || connection == way).then_some(way)
}

#[cfg(test)]
mod tests {
    use super::direction;

    #[test]
    fn a_job_goes_the_way_of_its_connection() {
        assert_eq!(direction("INBOUND", "PATIENT_IMPORT"), Some("INBOUND"));
        assert_eq!(direction("INBOUND", "CLAIM_EXPORT"), None);
        assert_eq!(direction("OUTBOUND", "ELIGIBILITY"), Some("OUTBOUND"));
        assert_eq!(direction("OUTBOUND", "FULL_IMPORT"), None);
        assert_eq!(direction("BOTH", "CLAIM_EXPORT"), Some("OUTBOUND"));
        assert_eq!(direction("BOTH", "FHIR_IMPORT"), Some("INBOUND"));
    }
}
