mod batch;
mod history;
mod idempotency;
mod records;
