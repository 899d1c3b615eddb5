//! The kernel: what every domain stands on. It knows no dentistry.
pub mod config;
pub mod error;
pub mod json;
pub mod telemetry;

pub use error::{Error, Result};
