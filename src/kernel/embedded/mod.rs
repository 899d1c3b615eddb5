//! What `enamel up` brings along so that one command is enough.
pub mod issuer;
