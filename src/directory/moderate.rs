//! Reviews: written by patients who were there, moderated, answered, taken back (catalogue C48).
//!
//! Patients see what is published; one's own review in any state comes by functions of the security role, which ask the
//! sealed context again.

use super::clinic_review::CLINIC_REVIEW;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::{Param, Scope};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, Steps};
use crate::kernel::table::{Draft, Field, Refers, Value, store};
use serde_json::Value as Json;
use tokio_postgres::types::Type;
use uuid::Uuid;

const STEPS: Steps = Steps { tag: "Clinic profiles", planes: MODERATORS, permission: Permission::ManageDirectory };

const CLINIC: Field = Field::uuid("tenant_id").doc("the clinic whose it is; needed from the platform");
const MODERATORS: &[Plane] = &[Plane::Staff, Plane::Platform];

pub static WRITE: Operation = Operation {
    gives: Gives::Created(&CLINIC_REVIEW),
    ..STEPS.on(&[Plane::Staff, Plane::Patient]).post(
        "createClinicReview",
        "/clinic-reviews",
        "Review a clinic: by a confirmed booking, or after a visit. It is seen when it is published",
        &[
            Field::uuid("patient_id").required().refers(Refers::Tenant("patients")),
            Field::uuid("booking_id").refers(Refers::Tenant("bookings")).doc("a confirmed one; without it, a visit that took place counts"),
            Field::int("rating").required().at_least(1).at_most(5),
            Field::text("title").pii(),
            Field::text("body").length(20_000).pii(),
            Field::text("display_name").pii(),
        ],
        Gives::Record(&CLINIC_REVIEW),
        Run::Inside(|scope, call| {
            Box::pin(async move {
                let input = Json::Object(call.body.clone());
                answer(scope, call, Action::Create, "sec.write_review($1)", &[(&input, Type::JSONB)]).await
            })
        }),
    )
};
pub static PUBLISH: Operation = STEPS.post(
    "publishClinicReview",
    "/clinic-reviews/{id}/publish",
    "Show a review; from now on it counts in the average",
    &[CLINIC],
    Gives::Record(&CLINIC_REVIEW),
    Run::Inside(|scope, call| Box::pin(moderate(scope, call, "PUBLISHED"))),
);
pub static REJECT: Operation = STEPS.post(
    "rejectClinicReview",
    "/clinic-reviews/{id}/reject",
    "Show a review no more, and say why; it counts no longer",
    &[CLINIC, Field::text("reason").required().length(4_000).pii()],
    Gives::Record(&CLINIC_REVIEW),
    Run::Inside(|scope, call| Box::pin(moderate(scope, call, "REJECTED"))),
);
pub static WITHDRAW: Operation = Operation {
    permission: Permission::Own,
    ..STEPS.on(&[Plane::Patient]).post(
        "withdrawClinicReview",
        "/clinic-reviews/{id}/withdraw",
        "Take one's own review back",
        &[],
        Gives::Record(&CLINIC_REVIEW),
        Run::Inside(|scope, call| {
            Box::pin(async move { answer(scope, call, Action::Update, "sec.withdraw_review($1)", &[(&call.id()?, Type::UUID)]).await })
        }),
    )
};
pub static REPLY: Operation = STEPS.on(&[Plane::Staff]).post(
    "replyClinicReview",
    "/clinic-reviews/{id}/reply",
    "Answer a published review, for all to read; a later answer takes its place",
    &[Field::text("reply").required().pii()],
    Gives::Record(&CLINIC_REVIEW),
    Run::Inside(|scope, call| Box::pin(reply(scope, call))),
);
pub static MINE: Operation = Operation {
    id: "listMyClinicReviews",
    method: Method::Get,
    path: "/clinic-reviews/mine",
    tag: "Clinic profiles",
    doc: "One's own reviews in any state, newest first",
    takes: &[],
    gives: Gives::Page(&CLINIC_REVIEW),
    planes: &[Plane::Patient],
    permission: Permission::Own,
    run: Run::Inside(|scope, call| Box::pin(mine(scope, call))),
};

/// The row that a function gave, told as what was done.
async fn answer(scope: &mut Scope, call: &Call, action: Action, function: &str, params: &[(Param<'_>, Type)]) -> Result<Answer> {
    let review = store::given_one(scope, &CLINIC_REVIEW, function, params, &call.caller.kernel.keys).await?;
    scope.did(action, &review);
    Ok(Answer::Record(review))
}

async fn moderate(scope: &mut Scope, call: &Call, verdict: &str) -> Result<Answer> {
    let own = scope.context().tenant.filter(|_| scope.context().plane == Plane::Staff);
    let clinic: Uuid = match own.or(call.uuid("tenant_id")) {
        Some(clinic) => clinic,
        None => return Err(Error::new(&error::INVALID).fault("tenant_id", "required", "Say which clinic.")),
    };
    let params: [(Param<'_>, Type); 4] =
        [(&clinic, Type::UUID), (&call.id()?, Type::UUID), (&verdict, Type::TEXT), (&call.text("reason"), Type::TEXT)];
    answer(scope, call, Action::Update, "sec.moderate_review($1, $2, $3, $4)", &params).await
}

async fn reply(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &CLINIC_REVIEW, call.id()?, call.version, keys).await?;
    let draft = Draft::default().set(&CLINIC_REVIEW, "reply", call.value("reply").cloned().unwrap_or(Value::Null))?;
    Ok(Answer::Record(store::update(scope, &was, &draft, "reply", keys).await?))
}

async fn mine(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let reviews = store::given(scope, &CLINIC_REVIEW, "sec.my_reviews() r", &[], &call.caller.kernel.keys).await?;
    call.caller.searched(&call.caller.context, &CLINIC_REVIEW, &reviews).await?;
    Ok(Answer::Page(reviews, None))
}
