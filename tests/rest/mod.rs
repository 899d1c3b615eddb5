mod batch;
mod contract;
mod history;
mod idempotency;
mod records;
mod reference;
