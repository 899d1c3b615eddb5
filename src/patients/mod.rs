//! Patients, their family and their insurance. Catalogue §4 and §14.01–14.02.
mod access_report;
pub mod external_contact;
mod family;
pub mod family_member;
pub mod fhir_coverage;
pub mod fhir_patient;
mod fhir_patient_parts;
pub mod fhir_payer;
pub mod fhir_person;
pub mod fhir_related_person;
pub mod merge;
pub mod patient;
pub mod patient_address;
pub mod patient_identifier;
pub mod patient_insurance_policy;
pub mod patient_portal_account;
pub mod patient_proxy;
pub mod patient_relationship;
pub mod payer;
mod projections;
mod search;
mod status;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &patient::PATIENT,
    &patient_identifier::PATIENT_IDENTIFIER,
    &patient_address::PATIENT_ADDRESS,
    &external_contact::EXTERNAL_CONTACT,
    &patient_relationship::PATIENT_RELATIONSHIP,
    &patient_portal_account::PATIENT_PORTAL_ACCOUNT,
    &patient_proxy::PATIENT_PROXY,
    &family_member::FAMILY_MEMBER,
    &payer::PAYER,
    &patient_insurance_policy::PATIENT_INSURANCE_POLICY,
];

/// The resource types of this room.
pub static RESOURCES: &[&Mapping] = &[
    &fhir_patient::MAPPING,
    &fhir_related_person::MAPPING,
    &fhir_payer::MAPPING,
    &fhir_coverage::MAPPING,
    &fhir_person::ACCOUNT,
    &fhir_person::PROXY,
];

pub static OPERATIONS: &[&Operation] = &[
    &status::DEACTIVATE,
    &status::REACTIVATE,
    &status::MARK_DECEASED,
    &search::SEARCH,
    &search::MATCH,
    &merge::MERGE,
    &access_report::ACCESS_REPORT,
    &family::ADD_FAMILY_MEMBER,
    &family::CONFIRM_PROXY,
    &family::REVOKE_PROXY,
    &family::ACTIVATE_PORTAL,
    &family::SUSPEND_PORTAL,
    &family::REINSTATE_PORTAL,
    &family::CLOSE_PORTAL,
];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] =
    &[&projections::PORTAL_PATIENT, &projections::CENTRE_PATIENT, &projections::SCHEDULING_PATIENT, &projections::CENTRE_FAMILY_MEMBER];
