//! Everything that is tested from outside, in one binary.
mod audit;
mod e2e;
mod faults;
mod fhir;
mod fuzz;
mod governance;
mod house;
mod identity;
mod imaging;
mod isolation;
mod kernel;
mod messaging;
mod patients;
mod rest;
mod tenancy;
mod workflow;
mod world;
