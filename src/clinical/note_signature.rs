//! Signing, cosigning, amending and voiding clinical notes (catalogue 7.03, B8). What was signed stays readable as it was.

use super::clinical_note::CLINICAL_NOTE;
use super::encounter::ENCOUNTER;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::value::instant_text;
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 encounter, $3 login. Whether that login supervises the visit.
    SUPERVISES(UUID, UUID, UUID) = "
        select from encounters e join providers p on p.tenant_id = e.tenant_id and p.id = e.supervising_provider_id
         where e.tenant_id = $1 and e.id = $2 and p.user_id = $3 and p.status = 'ACTIVE' and p.deleted_at is null";
    /// $1 note, $2 id of the amendment, $3 text, $4 reason. Only the security role adds amendments: numbered, by the caller.
    AMEND(UUID, UUID, TEXT, TEXT) = "select sec.amend_note($1, $2, $3, $4)";
}

const fn operation(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: CLINICAL_NOTE.tag,
        doc,
        takes,
        gives: Gives::Record(&CLINICAL_NOTE),
        planes: &[Plane::Staff],
        permission: Permission::SignClinical,
        run,
    }
}

async fn supervises(scope: &mut Scope, note: &Record) -> Result<bool> {
    let (encounter, actor) = (note.uuid("encounter_id"), scope.context().actor);
    Ok(scope.optional(&SUPERVISES, &[&note.tenant, &encounter, &actor]).await?.is_some())
}

/// A signature is somebody's: programs without a person behind them have none.
fn signer(scope: &Scope) -> Result<Uuid> {
    scope.context().actor.ok_or_else(|| Error::new(&error::FORBIDDEN).detail("A signature is a person's."))
}

pub static SIGN: Operation = operation(
    "signClinicalNote",
    "/clinical-notes/{id}/sign",
    "Sign a draft as its author, or as who supervises the visit; its text stays as it is from then on",
    &[],
    Run::Inside(|scope, call| Box::pin(sign(scope, call))),
);

async fn sign(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let by = signer(scope)?;
    let note = store::lock(scope, &CLINICAL_NOTE, call.id()?, call.version, keys).await?;
    if note.uuid("author_id") != Some(by) && !supervises(scope, &note).await? {
        return Err(Error::new(&error::FORBIDDEN).detail("A note is signed by its author or by who supervises the visit."));
    }
    // A visit is not cancelled while one of its notes is being signed, nor the other way round.
    let visit = store::lock(scope, &ENCOUNTER, note.uuid("encounter_id").unwrap_or_default(), None, keys).await?;
    if visit.text("status") == Some("CANCELLED") {
        return Err(Error::new(&error::MOVE_REFUSED).detail("The visit was cancelled."));
    }
    let now = scope.now();
    let columns = vec![
        ("signed_at", Value::Instant(now)),
        ("signed_by", Value::Uuid(by)),
        ("signature_hash", Value::Text(signature(&note, by, &instant_text(now)))),
    ];
    transition(scope, call, &CLINICAL_NOTE, columns).await
}

/// SHA-256 over what was signed, by whom and when, as canonical JSON: keys in order, no blanks.
fn signature(note: &Record, by: Uuid, at: &str) -> String {
    let said = ["author_id", "content", "content_format", "encounter_id", "note_type", "patient_id", "soap", "title", "visibility"];
    let said: Vec<_> = said.iter().map(|name| note.get(name)).collect();
    hex(&Sha256::digest(json!([note.id, said, by, at]).to_string()))
}

pub static COSIGN: Operation = operation(
    "cosignClinicalNote",
    "/clinical-notes/{id}/cosign",
    "Sign a signed note as who supervises the visit",
    &[],
    Run::Inside(|scope, call| Box::pin(cosign(scope, call))),
);

async fn cosign(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let by = signer(scope)?;
    let note = store::lock(scope, &CLINICAL_NOTE, call.id()?, call.version, keys).await?;
    if !matches!(note.text("status"), Some("SIGNED" | "AMENDED")) {
        return Err(Error::new(&error::MOVE_REFUSED).detail("Only a signed note is cosigned."));
    }
    if !note.get("cosigned_at").is_null() {
        return Err(Error::new(&error::MOVE_REFUSED).detail("The note was cosigned before."));
    }
    if note.uuid("signed_by") == Some(by) || !supervises(scope, &note).await? {
        return Err(Error::new(&error::FORBIDDEN).detail("A note is cosigned by who supervises the visit and has not signed it."));
    }
    let draft = Draft::default().set(&CLINICAL_NOTE, "cosigned_at", Value::Instant(scope.now()))?.set(
        &CLINICAL_NOTE,
        "cosigned_by",
        Value::Uuid(by),
    )?;
    Ok(Answer::Record(store::update(scope, &note, &draft, "cosign", keys).await?))
}

pub static AMEND_NOTE: Operation = operation(
    "amendClinicalNote",
    "/clinical-notes/{id}/amend",
    "Add to a signed note; the signed text stays, amendments are read beside it at /clinical-note-amendments",
    &[Field::text("reason").required().length(4_000), Field::text("content").required().length(20_000).phi()],
    Run::Inside(|scope, call| Box::pin(amend(scope, call))),
);

async fn amend(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    signer(scope)?;
    let note = store::lock(scope, &CLINICAL_NOTE, call.id()?, call.version, keys).await?;
    if let (false, Some(machine)) = (matches!(note.text("status"), Some("SIGNED" | "AMENDED")), CLINICAL_NOTE.machines.first()) {
        return Err(store::refuse_move(machine, note.text("status").unwrap_or_default()));
    }
    let (content, reason) = (call.text("content").unwrap_or_default(), call.text("reason").unwrap_or_default());
    let amendment = scope.new_id();
    scope.exec(&AMEND, &[&note.id, &amendment, &content, &reason]).await?;
    let draft = Draft::default().set(&CLINICAL_NOTE, "status", Value::Text("AMENDED".into()))?.set(
        &CLINICAL_NOTE,
        "amended_at",
        Value::Instant(scope.now()),
    )?;
    Ok(Answer::Record(store::update(scope, &note, &draft, "amend", keys).await?))
}

pub static MARK_IN_ERROR: Operation = operation(
    "markClinicalNoteInError",
    "/clinical-notes/{id}/mark-in-error",
    "Say that a note was written in error; it is kept, and found no more",
    &[Field::text("reason").required().length(1_000)],
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let answer = transition(scope, call, &CLINICAL_NOTE, vec![]).await?;
            tell_why(scope, call, &answer);
            Ok(answer)
        })
    }),
);

/// The log keeps why a record was voided.
pub fn tell_why(scope: &mut Scope, call: &Call, answer: &Answer) {
    let Answer::Record(record) = answer else { return };
    let mut event = audit_store::of_record(scope.context(), Action::Execute, record, scope.now());
    event.metadata = Metadata::new().text("operation", call.operation.id).text("reason", call.text("reason").unwrap_or_default());
    scope.audit(event);
}
