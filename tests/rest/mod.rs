mod batch;
mod history;
mod records;
