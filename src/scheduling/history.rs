//! What happened to one appointment, oldest first (catalogue 6.10).

use super::appointment::APPOINTMENT;
use super::appointment_event::APPOINTMENT_EVENT;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::list::{PAGE_SIZE, PAGE_SIZE_MAX, sort_of};
use crate::kernel::table::{Cursor, Field, List, Value, store};

pub static HISTORY: Operation = Operation {
    id: "getAppointmentHistory",
    method: Method::Get,
    path: "/appointments/{id}/history",
    tag: "Appointments",
    doc: "Events of the appointment: made, moved, confirmed, cancelled; oldest first",
    takes: &[Field::int("limit").at_least(1).at_most(PAGE_SIZE_MAX as i64), Field::text("cursor").length(4_000)],
    gives: Gives::Page(&APPOINTMENT_EVENT),
    planes: &[Plane::Staff, Plane::Patient, Plane::Audit],
    permission: Permission::ViewSchedule,
    run: Run::Apart(|call| Box::pin(history(call))),
};

async fn history(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let keys = &caller.kernel.keys;
    let context = caller.reading(&APPOINTMENT_EVENT)?;
    let id = call.id()?;
    // A foreign id and a random one are answered alike.
    let built = store::get_query(&APPOINTMENT, context.plane, context.tenant, id, false)?;
    let answers = caller.kernel.door.open(&context).await?.once(&[(built.query.clone(), built.params())]).await?;
    store::one(&APPOINTMENT, context.plane, answers.first().map(Vec::as_slice).unwrap_or_default(), keys).await?;

    let mut list = List::new(&APPOINTMENT_EVENT);
    list.sort = sort_of(&APPOINTMENT_EVENT, "created_at").ok_or_else(|| Error::internal("events have an order"))?;
    list.limit = match call.value("limit") {
        Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(PAGE_SIZE),
        _ => PAGE_SIZE,
    };
    for filter in APPOINTMENT_EVENT.filters.iter().filter(|filter| filter.name == "appointment_id") {
        list.filters.push((filter, Value::Uuid(id)));
    }
    if let Some(cursor) = call.text("cursor") {
        list.after = Some(Cursor::open(cursor, &list, keys.own())?);
    }
    let scope = caller.kernel.door.open(&context).await?;
    let (records, next) = store::list(scope, &list, keys).await?;
    let next = next.map(|cursor| cursor.seal(&list, keys.own())).transpose()?;
    caller.searched(&context, &APPOINTMENT_EVENT, &records).await?;
    Ok(Answer::Page(records, next))
}
