//! The kernel: what every domain stands on. It knows no dentistry.
pub mod embedded;
pub mod error;

pub use error::{Error, Result};
