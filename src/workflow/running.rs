//! Workflows are activated and retired; their instances step from state to state as the definition allows (catalogue 15.13).

use super::states::faults;
use super::workflow_definition::WORKFLOW;
use super::workflow_instance::WORKFLOW_INSTANCE;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::{Param, Scope};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Value, store};
use crate::sql;
use tokio_postgres::types::Type;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 code: the version that runs now.
    RUNNING(UUID, TEXT) = "select id from workflows where tenant_id = $1 and code = $2 and status = 'ACTIVE'";
}

const STEPS: Steps = Steps { tag: "Tasks", planes: &[Plane::Staff], permission: Permission::ManageWorkflow };

pub static ACTIVATE: Operation = Operation {
    planes: &[Plane::Staff, Plane::Platform],
    ..STEPS.post(
        "activateWorkflow",
        "/workflows/{id}/activate",
        "Let a version run; the one before retires, and what runs by it goes on by it",
        &[],
        Gives::Record(&WORKFLOW),
        Run::Inside(|scope, call| Box::pin(activate(scope, call))),
    )
};

async fn activate(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &WORKFLOW, call.id()?, call.version, keys).await?;
    let wrong = faults(was.get("definition"));
    if !wrong.is_empty() {
        return Err(wrong.into_iter().fold(Error::new(&error::INVALID), |error, text| error.fault("definition", "valid", text)));
    }
    if was.text("status") == Some("DRAFT")
        && let Some(row) = scope.optional(&RUNNING, &[&was.tenant, &was.text("code").unwrap_or_default()]).await?
    {
        let before = store::lock(scope, &WORKFLOW, row.try_get(0)?, None, keys).await?;
        let retired = Draft::default().set(&WORKFLOW, "status", Value::Text("RETIRED".into()))?;
        store::update(scope, &before, &retired, "retire", keys).await?;
    }
    transition(scope, call, &WORKFLOW, vec![]).await
}

pub static RETIRE: Operation = Operation {
    planes: &[Plane::Staff, Plane::Platform],
    ..STEPS.post(
        "retireWorkflow",
        "/workflows/{id}/retire",
        "Begin no more instances of it; what runs goes on",
        &[],
        Gives::Record(&WORKFLOW),
        Run::Inside(|scope, call| Box::pin(transition(scope, call, &WORKFLOW, vec![]))),
    )
};

pub static TRANSITION: Operation = STEPS.by(Permission::Own).post(
    "transitionWorkflowInstance",
    "/workflow-instances/{id}/transition",
    "Take a step the definition allows from here; the new state makes its tasks",
    &[Field::text("transition").required().doc("its name in the definition"), Field::text("comment").length(4_000)],
    Gives::Record(&WORKFLOW_INSTANCE),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let (id, name, said) = (call.id()?, call.text("transition"), call.text("comment"));
            through(scope, call, "sec.transition_instance($1, $2, $3)", id, &[(&name as _, Type::TEXT), (&said as _, Type::TEXT)]).await
        })
    }),
);

pub static CANCEL: Operation = STEPS.post(
    "cancelWorkflowInstance",
    "/workflow-instances/{id}/cancel",
    "End an instance before its time, for a reason; its open tasks end with it",
    &[Field::text("reason").required().length(1_000)],
    Gives::Record(&WORKFLOW_INSTANCE),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let (id, reason) = (call.id()?, call.text("reason"));
            through(scope, call, "sec.cancel_instance($1, $2)", id, &[(&reason as _, Type::TEXT)]).await
        })
    }),
);

/// Whom a step is allowed the definition says, not the table: the security role takes it and writes the log of steps.
async fn through(scope: &mut Scope, call: &Call, function: &str, id: Uuid, more: &[(Param<'_>, Type)]) -> Result<Answer> {
    let mut params: Vec<(Param<'_>, Type)> = vec![(&id, Type::UUID)];
    params.extend(more.iter().cloned());
    let instance = store::given_one(scope, &WORKFLOW_INSTANCE, function, &params, &call.caller.kernel.keys).await?;
    if call.version.is_some_and(|version| instance.version != version + 1) {
        return Err(Error::new(&error::STALE));
    }
    scope.did(Action::Update, &instance);
    Ok(Answer::Record(instance))
}
