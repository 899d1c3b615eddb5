//! Fee schedules, claims and remittance. Catalogue §14.
pub mod claim;
pub mod claim_attachment;
pub mod claim_diagnosis;
pub mod claim_line;
pub mod claim_status_event;
mod course;
pub mod eligibility_check;
mod export;
pub mod fee_schedule;
pub mod fee_schedule_item;
pub mod fhir_claim;
pub mod fhir_eligibility;
mod import;
mod post;
pub mod remittance;
pub mod remittance_line;
mod rules;
mod x12;
pub mod x12_interchange;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &fee_schedule::FEE_SCHEDULE,
    &fee_schedule_item::FEE_SCHEDULE_ITEM,
    &eligibility_check::ELIGIBILITY_CHECK,
    &claim::CLAIM,
    &claim_line::CLAIM_LINE,
    &claim_diagnosis::CLAIM_DIAGNOSIS,
    &claim_attachment::CLAIM_ATTACHMENT,
    &claim_status_event::CLAIM_STATUS_EVENT,
    &remittance::REMITTANCE,
    &remittance_line::REMITTANCE_LINE,
    &x12_interchange::X12_INTERCHANGE,
];

pub static RESOURCES: &[&Mapping] =
    &[&fhir_claim::MAPPING, &fhir_claim::RESPONSE, &fhir_claim::BENEFIT, &fhir_eligibility::MAPPING, &fhir_eligibility::REMITTED];

pub static OPERATIONS: &[&Operation] = &[
    &course::VALIDATE,
    &course::SUBMIT,
    &course::REOPEN,
    &course::APPEAL,
    &course::VOID,
    &course::RECORD_STATUS,
    &post::POST,
    &import::IMPORT,
    &export::EXPORT_837D,
];
