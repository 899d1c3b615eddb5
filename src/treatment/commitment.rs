//! Bookings: confirmed or cancelled by the clinic or the patient (catalogue 9.11, 5.03, 10.12, C24).

use super::answered;
use super::booking::BOOKING;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Gives, Operation, Run, Steps};
use crate::kernel::table::Field;
use crate::sql;

sql! {
    CONFIRM_BOOKING(UUID) = "select sec.confirm_booking($1)";
    CANCEL_BOOKING(UUID, TEXT) = "select sec.cancel_booking($1, $2)";
}

const STEPS: Steps = Steps { tag: "Treatment plans", planes: &[Plane::Staff, Plane::Patient], permission: Permission::EditTreatment };

pub static CONFIRM: Operation = STEPS.post(
    "confirmBooking",
    "/bookings/{id}/confirm",
    "Confirm a booking: the clinic's contact is shown to the patient, and the patient's documents at the operator open for the clinic",
    &[],
    Gives::Record(&BOOKING),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let id = call.id()?;
            answered::by(scope, call, &BOOKING, &CONFIRM_BOOKING, &[&id]).await
        })
    }),
);

pub static CANCEL: Operation = STEPS.post(
    "cancelBooking",
    "/bookings/{id}/cancel",
    "Cancel a booking: document grants end; a deposit taken by hand is noted as refunded where the clinic's rule gives it back",
    &[Field::text("reason").required().length(1_000)],
    Gives::Record(&BOOKING),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let (id, reason) = (call.id()?, call.text("reason"));
            answered::by(scope, call, &BOOKING, &CANCEL_BOOKING, &[&id, &reason]).await
        })
    }),
);
