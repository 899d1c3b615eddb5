//! Everything that is tested from outside, in one binary.
mod house;
mod identity;
mod isolation;
mod kernel;
mod patients;
mod rest;
mod tenancy;
mod world;
