//! Everything that is tested from outside, in one binary.
mod fuzz;
mod identity;
mod house;
mod isolation;
mod kernel;
mod rest;
mod world;
