//! Governance: audit, mandates, history. Catalogue §3.
pub mod anchor_copies;
pub mod audit_anchor;
pub mod audit_digest;
pub mod audit_event;
pub mod audit_mandate;
pub mod audit_seal;
pub mod change_log_entry;
pub mod cli;
mod digester;
pub mod export;
pub mod keys;
mod ledger;
pub mod phi_access_log;
pub mod requests;
pub mod sealer;
pub mod unfinished;

use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &change_log_entry::CHANGE_LOG_ENTRY,
    &audit_event::AUDIT_EVENT,
    &phi_access_log::PHI_ACCESS_LOG,
    &audit_seal::AUDIT_SEAL,
    &audit_digest::AUDIT_DIGEST,
    &audit_anchor::AUDIT_ANCHOR,
    &audit_mandate::AUDIT_MANDATE,
];

pub static OPERATIONS: &[&Operation] = &[&requests::EXPORT, &requests::KEYS, &requests::SUMMARY, &requests::REVOKE];
