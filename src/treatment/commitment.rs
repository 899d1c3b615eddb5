//! Bookings: confirmed or cancelled by the clinic or the patient (catalogue 9.11, 5.03, 10.12, C24).

use super::answered;
use super::booking::BOOKING;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Gives, Method, Operation, Run};
use crate::kernel::table::Field;
use crate::sql;

sql! {
    CONFIRM_BOOKING(UUID) = "select sec.confirm_booking($1)";
    CANCEL_BOOKING(UUID, TEXT) = "select sec.cancel_booking($1, $2)";
}

const fn step(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: "Treatment plans",
        doc,
        takes,
        gives: Gives::Record(&BOOKING),
        planes: &[Plane::Staff, Plane::Patient],
        permission: Permission::EditTreatment,
        run,
    }
}

pub static CONFIRM: Operation = step(
    "confirmBooking",
    "/bookings/{id}/confirm",
    "Confirm a booking: the clinic's contact is shown to the patient, and the patient's documents at the operator open for the clinic",
    &[],
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let id = call.id()?;
            answered::by(scope, call, &BOOKING, &CONFIRM_BOOKING, &[&id]).await
        })
    }),
);

pub static CANCEL: Operation = step(
    "cancelBooking",
    "/bookings/{id}/cancel",
    "Cancel a booking: document grants end; a deposit taken by hand is noted as refunded where the clinic's rule gives it back",
    &[Field::text("reason").required().length(1_000)],
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let (id, reason) = (call.id()?, call.text("reason"));
            answered::by(scope, call, &BOOKING, &CANCEL_BOOKING, &[&id, &reason]).await
        })
    }),
);
