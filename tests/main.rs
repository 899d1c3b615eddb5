//! Everything that is tested from outside, in one binary.
mod fhir;
mod identity;
mod kernel;
mod world;
