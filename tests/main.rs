//! Everything that is tested from outside, in one binary.
mod audit;
mod identity;
mod kernel;
mod world;
