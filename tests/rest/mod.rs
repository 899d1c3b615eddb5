mod batch;
mod history;
mod idempotency;
mod projections;
mod records;
