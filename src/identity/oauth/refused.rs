//! Clients that did not prove themselves, on record without filling it: the first refusal of a client is written before it is
//! told; those that follow within a minute are counted and told as one event. All unknown clients are one.

use crate::identity::grant;
use crate::identity::service::Service;
use crate::kernel::audit::{Action, AuditEvent, Metadata, Outcome};
use crate::kernel::context::PLATFORM_TENANT;
use crate::kernel::error::{Error, Result};
use crate::kernel::{Caller, Kernel, audit_store};
use chrono::Utc;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

const WINDOW: Duration = Duration::from_secs(60);

/// What was counted of each client since its first refusal; as many as there are clients.
#[derive(Default)]
pub struct Refused(Mutex<HashMap<Option<Uuid>, i64>>);

impl Refused {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Option<Uuid>, i64>) -> T) -> Result<T> {
        Ok(act(&mut *self.0.lock().map_err(|_| Error::internal("a thread died counting refusals"))?))
    }
    /// Whether it is the first of its window; else it is counted.
    fn begins(&self, client: Option<Uuid>) -> Result<bool> {
        self.with(|counts| match counts.get_mut(&client) {
            Some(count) => {
                *count += 1;
                false
            }
            None => counts.insert(client, 0).is_none(),
        })
    }
    /// Ends the window: how many followed the first.
    fn ends(&self, client: Option<Uuid>) -> Result<i64> {
        self.with(|counts| counts.remove(&client).unwrap_or_default())
    }
}

pub async fn remember(caller: &Caller, client: Option<(Uuid, Uuid)>) -> Result<()> {
    let key = client.map(|(_, id)| id);
    let service = Service::of(&caller.kernel)?;
    if !service.refused.begins(key)? {
        return Ok(());
    }
    let first = event(caller, client);
    let rest = first.clone();
    if let Err(failure) = caller.kernel.audit.record(first).await {
        service.refused.ends(key)?;
        return Err(failure);
    }
    // A server that ends is not kept alive for it.
    let kernel = Arc::downgrade(&caller.kernel);
    tokio::spawn(async move {
        tokio::time::sleep(WINDOW).await;
        let Some(kernel) = kernel.upgrade() else { return };
        if let Err(failure) = tell_rest(&kernel, key, rest).await {
            tracing::error!(error = %failure, "Refusals of a client were not recorded");
        }
    });
    Ok(())
}

async fn tell_rest(kernel: &Kernel, client: Option<Uuid>, mut event: AuditEvent) -> Result<()> {
    let count = Service::of(kernel)?.refused.ends(client)?;
    if count == 0 {
        return Ok(());
    }
    (event.id, event.occurred_at) = (Uuid::now_v7(), Utc::now());
    event.metadata = Metadata::new().integer("count", count);
    kernel.audit.record(event).await
}

fn event(caller: &Caller, client: Option<(Uuid, Uuid)>) -> AuditEvent {
    let context = grant::behind(&caller.context, None);
    let mut event = audit_store::of(&context, "LOGIN_FAILED", Action::Execute, Outcome::Denied, Utc::now());
    event.tenant_id = client.map_or(PLATFORM_TENANT, |(tenant, _)| tenant);
    event.api_client_id = client.map(|(_, id)| id);
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_first_refusal_is_counted() {
        let (refused, client) = (Refused::default(), Some(Uuid::now_v7()));
        let first = [client, client, None, client].map(|client| refused.begins(client).unwrap());
        assert_eq!(first, [true, false, true, false]);
        assert_eq!((refused.ends(client).unwrap(), refused.ends(None).unwrap()), (2, 0));
        assert!(refused.begins(client).unwrap(), "another window begins");
    }
}
