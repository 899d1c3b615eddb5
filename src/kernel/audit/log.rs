//! The door of every audited request: events go to the database together, each request waiting until its own is durable.

use super::event::{AuditEvent, PreparedEvent};
use crate::kernel::Result;
use crate::kernel::group::{Group, Limits, Writer};
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone)]
pub struct AuditLog(Group<PreparedEvent, ()>);

impl AuditLog {
    /// `sink` stores a batch whole or not at all, and answers once it is durable.
    pub fn start<S, F>(limits: Limits, sink: S) -> (Self, Writer)
    where
        S: Fn(Vec<Arc<PreparedEvent>>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<()>>> + Send + 'static,
    {
        let (group, writer) = Group::start(limits, sink);
        (Self(group), writer)
    }

    /// Returns when the event is durable. A request that gets an error must not answer with what it read; the event
    /// may nevertheless be stored, since saying too much is the safe side.
    pub async fn record(&self, event: AuditEvent) -> Result<()> {
        self.0.ask(PreparedEvent::salted(event)?).await
    }
}
