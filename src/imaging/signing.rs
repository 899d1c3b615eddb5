//! Documents become final, are signed and stay as they were signed; what was wrong is marked so (catalogue 10.11).

use super::access;
use super::document::DOCUMENT;
use super::file::FILE;
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Field, Record, Table, Value, store};
use crate::sql;
use uuid::Uuid;

sql! {
    /// $1 login.
    NAME_OF(UUID) = "select full_name from users where id = $1";
    /// $1 tenant, $2 patient, $3 the permission a token must not lack: the chart is the login's own, or it acts for it.
    ACTS_IN_CHART(UUID, UUID, INT8) = "select (uuid_send($1) || uuid_send($2)) = any ((select sec.pairs($3, 'documents'))::bytea[])";
}

const fn step(
    id: &'static str,
    path: &'static str,
    doc: &'static str,
    takes: &'static [Field],
    planes: &'static [Plane],
    permission: Permission,
    run: Run,
) -> Operation {
    Operation { id, method: Method::Post, path, tag: "Imaging", doc, takes, gives: Gives::Record(&DOCUMENT), planes, permission, run }
}

pub static FINALISE: Operation = step(
    "finaliseDocument",
    "/documents/{id}/finalise",
    "Make a draft final; its file must be READY and stays what it is",
    &[],
    &[Plane::Staff],
    Permission::EditClinical,
    Run::Inside(|scope, call| Box::pin(finalise(scope, call))),
);
pub static SIGN: Operation = step(
    "signDocument",
    "/documents/{id}/sign",
    "Sign as the login that calls; name, moment and the file's hash are kept and nothing changes any more",
    &[Field::choice("signature_method", &["ELECTRONIC", "PAPER", "QUALIFIED"])
        .means(&["electronic", "on paper", "qualified electronic"])
        .doc("ELECTRONIC when left out; patients sign so")],
    &[Plane::Staff, Plane::Patient],
    Permission::SignClinical,
    Run::Apart(|call| Box::pin(sign(call))),
);
pub static MARK_IN_ERROR: Operation = step(
    "markDocumentInError",
    "/documents/{id}/mark-in-error",
    "Say that a document was entered in error; it stays",
    &[Field::text("reason").required().length(250)],
    &[Plane::Staff],
    Permission::SignClinical,
    Run::Inside(|scope, call| Box::pin(mark_in_error(scope, call))),
);

async fn finalise(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &DOCUMENT, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if was.text("status") == Some("DRAFT") {
        readable(&call.caller, was.tenant, was.uuid("file_id")).await?;
    }
    transition(scope, call, &DOCUMENT, vec![]).await
}

/// Who finalises need not be allowed to open images; the registry itself is asked.
async fn readable(caller: &Caller, tenant: Uuid, file: Option<Uuid>) -> Result<()> {
    let file = file.ok_or_else(|| Error::new(&error::FILE_NOT_READY))?;
    let context = access::server(caller, tenant);
    let built = store::get_query(&FILE, context.plane, context.tenant, file, false)?;
    let answers = caller.kernel.door.open(&context).await?.once(&[(built.query.clone(), built.params())]).await?;
    let rows = answers.first().map(Vec::as_slice).unwrap_or_default();
    let file = store::one(&FILE, context.plane, rows, &caller.kernel.keys).await?;
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
    let mut scope = caller.kernel.door.open(&access::server(caller, seen.tenant)).await?;
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

/// The record as policies show it to the caller; a patient's login must also be one that may change things in that chart.
pub(super) async fn seen(call: &Call, table: &'static Table) -> Result<Record> {
    let (caller, id) = (&call.caller, call.id()?);
    let found = found(caller, &caller.context, table, id).await;
    if let Err(refusal) = &found {
        caller.refused(table, Some(id), Action::Execute, refusal).await?;
    }
    found
}

async fn found(caller: &Caller, context: &Context, table: &'static Table, id: Uuid) -> Result<Record> {
    let built = store::get_query(table, context.plane, context.tenant, id, false)?;
    let answers = caller.kernel.door.open(context).await?.once(&[(built.query.clone(), built.params())]).await?;
    let rows = answers.first().map(Vec::as_slice).unwrap_or_default();
    let record = store::one(table, context.plane, rows, &caller.kernel.keys).await?;
    if record.deleted() {
        return Err(Error::new(&error::NOT_FOUND));
    }
    if context.plane == Plane::Patient {
        let bit = Permission::EditPatient.bit();
        let scope = caller.kernel.door.open(context).await?;
        let answers = scope.once(&[((&ACTS_IN_CHART).into(), vec![&record.tenant, &record.patient, &bit])]).await?;
        let row = answers.iter().flatten().next();
        if row.map(|row| row.try_get::<_, Option<bool>>(0)).transpose()?.flatten() != Some(true) {
            return Err(Error::new(&error::FORBIDDEN));
        }
    }
    Ok(record)
}
