//! Directory: the clinic's providers and contacts. Catalogue §5.
mod certify;
pub mod clinic_certification;
pub mod clinic_image;
pub mod clinic_package;
pub mod clinic_profile;
pub mod clinic_review;
pub mod clinic_treatment;
pub mod contact;
pub mod fhir_healthcare_service;
pub mod fhir_practitioner;
pub mod fhir_practitioner_role;
pub mod kept_directory_entry;
mod moderate;
mod projections;
pub mod provider;
pub mod provider_identifier;
pub mod provider_location;
mod publish_profile;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &provider::PROVIDER,
    &provider_identifier::PROVIDER_IDENTIFIER,
    &provider_location::PROVIDER_LOCATION,
    &contact::CONTACT,
    &clinic_profile::CLINIC_PROFILE,
    &clinic_treatment::CLINIC_TREATMENT,
    &clinic_package::CLINIC_PACKAGE,
    &clinic_image::CLINIC_IMAGE,
    &clinic_certification::CLINIC_CERTIFICATION,
    &clinic_review::CLINIC_REVIEW,
    &kept_directory_entry::KEPT_DIRECTORY_ENTRY,
];

pub static OPERATIONS: &[&Operation] = &[
    &publish_profile::PUBLISH,
    &publish_profile::HIDE,
    &certify::VERIFY,
    &moderate::WRITE,
    &moderate::MINE,
    &moderate::PUBLISH,
    &moderate::REJECT,
    &moderate::WITHDRAW,
    &moderate::REPLY,
];

/// The resource types of this room.
pub static RESOURCES: &[&Mapping] = &[&fhir_practitioner::MAPPING, &fhir_practitioner_role::MAPPING, &fhir_healthcare_service::MAPPING];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] =
    &[&projections::PORTAL_CLINIC, &projections::NETWORK_CONTACT, &projections::CENTRE_SPECIALIST, &projections::SCHEDULING_PROVIDER];
