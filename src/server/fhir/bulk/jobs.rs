//! The jobs of this contract, as the worker takes them up.

use super::{export, import};
use crate::kernel::Kernel;
use crate::kernel::error::{Error, Result};
use crate::workflow::long_work::{self, Work};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use uuid::Uuid;

pub const EXPORT: &str = "FHIR_EXPORT";
pub const IMPORT: &str = "FHIR_IMPORT";
pub const KINDS: &[&str] = &[EXPORT, IMPORT];
/// How long files wait to be fetched.
pub const FILES_KEPT_HOURS: i32 = 24;

/// Those nobody works on.
pub async fn due(kernel: &Kernel) -> Result<Vec<(Uuid, Uuid)>> {
    long_work::due(kernel, KINDS).await
}

/// One job to its end, whatever that is. A panic ends it and no other.
pub async fn run(kernel: Arc<Kernel>, tenant: Uuid, id: Uuid) -> Result<()> {
    let Some(work) = Work::take(&kernel, tenant, id).await?.map(Arc::new) else { return Ok(()) };
    if work.is_hopeless() {
        return work.ended(Err(Error::new(&crate::kernel::error::CONFLICT).detail("Every server that had it died."))).await;
    }
    let run = async {
        match work.kind.as_str() {
            IMPORT => import::run(work.clone()).await,
            _ => export::run(work.clone()).await,
        }
    };
    let result = AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| Err(Error::internal("a job panicked")));
    work.ended(result).await
}

pub async fn sweep(kernel: &Kernel) -> Result<usize> {
    long_work::sweep(kernel, FILES_KEPT_HOURS).await
}
