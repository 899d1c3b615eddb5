//! A balanced remittance becomes amounts on claims and lines, status events and payments, all in one transaction
//! (catalogue 14.07; ASC X12N 005010X221A1). Staff say so; the server, which may write payments, does it.

use super::claim::CLAIM;
use super::course::{dated, tell};
use super::remittance::REMITTANCE;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Machine, Record, Value, store};
use crate::sql;
use crate::treatment::payment::PAYMENT;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 remittance.
    LINES(UUID, UUID) = "
        select claim_id, claim_line_id, status_code, paid_minor, patient_responsibility_minor, adjustments, is_reversal, currency
          from remittance_lines where tenant_id = $1 and remittance_id = $2 order by created_at, id";
    /// $1 tenant, $2 claim, $3 line, $4 paid, $5 owed by the patient, $6 adjustments.
    ADJUDICATE(UUID, UUID, UUID, INT8, INT8, JSONB) = "
        update claim_lines set paid_minor = coalesce(paid_minor, 0) + $4, allowed_minor = coalesce(allowed_minor, 0) + $4 + $5,
               adjustments = adjustments || $6
         where tenant_id = $1 and claim_id = $2 and id = $3";
    /// $1 tenant, $2 claim.
    OPEN_LINES(UUID, UUID) = "
        select count(*) from claim_lines where tenant_id = $1 and claim_id = $2 and deleted_at is null and paid_minor is null";
    /// $1 tenant, $2 claim: what the payer paid for it and has not taken back, newest first.
    PAID_BEFORE(UUID, UUID) = "
        select id, amount_minor - refunded_minor, refunded_minor from payments
         where tenant_id = $1 and claim_id = $2 and method = 'INSURANCE' and status in ('SUCCEEDED', 'PARTIALLY_REFUNDED')
         order by created_at desc, id for no key update";
}

pub static POST: Operation = Operation {
    id: "postRemittance",
    method: Method::Post,
    path: "/remittances/{id}/post",
    tag: "Fee schedules",
    doc: "Put a balanced remittance's amounts on its claims and into payments",
    takes: &[],
    gives: Gives::Record(&REMITTANCE),
    planes: &[Plane::Staff],
    permission: Permission::EditClaims,
    run: Run::Apart(|call| Box::pin(post(call))),
};

async fn post(call: Call) -> Result<Answer> {
    let (caller, keys, id) = (&call.caller, &call.caller.kernel.keys, call.id()?);
    let seen = caller.glance(&caller.context, &REMITTANCE, id).await?;
    let mut scope = caller.kernel.door.open(&caller.acting(seen.tenant, call.operation.permission)?).await?;
    let remittance = store::lock(&mut scope, &REMITTANCE, id, call.version, keys).await?;
    if let (Some(from), Some(machine)) = (remittance.text("status").filter(|status| *status != "BALANCED"), REMITTANCE.machines.first()) {
        return Err(store::refuse_move(machine, from));
    }
    for (claim, advices) in advices(&mut scope, &remittance).await? {
        pay(&mut scope, keys, &remittance, claim, &advices).await?;
    }
    let posted = Draft::default().set(&REMITTANCE, "status", Value::Text("POSTED".into()))?.set(
        &REMITTANCE,
        "posted_at",
        Value::Instant(scope.now()),
    )?;
    let posted = store::update(&mut scope, &remittance, &posted, "post", keys).await?;
    scope.commit().await?;
    Ok(Answer::Record(posted))
}

/// What one line of the payer's advice says.
#[derive(Debug, Clone)]
struct Advice {
    /// None: the claim as a whole (CLP), else one service of it (SVC).
    line: Option<Uuid>,
    code: String,
    paid: i64,
    owed: i64,
    adjustments: Json,
    reversal: bool,
}

/// By claim. Money without a claim of ours stays on the remittance.
async fn advices(scope: &mut Scope, remittance: &Record) -> Result<BTreeMap<Uuid, Vec<Advice>>> {
    let mut by_claim: BTreeMap<Uuid, Vec<Advice>> = BTreeMap::new();
    for row in scope.rows(&LINES, &[&remittance.tenant, &remittance.id]).await? {
        let (claim, currency): (Option<Uuid>, String) = (row.try_get(0)?, row.try_get(7)?);
        if Some(currency.as_str()) != remittance.text("currency") {
            return Err(wrong("currency", "currency", "A line is in another currency."));
        }
        let Some(claim) = claim else { continue };
        by_claim.entry(claim).or_default().push(Advice {
            line: row.try_get(1)?,
            code: row.try_get(2)?,
            paid: row.try_get(3)?,
            owed: row.try_get::<_, Option<i64>>(4)?.unwrap_or_default(),
            adjustments: row.try_get(5)?,
            reversal: row.try_get(6)?,
        });
    }
    Ok(by_claim)
}

fn wrong(field: &str, rule: &'static str, text: &str) -> Error {
    Error::new(&error::CONFLICT).detail(text).fault(field, rule, text)
}

/// What the advices say of the claim in sum: paid, owed by the patient. The whole counts where it is said.
fn sums(advices: &[Advice]) -> (i64, i64) {
    let whole = advices.iter().any(|advice| advice.line.is_none());
    let counted = advices.iter().filter(|advice| advice.line.is_none() == whole);
    counted.fold((0, 0), |(paid, owed), advice| (paid + advice.paid, owed + advice.owed))
}

async fn pay(scope: &mut Scope, keys: &Keyring, remittance: &Record, claim: Uuid, advices: &[Advice]) -> Result<()> {
    let mut claim = store::lock(scope, &CLAIM, claim, None, keys).await?;
    let was = claim.text("status").unwrap_or_default().to_owned();
    if claim.uuid("payer_id") != remittance.uuid("payer_id") {
        return Err(wrong("claim_id", "payer", "A claim of the remittance is another payer's."));
    }
    if claim.text("currency") != remittance.text("currency") {
        return Err(wrong("currency", "currency", "A claim of the remittance is in another currency."));
    }
    for advice in advices {
        let Some(line) = advice.line else { continue };
        let touched = scope.exec(&ADJUDICATE, &[&claim.tenant, &claim.id, &line, &advice.paid, &advice.owed, &advice.adjustments]).await?;
        if touched == 0 {
            return Err(wrong("claim_line_id", "reference", "A line of the remittance names a line of another claim."));
        }
    }
    let open: i64 = scope.one(&OPEN_LINES, &[&claim.tenant, &claim.id]).await?.try_get(0)?;
    let (paid, owed) = sums(advices);
    let total = claim.int("total_paid_minor").unwrap_or_default() + paid;
    let owed = claim.int("patient_responsibility_minor").unwrap_or_default() + owed;
    // Lines that were adjudicated raised the claim's version.
    claim = store::lock(scope, &CLAIM, claim.id, None, keys).await?;
    let mut draft = Draft::default()
        .set(&CLAIM, "total_paid_minor", Value::BigInt(total))?
        .set(&CLAIM, "patient_responsibility_minor", Value::BigInt(owed))?
        .set(&CLAIM, "total_allowed_minor", Value::BigInt(total + owed))?;
    let now = scope.now();
    for to in path(&was, advices, open)? {
        draft = dated(draft.set(&CLAIM, "status", Value::Text(to.to_owned()))?, to, now)?;
        claim = store::update(scope, &claim, &draft, "system", keys).await?;
        draft = Draft::default();
    }
    claim = store::update(scope, &claim, &draft, "system", keys).await?;
    let code = advices.last().map(|advice| advice.code.as_str());
    let source = if remittance.get("interchange_id").is_null() { "STAFF" } else { "X12_835" };
    let said = json!({"source": source, "payer_code": code, "amount_minor": paid, "interchange_id": remittance.get("interchange_id")});
    tell(scope, claim.id, Some(&was), &said).await?;
    match paid {
        0 => Ok(()),
        1.. => received(scope, keys, remittance, &claim, paid).await,
        _ => taken_back(scope, keys, &claim, -paid).await,
    }
}

/// The states a claim goes through by these advices. A reversal alone moves nothing: its correction will.
fn path(from: &str, advices: &[Advice], open: i64) -> Result<Vec<&'static str>> {
    let Some(decision) = advices.iter().rev().find(|advice| !advice.reversal) else { return Ok(Vec::new()) };
    let whole = advices.iter().any(|advice| advice.line.is_none() && !advice.reversal);
    let to = match decision.code.as_str() {
        "4" => "DENIED",
        _ if whole || open == 0 => "PAID",
        _ => "PARTIALLY_PAID",
    };
    // A correction of what was paid already changes amounts and not the state.
    if from == to || from == "PAID" {
        return Ok(Vec::new());
    }
    let machine = CLAIM.machines.first().ok_or_else(|| Error::internal("claims have no states"))?;
    route(machine, from, to).ok_or_else(|| wrong("claim_id", "state", "A claim of the remittance is in a state that no payment follows."))
}

/// The shortest way by moves that the payer's answers make.
fn route(machine: &'static Machine, from: &str, to: &str) -> Option<Vec<&'static str>> {
    let mut ahead: VecDeque<(&str, Vec<&'static str>)> = VecDeque::from([(from, Vec::new())]);
    while let Some((state, way)) = ahead.pop_front() {
        for next in machine.allowed(state, "system") {
            if way.contains(&next) || next == from {
                continue;
            }
            let mut way = way.clone();
            way.push(next);
            if next == to {
                return Some(way);
            }
            ahead.push_back((next, way));
        }
    }
    None
}

async fn received(scope: &mut Scope, keys: &Keyring, remittance: &Record, claim: &Record, paid: i64) -> Result<()> {
    let text = |word: &str| Value::Text(word.to_owned());
    let payment = Draft::default()
        .set(&PAYMENT, "patient_id", claim.patient.map_or(Value::Null, Value::Uuid))?
        .set(&PAYMENT, "claim_id", Value::Uuid(claim.id))?
        .set(&PAYMENT, "purpose", text("OTHER"))?
        .set(&PAYMENT, "method", text("INSURANCE"))?
        .set(&PAYMENT, "amount_minor", Value::BigInt(paid))?
        .set(&PAYMENT, "currency", text(claim.text("currency").unwrap_or_default()))?
        .set(&PAYMENT, "idempotency_key", Value::Text(format!("remittance:{}:{}", remittance.id, claim.id)))?;
    let payment = store::insert(scope, &PAYMENT, &payment, keys).await?;
    let done = Draft::default().set(&PAYMENT, "status", text("SUCCEEDED"))?.set(&PAYMENT, "paid_at", Value::Instant(scope.now()))?;
    store::update(scope, &payment, &done, "system", keys).await?;
    Ok(())
}

/// A reversal beyond what the same remittance pays: earlier payments are refunded, the last one first.
async fn taken_back(scope: &mut Scope, keys: &Keyring, claim: &Record, mut amount: i64) -> Result<()> {
    for row in scope.rows(&PAID_BEFORE, &[&claim.tenant, &claim.id]).await? {
        let (id, left, refunded): (Uuid, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let back = left.min(amount);
        if back == 0 {
            continue;
        }
        let payment = store::lock(scope, &PAYMENT, id, None, keys).await?;
        let status = if back == left { "REFUNDED" } else { "PARTIALLY_REFUNDED" };
        let draft = Draft::default().set(&PAYMENT, "refunded_minor", Value::BigInt(refunded + back))?.set(
            &PAYMENT,
            "status",
            Value::Text(status.to_owned()),
        )?;
        store::update(scope, &payment, &draft, "refund", keys).await?;
        amount -= back;
    }
    match amount {
        0 => Ok(()),
        _ => Err(wrong("paid_minor", "reversal", "A reversal takes back more than was paid.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(line: bool, code: &str, paid: i64, reversal: bool) -> Advice {
        let line = line.then(Uuid::now_v7);
        Advice { line, code: code.to_owned(), paid, owed: 10, adjustments: json!([]), reversal }
    }

    #[test]
    fn the_whole_counts_where_it_is_said() {
        assert_eq!(sums(&[advice(false, "1", 70, false), advice(true, "1", 40, false), advice(true, "1", 30, false)]), (70, 10));
        assert_eq!(sums(&[advice(true, "1", 40, false), advice(true, "1", 30, false)]), (70, 20));
    }

    #[test]
    fn a_claim_goes_where_the_payer_says() {
        let of = |from, advices: &[Advice], open| path(from, advices, open).ok();
        assert_eq!(of("SUBMITTED", &[advice(false, "1", 70, false)], 2), Some(vec!["ACCEPTED", "PAID"]));
        assert_eq!(of("ACCEPTED", &[advice(true, "1", 70, false)], 1), Some(vec!["PARTIALLY_PAID"]));
        assert_eq!(of("PARTIALLY_PAID", &[advice(true, "1", 70, false)], 0), Some(vec!["PAID"]));
        assert_eq!(of("PENDED", &[advice(false, "4", 0, false)], 0), Some(vec!["DENIED"]));
        assert_eq!(of("APPEALED", &[advice(true, "1", 70, false)], 1), Some(vec!["PENDED", "PARTIALLY_PAID"]));
        assert_eq!(of("PAID", &[advice(false, "22", -70, true)], 0), Some(vec![]));
        assert_eq!(of("PAID", &[advice(false, "22", -70, true), advice(false, "1", 50, false)], 0), Some(vec![]));
        for from in ["DRAFT", "READY", "VOIDED", "REJECTED", "DENIED"] {
            assert_eq!(of(from, &[advice(false, "1", 70, false)], 0), None, "{from}");
        }
    }
}
