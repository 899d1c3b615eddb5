mod records;
mod worker;
