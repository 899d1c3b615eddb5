//! A visit along its states (catalogue B8, C44). From check-in on the appointment follows the visit, in the same transaction
//! (`sec.mirror_encounter`); before check-in the visit follows its appointment.

use super::encounter::ENCOUNTER;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::scheduling::appointment::APPOINTMENT;
use crate::sql;

sql! {
    /// $1 tenant, $2 encounter. Work that cannot be undone by cancelling: what a clinician signed, what was done.
    DONE(UUID, UUID) = "
        select 'A signed note' from clinical_notes n
         where n.tenant_id = $1 and n.encounter_id = $2 and n.status in ('SIGNED', 'AMENDED')
        union all
        select 'A completed procedure' from procedures p
         where p.tenant_id = $1 and p.encounter_id = $2 and p.status = 'COMPLETED'
         limit 1";
}

const fn operation(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: ENCOUNTER.tag,
        doc,
        takes,
        gives: Gives::Record(&ENCOUNTER),
        planes: &[Plane::Staff],
        permission: Permission::EditClinical,
        run,
    }
}

pub static START: Operation = operation(
    "startEncounter",
    "/encounters/{id}/start",
    "Begin the visit of a patient who has checked in; the appointment is in progress too",
    &[],
    Run::Inside(|scope, call| Box::pin(start(scope, call))),
);

async fn start(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let visit = store::lock(scope, &ENCOUNTER, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if visit.text("status") == Some("SCHEDULED") && visit.get("check_in_at").is_null() {
        return Err(Error::new(&error::MOVE_REFUSED).detail("The patient has not checked in.").fault(
            "check_in_at",
            "required",
            "The patient checks in first.",
        ));
    }
    transition(scope, call, &ENCOUNTER, vec![]).await
}

pub static CHECK_OUT: Operation = operation(
    "checkOutEncounter",
    "/encounters/{id}/check-out",
    "End the visit; the appointment is completed too. unsigned_note_ids names the notes that still wait for a signature",
    &[],
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &ENCOUNTER, vec![("check_out_at", Value::Instant(now))]).await
        })
    }),
);

pub static CANCEL: Operation = operation(
    "cancelEncounter",
    "/encounters/{id}/cancel",
    "Cancel a visit in which nothing was signed and nothing done; the appointment is cancelled too",
    &[Field::text("reason").length(4_000).phi()],
    Run::Inside(|scope, call| Box::pin(cancel(scope, call))),
);

async fn cancel(scope: &mut Scope, call: &Call) -> Result<Answer> {
    // Who does not see the notes cannot know that none is signed.
    call.caller.needs(Permission::ViewClinical)?;
    let visit = store::lock(scope, &ENCOUNTER, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if let Some(row) = scope.optional(&DONE, &[&visit.tenant, &visit.id]).await? {
        let what: String = row.try_get(0)?;
        return Err(Error::new(&error::MOVE_REFUSED).detail(format!("{what} belongs to the visit.")));
    }
    if visit.text("status") == Some("SCHEDULED") && visit.get("check_in_at").is_null() && visit.uuid("appointment_id").is_some() {
        return cancel_appointment(scope, call, &visit).await;
    }
    let reason = call.value("reason").cloned().unwrap_or(Value::Null);
    transition(scope, call, &ENCOUNTER, vec![("cancel_reason", reason)]).await
}

/// Before check-in the appointment is the master: it is cancelled, and the visit follows.
async fn cancel_appointment(scope: &mut Scope, call: &Call, visit: &Record) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    call.caller.needs(Permission::EditSchedule)?;
    let appointment = store::lock(scope, &APPOINTMENT, visit.uuid("appointment_id").unwrap_or_default(), None, keys).await?;
    let draft = Draft::default()
        .set(&APPOINTMENT, "status", Value::Text("CANCELLED".into()))?
        .set(&APPOINTMENT, "cancelled_at", Value::Instant(scope.now()))?
        .set(&APPOINTMENT, "cancelled_by_party", Value::Text("CLINIC".into()))?
        .set(&APPOINTMENT, "cancel_reason", call.value("reason").cloned().unwrap_or(Value::Null))?;
    store::update(scope, &appointment, &draft, "cancel", keys).await?;
    Ok(Answer::Record(store::lock(scope, &ENCOUNTER, visit.id, None, keys).await?))
}
