//! Documents become final, are signed and stay as they were signed; what was wrong is marked so (catalogue 10.11).

use super::access;
use super::document::DOCUMENT;
use super::file::FILE;
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Field, Record, Table, Value};
use crate::sql;
use uuid::Uuid;

sql! {
    /// $1 login.
    NAME_OF(UUID) = "select full_name from users where id = $1";
}

const STEPS: Steps = Steps { tag: "Imaging", planes: &[Plane::Staff], permission: Permission::SignClinical };

pub static FINALISE: Operation = STEPS.by(Permission::EditClinical).post(
    "finaliseDocument",
    "/documents/{id}/finalise",
    "Make a draft final; its file must be READY and stays what it is",
    &[],
    Gives::Record(&DOCUMENT),
    Run::Inside(|scope, call| Box::pin(finalise(scope, call))),
);
pub static SIGN: Operation = STEPS.on(&[Plane::Staff, Plane::Patient]).post(
    "signDocument",
    "/documents/{id}/sign",
    "Sign as the login that calls; name, moment and the file's hash are kept and nothing changes any more",
    &[Field::choice("signature_method", &["ELECTRONIC", "PAPER", "QUALIFIED"])
        .means(&["by a person signed in here", "on paper", "qualified electronic"])
        .doc("ELECTRONIC when left out; patients sign so")],
    Gives::Record(&DOCUMENT),
    Run::Apart(|call| Box::pin(sign(call))),
);
pub static MARK_IN_ERROR: Operation = STEPS.post(
    "markDocumentInError",
    "/documents/{id}/mark-in-error",
    "Say that a document was entered in error; it stays",
    &[Field::text("reason").required().length(250)],
    Gives::Record(&DOCUMENT),
    Run::Inside(|scope, call| Box::pin(mark_in_error(scope, call))),
);

async fn finalise(scope: &mut Scope, call: &Call) -> Result<Answer> {
    // The registry's own word, in this transaction, whatever the caller sees of files (`sec.document_of_file`).
    let is_of_file = |refusal: &Error| refusal.faults.iter().any(|fault| fault.field == "file_id");
    let done = transition(scope, call, &DOCUMENT, vec![]).await;
    done.map_err(|refusal| if is_of_file(&refusal) { Error::new(&error::FILE_NOT_READY) } else { refusal })
}

/// Who signs need not be allowed to open images; the registry itself is asked.
async fn readable(caller: &Caller, tenant: Uuid, file: Option<Uuid>) -> Result<()> {
    let file = file.ok_or_else(|| Error::new(&error::FILE_NOT_READY))?;
    let context = caller.server(tenant);
    let file = caller.glance(&context, &FILE, file).await?;
    if file.text("status") == Some("READY") && !file.deleted() { Ok(()) } else { Err(Error::new(&error::FILE_NOT_READY)) }
}

async fn mark_in_error(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let answer = transition(scope, call, &DOCUMENT, vec![]).await?;
    if let Answer::Record(record) = &answer {
        told(scope, call, record);
    }
    Ok(answer)
}

/// Why it was done stands in the audit log, beside who did it.
pub(super) fn told(scope: &mut Scope, call: &Call, record: &Record) {
    let mut event = audit_store::of_record(&call.caller.context, Action::Execute, record, scope.now());
    event.metadata = Metadata::new().text("operation", call.operation.id).text("reason", call.text("reason").unwrap_or_default());
    scope.audit(event);
}

async fn sign(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let signer = caller.context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let method = call.text("signature_method").unwrap_or("ELECTRONIC").to_owned();
    if caller.context.plane == Plane::Patient && method != "ELECTRONIC" {
        return Err(Error::new(&error::INVALID).fault("signature_method", "value", "Patients sign electronically."));
    }
    let seen = seen(&call, &DOCUMENT).await?;
    if seen.text("status") != Some("ENTERED_IN_ERROR") {
        readable(caller, seen.tenant, seen.uuid("file_id")).await?;
    }
    let mut scope = caller.kernel.door.open(&caller.server(seen.tenant)).await?;
    let name: String = scope.one(&NAME_OF, &[&signer]).await?.try_get(0)?;
    let now = scope.now();
    let columns = vec![
        ("signed_at", Value::Instant(now)),
        ("signer_id", Value::Uuid(signer)),
        ("signer_name", Value::Text(name)),
        ("signature_method", Value::Text(method)),
    ];
    let answer = transition(&mut scope, &call, &DOCUMENT, columns).await?;
    if let Answer::Record(record) = &answer {
        scope.audit(audit_store::of_record(&caller.context, Action::Execute, record, now));
    }
    scope.commit().await?;
    match answer {
        // Read again with the caller's own eyes, which may see less than the server's.
        Answer::Record(_) => Ok(Answer::Record(self::seen(&call, &DOCUMENT).await?)),
        other => Ok(other),
    }
}

/// The record as policies show it to the caller, who must also be one that may do this in that chart.
pub(super) async fn seen(call: &Call, table: &'static Table) -> Result<Record> {
    let caller = &call.caller;
    let record = caller.glance(&caller.context, table, call.id()?).await?;
    if record.deleted() {
        return Err(Error::new(&error::NOT_FOUND));
    }
    access::acts_in_chart(caller, &record, call.operation.permission).await?;
    Ok(record)
}
