//! Treatment plans, procedures, quotes, bookings and patient payments. Catalogue §9.
mod answered;
pub mod booking;
pub mod clinical_outcome;
mod commitment;
mod decision;
mod details;
mod estimate;
pub mod fhir_care_plan;
pub mod fhir_outcome;
pub mod fhir_payment;
pub mod fhir_procedure;
mod money;
mod past;
pub mod payment;
pub mod payment_event;
pub mod payment_method;
mod plan;
pub mod plan_document;
pub mod plan_item_procedure;
mod plan_sheet;
pub mod procedure;
pub mod procedure_material;
mod projections;
pub mod quote;
pub mod quote_event;
mod quoting;
mod service;
pub mod treatment_plan;
pub mod treatment_plan_item;
pub mod treatment_plan_revision;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &treatment_plan::TREATMENT_PLAN,
    &treatment_plan_item::TREATMENT_PLAN_ITEM,
    &treatment_plan_revision::TREATMENT_PLAN_REVISION,
    &quote::QUOTE,
    &quote_event::QUOTE_EVENT,
    &booking::BOOKING,
    &procedure::PROCEDURE,
    &plan_item_procedure::PLAN_ITEM_PROCEDURE,
    &procedure_material::PROCEDURE_MATERIAL,
    &clinical_outcome::CLINICAL_OUTCOME,
    &payment_method::PAYMENT_METHOD,
    &payment::PAYMENT,
    &payment_event::PAYMENT_EVENT,
];

pub static RESOURCES: &[&Mapping] =
    &[&fhir_procedure::MAPPING, &fhir_care_plan::PLAN, &fhir_care_plan::ITEM, &fhir_outcome::MAPPING, &fhir_payment::MAPPING];

pub static OPERATIONS: &[&Operation] = &[
    &plan::PRESENT,
    &decision::ACCEPT,
    &decision::DECLINE,
    &plan::REVISE,
    &plan::CANCEL,
    &estimate::ESTIMATE,
    &past::HISTORY,
    &past::REVISIONS,
    &plan_document::DOCUMENT_OF_REVISION,
    &plan::CANCEL_ITEM,
    &quoting::SUBMIT,
    &quoting::WITHDRAW,
    &commitment::CONFIRM,
    &commitment::CANCEL,
    &service::SCHEDULE,
    &service::START,
    &service::COMPLETE,
    &service::CANCEL,
    &service::VOID,
    &money::RECORD_MANUAL,
    &money::CANCEL,
    &money::REFUND,
];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] = &[&projections::PORTAL_TREATMENT_PLAN];
