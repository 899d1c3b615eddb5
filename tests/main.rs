//! Everything that is tested from outside, in one binary.
mod e2e;
mod faults;
mod identity;
mod house;
mod isolation;
mod kernel;
mod rest;
mod world;
