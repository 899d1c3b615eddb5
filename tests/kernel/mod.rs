mod keys;
mod records;
mod secrets;
mod worker;
