//! Everything that is tested from outside, in one binary.
mod e2e;
mod faults;
mod fhir;
mod house;
mod identity;
mod imaging;
mod isolation;
mod kernel;
mod rest;
mod world;
