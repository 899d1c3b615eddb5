//! Recalls that rest, with their reason, and those that are due again (catalogue 6.10).

use super::recall::RECALL;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Field, Value};

const fn step(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: "Appointments",
        doc,
        takes,
        gives: Gives::Record(&RECALL),
        planes: &[Plane::Staff],
        permission: Permission::EditSchedule,
        run,
    }
}

pub static DISABLE: Operation = step(
    "disableRecall",
    "/recalls/{id}/disable",
    "Remind no more, and say why",
    &[Field::text("reason").required().length(4_000).phi()],
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &RECALL, vec![("disable_reason", reason(call))]))),
);
pub static ENABLE: Operation = step(
    "enableRecall",
    "/recalls/{id}/enable",
    "Due again",
    &[],
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &RECALL, vec![("disable_reason", Value::Null)]))),
);

fn reason(call: &Call) -> Value {
    call.value("reason").cloned().unwrap_or(Value::Null)
}
