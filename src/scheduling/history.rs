//! What happened to one appointment, oldest first (catalogue 6.10).

use super::appointment::APPOINTMENT;
use super::appointment_event::APPOINTMENT_EVENT;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::page::{CURSOR, LIMIT, page};
use crate::kernel::table::{List, Value};

pub static HISTORY: Operation = Operation {
    id: "getAppointmentHistory",
    method: Method::Get,
    path: "/appointments/{id}/history",
    tag: "Appointments",
    doc: "Events of the appointment: made, moved, confirmed, cancelled; oldest first",
    takes: &[LIMIT, CURSOR],
    gives: Gives::Page(&APPOINTMENT_EVENT),
    planes: &[Plane::Staff, Plane::Patient, Plane::Audit],
    permission: Permission::ViewSchedule,
    run: Run::Apart(|call| Box::pin(history(call))),
};

async fn history(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&APPOINTMENT_EVENT)?;
    let id = call.id()?;
    // A foreign id and a random one are answered alike.
    caller.glance(&context, &APPOINTMENT, id).await?;

    let mut list = List::by(&APPOINTMENT_EVENT, "created_at")?;
    for filter in APPOINTMENT_EVENT.filters.iter().filter(|filter| filter.name == "appointment_id") {
        list.filters.push((filter, Value::Uuid(id)));
    }
    let (records, next) = page(&call, &context, list).await?;
    Ok(Answer::Page(records, next))
}
