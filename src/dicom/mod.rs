//! DICOM: what a file says of itself before its pixels. Knows no patients and no tables.
pub mod header;
mod modality;
mod texts;
mod time;
mod walk;

pub use header::{Header, Unreadable, Warning, read};
pub use modality::word_of;
pub use time::Acquired;
