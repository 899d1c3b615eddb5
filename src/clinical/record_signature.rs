//! Narrative records: signed once, voided when wrong (catalogue 7.09).

use super::medical_record::MEDICAL_RECORD;
use super::note_signature::tell_why;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Field, Value};

const fn operation(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: MEDICAL_RECORD.tag,
        doc,
        takes,
        gives: Gives::Record(&MEDICAL_RECORD),
        planes: &[Plane::Staff],
        permission: Permission::SignClinical,
        run,
    }
}

pub static SIGN: Operation = operation(
    "signMedicalRecord",
    "/medical-records/{id}/sign",
    "Sign a draft: it is final, and it and its files stay as they are",
    &[],
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &MEDICAL_RECORD, vec![("signed_at", Value::Instant(now))]).await
        })
    }),
);

pub static MARK_IN_ERROR: Operation = operation(
    "markMedicalRecordInError",
    "/medical-records/{id}/mark-in-error",
    "Say that a record was written in error; it is kept",
    &[Field::text("reason").required().length(1_000)],
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let answer = transition(scope, call, &MEDICAL_RECORD, vec![]).await?;
            tell_why(scope, call, &answer);
            Ok(answer)
        })
    }),
);
