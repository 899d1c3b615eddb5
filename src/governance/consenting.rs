//! Consents: given by one tick, one row a purpose; revoked as easily; renewed with a new end (catalogue 3.07, 3.08, C08).
//!
//! The wording is frozen with the tick by the database (`sec.fill_consent`), and what was built on a consent stops with it
//! (`sec.consent_ended`), whoever ends it.

use super::consent::CONSENT;
use super::consent_text::CONSENT_TEXT;
use crate::kernel::audit::Action;
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use serde_json::json;
use uuid::Uuid;

const fn operation(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], gives: Gives, run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: CONSENT.tag,
        doc,
        takes,
        gives,
        planes: &[Plane::Staff, Plane::Patient],
        permission: Permission::EditPatient,
        run,
    }
}

pub static GIVE: Operation = operation(
    "giveConsent",
    "/consents/give",
    "Record one tick under a wording: a consent for each purpose the wording names",
    &[
        Field::uuid("patient_id").required(),
        Field::uuid("consent_text_id").required(),
        Field::flag("ticked").required().doc("the box that was empty before; only true gives a consent"),
        Field::choice("source", &["PORTAL", "IN_CLINIC", "PAPER_SCAN"])
            .means(&["in the portal", "in the clinic", "scanned paper"])
            .doc("PORTAL for patients, IN_CLINIC for staff when left out"),
        Field::uuid("recipient_tenant_id").doc("the chosen clinic, for the purposes that share"),
        Field::uuid("document_id").doc("the signed paper"),
        Field::instant("expires_at"),
    ],
    Gives::Page(&CONSENT),
    Run::Inside(|scope, call| Box::pin(give(scope, call))),
);

/// Purposes that let somebody else see.
const SHARING: &[&str] = &["DATA_SHARING", "TREATMENT_PLANNING"];

/// What one tick says.
pub struct Tick {
    pub patient: Uuid,
    pub wording: Uuid,
    pub recipient: Option<Uuid>,
    /// Columns of every row beside: source, document, expiry, what it is about.
    pub columns: Vec<(&'static str, Value)>,
}

async fn give(scope: &mut Scope, call: &Call) -> Result<Answer> {
    if call.value("ticked") != Some(&Value::Bool(true)) {
        return Err(Error::new(&error::INVALID).fault("ticked", "consent", "Without the tick there is no consent."));
    }
    let by_patient = call.caller.context.plane == Plane::Patient;
    let source = call.text("source").unwrap_or(if by_patient { "PORTAL" } else { "IN_CLINIC" });
    let mut columns = vec![("source", Value::Text(source.to_owned()))];
    for name in ["document_id", "expires_at"] {
        columns.extend(call.value(name).map(|value| (name, value.clone())));
    }
    let tick = Tick {
        patient: call.uuid("patient_id").unwrap_or_default(),
        wording: call.uuid("consent_text_id").unwrap_or_default(),
        recipient: call.uuid("recipient_tenant_id"),
        columns,
    };
    Ok(Answer::Page(record_tick(scope, &call.caller.kernel.keys, &tick).await?, None))
}

/// One row for each purpose of the wording, in the caller's transaction.
pub async fn record_tick(scope: &mut Scope, keys: &Keyring, tick: &Tick) -> Result<Vec<Record>> {
    let context = scope.context().clone();
    let unknown = |_| Error::new(&error::REFERENCE_UNKNOWN).fault("consent_text_id", "reference", "There is no such wording.");
    let wording = store::seen(scope, &CONSENT_TEXT, tick.wording, keys).await.map_err(unknown)?;
    let purposes: Vec<String> = wording.texts("consent_types").map(str::to_owned).collect();
    if purposes.is_empty() {
        return Err(Error::new(&error::INVALID).fault("consent_text_id", "value", "The wording names no purpose."));
    }
    let origin = context.origin.as_deref();
    let evidence = json!({
        "ticked_at": scope.now(),
        "address": origin.and_then(|origin| origin.ip),
        "agent": origin.and_then(|origin| origin.user_agent.clone()),
    });
    let mut given = Vec::with_capacity(purposes.len());
    for purpose in purposes {
        let shares = SHARING.contains(&purpose.as_str());
        let mut draft = Draft::default()
            .set(&CONSENT, "subject_type", Value::Text("PATIENT".into()))?
            .set(&CONSENT, "subject_id", Value::Uuid(tick.patient))?
            .set(&CONSENT, "patient_id", Value::Uuid(tick.patient))?
            .set(&CONSENT, "consent_type", Value::Text(purpose))?
            .set(&CONSENT, "consent_text_id", Value::Uuid(tick.wording))?
            .set(&CONSENT, "evidence", Value::Json(evidence.clone()))?;
        if let Some(recipient) = tick.recipient.filter(|_| shares) {
            draft = draft.set(&CONSENT, "recipient_tenant_id", Value::Uuid(recipient))?;
        }
        for (name, value) in &tick.columns {
            draft = draft.set(&CONSENT, name, value.clone())?;
        }
        given.push(store::insert(scope, &CONSENT, &draft, keys).await?);
    }
    Ok(given)
}

pub static REVOKE: Operation = operation(
    "revokeConsent",
    "/consents/{id}/revoke",
    "Revoke a consent; what was built on it stops: shares, grants, waiting AI work, research",
    &[],
    Gives::Record(&CONSENT),
    Run::Inside(|scope, call| Box::pin(revoke(scope, call))),
);

async fn revoke(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let now = scope.now();
    let answer = transition(scope, call, &CONSENT, vec![("revoked_at", Value::Instant(now))]).await?;
    if let Answer::Record(record) = &answer {
        let mut event = audit_store::of_record(scope.context(), Action::Execute, record, now);
        event.event_type = "CONSENT_REVOKED".into();
        scope.audit(event);
    }
    Ok(answer)
}

pub static RENEW: Operation = operation(
    "renewConsent",
    "/consents/{id}/renew",
    "Give the same consent again with a new end; the one before ends",
    &[
        Field::instant("expires_at").required(),
        Field::uuid("consent_text_id").doc("the wording that was shown; the same as before when left out"),
    ],
    Gives::Created(&CONSENT),
    Run::Inside(|scope, call| Box::pin(renew(scope, call))),
);

async fn renew(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &CONSENT, call.id()?, call.version, keys).await?;
    let state = was.text("status").unwrap_or_default().to_owned();
    if let (true, Some(machine)) = (state == "REVOKED", CONSENT.machines.first()) {
        return Err(store::refuse_move(machine, &state));
    }
    if call.instant("expires_at").is_none_or(|end| end <= scope.now()) {
        return Err(Error::new(&error::INVALID).fault("expires_at", "range", "It must lie in the future."));
    }
    let copied = ["subject_type", "subject_id", "patient_id", "consent_type", "scope", "recipient_tenant_id", "document_id", "source"];
    let mut body: serde_json::Map<_, _> =
        copied.iter().map(|name| ((*name).to_owned(), was.get(name).clone())).filter(|(_, value)| !value.is_null()).collect();
    let wording = call.uuid("consent_text_id").or(was.uuid("consent_text_id"));
    match wording {
        Some(wording) => {
            body.insert("consent_text_id".into(), json!(wording));
        }
        None => {
            for name in ["text_snapshot", "text_version", "text_locale"] {
                body.insert(name.into(), was.get(name).clone());
            }
        }
    }
    body.insert("expires_at".into(), json!(call.instant("expires_at")));
    body.insert("renewed_from_id".into(), json!(was.id));
    let next = store::insert(scope, &CONSENT, &Draft::create(&CONSENT, &body)?, keys).await?;
    if state == "ACTIVE" {
        let ended = Draft::default().set(&CONSENT, "status", Value::Text("EXPIRED".into()))?;
        store::update(scope, &was, &ended, "system", keys).await?;
    }
    Ok(Answer::Record(next))
}
