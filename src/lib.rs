//! Enamel: the multi-tenant platform server for dentistry. ARCHITECTURE.md is the map.
pub mod cli;
pub mod dicom;
pub mod directory;
pub mod fhir;
pub mod governance;
pub mod identity;
pub mod imaging;
pub mod kernel;
pub mod patients;
pub mod server;
pub mod tenancy;
pub mod workflow;
