//! Who saw a record, when and why: for the patient whose it is and for those who watch (catalogue 3.05, 3.11).

use super::patient::PATIENT;
use crate::governance::phi_access_log::PHI_ACCESS_LOG;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::list::{PAGE_SIZE, PAGE_SIZE_MAX, sort_of};
use crate::kernel::table::{Cursor, Field, List, Value, store};
use tokio_postgres::types::Type;

pub static ACCESS_REPORT: Operation = Operation {
    id: "getPatientAccessReport",
    method: Method::Get,
    path: "/patients/{id}/access-report",
    tag: "Patients",
    doc: "Who saw this record, when and why; newest first",
    takes: &[
        Field::instant("occurred_at_from").doc("at or after"),
        Field::instant("occurred_at_to").doc("before"),
        Field::int("limit").at_least(1).at_most(PAGE_SIZE_MAX as i64),
        Field::text("cursor").length(4_000),
    ],
    gives: Gives::Page(&PHI_ACCESS_LOG),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewAudit,
    run: Run::Apart(|call| Box::pin(access_report(call))),
};

/// Records that were merged into this one were this person's too.
const OF_PATIENT: &str = "r.patient_id = $value or r.patient_id in (
    select m.id from patients m where m.tenant_id = r.tenant_id and m.merged_into_id = $value)";

async fn access_report(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let (context, keys) = (&caller.context, &caller.kernel.keys);
    let patient = call.id()?;
    let mut list = List::new(&PHI_ACCESS_LOG);
    list.sort = sort_of(&PHI_ACCESS_LOG, "occurred_at").ok_or_else(|| Error::internal("the log has no order"))?;
    list.descending = true;
    list.limit = match call.value("limit") {
        Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(PAGE_SIZE),
        _ => PAGE_SIZE,
    };
    list.extra.push((OF_PATIENT.into(), vec![(Value::Uuid(patient), Type::UUID), (Value::Uuid(patient), Type::UUID)]));
    for filter in PHI_ACCESS_LOG.filters.iter().filter(|filter| filter.name.starts_with("occurred_at")) {
        if let Some(value) = call.value(filter.name) {
            list.filters.push((filter, value.clone()));
        }
    }
    if let Some(cursor) = call.text("cursor") {
        list.after = Some(Cursor::open(cursor, &list, keys.own())?);
    }
    let scope = caller.kernel.door.open(context).await?;
    let (records, next) = store::list(scope, &list, keys).await?;
    if records.is_empty() && list.after.is_none() {
        // Nobody has seen it, or there is no such record: told apart by what the caller may see.
        let built = store::get_query(&PATIENT, context.plane, context.tenant, patient, false)?;
        let answers = caller.kernel.door.open(context).await?.once(&[(built.query.clone(), built.params())]).await?;
        store::one(&PATIENT, context.plane, answers.first().map(Vec::as_slice).unwrap_or_default(), keys).await?;
    }
    let next = next.map(|cursor| cursor.seal(&list, keys.own())).transpose()?;
    caller.searched(context, &PHI_ACCESS_LOG, &records).await?;
    Ok(Answer::Page(records, next))
}
