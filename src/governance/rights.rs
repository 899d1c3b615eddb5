//! Requests of people about their data, step by step (catalogue 3.17; GDPR Art. 12, 15–21).

use super::dsar_request::DSAR_REQUEST;
use crate::integrations::export_job::EXPORT_JOB;
use crate::integrations::export_order;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Field, Record, Value, store};
use chrono::{Months, NaiveDate};
use serde_json::{Map, json};
use tokio_postgres::types::Type;

const STEPS: Steps = Steps { tag: DSAR_REQUEST.tag, planes: &[Plane::Staff], permission: Permission::ManageGovernance };

pub static VERIFY: Operation = STEPS.post(
    "verifyDsarRequestIdentity",
    "/dsar-requests/{id}/verify-identity",
    "Ask who the requester is; the request waits for it",
    &[],
    Gives::Record(&DSAR_REQUEST),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &DSAR_REQUEST, vec![]))),
);

pub static START: Operation = STEPS.post(
    "startDsarRequest",
    "/dsar-requests/{id}/start",
    "Begin, now that it is known who asks; access and portability make an export of all that who begins may read",
    &[Field::choice("identity", &["PORTAL_LOGIN", "ID_DOCUMENT", "KNOWN_IN_PERSON"])
        .means(&["signed in to the portal", "by an identity document", "staff know the person"])
        .required()
        .doc("how it is known who asks")],
    Gives::Record(&DSAR_REQUEST),
    Run::Inside(|scope, call| Box::pin(start(scope, call))),
);

async fn start(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &DSAR_REQUEST, call.id()?, call.version, keys).await?;
    let mut columns = vec![("identity_verified_at", Value::Instant(scope.now()))];
    let exports = matches!(was.text("request_type"), Some("ACCESS" | "PORTABILITY"));
    if let (true, Some(patient), "RECEIVED" | "VERIFYING") = (exports, was.uuid("patient_id"), was.text("status").unwrap_or_default()) {
        let about = Map::from_iter([("dsar_request_id".to_owned(), json!(was.id))]);
        let export = export_order::place(scope, &call.caller, Some(patient), about, keys).await?;
        columns.push(("export_job_id", Value::Uuid(export.id)));
    }
    let answer = transition(scope, call, &DSAR_REQUEST, columns).await?;
    told(scope, call, &was, ("identity", call.text("identity").unwrap_or_default()));
    Ok(answer)
}

/// Months that an extension adds (GDPR Art. 12(3)).
const EXTENSION: Months = Months::new(2);

pub static EXTEND: Operation = STEPS.post(
    "extendDsarRequest",
    "/dsar-requests/{id}/extend",
    "Take two months more, for a reason the person is told",
    &[Field::text("reason").required().length(1_000).doc("as told to the person")],
    Gives::Record(&DSAR_REQUEST),
    Run::Inside(|scope, call| Box::pin(extend(scope, call))),
);

async fn extend(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &DSAR_REQUEST, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let due: NaiveDate = was.text("due_on").and_then(|day| day.parse().ok()).unwrap_or_else(|| scope.now().date_naive());
    let due = due.checked_add_months(EXTENSION).unwrap_or(due);
    let answer = transition(scope, call, &DSAR_REQUEST, vec![("due_on", Value::Date(due))]).await?;
    told(scope, call, &was, ("reason", call.text("reason").unwrap_or_default()));
    Ok(answer)
}

pub static COMPLETE: Operation = STEPS.post(
    "completeDsarRequest",
    "/dsar-requests/{id}/complete",
    "Answer the person; access and portability need their finished export",
    &[
        Field::choice("decision", &["FULFILLED", "PARTLY_FULFILLED"]).means(&["done whole", "done in part, with reasons"]).required(),
        Field::text("decision_ground").doc("why not all of it; needed for PARTLY_FULFILLED"),
    ],
    Gives::Record(&DSAR_REQUEST),
    Run::Inside(|scope, call| Box::pin(complete(scope, call))),
);

async fn complete(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &DSAR_REQUEST, call.id()?, call.version, keys).await?;
    if call.text("decision") == Some("PARTLY_FULFILLED") && call.text("decision_ground").is_none() {
        return Err(Error::new(&error::INVALID).fault("decision_ground", "required", "Say why not all of it."));
    }
    if let Some(export) = was.uuid("export_job_id") {
        let export = store::lock(scope, &EXPORT_JOB, export, None, keys).await?;
        if export.text("status") != Some("COMPLETED") {
            return Err(Error::new(&error::MOVE_REFUSED).fault("export_job_id", "result_attached", "The export is not finished."));
        }
    }
    decide(scope, call, call.text("decision").unwrap_or_default(), None).await
}

pub static REFUSE: Operation = STEPS.post(
    "refuseDsarRequest",
    "/dsar-requests/{id}/refuse",
    "Refuse, with the ground; what the law keeps from erasure is restricted until a day",
    &[
        Field::text("decision_ground").required().doc("legal ground of the refusal"),
        Field::date("scheduled_deletion_on").doc("for an erasure the law forbids now: when the record goes"),
    ],
    Gives::Record(&DSAR_REQUEST),
    Run::Inside(|scope, call| Box::pin(refuse(scope, call))),
);

async fn refuse(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &DSAR_REQUEST, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let today = scope.now().date_naive();
    let until = match call.value("scheduled_deletion_on") {
        Some(Value::Date(day)) => Some(*day),
        _ => None,
    };
    let wrong = |text: &str| Err(Error::new(&error::INVALID).fault("scheduled_deletion_on", "value", text));
    match (was.text("request_type"), until) {
        (Some("ERASURE"), None) => return wrong("What is not erased now gets a day on which it is."),
        (Some("ERASURE"), Some(day)) if day <= today => return wrong("It must lie in the future."),
        (Some("ERASURE"), Some(_)) | (_, None) => {}
        (_, Some(_)) => return wrong("Only an erasure has such a day."),
    }
    decide(scope, call, "REFUSED", until).await
}

async fn decide(scope: &mut Scope, call: &Call, decision: &str, until: Option<NaiveDate>) -> Result<Answer> {
    let mut columns = vec![
        ("decision", Value::Text(decision.to_owned())),
        ("decided_by", call.caller.context.actor.map_or(Value::Null, Value::Uuid)),
        ("completed_at", Value::Instant(scope.now())),
    ];
    columns.extend(call.text("decision_ground").map(|ground| ("decision_ground", Value::Text(ground.to_owned()))));
    columns.extend(until.map(|day| ("scheduled_deletion_on", Value::Date(day))));
    transition(scope, call, &DSAR_REQUEST, columns).await
}

pub static WITHDRAW: Operation = Operation {
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::Own,
    ..STEPS.post(
        "withdrawDsarRequest",
        "/dsar-requests/{id}/withdraw",
        "The person no longer asks",
        &[],
        Gives::Record(&DSAR_REQUEST),
        Run::Inside(|scope, call| Box::pin(withdraw(scope, call))),
    )
};

/// Patients may make requests and change none: a function of the security role takes theirs back.
async fn withdraw(scope: &mut Scope, call: &Call) -> Result<Answer> {
    if call.caller.context.plane != Plane::Patient {
        let now = scope.now();
        return transition(scope, call, &DSAR_REQUEST, vec![("completed_at", Value::Instant(now))]).await;
    }
    let record =
        store::given_one(scope, &DSAR_REQUEST, "sec.withdraw_request($1)", &[(&call.id()?, Type::UUID)], &call.caller.kernel.keys).await?;
    scope.did(Action::Update, &record);
    Ok(Answer::Record(record))
}

/// What was said beside the move stays in the audit log: requests are logged with every decision and its ground.
fn told(scope: &mut Scope, call: &Call, was: &Record, (name, text): (&'static str, &str)) {
    let mut event = audit_store::of_record(scope.context(), Action::Execute, was, scope.now());
    event.metadata = Metadata::new().text("operation", call.operation.id).text(name, text);
    scope.audit(event);
}
