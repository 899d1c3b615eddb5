mod idempotency;
mod records;
