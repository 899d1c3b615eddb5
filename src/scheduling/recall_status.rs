//! Recalls that rest, with their reason, and those that are due again (catalogue 6.10).

use super::recall::RECALL;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Field, Value};

const STEPS: Steps = Steps { tag: "Appointments", planes: &[Plane::Staff], permission: Permission::EditSchedule };

pub static DISABLE: Operation = STEPS.post(
    "disableRecall",
    "/recalls/{id}/disable",
    "Remind no more, and say why",
    &[Field::text("reason").required().length(4_000).phi()],
    Gives::Record(&RECALL),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &RECALL, vec![("disable_reason", reason(call))]))),
);
pub static ENABLE: Operation = STEPS.post(
    "enableRecall",
    "/recalls/{id}/enable",
    "Due again",
    &[],
    Gives::Record(&RECALL),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &RECALL, vec![("disable_reason", Value::Null)]))),
);

fn reason(call: &Call) -> Value {
    call.value("reason").cloned().unwrap_or(Value::Null)
}
