//! Everything that is tested from outside, in one binary.
mod identity;
mod kernel;
mod world;
