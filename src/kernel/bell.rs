//! Rung when work for the worker was ordered, so that it begins at once and not when the worker looks next.

use super::Kernel;
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Clone, Default)]
pub struct Bell {
    /// Imports of codes and research data.
    pub ordered: Arc<Notify>,
    /// Copies of records.
    pub copies: Arc<Notify>,
    /// What may take hours.
    pub bulk: Arc<Notify>,
    /// Sessions that have ended, for whoever is to be told.
    pub logouts: Arc<Notify>,
    /// Letters to people.
    pub letters: Arc<Notify>,
}

impl Bell {
    pub fn of(kernel: &Kernel) -> Bell {
        kernel.services.get::<Bell>().cloned().unwrap_or_default()
    }
    pub fn ring(&self) {
        self.ordered.notify_one();
        self.copies.notify_one();
        self.bulk.notify_one();
    }
}
