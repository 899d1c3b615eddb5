//! Directory: the clinic's providers and contacts. Catalogue §5.
pub mod contact;
pub mod fhir_practitioner;
pub mod fhir_practitioner_role;
pub mod provider;
pub mod provider_identifier;
pub mod provider_location;

use crate::fhir::mapping::Mapping;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] =
    &[&provider::PROVIDER, &provider_identifier::PROVIDER_IDENTIFIER, &provider_location::PROVIDER_LOCATION, &contact::CONTACT];

/// The resource types of this room.
pub static RESOURCES: &[&Mapping] = &[&fhir_practitioner::MAPPING, &fhir_practitioner_role::MAPPING];
