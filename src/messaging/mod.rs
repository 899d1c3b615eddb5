//! Notifications, conversations and education. Catalogue §13.
pub mod conversation;
pub mod conversation_participant;
pub mod educational_material;
pub mod fhir_communication;
pub mod fhir_library;
pub mod hub;
pub mod knowledge_document;
pub mod knowledge_localization;
pub mod knowledge_version;
pub mod message;
pub mod message_attachment;
pub mod notification;
pub mod notification_delivery;
pub mod notification_preference;
pub mod patient_material_assignment;
mod projections;
mod publishing;
mod reading;
mod stream;
mod threads;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &notification::NOTIFICATION,
    &notification_delivery::NOTIFICATION_DELIVERY,
    &notification_preference::NOTIFICATION_PREFERENCE,
    &conversation::CONVERSATION,
    &conversation_participant::CONVERSATION_PARTICIPANT,
    &message::MESSAGE,
    &message_attachment::MESSAGE_ATTACHMENT,
    &knowledge_document::KNOWLEDGE_DOCUMENT,
    &knowledge_version::KNOWLEDGE_VERSION,
    &knowledge_localization::KNOWLEDGE_LOCALIZATION,
    &educational_material::EDUCATIONAL_MATERIAL,
    &patient_material_assignment::PATIENT_MATERIAL_ASSIGNMENT,
];

pub static RESOURCES: &[&Mapping] = &[&fhir_communication::MAPPING, &fhir_communication::NOTICE, &fhir_library::MAPPING];

pub static OPERATIONS: &[&Operation] = &[
    &reading::READ_NOTIFICATION,
    &reading::READ_ALL,
    &stream::STREAM,
    &reading::READ_MESSAGE,
    &reading::SEARCH,
    &threads::CLOSE,
    &threads::REOPEN,
    &threads::ARCHIVE,
    &threads::VIEWED,
    &threads::COMPLETED,
    &publishing::SUBMIT,
    &publishing::APPROVE,
    &publishing::REJECT,
    &publishing::REVISE,
    &publishing::RETIRE,
];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] = &[
    &projections::NETWORK_NOTIFICATION,
    &projections::CENTRE_NOTIFICATION,
    &projections::CENTRE_MATERIAL,
    &projections::CENTRE_ASSIGNMENT,
];
