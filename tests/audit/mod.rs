//! The audit log from commit to package: nothing is missed, nothing can be changed unseen, nobody sees another's.
mod anchor_copies;
mod horizon;
pub mod house;
mod mandates;
mod planes;
mod tampering;
