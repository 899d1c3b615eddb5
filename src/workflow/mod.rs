//! Workflow: long work with progress, cancel and retry. Catalogue §15.04.
mod control;
pub mod job;

use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[&job::JOB];

pub static OPERATIONS: &[&Operation] = &[&control::CANCEL, &control::RETRY];
