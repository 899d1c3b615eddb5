//! Stopping a job and giving a failed one another try (catalogue 15.04).

use super::job::JOB;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Gives, Operation, Run, Steps, transition};
use crate::kernel::table::Value;

const STEPS: Steps = Steps { tag: JOB.tag, planes: &[Plane::Staff, Plane::Platform], permission: Permission::ManageTenant };

/// A running job reads its row at every safe point and stops there; its lease is taken away at once.
pub static CANCEL: Operation = STEPS.post(
    "cancelJob",
    "/jobs/{id}/cancel",
    "Stop a job at its next safe point",
    &[],
    Gives::Record(&JOB),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &JOB, vec![("finished_at", Value::Instant(now)), ("lease_until", Value::Null)]).await
        })
    }),
);

/// It goes on from where it stopped: the cursor stays.
pub static RETRY: Operation = STEPS.post(
    "retryJob",
    "/jobs/{id}/retry",
    "Let a failed job try again",
    &[],
    Gives::Record(&JOB),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            let columns = vec![
                ("run_after", Value::Instant(now)),
                ("attempts", Value::Int(0)),
                ("error_details", Value::Null),
                ("finished_at", Value::Null),
            ];
            transition(scope, call, &JOB, columns).await
        })
    }),
);
