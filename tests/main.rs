//! Everything that is tested from outside, in one binary.
mod e2e;
mod faults;
mod fhir;
mod audit;
mod fuzz;
mod identity;
mod house;
mod identity;
mod imaging;
mod house;
mod identity;
mod isolation;
mod kernel;
mod patients;
mod rest;
mod tenancy;
mod world;
