//! Booking a time: a free one, or one that is held (catalogue B5, 6.01, 6.10).

use super::appointment::APPOINTMENT;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Refers, store};
use crate::sql;
use serde_json::Value as Json;
use tokio_postgres::types::Type;
use uuid::Uuid;

pub static BOOK: Operation = Operation {
    id: "bookAppointment",
    method: Method::Post,
    path: "/appointments/book",
    tag: "Appointments",
    doc: "Book a time: PENDING when the kind of visit asks for the clinic's word, else SCHEDULED. Patients book for \
          themselves, what is offered to them",
    takes: &[
        Field::uuid("hold_id").refers(Refers::Tenant("slot_holds")).doc("the time that was held; it says what, who, where and when"),
        Field::uuid("patient_id").refers(Refers::Tenant("patients")).doc("a patient with one record may leave it out"),
        Field::uuid("appointment_type_id").refers(Refers::Tenant("appointment_types")),
        Field::uuid("provider_id").refers(Refers::Tenant("providers")),
        Field::uuid("location_id").refers(Refers::Tenant("locations")),
        Field::uuid("operatory_id").refers(Refers::Tenant("operatories")),
        Field::instant("start_at"),
        Field::int("duration_minutes").at_least(1).at_most(1_440).doc("staff only; the usual length when left out"),
        Field::uuid("recall_id").refers(Refers::Tenant("recalls")),
        Field::text("patient_note").phi(),
        Field::text("notes").length(4_000).phi().doc("staff only"),
        Field::choice("source", &["STAFF", "RECALL", "WAITLIST", "REFERRAL", "API"])
            .means(&["by staff", "from a recall", "from the waiting list", "from a referral", "by an application"])
            .doc("staff only"),
        Field::flag("is_overbook").doc("staff with the permission overbook only"),
        Field::text("overbook_reason").length(4_000).phi().doc("needed to overbook"),
    ],
    gives: Gives::Created(&APPOINTMENT),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::EditSchedule,
    run: Run::Inside(|scope, call| Box::pin(book(scope, call))),
};

sql! {
    /// $1 the patient, or none: the charts in which the caller makes appointments.
    CHARTS(UUID) = "select h.tenant_id, h.patient_id from sec.booking_charts() h where $1 is null or h.patient_id = $1";
}

async fn book(scope: &mut Scope, call: &Call) -> Result<Answer> {
    complete(call)?;
    let mut input = call.body.clone();
    let (tenant, patient) = chart(scope, call).await?;
    if let Some(patient) = patient {
        input.insert("patient_id".into(), patient.to_string().into());
    }
    let booked = store::given_one(
        scope,
        &APPOINTMENT,
        "sec.book_appointment($1, $2)",
        &[(&tenant, Type::UUID), (&Json::Object(input), Type::JSONB)],
        &call.caller.kernel.keys,
    )
    .await?;
    scope.did(Action::Create, &booked);
    Ok(Answer::Record(booked))
}

/// Without a hold the call itself says what, who, where and when.
fn complete(call: &Call) -> Result<()> {
    let held = call.uuid("hold_id").is_some();
    let outside = call.caller.context.plane == Plane::Patient;
    let mut needed = Vec::new();
    if !held {
        needed.extend(["provider_id", "location_id", "start_at"]);
        if outside || call.value("duration_minutes").is_none() {
            needed.push("appointment_type_id");
        }
        if !outside {
            needed.push("patient_id");
        }
    }
    let mut wrong = Error::new(&error::INVALID);
    for name in needed.into_iter().filter(|name| call.value(name).is_none()) {
        wrong = wrong.fault(name, "required", "The field is needed.");
    }
    if wrong.faults.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Where it is booked and for whom. A login with several charts names one; an id that stands in two clinics is told apart
/// by the clinic of the session.
async fn chart(scope: &mut Scope, call: &Call) -> Result<(Uuid, Option<Uuid>)> {
    let wanted = call.uuid("patient_id");
    if scope.context().plane != Plane::Patient {
        return Ok((scope.tenant()?, wanted));
    }
    let home = scope.context().tenant;
    let rows = scope.rows(&CHARTS, &[&wanted]).await?;
    let mut charts = Vec::with_capacity(rows.len());
    for row in &rows {
        let chart: (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        if home.is_none_or(|home| home == chart.0) {
            charts.push(chart);
        }
    }
    match charts.as_slice() {
        [(tenant, patient)] => Ok((*tenant, Some(*patient))),
        [] => Err(Error::new(&error::REFERENCE_UNKNOWN).fault("patient_id", "reference", "It points to nothing the caller can see.")),
        _ => Err(Error::new(&error::INVALID).fault("patient_id", "required", "Say for whom of yours.")),
    }
}
