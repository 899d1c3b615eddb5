//! `enamel audit export` and `enamel audit verify`.

use super::requests::{Recorded, hours};
use crate::kernel::Kernel;
use crate::kernel::audit;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{Error, Result};
use chrono::{DateTime, Utc};
use std::path::Path;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Writes a tenant's package of full hours to `out`, recorded in the tenant's log as the system's doing; gives its size.
pub async fn audit_export(kernel: &Arc<Kernel>, tenant: Uuid, from: DateTime<Utc>, to: DateTime<Utc>, out: &Path) -> Result<u64> {
    let range = hours(tenant, from, to)?;
    let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).open(out).await.map_err(Error::unavailable)?;
    let export = Recorded::start(kernel.clone(), Context::system(Plane::Jobs, Some(tenant)), range).await?;
    let (sink, mut parts) = mpsc::channel(4);
    let running = tokio::spawn(async move { export.run(&sink).await });
    let mut size = 0;
    while let Some(part) = parts.recv().await {
        let part = part.map_err(Error::unavailable)?;
        file.write_all(&part).await.map_err(Error::unavailable)?;
        size += part.len() as u64;
    }
    running.await.map_err(Error::internal)?;
    file.sync_all().await.map_err(Error::unavailable)?;
    Ok(size)
}

/// Exit code and what to print: 0 whole, 1 not whole (the first bad place), 2 nothing could be verified.
pub fn audit_verify(package: &Path, keys: &[String], as_json: bool) -> (u8, String) {
    let (code, text) = audit::run(package, keys, as_json);
    (u8::try_from(code).unwrap_or(2), text)
}
