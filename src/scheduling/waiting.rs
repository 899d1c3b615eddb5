//! What is held and who waits: a time offered to somebody on the list is held for them (catalogue 6.10).

use super::slot_hold::SLOT_HOLD;
use super::waitlist_entry::WAITLIST_ENTRY;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Record, Refers, Value, store};
use crate::sql;
use chrono::TimeDelta;

const STEPS: Steps = Steps { tag: "Appointments", planes: BOTH, permission: Permission::EditSchedule };

const BOTH: &[Plane] = &[Plane::Staff, Plane::Patient];

pub static RELEASE: Operation = STEPS.post(
    "releaseSlotHold",
    "/slot-holds/{id}/release",
    "Give a held time back",
    &[],
    Gives::Record(&SLOT_HOLD),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &SLOT_HOLD, vec![]))),
);
pub static DECLINE: Operation = STEPS.post(
    "declineWaitlistEntry",
    "/waitlist-entries/{id}/decline",
    "The offered time does not suit; the patient waits on",
    &[],
    Gives::Record(&WAITLIST_ENTRY),
    Run::Inside(|scope, call| Box::pin(leave(scope, call, vec![("offered_at", Value::Null)]))),
);
pub static REMOVE: Operation = STEPS.post(
    "removeWaitlistEntry",
    "/waitlist-entries/{id}/remove",
    "The patient waits no longer",
    &[],
    Gives::Record(&WAITLIST_ENTRY),
    Run::Inside(|scope, call| Box::pin(leave(scope, call, vec![]))),
);
pub static OFFER: Operation = Operation {
    takes: &[
        Field::instant("start_at").required(),
        Field::uuid("provider_id").refers(Refers::Tenant("providers")).doc("the one the patient waits for when left out"),
        Field::uuid("location_id").refers(Refers::Tenant("locations")).doc("the one the patient waits for when left out"),
        Field::uuid("appointment_type_id").refers(Refers::Tenant("appointment_types")).doc("what the patient waits for when left out"),
        Field::uuid("operatory_id").refers(Refers::Tenant("operatories")),
        Field::instant("held_until").doc("at most a day; as long as the clinic holds a time when left out"),
    ],
    ..STEPS.on(&[Plane::Staff]).post(
        "offerWaitlistEntry",
        "/waitlist-entries/{id}/offer",
        "Offer a free time: it is held for the patient, whose login is told. Booking the hold takes them off the list",
        &[],
        Gives::Record(&WAITLIST_ENTRY),
        Run::Inside(|scope, call| Box::pin(offer(scope, call))),
    )
};

sql! {
    /// $1 tenant, $2 kind of visit: its usual length.
    LENGTH(UUID, UUID) = "select duration_minutes from appointment_types where tenant_id = $1 and id = $2 and deleted_at is null";
    /// $1 tenant, $2 patient, $3 start: whether some other time already blocks this one.
    OVERLAPS(UUID, UUID, TIMESTAMPTZ, TIMESTAMPTZ) = "
        select from appointment_providers p join appointments a on a.tenant_id = p.tenant_id and a.id = p.appointment_id
         where p.tenant_id = $1 and p.provider_id = $2 and p.deleted_at is null and p.role <> 'OBSERVER'
           and p.busy_start_at < $4 and p.busy_end_at > $3 and a.status not in ('CANCELLED', 'NO_SHOW')
           and (a.status <> 'HELD' or a.held_until > now()) limit 1";
    /// $1 tenant, $2 entry.
    TELL(UUID, UUID) = "select sec.tell_waiting($1, $2)";
    /// $1 tenant, $2 patient: what is held for them.
    HELD_FOR(UUID, UUID) = "select id from slot_holds where tenant_id = $1 and patient_id = $2 and status = 'HELD' order by id";
}

async fn offer(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let tenant = scope.tenant()?;
    let entry = store::lock(scope, &WAITLIST_ENTRY, call.id()?, call.version, keys).await?;
    // The move first: nothing is held for somebody who does not wait.
    let now = scope.now();
    let answer = transition(scope, call, &WAITLIST_ENTRY, vec![("offered_at", Value::Instant(now))]).await?;
    let start = call.instant("start_at").unwrap_or(now);
    if start <= now {
        return Err(Error::new(&error::INVALID).fault("start_at", "range", "It must lie in the future."));
    }
    let mut hold = Draft::default().set(&SLOT_HOLD, "start_at", Value::Instant(start))?;
    let mut wrong = Error::new(&error::INVALID);
    for name in ["provider_id", "location_id", "appointment_type_id"] {
        match call.uuid(name).or_else(|| entry.uuid(name)) {
            Some(id) => hold = hold.set(&SLOT_HOLD, name, Value::Uuid(id))?,
            None => wrong = wrong.fault(name, "required", "The entry does not say it."),
        }
    }
    let (Some(Value::Uuid(kind)), Some(Value::Uuid(provider))) = (hold.value("appointment_type_id"), hold.value("provider_id")) else {
        return Err(wrong);
    };
    if !wrong.faults.is_empty() {
        return Err(wrong);
    }
    let length = scope.optional(&LENGTH, &[&tenant, kind]).await?;
    let unknown =
        || Error::new(&error::REFERENCE_UNKNOWN).fault("appointment_type_id", "reference", "It points to nothing the caller can see.");
    let end = start + TimeDelta::minutes(i64::from(length.ok_or_else(unknown)?.try_get::<_, i32>(0)?));
    if scope.optional(&OVERLAPS, &[&tenant, provider, &start, &end]).await?.is_some() {
        return Err(Error::new(&error::CONFLICT).fault("start_at", "busy", "The time is not free."));
    }
    hold = hold.set(&SLOT_HOLD, "end_at", Value::Instant(end))?;
    for name in ["operatory_id", "held_until"] {
        if let Some(value) = call.value(name) {
            hold = hold.set(&SLOT_HOLD, name, value.clone())?;
        }
    }
    let patient = entry.uuid("patient_id").ok_or_else(|| Error::internal("an entry has a patient"))?;
    store::insert(scope, &SLOT_HOLD, &hold.set(&SLOT_HOLD, "patient_id", Value::Uuid(patient))?, keys).await?;
    scope.rows(&TELL, &[&tenant, &entry.id]).await?;
    Ok(answer)
}

/// Off the offer or off the list: what was held for the patient is given back.
async fn leave(scope: &mut Scope, call: &Call, columns: Vec<(&'static str, Value)>) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let answer = transition(scope, call, &WAITLIST_ENTRY, columns).await?;
    let Answer::Record(Record { tenant, patient: Some(patient), .. }) = &answer else { return Ok(answer) };
    for row in scope.rows(&HELD_FOR, &[tenant, patient]).await? {
        let hold = store::lock(scope, &SLOT_HOLD, row.try_get(0)?, None, keys).await?;
        let released = Draft::default().set(&SLOT_HOLD, "status", Value::Text("RELEASED".into()))?;
        store::update(scope, &hold, &released, "release", keys).await?;
    }
    Ok(answer)
}
