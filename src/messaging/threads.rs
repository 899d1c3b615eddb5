//! Conversations are closed, reopened and archived; patients say what they have seen of their material
//! (catalogue 13.05, 13.09).

use super::conversation::CONVERSATION;
use super::patient_material_assignment::PATIENT_MATERIAL_ASSIGNMENT;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::{Param, Scope};
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Table, store};
use tokio_postgres::types::Type;

const STEPS: Steps = Steps { tag: "Notifications", planes: &[Plane::Staff], permission: Permission::SendMessages };

pub static CLOSE: Operation = STEPS.post(
    "closeConversation",
    "/conversations/{id}/close",
    "End a conversation; it can be reopened",
    &[],
    Gives::Record(&CONVERSATION),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &CONVERSATION, vec![]))),
);
pub static ARCHIVE: Operation = STEPS.post(
    "archiveConversation",
    "/conversations/{id}/archive",
    "Put a closed conversation away for good",
    &[],
    Gives::Record(&CONVERSATION),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &CONVERSATION, vec![]))),
);
pub static REOPEN: Operation = Operation {
    planes: &[Plane::Staff, Plane::Patient],
    ..STEPS.post(
        "reopenConversation",
        "/conversations/{id}/reopen",
        "Go on with a closed conversation",
        &[],
        Gives::Record(&CONVERSATION),
        Run::Inside(|scope, call| {
            Box::pin(async move {
                if call.caller.context.plane == Plane::Patient {
                    return by_patient(scope, call, &CONVERSATION, "sec.reopen_conversation($1)", &[]).await;
                }
                transition(scope, call, &CONVERSATION, vec![]).await
            })
        }),
    )
};

const fn seen(id: &'static str, path: &'static str, doc: &'static str, run: Run) -> Operation {
    let mut operation = STEPS.post(id, path, doc, &[], Gives::Record(&PATIENT_MATERIAL_ASSIGNMENT), run);
    operation.planes = &[Plane::Patient];
    operation.permission = Permission::Own;
    operation
}

pub static VIEWED: Operation = seen(
    "markMaterialViewed",
    "/patient-material-assignments/{id}/mark-viewed",
    "The patient has seen the material",
    Run::Inside(|scope, call| {
        Box::pin(by_patient(scope, call, &PATIENT_MATERIAL_ASSIGNMENT, "sec.mark_material($1, $2)", &[(&false, Type::BOOL)]))
    }),
);
pub static COMPLETED: Operation = seen(
    "markMaterialCompleted",
    "/patient-material-assignments/{id}/mark-completed",
    "The patient is done with the material",
    Run::Inside(|scope, call| {
        Box::pin(by_patient(scope, call, &PATIENT_MATERIAL_ASSIGNMENT, "sec.mark_material($1, $2)", &[(&true, Type::BOOL)]))
    }),
);

/// What patients may not change themselves a function of the security role changes, after it has asked whose row it is.
async fn by_patient(
    scope: &mut Scope,
    call: &Call,
    table: &'static Table,
    function: &'static str,
    more: &[(Param<'static>, Type)],
) -> Result<Answer> {
    let id = call.id()?;
    let mut params: Vec<(Param<'_>, Type)> = vec![(&id, Type::UUID)];
    params.extend(more.iter().cloned());
    let changed = store::given_one(scope, table, function, &params, &call.caller.kernel.keys).await?;
    scope.did(Action::Update, &changed);
    Ok(Answer::Record(changed))
}
