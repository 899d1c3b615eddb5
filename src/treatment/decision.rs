//! The patient's side of a plan: accept (all or some of it) and decline, by their own login or noted by staff
//! (catalogue 9.08, 12.2). One function answers for both planes and settles who may, races and repetition.

use super::answered;
use super::treatment_plan::TREATMENT_PLAN;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Value};
use crate::sql;

sql! {
    /// $1 plan, $2 revision, $3 items (null: all that is offered), $4 how staff were told, $5 signed document.
    ACCEPT_PLAN(UUID, INT4, UUID_ARRAY, TEXT, UUID) = "select sec.accept_plan($1, $2, $3, $4, $5)";
    DECLINE_PLAN(UUID) = "select sec.decline_plan($1)";
}

const fn answer(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: "Treatment plans",
        doc,
        takes,
        gives: Gives::Record(&TREATMENT_PLAN),
        planes: &[Plane::Staff, Plane::Patient],
        permission: Permission::EditTreatment,
        run,
    }
}

pub static ACCEPT: Operation = answer(
    "acceptTreatmentPlan",
    "/treatment-plans/{id}/accept",
    "Accept the revision that was presented, whole or in part; a deposit is asked for as the clinic's rule says. The same answer twice is one",
    &[
        Field::int("revision_no").required().at_least(1).doc("the revision that was read; another one is refused"),
        Field::uuids("item_ids").doc("what is accepted, one item of each option group; everything when left out"),
        Field::uuid("signature").doc("the signed document"),
        Field::choice("method", &["IN_CLINIC", "PAPER", "PHONE"])
            .means(&["said in the clinic", "signed on paper", "said on the telephone"])
            .doc("how staff were told, IN_CLINIC when left out; a patient's own login is PORTAL"),
    ],
    Run::Inside(|scope, call| Box::pin(accept(scope, call))),
);

async fn accept(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let nothing = Value::Null;
    let method = call.text("method").unwrap_or("IN_CLINIC");
    let of = |name: &str| call.value(name).unwrap_or(&nothing);
    let id = call.id()?;
    answered::by(scope, call, &TREATMENT_PLAN, &ACCEPT_PLAN, &[&id, of("revision_no"), of("item_ids"), &method, of("signature")]).await
}

pub static DECLINE: Operation = answer(
    "declineTreatmentPlan",
    "/treatment-plans/{id}/decline",
    "Decline a plan that was presented",
    &[Field::text("reason").length(1_000)],
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let id = call.id()?;
            answered::by(scope, call, &TREATMENT_PLAN, &DECLINE_PLAN, &[&id]).await
        })
    }),
);
