//! The kernel: what every domain stands on. It knows no dentistry.
pub mod embedded;
pub mod error;
pub mod storage;

pub use error::{Error, Result};
