//! Imaging: the file registry and the studies made of it. Catalogue §10.
pub mod access;
pub mod attached;
mod clinic_image_link;
mod completion;
pub mod device;
pub mod document;
pub mod document_grant;
pub mod download;
pub mod fhir_document;
pub mod fhir_study;
pub mod file;
mod granting;
pub mod image_annotation;
pub mod imaging_object;
pub mod imaging_series;
pub mod imaging_study;
mod intake;
pub mod links;
pub mod made;
pub mod media;
mod quarantine;
pub mod received_document;
mod receiving;
mod signing;
mod subject;
pub mod sweep;
mod upload;
mod withdrawal;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &file::FILE,
    &imaging_study::IMAGING_STUDY,
    &imaging_series::IMAGING_SERIES,
    &imaging_object::IMAGING_OBJECT,
    &device::DEVICE,
    &document::DOCUMENT,
    &document_grant::DOCUMENT_GRANT,
    &image_annotation::IMAGE_ANNOTATION,
    &received_document::RECEIVED_DOCUMENT,
];

/// What these records are in FHIR beside their mappings, for the scopes of a token.
pub static UNMAPPED: &[(&Table, &str)] =
    &[(&imaging_series::IMAGING_SERIES, "ImagingStudy"), (&imaging_object::IMAGING_OBJECT, "ImagingStudy")];

pub static RESOURCES: &[&Mapping] = &[
    &fhir_study::STUDY,
    &fhir_study::MEDIA,
    &fhir_document::MAPPING,
    &fhir_document::FILES,
    &fhir_document::CONTENT,
    &fhir_document::EQUIPMENT,
    &fhir_document::ANNOTATION,
];

pub static OPERATIONS: &[&Operation] = &[
    &upload::CREATE_FILE,
    &upload::CREATE_FILE_UPLOAD_LINK,
    &completion::COMPLETE_FILE_UPLOAD,
    &download::CREATE_FILE_DOWNLOAD_LINK,
    &clinic_image_link::GET_CLINIC_IMAGE_LINK,
    &quarantine::RELEASE_FILE,
    &quarantine::ACCEPT_MATCH,
    &withdrawal::CANCEL_STUDY,
    &signing::FINALISE,
    &signing::SIGN,
    &signing::MARK_IN_ERROR,
    &granting::CREATE_GRANT,
    &withdrawal::REVOKE_GRANT,
    &receiving::CREATE_RECEIVED_LINK,
    &receiving::KEEP_RECEIVED,
];
