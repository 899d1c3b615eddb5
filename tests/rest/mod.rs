mod batch;
pub mod contract;
mod history;
mod idempotency;
mod projections;
mod records;
mod reference;
mod refusals;
