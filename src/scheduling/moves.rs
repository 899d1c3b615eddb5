//! An appointment along its day: confirmed, here, seen, done; or moved, cancelled, missed (catalogue B5, B8, C-A).
//!
//! Patients change no row themselves, and who runs the chair may not run the calendar: the move is made by a function of
//! the security role, which asks the sealed context again. Guards that a race could break are there too.

use super::appointment::APPOINTMENT;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps};
use crate::kernel::table::{Field, Record, Refers, store};
use serde_json::Value as Json;
use tokio_postgres::types::Type;

const STEPS: Steps = Steps { tag: "Appointments", planes: CLINIC, permission: Permission::EditSchedule };
const MOVE: Run = Run::Inside(|scope, call| Box::pin(make_move(scope, call)));

const CLINIC: &[Plane] = &[Plane::Staff];
const BOTH: &[Plane] = &[Plane::Staff, Plane::Patient];

pub static SCHEDULE: Operation = STEPS.post(
    "scheduleAppointment",
    "/appointments/{id}/schedule",
    "The clinic agrees to a time that was asked for",
    &[],
    Gives::Record(&APPOINTMENT),
    MOVE,
);
pub static CONFIRM: Operation = STEPS.on(BOTH).post(
    "confirmAppointment",
    "/appointments/{id}/confirm",
    "The patient will come; a booking whose deposit is settled is confirmed with it",
    &[Field::choice("via", &["SMS", "EMAIL", "PHONE", "STAFF"])
        .means(&["by answering a text message", "by answering an e-mail", "by telephone", "to staff, in person"])
        .doc("how staff heard of it; STAFF when left out")],
    Gives::Record(&APPOINTMENT),
    MOVE,
);
pub static CHECK_IN: Operation = STEPS.post(
    "checkInAppointment",
    "/appointments/{id}/check-in",
    "The patient is here: the encounter begins to wait; on the day of the appointment only",
    &[],
    Gives::Record(&APPOINTMENT),
    MOVE,
);
pub static START: Operation = STEPS.by(Permission::EditClinical).post(
    "startAppointment",
    "/appointments/{id}/start",
    "The patient sits in the chair: appointment and encounter are in progress",
    &[],
    Gives::Record(&APPOINTMENT),
    MOVE,
);
pub static COMPLETE: Operation = STEPS.by(Permission::EditClinical).post(
    "completeAppointment",
    "/appointments/{id}/complete",
    "The visit is over: appointment and encounter are complete, recalls are set anew",
    &[],
    Gives::Record(&APPOINTMENT),
    MOVE,
);
pub static CANCEL: Operation = STEPS.on(BOTH).post(
    "cancelAppointment",
    "/appointments/{id}/cancel",
    "Give the time back; late when less is left than the clinic asks for",
    &[Field::text("reason").required().length(4_000).phi()],
    Gives::Record(&APPOINTMENT),
    MOVE,
);
pub static MARK_NO_SHOW: Operation = STEPS.post(
    "markAppointmentNoShow",
    "/appointments/{id}/mark-no-show",
    "The patient did not come; not before the time of grace has passed",
    &[],
    Gives::Record(&APPOINTMENT),
    MOVE,
);
pub static UNDO_NO_SHOW: Operation = STEPS.by(Permission::Overbook).post(
    "undoAppointmentNoShow",
    "/appointments/{id}/undo-no-show",
    "The patient had come after all; the time must be free still",
    &[],
    Gives::Record(&APPOINTMENT),
    MOVE,
);
pub static RESCHEDULE: Operation = STEPS.on(BOTH).post(
    "rescheduleAppointment",
    "/appointments/{id}/reschedule",
    "Move it; what was confirmed is to be confirmed again. Patients move to times that are offered to them",
    &[
        Field::instant("start_at").doc("as it is when left out"),
        Field::int("duration_minutes").at_least(1).at_most(1_440).doc("staff only"),
        Field::uuid("provider_id").refers(Refers::Tenant("providers")),
        Field::uuid("operatory_id").refers(Refers::Tenant("operatories")),
        Field::flag("is_overbook").doc("staff with the permission overbook only"),
        Field::text("overbook_reason").length(4_000).phi().doc("needed to overbook"),
    ],
    Gives::Record(&APPOINTMENT),
    MOVE,
);

async fn make_move(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let verb = call.operation.path.rsplit('/').next().unwrap_or_default();
    let was = seen(scope, call).await?;
    let machine = APPOINTMENT.machines.first().ok_or_else(|| Error::internal("appointments have states"))?;
    let from = was.text("status").unwrap_or_default();
    // A reschedule keeps the state, but for what was confirmed; it is possible from where one can still be given back.
    let possible = match verb {
        "reschedule" => matches!(from, "PENDING" | "SCHEDULED" | "CONFIRMED"),
        _ => !machine.allowed(from, verb).is_empty(),
    };
    if !possible {
        return Err(store::refuse_move(machine, from));
    }
    let input = Json::Object(call.body.clone());
    let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 5] =
        [(&was.tenant, Type::UUID), (&was.id, Type::UUID), (&was.version, Type::INT8), (&verb, Type::TEXT), (&input, Type::JSONB)];
    let record =
        store::given_one(scope, &APPOINTMENT, "sec.move_appointment($1, $2, $3, $4, $5)", &params, &call.caller.kernel.keys).await?;
    scope.did(Action::Update, &record);
    Ok(Answer::Record(record))
}

/// As the caller sees it and, when the caller names a version, that one.
async fn seen(scope: &mut Scope, call: &Call) -> Result<Record> {
    let record = store::seen(scope, &APPOINTMENT, call.id()?, &call.caller.kernel.keys).await?;
    match call.version {
        Some(version) if version != record.version => Err(Error::new(&error::STALE)),
        _ => Ok(record),
    }
}
