//! Everything that is tested from outside, in one binary.
mod audit;
mod data_schema;
mod e2e;
mod faults;
mod fhir;
mod fuzz;
mod house;
mod identity;
mod imaging;
mod isolation;
mod kernel;
mod patients;
mod rest;
mod tenancy;
mod world;
