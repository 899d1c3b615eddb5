//! Files that come inside a resource: small ones, stored in the caller's transaction and looked at as an upload is.

use super::file::FILE;
use super::{media, upload};
use crate::kernel::Caller;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::storage::object_key;
use crate::kernel::table::{Draft, Record, Value, store};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What is larger is announced and uploaded by itself.
pub const BYTES_MAX: usize = 5 << 20;

pub struct Attached {
    pub id: Uuid,
    pub patient: Option<Uuid>,
    pub kind: &'static str,
    pub name: String,
    pub media_type: String,
    pub bytes: Bytes,
}

/// The media types that come this way. A picture of DICOM belongs to a study, which its upload makes.
pub fn takes(media_type: &str) -> bool {
    media_type != media::DICOM && media::TYPES.contains(&media_type)
}

/// The file, READY. Its object stands in the store before the row says so; if the transaction fails after that, nothing
/// names the object any more.
pub async fn keep(scope: &mut Scope, caller: &Caller, attached: Attached, path: &str) -> Result<Record> {
    caller.needs(FILE.write)?;
    let fault = |rule, text: &str| Error::new(&error::INVALID).fault(path, rule, text);
    let Attached { id, patient, kind, name, media_type, bytes } = attached;
    let size = i64::try_from(bytes.len()).map_err(Error::internal)?;
    if bytes.len() > BYTES_MAX {
        return Err(fault("length", "What is larger than 5 MB is uploaded by itself: announce it as a file in the REST API."));
    }
    if !media::is(&media_type, &bytes, bytes.len() as u64) {
        return Err(fault("type", "The bytes are not of the type that they are said to be."));
    }
    let tenant = scope.tenant()?;
    upload::within_limits(caller, tenant, size).await?;
    let (key, text) = (object_key(tenant, patient, None, id), |text: &str| Value::Text(text.to_owned()));
    let draft = Draft { id: Some(id), values: Vec::new() }
        .set(&FILE, "patient_id", patient.map_or(Value::Null, Value::Uuid))?
        .set(&FILE, "kind", text(kind))?
        .set(&FILE, "file_name", text(&name))?
        .set(&FILE, "file_type", text(&media_type))?
        .set(&FILE, "file_size", Value::BigInt(size))?
        .set(&FILE, "sha256", Value::Text(hex(&Sha256::digest(&bytes))))?
        .set(&FILE, "storage_key", text(&key))?
        .set(&FILE, "storage_region", text(&caller.kernel.config.storage.region))?
        .set(&FILE, "uploaded_by_party", text("STAFF"))?
        .set(&FILE, "source", text("FHIR"))?;
    let keys = &caller.kernel.keys;
    let file = store::insert(scope, &FILE, &draft, keys).await.map_err(|mut refusal| {
        // Whose it is has an element of its own.
        refusal.faults.iter_mut().filter(|fault| fault.field != "patient_id").for_each(|fault| path.clone_into(&mut fault.field));
        refusal
    })?;
    caller.kernel.storage.put(&key, &media_type, bytes).await?;
    ready(scope, file, keys).await
}

/// What is here was looked at: the file goes the way of every upload to its end.
pub async fn ready(scope: &mut Scope, mut file: Record, keys: &Keyring) -> Result<Record> {
    for (to, by) in [("SCANNING", "complete-upload"), ("READY", "system")] {
        let mut draft = Draft::default().set(&FILE, "status", Value::Text(to.to_owned()))?;
        if to == "READY" {
            draft = draft.set(&FILE, "uploaded_at", Value::Instant(scope.now()))?;
        }
        let was = store::lock(scope, &FILE, file.id, Some(file.version), keys).await?;
        file = store::update(scope, &was, &draft, by, keys).await?;
    }
    Ok(file)
}
