//! Which sites' pages are applications that are registered here: the origins of public clients' redirect addresses. Whoever
//! keeps a secret calls from a server, where no browser asks.

use crate::identity::service::Service;
use crate::kernel::Kernel;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::Result;
use crate::sql;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const BELIEVED_FOR: Duration = Duration::from_secs(60);
const KNOWN_MAX: usize = 10_000;

sql! {
    /// $1 origin.
    IS_APP(TEXT) = "select sec.is_app_origin($1)";
}

#[derive(Default)]
pub struct AppOrigins(Mutex<HashMap<String, (Instant, bool)>>);

impl AppOrigins {
    async fn has(&self, kernel: &Kernel, origin: &str) -> Result<bool> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(origin).copied();
        if let Some((_, answer)) = known.filter(|(at, _)| at.elapsed() < BELIEVED_FOR) {
            return Ok(answer);
        }
        let scope = kernel.door.open(&Context::system(Plane::Auth, None)).await?;
        let answers = scope.once(&[((&IS_APP).into(), vec![&origin])]).await?;
        let answer = answers.iter().flatten().next().map(|row| row.try_get(0)).transpose()?.unwrap_or(false);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(origin.to_owned(), (Instant::now(), answer));
        Ok(answer)
    }
}

/// For the middleware: what cannot be asked is none.
pub fn is_app(kernel: Arc<Kernel>, origin: String) -> BoxFuture<'static, bool> {
    Box::pin(async move {
        let asked = async { Service::of(&kernel)?.origins.has(&kernel, &origin).await };
        asked.await.unwrap_or_else(|failure| {
            tracing::warn!(error = %failure, "An origin could not be looked up");
            false
        })
    })
}
