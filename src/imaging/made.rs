//! Files the server makes itself: imports given to a command, exports for people. The bytes are stored before the row is READY.

use super::attached;
use super::file::FILE;
use crate::kernel::Kernel;
use crate::kernel::context::Context;
use crate::kernel::error::{Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::storage::object_key;
use crate::kernel::table::{Draft, Record, Value, store};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub struct Made<'a> {
    pub kind: &'static str,
    pub name: &'a str,
    pub media_type: &'static str,
    pub source: &'static str,
    pub bytes: Bytes,
    pub patient: Option<Uuid>,
    /// To the patient too.
    pub visible: bool,
}

pub async fn keep(kernel: &Kernel, server: &Context, made: Made<'_>) -> Result<Record> {
    let mut scope = kernel.door.open(server).await?;
    let (id, tenant, keys) = (scope.new_id(), scope.tenant()?, &kernel.keys);
    let key = object_key(tenant, None, made.patient, id);
    let text = |text: &str| Value::Text(text.to_owned());
    let draft = Draft { id: Some(id), values: Vec::new() }
        .set(&FILE, "kind", text(made.kind))?
        .set(&FILE, "file_name", text(made.name))?
        .set(&FILE, "file_type", text(made.media_type))?
        .set(&FILE, "file_size", Value::BigInt(i64::try_from(made.bytes.len()).map_err(Error::internal)?))?
        .set(&FILE, "sha256", Value::Text(hex(&Sha256::digest(&made.bytes))))?
        .set(&FILE, "storage_key", text(&key))?
        .set(&FILE, "storage_region", text(&kernel.config.storage.region))?
        .set(&FILE, "uploaded_by_party", text("SYSTEM"))?
        .set(&FILE, "source", text(made.source))?
        .set(&FILE, "patient_id", made.patient.map_or(Value::Null, Value::Uuid))?
        .set(&FILE, "is_patient_visible", Value::Bool(made.visible))?;
    let file = store::insert(&mut scope, &FILE, &draft, keys).await?;
    scope.commit().await?;
    kernel.storage.put(&key, made.media_type, made.bytes).await?;
    let mut scope = kernel.door.open(server).await?;
    let file = attached::ready(&mut scope, file, keys).await?;
    scope.commit().await?;
    Ok(file)
}
