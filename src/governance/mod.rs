//! Governance: audit, mandates, history. Catalogue §3.
pub mod anchor_copies;
pub mod audit_anchor;
pub mod audit_digest;
pub mod audit_event;
pub mod audit_mandate;
pub mod audit_seal;
pub mod break_glass_grant;
pub mod change_log_entry;
pub mod cli;
pub mod consent;
pub mod consent_text;
pub mod consenting;
pub mod data_dictionary_column;
pub mod data_retention_policy;
mod digester;
pub mod disclosure;
pub mod dsar_request;
mod emergency;
pub mod export;
pub mod fhir_audit_event;
pub mod fhir_consent;
pub mod fhir_request;
pub mod fhir_share;
pub mod keys;
mod ledger;
pub mod legal_hold;
pub mod legal_hold_item;
pub mod phi_access_log;
pub mod processor_agreement;
mod projections;
pub mod record_share;
pub mod requests;
pub mod retention;
pub mod retention_item;
pub mod retention_run;
mod rights;
pub mod sealer;
mod sharing;
mod stopping;
pub mod unfinished;
mod views;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &change_log_entry::CHANGE_LOG_ENTRY,
    &audit_event::AUDIT_EVENT,
    &phi_access_log::PHI_ACCESS_LOG,
    &audit_seal::AUDIT_SEAL,
    &audit_digest::AUDIT_DIGEST,
    &audit_anchor::AUDIT_ANCHOR,
    &audit_mandate::AUDIT_MANDATE,
    &disclosure::DISCLOSURE,
    &consent_text::CONSENT_TEXT,
    &data_retention_policy::DATA_RETENTION_POLICY,
    &legal_hold::LEGAL_HOLD,
    &legal_hold_item::LEGAL_HOLD_ITEM,
    &break_glass_grant::BREAK_GLASS_GRANT,
    &data_dictionary_column::DATA_DICTIONARY_COLUMN,
    &retention_run::RETENTION_RUN,
    &retention_item::RETENTION_ITEM,
    &consent::CONSENT,
    &record_share::RECORD_SHARE,
    &processor_agreement::PROCESSOR_AGREEMENT,
    &dsar_request::DSAR_REQUEST,
];

pub static RESOURCES: &[&Mapping] = &[&fhir_consent::MAPPING, &fhir_audit_event::MAPPING, &fhir_request::MAPPING, &fhir_share::MAPPING];

pub static OPERATIONS: &[&Operation] = &[
    &requests::EXPORT,
    &requests::KEYS,
    &requests::SUMMARY,
    &requests::REVOKE,
    &consenting::GIVE,
    &consenting::REVOKE,
    &consenting::RENEW,
    &stopping::REVOKE_SHARE,
    &sharing::MAKE_LINK,
    &sharing::END_LINKS,
    &sharing::OPEN_LINK,
    &stopping::RELEASE_HOLD,
    &rights::VERIFY,
    &rights::START,
    &rights::EXTEND,
    &rights::COMPLETE,
    &rights::REFUSE,
    &rights::WITHDRAW,
    &emergency::OPEN,
    &emergency::CLOSE,
    &emergency::REVIEW,
    &retention::PREVIEW,
    &retention::APPROVE,
    &retention::CANCEL,
    &views::REDACTED,
    &views::ACCOUNTING,
];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] = &[&projections::CENTRE_AUDIT_LOG];
