//! How many requests run at this moment, so that the process can end when none does.

use tokio::sync::watch;

/// A shared count; clones count together.
#[derive(Debug, Clone)]
pub struct InFlight(watch::Sender<usize>);

impl Default for InFlight {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl InFlight {
    pub fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Resolves when no request runs any more; new ones may start right after.
    pub async fn none(&self) {
        // The sender lives in self, so the channel is not closed while we wait.
        let _ = self.0.subscribe().wait_for(|running| *running == 0).await;
    }

    pub(super) fn enter(&self) -> Running {
        self.0.send_modify(|running| *running += 1);
        metrics::gauge!("http_requests_in_flight").increment(1);
        Running(self.0.clone())
    }
}

/// Counts until it is dropped, by return, panic or cancellation.
pub(super) struct Running(watch::Sender<usize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
        metrics::gauge!("http_requests_in_flight").decrement(1);
    }
}
