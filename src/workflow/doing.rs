//! Tasks from start to end (catalogue 15.13). The last task of a workflow's state lets the workflow go on; the database
//! does that (`sec.task_done`), whoever ends the task.

use super::task::TASK;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Answer, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Field, Value};

const STEPS: Steps = Steps { tag: TASK.tag, planes: &[Plane::Staff], permission: Permission::Own };

pub static START: Operation = STEPS.post(
    "startTask",
    "/tasks/{id}/start",
    "Take a task on; it is the caller's from now on",
    &[],
    Gives::Record(&TASK),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let mine = call.caller.context.actor.map(|actor| ("assigned_user_id", Value::Uuid(actor)));
            transition(scope, call, &TASK, mine.into_iter().collect()).await
        })
    }),
);
pub static COMPLETE: Operation = STEPS.post(
    "completeTask",
    "/tasks/{id}/complete",
    "The task is done; a workflow that waited for it goes on",
    &[],
    Gives::Record(&TASK),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &TASK, vec![("completed_at", Value::Instant(now))]).await
        })
    }),
);
pub static CANCEL: Operation = STEPS.post(
    "cancelTask",
    "/tasks/{id}/cancel",
    "The task is not done, for a reason",
    &[Field::text("reason").required().length(1_000)],
    Gives::Record(&TASK),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let answer = transition(scope, call, &TASK, vec![]).await?;
            if let Answer::Record(task) = &answer {
                let mut event = audit_store::of_record(scope.context(), Action::Execute, task, scope.now());
                let reason = call.text("reason").unwrap_or_default();
                event.metadata = Metadata::new().text("operation", call.operation.id).text("reason", reason);
                scope.audit(event);
            }
            Ok(answer)
        })
    }),
);
pub static REOPEN: Operation = STEPS.post(
    "reopenTask",
    "/tasks/{id}/reopen",
    "The task has to be done after all",
    &[],
    Gives::Record(&TASK),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &TASK, vec![("completed_at", Value::Null)]))),
);
