//! Stopping a job and giving a failed one another try (catalogue 15.04).

use super::job::JOB;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Gives, Method, Operation, Run, transition};
use crate::kernel::table::Value;

const fn step(id: &'static str, path: &'static str, doc: &'static str, run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: JOB.tag,
        doc,
        takes: &[],
        gives: Gives::Record(&JOB),
        planes: &[Plane::Staff, Plane::Platform],
        permission: Permission::ManageTenant,
        run,
    }
}

/// A running job reads its row at every safe point and stops there; its lease is taken away at once.
pub static CANCEL: Operation = step(
    "cancelJob",
    "/jobs/{id}/cancel",
    "Stop a job at its next safe point",
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &JOB, vec![("finished_at", Value::Instant(now)), ("lease_until", Value::Null)]).await
        })
    }),
);

/// It goes on from where it stopped: the cursor stays.
pub static RETRY: Operation = step(
    "retryJob",
    "/jobs/{id}/retry",
    "Let a failed job try again",
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
