//! The life of a referral: sent by one side, answered by the other (catalogue 12.13, 12.14, C-F, B2, B3). Events, the other
//! side's row and what its people are told follow by trigger (`sec.tell_referral`).

use super::referral::REFERRAL;
use super::referral_event::REFERRAL_EVENT;
use crate::directory::contact::CONTACT;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, Steps, transition};
use crate::kernel::page::{CURSOR, LIMIT, page};
use crate::kernel::table::{Field, List, Record, Value, store};
use tokio_postgres::types::Type;

const STEPS: Steps = Steps { tag: "Referrals and public referral links", planes: &[Plane::Staff], permission: Permission::EditReferral };

pub static SEND: Operation = STEPS.post(
    "sendReferral",
    "/referrals/{id}/send",
    "Send a draft; a clinic of the platform finds it among its own referrals",
    &[],
    Gives::Record(&REFERRAL),
    Run::Inside(|scope, call| Box::pin(send(scope, call))),
);

async fn send(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &REFERRAL, call.id()?, call.version, keys).await?;
    if was.text("referral_type") != Some("OUTGOING") {
        return Err(refused("What came in is answered, not sent."));
    }
    let mut columns = vec![("sent_at", Value::Instant(scope.now()))];
    let recipient = was.uuid("recipient_tenant_id");
    match was.uuid("contact_id") {
        Some(contact) => {
            let contact = store::lock(scope, &CONTACT, contact, None, keys).await?;
            if contact.text("status") != Some("ACTIVE") {
                return Err(Error::new(&error::INVALID).fault("contact_id", "active", "The contact is not active."));
            }
            if let (None, Some(tenant)) = (recipient, contact.uuid("linked_tenant_id")) {
                columns.push(("recipient_tenant_id", Value::Uuid(tenant)));
            }
        }
        None if recipient.is_none() => {
            return Err(Error::new(&error::INVALID).fault("contact_id", "required", "It needs a contact or a recipient tenant."));
        }
        None => {}
    }
    transition(scope, call, &REFERRAL, columns).await
}

fn refused(text: &str) -> Error {
    Error::new(&error::MOVE_REFUSED).detail(text).fault("referral_type", "party", text)
}

/// Who receives a referral answers it. An off-platform receiver's answer is recorded by the sender.
fn answered_here(was: &Record) -> Result<()> {
    match was.text("referral_type") == Some("OUTGOING") && !was.get("exchange_id").is_null() {
        true => Err(refused("The receiver decides this.")),
        false => Ok(()),
    }
}

async fn answer(scope: &mut Scope, call: &Call, columns: Vec<(&'static str, Value)>) -> Result<Answer> {
    let was = store::lock(scope, &REFERRAL, call.id()?, call.version, &call.caller.kernel.keys).await?;
    answered_here(&was)?;
    transition(scope, call, &REFERRAL, columns).await
}

pub static ACCEPT: Operation = STEPS.post(
    "acceptReferral",
    "/referrals/{id}/accept",
    "Accept what came in, or record that an off-platform receiver accepted",
    &[],
    Gives::Record(&REFERRAL),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = Value::Instant(scope.now());
            answer(scope, call, vec![("accepted_at", now)]).await
        })
    }),
);

pub static REJECT: Operation = STEPS.post(
    "rejectReferral",
    "/referrals/{id}/reject",
    "Refuse what came in, or record that an off-platform receiver refused",
    &[Field::text("reason").required().length(4_000)],
    Gives::Record(&REFERRAL),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = Value::Instant(scope.now());
            answer(scope, call, vec![("rejected_at", now), ("rejection_reason", given(call, "reason"))]).await
        })
    }),
);

pub static START: Operation = STEPS.post(
    "startReferral",
    "/referrals/{id}/start",
    "The treatment has begun",
    &[],
    Gives::Record(&REFERRAL),
    Run::Inside(|scope, call| Box::pin(answer(scope, call, vec![]))),
);

pub static COMPLETE: Operation = STEPS.post(
    "completeReferral",
    "/referrals/{id}/complete",
    "The treatment is done; the outcome goes to the sender",
    &[Field::text("outcome_report").required().length(4_000), Field::uuid("document").doc("the report as a document of this clinic")],
    Gives::Record(&REFERRAL),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let mut columns = vec![("completed_at", Value::Instant(scope.now())), ("outcome_report", given(call, "outcome_report"))];
            if let Some(document) = call.value("document") {
                columns.push(("outcome_document_id", document.clone()));
            }
            answer(scope, call, columns).await
        })
    }),
);

pub static CANCEL: Operation = STEPS.post(
    "cancelReferral",
    "/referrals/{id}/cancel",
    "The sender takes a referral back before it is completed",
    &[Field::text("reason").length(4_000)],
    Gives::Record(&REFERRAL),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let was = store::lock(scope, &REFERRAL, call.id()?, call.version, &call.caller.kernel.keys).await?;
            if was.text("referral_type") != Some("OUTGOING") {
                return Err(refused("Only the sender cancels; reject what is not wanted."));
            }
            let now = Value::Instant(scope.now());
            transition(scope, call, &REFERRAL, vec![("cancelled_at", now), ("cancel_reason", given(call, "reason"))]).await
        })
    }),
);

fn given(call: &Call, name: &str) -> Value {
    call.value(name).cloned().unwrap_or(Value::Null)
}

pub static EVENTS: Operation = Operation {
    id: "getReferralEvents",
    method: Method::Get,
    path: "/referrals/{id}/events",
    tag: "Referrals and public referral links",
    doc: "The life of a referral, oldest first",
    takes: &[LIMIT, CURSOR],
    gives: Gives::Page(&REFERRAL_EVENT),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewReferral,
    run: Run::Apart(|call| Box::pin(events(call))),
};

async fn events(call: Call) -> Result<Answer> {
    let (caller, referral) = (&call.caller, call.id()?);
    let context = caller.reading(&REFERRAL)?;
    let referral = caller.glance(&context, &REFERRAL, referral).await?;
    let mut list = List::by(&REFERRAL_EVENT, "created_at")?;
    let of = [referral.tenant, referral.id].map(|id| (Value::Uuid(id), Type::UUID));
    list.extra.push(("r.tenant_id = $value and r.referral_id = $value".into(), of.to_vec()));
    let (records, next) = page(&call, &context, list).await?;
    Ok(Answer::Page(records, next))
}
