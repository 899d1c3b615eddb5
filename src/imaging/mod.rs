//! Imaging: the file registry and the studies made of it. Catalogue §10.
pub mod file;
pub mod imaging_object;
pub mod imaging_series;
pub mod imaging_study;

use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &file::FILE,
    &imaging_study::IMAGING_STUDY,
    &imaging_series::IMAGING_SERIES,
    &imaging_object::IMAGING_OBJECT,
];
