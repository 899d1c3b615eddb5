//! The course of a claim: checked, sent, answered (catalogue 14.05, 14.07, C29, B8). Sending is a state here; who carries it
//! to the payer finds it SUBMITTED. Each move is a status event in the same transaction.

use super::claim::CLAIM;
use super::claim_attachment::CLAIM_ATTACHMENT;
use super::claim_diagnosis::CLAIM_DIAGNOSIS;
use super::claim_line::CLAIM_LINE;
use super::rules::{self, Whole};
use crate::kernel::context::{Permission, Plane};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::list::PAGE_SIZE_MAX;
use crate::kernel::table::{Draft, Field, List, Record, Table, Value, store};
use crate::patients::patient_insurance_policy::PATIENT_INSURANCE_POLICY;
use crate::sql;
use serde_json::{Value as Json, json};
use tokio_postgres::types::Type;
use uuid::Uuid;

sql! {
    /// $1 claim, $2 state before, $3 what was said with it.
    EVENT(UUID, TEXT, JSONB) = "select sec.claim_event($1, $2, $3)";
    /// $1 claim.
    UNDONE(UUID) = "select sec.undone_lines($1)";
    /// $1 tenant, $2 claim, $3 original, null for none: lines of a service that another claim to the policy bills.
    BILLED_BEFORE(UUID, UUID, UUID) = "
        select distinct l.line_no from claim_lines l join claims c on c.tenant_id = l.tenant_id and c.id = l.claim_id
          join claim_lines o on o.tenant_id = l.tenant_id and o.patient_id = l.patient_id and o.claim_id <> l.claim_id
               and o.deleted_at is null and (o.procedure_id = l.procedure_id or o.code_system = l.code_system and o.code = l.code
                   and o.service_date = l.service_date and o.tooth_number is not distinct from l.tooth_number
                   and o.oral_area is not distinct from l.oral_area and o.surface = l.surface)
          join claims k on k.tenant_id = o.tenant_id and k.id = o.claim_id and k.policy_id = c.policy_id and k.use = c.use
               and k.submitted_at is not null and k.status not in ('DRAFT', 'VOIDED') and k.id is distinct from $3
         where l.tenant_id = $1 and l.claim_id = $2 and l.deleted_at is null order by 1";
}

const STEPS: Steps = Steps { tag: "Fee schedules", planes: &[Plane::Staff], permission: Permission::EditClaims };

/// The move and its event.
async fn moved(scope: &mut Scope, call: &Call, columns: Vec<(&'static str, Value)>, said: Json) -> Result<Answer> {
    let was = store::lock(scope, &CLAIM, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let answer = transition(scope, call, &CLAIM, columns).await?;
    tell(scope, was.id, was.text("status"), &said).await?;
    Ok(answer)
}

/// Tells what happened to a claim; where it stands now the claim says itself.
pub async fn tell(scope: &mut Scope, claim: Uuid, was: Option<&str>, said: &Json) -> Result<()> {
    scope.exec(&EVENT, &[&claim, &was, said]).await?;
    Ok(())
}

pub static VALIDATE: Operation = STEPS.post(
    "validateClaim",
    "/claims/{id}/validate",
    "Check a draft by the payers' rules; READY, or every fault by its line",
    &[],
    Gives::Record(&CLAIM),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let claim = locked(scope, call, "DRAFT").await?;
            judged(scope, call, claim, false).await?;
            moved(scope, call, vec![], json!({"source": "STAFF"})).await
        })
    }),
);

pub static SUBMIT: Operation = STEPS.post(
    "submitClaim",
    "/claims/{id}/submit",
    "Freeze a checked claim and hand it over for sending; the disclosure is recorded",
    &[],
    Gives::Record(&CLAIM),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let claim = locked(scope, call, "READY").await?;
            // What changed around it since it was checked: the policy, the procedures, another claim.
            judged(scope, call, claim, true).await?;
            let now = Value::Instant(scope.now());
            moved(scope, call, vec![("submitted_at", now)], json!({"source": "STAFF"})).await
        })
    }),
);

async fn locked(scope: &mut Scope, call: &Call, state: &str) -> Result<Record> {
    let claim = store::lock(scope, &CLAIM, call.id()?, call.version, &call.caller.kernel.keys).await?;
    match (claim.text("status"), CLAIM.machines.first()) {
        (Some(from), Some(machine)) if from != state => Err(store::refuse_move(machine, from)),
        _ => Ok(claim),
    }
}

async fn judged(scope: &mut Scope, call: &Call, claim: Record, done: bool) -> Result<()> {
    let undone = match done && claim.text("use") == Some("CLAIM") {
        true => scope.rows(&UNDONE, &[&claim.id]).await?,
        false => Vec::new(),
    };
    let whole = read(scope, &call.caller.kernel.keys, claim).await?;
    let mut wrong = Error::new(&error::INVALID).faults(rules::faults(&whole, scope.now().date_naive()));
    for row in &undone {
        let line: i32 = row.try_get(0)?;
        wrong = wrong.fault(format!("lines[{line}].procedure_id"), "completed", "Only a completed procedure of the patient is billed.");
    }
    if wrong.faults.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The claim with all that is judged with it.
pub async fn read(scope: &mut Scope, keys: &Keyring, claim: Record) -> Result<Whole> {
    let lines = parts(scope, keys, &CLAIM_LINE, "line_no", claim.id).await?;
    let diagnoses = parts(scope, keys, &CLAIM_DIAGNOSIS, "id", claim.id).await?;
    let policy = seen(scope, keys, &PATIENT_INSURANCE_POLICY, claim.uuid("policy_id")).await?;
    let original = claim.uuid("original_claim_id");
    let rows = scope.rows(&BILLED_BEFORE, &[&claim.tenant, &claim.id, &original]).await?;
    let billed_before = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let original = seen(scope, keys, &CLAIM, original).await?;
    Ok(Whole { claim, lines, diagnoses, policy, billed_before, original })
}

async fn parts(scope: &mut Scope, keys: &Keyring, table: &'static Table, order: &str, claim: Uuid) -> Result<Vec<Record>> {
    let mut list = List::by(table, order)?;
    list.limit = PAGE_SIZE_MAX;
    list.extra.push(("r.claim_id = $value".into(), vec![(Value::Uuid(claim), Type::UUID)]));
    let (plane, tenant) = (scope.context().plane, scope.context().tenant);
    let built = list.page(plane, tenant)?;
    let rows = scope.rows(built.query.clone(), &built.params()).await?;
    Ok(store::page(&list, plane, &rows, keys).await?.0)
}

/// A record as the caller sees it, when it does.
pub async fn seen(scope: &mut Scope, keys: &Keyring, table: &'static Table, id: Option<Uuid>) -> Result<Option<Record>> {
    let Some(id) = id else { return Ok(None) };
    match store::seen(scope, table, id, keys).await {
        Ok(record) => Ok(Some(record).filter(|record| !record.deleted())),
        Err(refusal) if refusal.code == &error::NOT_FOUND => Ok(None),
        Err(failure) => Err(failure),
    }
}

pub static REOPEN: Operation = STEPS.post(
    "reopenClaim",
    "/claims/{id}/reopen",
    "Make a checked or rejected claim a draft again",
    &[],
    Gives::Record(&CLAIM),
    Run::Inside(|scope, call| Box::pin(moved(scope, call, vec![], json!({"source": "STAFF"})))),
);

pub static VOID: Operation = STEPS.post(
    "voidClaim",
    "/claims/{id}/void",
    "Take a claim back for good; what was sent is voided with the payer too",
    &[Field::text("reason").required().length(4_000)],
    Gives::Record(&CLAIM),
    Run::Inside(|scope, call| Box::pin(moved(scope, call, vec![], json!({"source": "STAFF", "message": call.text("reason")})))),
);

pub static APPEAL: Operation = STEPS.post(
    "appealClaim",
    "/claims/{id}/appeal",
    "Ask the payer to decide again, with papers that say why",
    &[Field::text("reason").required().length(4_000), Field::uuids("documents").doc("added to the claim's attachments")],
    Gives::Record(&CLAIM),
    Run::Inside(|scope, call| Box::pin(appeal(scope, call))),
);

async fn appeal(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let answer = moved(scope, call, vec![], json!({"source": "STAFF", "message": call.text("reason")})).await?;
    let Answer::Record(claim) = &answer else { return Ok(answer) };
    let documents = match call.value("documents") {
        Some(Value::Uuids(documents)) => documents.as_slice(),
        _ => &[],
    };
    for document in documents {
        let paper = Draft::default()
            .set(&CLAIM_ATTACHMENT, "claim_id", Value::Uuid(claim.id))?
            .set(&CLAIM_ATTACHMENT, "patient_id", claim.patient.map_or(Value::Null, Value::Uuid))?
            .set(&CLAIM_ATTACHMENT, "document_id", Value::Uuid(*document))?
            .set(&CLAIM_ATTACHMENT, "kind", Value::Text("NARRATIVE".into()))?;
        store::insert(scope, &CLAIM_ATTACHMENT, &paper, &call.caller.kernel.keys).await?;
    }
    // Each attachment raises the version of its claim.
    Ok(Answer::Record(store::lock(scope, &CLAIM, claim.id, None, &call.caller.kernel.keys).await?))
}

pub static RECORD_STATUS: Operation = STEPS.post(
    "recordClaimStatus",
    "/claims/{id}/record-status",
    "Write down what the payer said",
    &[
        Field::choice("status", &["ACCEPTED", "REJECTED", "PENDED", "PARTIALLY_PAID", "PAID", "DENIED"])
            .means(&[
                "taken in by the payer",
                "turned back unprocessed",
                "the payer asks for more",
                "paid in part",
                "paid as far as it is covered",
                "not covered",
            ])
            .required(),
        Field::text("reference").phi().doc("the payer's number of the claim"),
        Field::text("payer_code").doc("the payer's code for its decision"),
        Field::text("message").length(4_000).phi(),
        Field::choice("source", &["STAFF", "PORTAL"]).means(&["told to staff", "portal of the payer"]).doc("STAFF when left out"),
        Field::big("allowed_minor").at_least(0),
        Field::big("paid_minor").at_least(0),
        Field::big("patient_responsibility_minor").at_least(0),
        Field::instant("occurred_at").doc("when the payer decided; now when left out, not in the future"),
    ],
    Gives::Record(&CLAIM),
    Run::Inside(|scope, call| Box::pin(record_status(scope, call))),
);

async fn record_status(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &CLAIM, call.id()?, call.version, keys).await?;
    let to = call.text("status").unwrap_or_default();
    let now = scope.now();
    let decided = call.instant("occurred_at").unwrap_or(now);
    if decided > now {
        return Err(Error::new(&error::INVALID).fault("occurred_at", "range", "It may not lie in the future."));
    }
    // Staying in a state is no move, and none is allowed from there to itself.
    if was.text("status") == Some(to) {
        return Err(CLAIM.machines.first().map_or_else(|| Error::new(&error::MOVE_REFUSED), |machine| store::refuse_move(machine, to)));
    }
    let mut draft = Draft::default().set(&CLAIM, "status", Value::Text(to.to_owned()))?;
    for (from, column) in [
        ("reference", "payer_claim_number"),
        ("allowed_minor", "total_allowed_minor"),
        ("paid_minor", "total_paid_minor"),
        ("patient_responsibility_minor", "patient_responsibility_minor"),
    ] {
        if let Some(value) = call.value(from) {
            draft = draft.set(&CLAIM, column, value.clone())?;
        }
    }
    draft = dated(draft, to, decided)?;
    let claim = store::update(scope, &was, &draft, "system", keys).await?;
    let amount = match call.value("paid_minor") {
        Some(Value::BigInt(amount)) => Some(*amount),
        _ => None,
    };
    let said = json!({"source": call.text("source").unwrap_or("STAFF"), "payer_code": call.text("payer_code"),
        "message": call.text("message"), "amount_minor": amount});
    tell(scope, claim.id, was.text("status"), &said).await?;
    Ok(Answer::Record(claim))
}

/// The days a decision leaves on the claim.
pub fn dated(draft: Draft, to: &str, at: chrono::DateTime<chrono::Utc>) -> Result<Draft> {
    let draft = match to {
        "PARTIALLY_PAID" | "PAID" | "DENIED" => draft.set(&CLAIM, "adjudicated_at", Value::Instant(at))?,
        _ => draft,
    };
    if to == "PAID" { draft.set(&CLAIM, "paid_at", Value::Instant(at)) } else { Ok(draft) }
}
