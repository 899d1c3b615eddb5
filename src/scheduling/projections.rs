//! Appointments and hours in the words of the requirement texts (catalogue 6.02–6.06, C16–C18, C-A).

use super::appointment::APPOINTMENT;
use super::availability_block::AVAILABILITY_BLOCK;
use super::moves::{CANCEL, CHECK_IN, COMPLETE, CONFIRM, MARK_NO_SHOW, SCHEDULE, START, UNDO_NO_SHOW};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::form::Broken;
use crate::kernel::table::projection::{Name, Projection, Step};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;
use futures_util::future::BoxFuture;
use serde_json::{Value as Json, json};
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 code or name.
    TYPE_CALLED(UUID, TEXT) = "
        select id from appointment_types where tenant_id = $1 and is_active and deleted_at is null and (code = $2 or name = $2)
         order by code <> $2 limit 1";
}

/// A text that knows no visit under way goes through it all at once.
const STEPS: &[Step] = &[
    Step { to: "SCHEDULED", by: &[&SCHEDULE, &UNDO_NO_SHOW], with: &[] },
    Step { to: "CONFIRMED", by: &[&CONFIRM], with: &[] },
    Step { to: "COMPLETED", by: &[&CHECK_IN, &START, &COMPLETE], with: &[] },
    Step { to: "CANCELLED", by: &[&CANCEL], with: &[("reason", "Cancelled in another system.")] },
    Step { to: "NO_SHOW", by: &[&MARK_NO_SHOW], with: &[] },
];

const PLACE: (&str, &str) = ("location_id", "select default_location_id from tenants where id = $1");

pub static CENTRE_APPOINTMENT: Projection = Projection::new(
    &APPOINTMENT,
    "MedicalCentreAppointment",
    "MedicalCentreAppointments",
    "/projections/medical-centre/appointments",
    &[
        Name::of("appointment_id", "id"),
        Name::of("specialist_id", "provider_id"),
        Name::same("patient_id"),
        Name::of("start_datetime", "start_at"),
        Name::of("end_datetime", "end_at").example("\"2026-03-02T09:30:00.000000Z\""),
        Name::same("status")
            .words(&[
                ("Pending", "SCHEDULED"),
                ("Pending", "PENDING"),
                ("Confirmed", "CONFIRMED"),
                ("Confirmed", "ARRIVED"),
                ("Confirmed", "IN_PROGRESS"),
                ("Completed", "COMPLETED"),
                ("Canceled", "CANCELLED"),
                ("NoShow", "NO_SHOW"),
            ])
            .moves(STEPS),
        Name::sql(
            Field::text("appointment_type")
                .length(50)
                .computed("select t.code from appointment_types t where t.tenant_id = r.tenant_id and t.id = r.appointment_type_id")
                .doc("code or name of a kind of visit the clinic has"),
        )
        .after(name_type),
    ],
)
.fills(&[PLACE]);

pub static SCHEDULING_APPOINTMENT: Projection = Projection::new(
    &APPOINTMENT,
    "ClinicSchedulingAppointment",
    "ClinicSchedulingAppointments",
    "/projections/clinic-scheduling/appointments",
    &[
        Name::of("_id", "id"),
        Name::of("clinicId", "tenant_id"),
        Name::of("patientId", "patient_id"),
        Name::of("providerId", "provider_id"),
        Name::of("scheduledStart", "start_at"),
        Name::of("scheduledEnd", "end_at"),
        Name::of("duration", "duration_minutes"),
        Name::same("status")
            .words(&[
                ("scheduled", "SCHEDULED"),
                ("scheduled", "PENDING"),
                ("confirmed", "CONFIRMED"),
                ("confirmed", "ARRIVED"),
                ("confirmed", "IN_PROGRESS"),
                ("completed", "COMPLETED"),
                ("cancelled", "CANCELLED"),
                ("cancelled", "NO_SHOW"),
            ])
            .moves(STEPS),
        Name::sql(
            Field::text("reason")
                .phi()
                .computed("case r.status when 'NO_SHOW' then 'no_show' when 'CANCELLED' then r.cancel_reason end")
                .doc("not one of the text's: tells a patient who did not come from one who cancelled"),
        ),
        Name::same("notes"),
    ],
)
.fills(&[PLACE]);

pub static CENTRE_AVAILABILITY: Projection = Projection::new(
    &AVAILABILITY_BLOCK,
    "MedicalCentreAvailabilityBlock",
    "MedicalCentreAvailabilityBlocks",
    "/projections/medical-centre/availability-blocks",
    &[
        Name::of("availability_block_id", "id"),
        Name::of("specialist_id", "provider_id"),
        Name::same("day_of_week").split(weekly, KIND).doc("1 is Monday; or a date, not both"),
        Name::same("start_time"),
        Name::same("end_time"),
        Name::same("exception_date").split(extra, KIND).doc("hours of that date alone"),
    ],
);

const KIND: &[&str] = &["kind"];

/// The text has one kind of block a column; ours says which it is (C18).
fn weekly(json: &Json) -> Result<Vec<(&'static str, Json)>, Broken> {
    Ok(if json.is_null() { vec![] } else { vec![("kind", json!("WEEKLY")), ("day_of_week", json.clone()), ("exception_date", Json::Null)] })
}

fn extra(json: &Json) -> Result<Vec<(&'static str, Json)>, Broken> {
    Ok(if json.is_null() { vec![] } else { vec![("kind", json!("EXTRA")), ("exception_date", json.clone()), ("day_of_week", Json::Null)] })
}

fn name_type<'a>(scope: &'a mut Scope, made: &'a Record, value: &'a Value, keys: &'a Keyring) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        let kind = match value {
            Value::Text(said) => {
                let rows = scope.rows(&TYPE_CALLED, &[&made.tenant, said]).await?;
                let unknown =
                    || Error::new(&error::REFERENCE_UNKNOWN).fault("appointment_type", "reference", "There is no such kind of visit.");
                Value::Uuid(rows.first().ok_or_else(unknown)?.try_get::<_, Uuid>(0)?)
            }
            _ => Value::Null,
        };
        let was = store::lock(scope, &APPOINTMENT, made.id, None, keys).await?;
        let draft = Draft::default().set(&APPOINTMENT, "appointment_type_id", kind)?;
        store::update(scope, &was, &draft, "update", keys).await.map(|_| ())
    })
}
