//! Directory: the clinic's providers and contacts. Catalogue §5.
pub mod contact;
pub mod provider;
pub mod provider_identifier;
pub mod provider_location;

use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &provider::PROVIDER,
    &provider_identifier::PROVIDER_IDENTIFIER,
    &provider_location::PROVIDER_LOCATION,
    &contact::CONTACT,
];
