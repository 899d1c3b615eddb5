//! What is called off: a study that should not have been made, a file another clinic should no longer have
//! (catalogue 10.01, 10.12).

use super::document_grant::DOCUMENT_GRANT;
use super::imaging_study::IMAGING_STUDY;
use super::signing;
use crate::kernel::audit::Action;
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Value, store};

pub static CANCEL_STUDY: Operation = Operation {
    id: "cancelImagingStudy",
    method: Method::Post,
    path: "/imaging-studies/{id}/cancel",
    tag: "Imaging",
    doc: "Call a study off, with the reason; its images stay",
    takes: &[Field::text("reason").required().length(250)],
    gives: Gives::Record(&IMAGING_STUDY),
    planes: &[Plane::Staff],
    permission: Permission::EditImaging,
    run: Run::Inside(|scope, call| Box::pin(cancel(scope, call))),
};

pub static REVOKE_GRANT: Operation = Operation {
    id: "revokeDocumentGrant",
    method: Method::Post,
    path: "/document-grants/{id}/revoke",
    tag: "Imaging",
    doc: "Take a file back from another clinic; it can be opened there no more",
    takes: &[],
    gives: Gives::Record(&DOCUMENT_GRANT),
    planes: &[Plane::Patient, Plane::Staff],
    permission: Permission::EditClinical,
    run: Run::Apart(|call| Box::pin(revoke(call))),
};

async fn cancel(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let answer = transition(scope, call, &IMAGING_STUDY, vec![]).await?;
    if let Answer::Record(record) = &answer {
        signing::told(scope, call, record);
    }
    Ok(answer)
}

/// The row that the other clinic has is closed by trigger, in the same transaction.
async fn revoke(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let keys = &caller.kernel.keys;
    let seen = signing::seen(&call, &DOCUMENT_GRANT).await?;
    let mut scope = caller.kernel.door.open(&caller.server(seen.tenant)).await?;
    let was = store::lock(&mut scope, &DOCUMENT_GRANT, seen.id, call.version, keys).await?;
    if was.text("revoked_at").is_some() {
        return Err(Error::new(&error::MOVE_REFUSED).fault("revoked_at", "state", "The grant is revoked already."));
    }
    let now = scope.now();
    let draft = Draft::default().set(&DOCUMENT_GRANT, "revoked_at", Value::Instant(now))?;
    let done = store::update(&mut scope, &was, &draft, "revoke", keys).await?;
    scope.audit(audit_store::of_record(&caller.context, Action::Execute, &done, now));
    scope.commit().await?;
    Ok(Answer::Record(done))
}
