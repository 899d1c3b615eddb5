//! Exchanges and exports under way: stopped, and taken up again where they were (catalogue 15.04).

use super::export_job::EXPORT_JOB;
use super::sync_job::SYNC_JOB;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Value, store};
use crate::sql;

sql! {
    /// $1 tenant, $2 integration.
    IS_ACTIVE(UUID, UUID) = "
        select status = 'ACTIVE' and deleted_at is null from tenant_integrations where tenant_id = $1 and id = $2 for share";
}

const STEPS: Steps = Steps { tag: "Integrations", planes: &[Plane::Staff], permission: Permission::ManageIntegrations };

pub static CANCEL_SYNC: Operation = STEPS.post(
    "cancelSyncJob",
    "/sync-jobs/{id}/cancel",
    "Stop an exchange; one that runs stops at its next record",
    &[],
    Gives::Record(&SYNC_JOB),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &SYNC_JOB, vec![("completed_at", Value::Instant(now))]).await
        })
    }),
);
pub static RESUME_SYNC: Operation = STEPS.post(
    "resumeSyncJob",
    "/sync-jobs/{id}/resume",
    "Queue a FAILED or PARTIAL exchange again; it goes on from its cursor",
    &[],
    Gives::Record(&SYNC_JOB),
    Run::Inside(|scope, call| Box::pin(resume(scope, call))),
);
pub static CANCEL_EXPORT: Operation = STEPS.by(Permission::ManageGovernance).post(
    "cancelExportJob",
    "/export-jobs/{id}/cancel",
    "Stop an export that has not finished; what it has written is removed",
    &[],
    Gives::Record(&EXPORT_JOB),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &EXPORT_JOB, vec![]))),
);

async fn resume(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &SYNC_JOB, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if let Some(integration) = was.uuid("integration_id") {
        let row = scope.optional(&IS_ACTIVE, &[&was.tenant, &integration]).await?;
        if !row.map(|row| row.try_get::<_, bool>(0)).transpose()?.unwrap_or(false) {
            return Err(Error::new(&error::CONFLICT).detail("The job's connection is not active."));
        }
    }
    transition(scope, call, &SYNC_JOB, vec![("completed_at", Value::Null), ("error_details", Value::Null)]).await
}
