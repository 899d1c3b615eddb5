//! Orders of copies: whose record it is and what who ordered it may see, sealed into the job, so that no row written by hand can
//! order more. Other exports have orders of their own: bulk FHIR, audit packages, research data.

use super::export_job::EXPORT_JOB;
use crate::kernel::Caller;
use crate::kernel::bell::Bell;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::crypto::{Keyring, TenantKeys};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Record, Refers, Value, store};
use crate::patients::patient::PATIENT;
use crate::workflow::order::{self, By};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

pub static CREATE: Operation = Operation {
    id: "createExportJob",
    method: Method::Post,
    path: "/export-jobs",
    tag: EXPORT_JOB.tag,
    doc: "Order a copy of all of the tenant's records or of one patient's, as far as the caller may read them, as a job: files of lines \
          of JSON, a line a row, the last one with their number and hash; what files hold stands behind their rows as FileBytes with \
          base64, ended by FileBytesEnd with their hash. They can be fetched for 30 days by those who manage governance. \
          Bulk FHIR is ordered by /fhir/r4/$export, an audit package by exportAuditEvents, research data by exportResearchDataset",
    takes: &[
        Field::choice("export_type", &["TENANT_FULL", "PATIENT_RECORD"]).means(&["all of a tenant", "one patient's record"]).required(),
        Field::uuid("patient_id").refers(Refers::Tenant("patients")).doc("whose record; needed for PATIENT_RECORD"),
    ],
    gives: Gives::Created(&EXPORT_JOB),
    planes: &[Plane::Staff],
    permission: Permission::ManageGovernance,
    run: Run::Inside(|scope, call| Box::pin(create(scope, call))),
};

async fn create(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    call.caller.needs_throughout(Permission::ManageGovernance)?;
    let patient = call.uuid("patient_id");
    let is_whole = call.text("export_type") == Some("TENANT_FULL");
    match patient {
        None if !is_whole => {
            return Err(Error::new(&error::INVALID).fault("patient_id", "required", "Say whose record."));
        }
        Some(_) if is_whole => {
            return Err(Error::new(&error::INVALID).fault("patient_id", "value", "A copy of all records is of no patient."));
        }
        Some(patient) => {
            let unknown =
                || Error::new(&error::REFERENCE_UNKNOWN).fault("patient_id", "reference", "It points to nothing the caller can see.");
            store::seen(scope, &PATIENT, patient, keys).await.map_err(|_| unknown())?;
        }
        None => {}
    }
    let job = place(scope, &call.caller, patient, Map::new(), keys).await?;
    Bell::of(&call.caller.kernel).ring();
    Ok(Answer::Record(job))
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ExportOrder {
    /// None: all of the tenant.
    pub patient: Option<Uuid>,
    pub by: By,
}

/// A job that copies the record, as far as its caller may read all of the tenant. `params` say what it is for.
pub async fn place(
    scope: &mut Scope,
    caller: &Caller,
    patient: Option<Uuid>,
    mut params: Map<String, Json>,
    keys: &Keyring,
) -> Result<Record> {
    let id = scope.new_id();
    let order = ExportOrder { patient, by: By::of(caller, Permission::ManageGovernance)? };
    if let Some(patient) = patient {
        params.insert("patient_id".to_owned(), json!(patient));
    }
    let params = order::seal(&*keys.of(scope.tenant()?).await?, EXPORT_JOB.name, id, &order, params.into())?;
    let kind = if patient.is_some() { "PATIENT_RECORD" } else { "TENANT_FULL" };
    let draft = Draft { id: Some(id), values: Vec::new() }.set(&EXPORT_JOB, "export_type", Value::Text(kind.into()))?.set(
        &EXPORT_JOB,
        "params",
        Value::Json(params),
    )?;
    store::insert(scope, &EXPORT_JOB, &draft, keys).await
}

impl ExportOrder {
    pub fn open(keys: &TenantKeys, job: Uuid, params: &Json) -> Result<ExportOrder> {
        order::open(keys, EXPORT_JOB.name, job, params)
    }
}
