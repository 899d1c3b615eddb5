//! From an access token to its caller.

use crate::kernel::context::Origin;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Caller, Kernel};
use std::sync::Arc;
use uuid::Uuid;

pub async fn resolve(_: &Arc<Kernel>, _: &str, _: Uuid, _: Arc<Origin>) -> Result<Caller> {
    Err(Error::new(&error::UNAUTHENTICATED))
}
