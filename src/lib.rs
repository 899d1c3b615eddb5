//! Enamel: the multi-tenant platform server for dentistry. ARCHITECTURE.md is the map.
pub mod fhir;
pub mod kernel;
