//! Reporting and the analytical warehouse. Catalogue §15.14 to 15.16.
pub mod analytics_rollup;
mod views;
pub mod warehouse_load;

use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[&analytics_rollup::ANALYTICS_ROLLUP, &warehouse_load::WAREHOUSE_LOAD];

pub static OPERATIONS: &[&Operation] = &[&views::REFERRALS_PER_MONTH, &views::CHAIR_UTILISATION, &views::PLAN_ACCEPTANCE];
