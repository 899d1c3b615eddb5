//! Everything that is tested from outside, in one binary.
mod identity;
mod isolation;
mod kernel;
mod world;
