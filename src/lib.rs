//! Enamel: the multi-tenant platform server for dentistry. ARCHITECTURE.md is the map.
pub mod identity;
pub mod kernel;
