//! Files the server makes itself: imports given to a command, exports for people. The bytes are stored before the row is READY;
//! what is never ended is closed with the uploads that were abandoned.

use super::attached;
use super::file::FILE;
use crate::kernel::Kernel;
use crate::kernel::context::Context;
use crate::kernel::error::{Error, Result};
use crate::kernel::storage::{Writing, object_key};
use crate::kernel::table::{Draft, Record, Value, store};
use bytes::Bytes;
use uuid::Uuid;

pub struct Made<'a> {
    pub kind: &'static str,
    pub name: &'a str,
    pub media_type: &'static str,
    pub source: &'static str,
    /// As far as they are known at the beginning.
    pub bytes: Bytes,
    pub patient: Option<Uuid>,
    /// To the patient too.
    pub visible: bool,
}

/// A file under way.
pub struct Making {
    file: Record,
    writing: Writing,
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub async fn keep(kernel: &Kernel, server: &Context, made: Made<'_>) -> Result<Record> {
    begin(kernel, server, &made).await?.end(kernel, server).await
}

pub async fn begin(kernel: &Kernel, server: &Context, made: &Made<'_>) -> Result<Making> {
    let mut scope = kernel.door.open(server).await?;
    let (id, tenant) = (scope.new_id(), scope.tenant()?);
    let key = object_key(tenant, None, made.patient, id);
    let draft = Draft { id: Some(id), values: Vec::new() }
        .set(&FILE, "kind", text(made.kind))?
        .set(&FILE, "file_name", text(made.name))?
        .set(&FILE, "file_type", text(made.media_type))?
        .set(&FILE, "file_size", Value::BigInt(i64::try_from(made.bytes.len()).map_err(Error::internal)?))?
        .set(&FILE, "storage_key", text(&key))?
        .set(&FILE, "storage_region", text(&kernel.config.storage.region))?
        .set(&FILE, "uploaded_by_party", text("SYSTEM"))?
        .set(&FILE, "source", text(made.source))?
        .set(&FILE, "patient_id", made.patient.map_or(Value::Null, Value::Uuid))?
        .set(&FILE, "is_patient_visible", Value::Bool(made.visible))?;
    let file = store::insert(&mut scope, &FILE, &draft, &kernel.keys).await?;
    scope.commit().await?;
    let mut making = Making { file, writing: kernel.storage.write(&key, made.media_type) };
    making.push(&made.bytes).await?;
    Ok(making)
}

impl Making {
    pub fn size(&self) -> u64 {
        self.writing.size()
    }

    pub async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.writing.push(bytes).await
    }

    pub async fn end(self, kernel: &Kernel, server: &Context) -> Result<Record> {
        let sum = self.writing.end().await?;
        let (keys, mut scope) = (&kernel.keys, kernel.door.open(server).await?);
        let whole = Draft::default().set(&FILE, "file_size", Value::BigInt(i64::try_from(sum.size).map_err(Error::internal)?))?.set(
            &FILE,
            "sha256",
            Value::Text(sum.sha256_hex),
        )?;
        let was = store::lock(&mut scope, &FILE, self.file.id, Some(self.file.version), keys).await?;
        let file = store::update(&mut scope, &was, &whole, "system", keys).await?;
        let file = attached::ready(&mut scope, file, keys).await?;
        scope.commit().await?;
        Ok(file)
    }

    /// What was sent so far goes; the row is closed as one that was never ended.
    pub async fn abandon(self) -> Result<()> {
        self.writing.abandon().await
    }
}
