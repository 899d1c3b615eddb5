//! An ordered copy of a patient's record: whose it is and what who ordered it may see, sealed into the job, so that no row
//! written by hand can order more.

use super::export_job::EXPORT_JOB;
use crate::kernel::context::{Caps, Context, Plane};
use crate::kernel::crypto::{Keyring, TenantKeys};
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::kernel::table::{Draft, Record, Value, store};
use crate::kernel::{Caller, Kernel};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug, Serialize, Deserialize)]
pub struct RecordOrder {
    pub patient: Uuid,
    actor: Option<Uuid>,
    caps: i64,
}

/// Where it is sealed.
const PLACE: (&str, &str) = ("export_jobs", "order");

/// A job that copies the record, as far as its caller may read all of the tenant. `about` stands in its params.
pub async fn place(scope: &mut Scope, caller: &Caller, patient: Uuid, about: (&str, Uuid), keys: &Keyring) -> Result<Record> {
    let id = scope.new_id();
    let order = RecordOrder { patient, actor: caller.context.actor, caps: caller.context.caps.0 };
    let plain = serde_json::to_vec(&order).map_err(Error::internal)?;
    let sealed = keys.of(scope.tenant()?).await?.seal(PLACE.0, PLACE.1, id, &plain)?;
    let draft = Draft { id: Some(id), values: Vec::new() }
        .set(&EXPORT_JOB, "export_type", Value::Text("PATIENT_RECORD".into()))?
        .set(&EXPORT_JOB, "params", Value::Json(json!({"patient_id": patient, about.0: about.1, "order": BASE64_STANDARD.encode(sealed)})))?
        .set(&EXPORT_JOB, "requested_by", order.actor.map_or(Value::Null, Value::Uuid))?;
    store::insert(scope, &EXPORT_JOB, &draft, keys).await
}

impl RecordOrder {
    pub fn open(keys: &TenantKeys, job: Uuid, params: &Json) -> Result<RecordOrder> {
        let sealed = BASE64_STANDARD.decode(params["order"].as_str().unwrap_or_default()).map_err(Error::internal)?;
        serde_json::from_slice(&keys.open(PLACE.0, PLACE.1, job, &sealed)?).map_err(Error::internal)
    }
    /// Who ordered it, with what they could see then.
    pub fn caller(&self, kernel: &Arc<Kernel>, tenant: Uuid) -> Caller {
        let context = Context { actor: self.actor, caps: Caps(self.caps), ..Context::system(Plane::Staff, Some(tenant)) };
        Caller { kernel: kernel.clone(), context, reads_subtree: false, scopes: Arc::new([]) }
    }
}
