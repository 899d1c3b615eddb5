//! Moves of a patient's record: deactivate, reactivate, mark deceased (catalogue 4.08).

use super::patient::PATIENT;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Field, Value, store};

const fn operation(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: "Patients",
        doc,
        takes,
        gives: Gives::Record(&PATIENT),
        planes: &[Plane::Staff],
        permission: Permission::EditPatient,
        run,
    }
}

pub static DEACTIVATE: Operation = operation(
    "deactivatePatient",
    "/patients/{id}/deactivate",
    "Set a patient inactive; the record stays",
    &[],
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &PATIENT, vec![]))),
);

pub static REACTIVATE: Operation = operation(
    "reactivatePatient",
    "/patients/{id}/reactivate",
    "Make an inactive patient, or one marked deceased by mistake, active again",
    &[Field::text("reason").required().length(1_000)],
    Run::Inside(|scope, call| Box::pin(reactivate(scope, call))),
);

async fn reactivate(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &PATIENT, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if was.uuid("merged_into_id").is_some() {
        return Err(Error::new(&error::MOVE_REFUSED).detail("The record was merged into another."));
    }
    transition(scope, call, &PATIENT, vec![("deceased_at", Value::Null)]).await
}

pub static MARK_DECEASED: Operation = operation(
    "markPatientDeceased",
    "/patients/{id}/mark-deceased",
    "Record that a patient has died",
    &[Field::instant("deceased_at").required().doc("not in the future")],
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let at = call.value("deceased_at").cloned().unwrap_or(Value::Null);
            if matches!(at, Value::Instant(at) if at > scope.now()) {
                return Err(Error::new(&error::INVALID).fault("deceased_at", "range", "It may not lie in the future."));
            }
            transition(scope, call, &PATIENT, vec![("deceased_at", at)]).await
        })
    }),
);
