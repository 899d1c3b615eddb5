//! Answers of receivers who have no login (catalogue C-F): the sender makes a key and hands it on as the two of them like;
//! it takes one answer, which the sender's people are told of like one from a clinic of the platform.

use super::referral::REFERRAL;
use crate::identity::service::Service;
use crate::identity::token::{Kind, Token};
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Value, value};
use crate::sql;
use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

const DAYS: i64 = 14;
const DAYS_MAX: i64 = 90;

sql! {
    /// $1 referral, $2 hash of the key, $3 until when.
    LINK_ADD(UUID, BYTEA, TIMESTAMPTZ) = "select sec.make_answer_link($1, $2, $3)";
    /// $1 hash of the key, $2 the new status, $3 note.
    ANSWER(BYTEA, TEXT, TEXT) = "select tenant_id, referral_id, patient_id, taken from sec.answer_by_link($1, $2, $3)";
}

const ANSWERS: &[&str] = &["ACCEPTED", "REJECTED", "COMPLETED"];
const MEANINGS: &[&str] = &["the receiver will see the patient", "the receiver will not", "the patient was seen"];

pub static MAKE_ANSWER_LINK: Operation = Operation {
    id: "makeReferralAnswerLink",
    method: Method::Post,
    path: "/referrals/{id}/make-answer-link",
    tag: REFERRAL.tag,
    doc: "A key for a receiver without a login to answer with, once; it is in the answer and nowhere else, and ends the one before",
    takes: &[Field::int("days").at_least(1).at_most(DAYS_MAX).doc("how long it is good; 14 when left out")],
    gives: Gives::Object(
        "ReferralAnswerLink",
        &[
            Field::text("token").required().shown_once().doc("to be handed on for the body of a request, never in an address"),
            Field::instant("expires_at").required(),
        ],
    ),
    planes: &[Plane::Staff],
    permission: Permission::EditReferral,
    run: Run::Inside(|scope, call| Box::pin(make_link(scope, call))),
};

async fn make_link(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let days = match call.value("days") {
        Some(Value::Int(days)) => i64::from(*days),
        _ => DAYS,
    };
    let (referral, token, until) = (call.id()?, Token::new(Kind::ReferralAnswer)?, scope.now() + TimeDelta::days(days));
    let is_made: bool = scope.one(&LINK_ADD, &[&referral, &token.hash().as_bytes(), &until]).await?.try_get(0)?;
    if !is_made {
        return Err(Error::new(&error::NOT_FOUND));
    }
    let mut event = audit_store::of(scope.context(), "REFERRAL_LINK_MADE", Action::Create, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some(REFERRAL.schema.into()), Some(referral));
    scope.audit(event);
    let members = [("token".to_owned(), json!(token.expose())), ("expires_at".to_owned(), json!(value::instant_text(until)))];
    Ok(Answer::Object(members.into_iter().collect()))
}

pub static RESPOND: Operation = Operation {
    id: "respondToReferralByLink",
    path: "/referrals/respond-by-link",
    doc: "Answer a referral with the key its sender gave; every reason why a key is not good has one answer",
    takes: &[
        Field::text("token").required(),
        Field::choice("answer", ANSWERS).means(MEANINGS).required(),
        Field::text("note").length(4_000).phi().doc("why it is rejected, or what came of the treatment: needed then"),
    ],
    gives: Gives::Object("ReferralAnswer", &[Field::choice("status", ANSWERS).means(MEANINGS).required()]),
    planes: &[Plane::Auth],
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(respond(call))),
    ..MAKE_ANSWER_LINK
};

async fn respond(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let none = || Error::new(&error::NOT_FOUND).detail("This key is not good.");
    let origin = caller.context.origin.as_ref().and_then(|origin| origin.ip);
    let key = Token::parse(Kind::ReferralAnswer, call.text("token").unwrap_or_default()).ok_or_else(none)?.hash();
    Service::of(&caller.kernel)?.throttle.admit(&hex(key.as_bytes()), origin)?;
    let (answer, note) = (call.text("answer").unwrap_or_default(), call.text("note"));
    if answer != "ACCEPTED" && note.is_none_or(|note| note.trim().is_empty()) {
        return Err(Error::new(&error::INVALID).fault("note", "required", "Say why, or what came of it."));
    }
    let mut scope = caller.kernel.door.open(&Context { tenant: None, ..caller.context.clone() }).await?;
    let row = scope.optional(&ANSWER, &[&key.as_bytes(), &answer, &note]).await?.ok_or_else(none)?;
    let (tenant, referral, is_taken): (Uuid, Uuid, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?);
    let outcome = if is_taken { Outcome::Success } else { Outcome::Denied };
    let mut event = audit_store::of(scope.context(), "REFERRAL_ANSWERED", Action::Execute, outcome, scope.now());
    (event.tenant_id, event.patient_id, event.resource_id) = (tenant, row.try_get(2)?, Some(referral));
    (event.resource_type, event.metadata) = (Some(REFERRAL.schema.into()), Metadata::new().text("answer", answer));
    scope.audit(event);
    scope.commit().await?;
    match is_taken {
        true => Ok(Answer::Object([("status".to_owned(), json!(answer))].into_iter().collect())),
        false => Err(Error::new(&error::MOVE_REFUSED).fault("answer", "state", "That cannot be said of it now.")),
    }
}
