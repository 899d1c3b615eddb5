//! Break-glass: somebody of the staff opens emergency access for themselves, with a reason, for four hours at most; what they
//! do meanwhile is marked in the audit log, those who watch are told, and another person reviews it (catalogue C35, 3.11).

use super::break_glass_grant::BREAK_GLASS_GRANT;
use super::stopping::second_person;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Field, Record, Value, store};
use tokio_postgres::types::Type;

/// Four hours.
const MINUTES_MAX: i64 = 240;
const REASON_CHARACTERS_MIN: usize = 10;

const STEPS: Steps = Steps { tag: BREAK_GLASS_GRANT.tag, planes: &[Plane::Staff, Plane::Platform], permission: Permission::Own };

/// The list of grants is for those who watch; so the security role makes the row and gives it back.
pub static OPEN: Operation = STEPS.post(
    "createBreakGlassGrant",
    "/break-glass-grants",
    "Open emergency access for yourself; it begins now",
    &[
        Field::text("reason")
            .example(r#""Unconscious at the door, allergies unknown.""#)
            .required()
            .length(4_000)
            .doc("at least 10 characters; read by who reviews it"),
        Field::uuid("patient_id"),
        Field::int("minutes").at_least(1).at_most(MINUTES_MAX).doc("240 when left out"),
    ],
    Gives::Created(&BREAK_GLASS_GRANT),
    Run::Inside(|scope, call| Box::pin(open(scope, call))),
);

async fn open(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let reason = call.text("reason").unwrap_or_default();
    if reason.trim().chars().count() < REASON_CHARACTERS_MIN {
        return Err(Error::new(&error::INVALID).fault("reason", "length", "It needs at least 10 characters."));
    }
    let minutes = match call.value("minutes") {
        Some(Value::Int(minutes)) => *minutes,
        _ => i32::try_from(MINUTES_MAX).unwrap_or(i32::MAX),
    };
    let params: [(_, Type); 3] = [(&reason as _, Type::TEXT), (&call.uuid("patient_id") as _, Type::UUID), (&minutes as _, Type::INT4)];
    let grant = through(scope, call, "sec.open_grant($1, $2, $3)", &params).await?;
    scope.did(Action::Create, &grant);
    Ok(Answer::Record(grant))
}

pub static CLOSE: Operation = STEPS.post(
    "closeBreakGlassGrant",
    "/break-glass-grants/{id}/close",
    "End emergency access before its time",
    &[],
    Gives::Record(&BREAK_GLASS_GRANT),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let grant = through(scope, call, "sec.close_grant($1)", &[(&call.id()?, Type::UUID)]).await?;
            scope.did(Action::Update, &grant);
            Ok(Answer::Record(grant))
        })
    }),
);

async fn through(scope: &mut Scope, call: &Call, function: &str, params: &[(crate::kernel::db::Param<'_>, Type)]) -> Result<Record> {
    store::given_one(scope, &BREAK_GLASS_GRANT, function, params, &call.caller.kernel.keys).await
}

pub static REVIEW: Operation = Operation {
    planes: &[Plane::Staff],
    permission: Permission::ViewAudit,
    ..STEPS.post(
        "reviewBreakGlassGrant",
        "/break-glass-grants/{id}/review",
        "Say that what was done under a grant was looked at, by somebody else than its user",
        &[Field::text("review_note").required()],
        Gives::Record(&BREAK_GLASS_GRANT),
        Run::Inside(|scope, call| Box::pin(review(scope, call))),
    )
};

async fn review(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &BREAK_GLASS_GRANT, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let columns = vec![
        ("reviewed_by", second_person(call, was.uuid("user_id"), "reviewed_by")?),
        ("review_note", Value::Text(call.text("review_note").unwrap_or_default().to_owned())),
    ];
    transition(scope, call, &BREAK_GLASS_GRANT, columns).await
}
