//! The REST contract held against its own document, whole: every property, every parameter, every header, every example. A record or an
//! operation added later is inside by construction.
mod bodies;
mod examples;
mod faults;
mod headers;
mod parameters;
mod permissions;
mod references;
pub mod stage;
pub mod walk;
