//! What is known about one request while it runs, for its log line, its audit events and its answer.

use std::{net::IpAddr, sync::OnceLock, time::Instant};

use uuid::Uuid;

/// Made once by the server, carried in the request's extensions as `Arc<RequestTrace>`. The room that learns a fact
/// sets it; the first one to set it wins.
#[derive(Debug)]
pub struct RequestTrace {
    pub id: Uuid,
    pub started: Instant,
    /// The client's address, behind trusted proxies the one they report.
    pub client: Option<IpAddr>,
    tenant: OnceLock<Uuid>,
    limits: OnceLock<(String, String)>,
}

impl RequestTrace {
    pub fn new(id: Uuid, client: Option<IpAddr>) -> Self {
        Self { id, started: Instant::now(), client, tenant: OnceLock::new(), limits: OnceLock::new() }
    }

    /// Set once the caller is known.
    pub fn set_tenant(&self, tenant: Uuid) {
        self.tenant.get_or_init(|| tenant);
    }
    pub fn tenant(&self) -> Option<Uuid> {
        self.tenant.get().copied()
    }

    /// What the answer says of the caller's limits: `RateLimit-Policy` and `RateLimit`.
    pub fn set_limits(&self, policy: String, left: String) {
        self.limits.get_or_init(|| (policy, left));
    }
    pub fn limits(&self) -> Option<&(String, String)> {
        self.limits.get()
    }
}
