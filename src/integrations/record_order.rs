//! An ordered copy of a patient's record: whose it is and who ordered it, sealed into the job.

use super::export_job::EXPORT_JOB;
use crate::kernel::Caller;
use crate::kernel::context::Permission;
use crate::kernel::crypto::{Keyring, TenantKeys};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::table::{Draft, Record, Value, store};
use crate::workflow::order::{self, By};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

#[derive(Debug, Serialize, Deserialize)]
pub struct RecordOrder {
    pub patient: Uuid,
    pub by: By,
}

/// A job that copies the record, as far as its caller may read all of the tenant. `about` stands in its params.
pub async fn place(scope: &mut Scope, caller: &Caller, patient: Uuid, about: (&str, Uuid), keys: &Keyring) -> Result<Record> {
    let id = scope.new_id();
    let order = RecordOrder { patient, by: By::of(caller, Permission::ManageGovernance)? };
    let params = json!({"patient_id": patient, about.0: about.1});
    let params = order::seal(&*keys.of(scope.tenant()?).await?, EXPORT_JOB.name, id, &order, params)?;
    let draft = Draft { id: Some(id), values: Vec::new() }
        .set(&EXPORT_JOB, "export_type", Value::Text("PATIENT_RECORD".into()))?
        .set(&EXPORT_JOB, "params", Value::Json(params))?
        .set(&EXPORT_JOB, "requested_by", caller.context.actor.map_or(Value::Null, Value::Uuid))?;
    store::insert(scope, &EXPORT_JOB, &draft, keys).await
}

impl RecordOrder {
    pub fn open(keys: &TenantKeys, job: Uuid, params: &Json) -> Result<RecordOrder> {
        order::open(keys, EXPORT_JOB.name, job, params)
    }
}
