//! Everything that is tested from outside, in one binary.
mod identity;
mod imaging;
mod kernel;
mod world;
