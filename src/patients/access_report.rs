//! Who saw a record, when and why: for the patient whose it is and for those who watch (catalogue 3.05, 3.11).

use super::patient::PATIENT;
use crate::governance::phi_access_log::PHI_ACCESS_LOG;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::page::{CURSOR, LIMIT, page};
use crate::kernel::table::{Field, List, Value};
use tokio_postgres::types::Type;

pub static ACCESS_REPORT: Operation = Operation {
    id: "getPatientAccessReport",
    method: Method::Get,
    path: "/patients/{id}/access-report",
    tag: "Patients",
    doc: "Who saw this record, when and why; newest first",
    takes: &[Field::instant("occurred_at_from").doc("at or after"), Field::instant("occurred_at_to").doc("before"), LIMIT, CURSOR],
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
    let context = &caller.context;
    let patient = call.id()?;
    let mut list = List::by(&PHI_ACCESS_LOG, "occurred_at")?;
    list.descending = true;
    list.extra.push((OF_PATIENT.into(), vec![(Value::Uuid(patient), Type::UUID), (Value::Uuid(patient), Type::UUID)]));
    let (records, next) = page(&call, context, list).await?;
    if records.is_empty() && call.text(CURSOR.name).is_none() {
        // Nobody has seen it, or there is no such record: told apart by what the caller may see.
        caller.glance(context, &PATIENT, patient).await?;
    }
    Ok(Answer::Page(records, next))
}
