//! Referrals and public referral links. Catalogue §12.
pub mod referral;
pub mod referral_event;
pub mod referral_file;
pub mod referral_link;
pub mod referral_submission;

use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &referral::REFERRAL,
    &referral_file::REFERRAL_FILE,
    &referral_link::REFERRAL_LINK,
    &referral_submission::REFERRAL_SUBMISSION,
    &referral_event::REFERRAL_EVENT,
];

pub static OPERATIONS: &[&Operation] = &[];
