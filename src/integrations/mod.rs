//! Integrations, FHIR cache, DICOM and webhooks. Catalogue §15.01 to 15.08.
mod connection;
mod credential;
pub mod dicom_node;
pub mod dicom_transaction;
pub mod export_job;
pub mod export_order;
pub mod export_work;
pub mod external_id;
pub mod external_system;
pub mod fhir_endpoint;
pub mod integration_credential;
mod jobs;
pub mod kept_resource;
pub mod sealed;
pub mod sync_job;
pub mod sync_job_log;
pub mod tenant_integration;
mod webhook;
pub mod webhook_delivery;
pub mod webhook_event;
pub mod webhook_subscription;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &external_system::EXTERNAL_SYSTEM,
    &tenant_integration::TENANT_INTEGRATION,
    &integration_credential::INTEGRATION_CREDENTIAL,
    &external_id::EXTERNAL_ID,
    &sync_job::SYNC_JOB,
    &sync_job_log::SYNC_JOB_LOG,
    &export_job::EXPORT_JOB,
    &dicom_node::DICOM_NODE,
    &dicom_transaction::DICOM_TRANSACTION,
    &webhook_subscription::WEBHOOK_SUBSCRIPTION,
    &webhook_event::WEBHOOK_EVENT,
    &webhook_delivery::WEBHOOK_DELIVERY,
    &kept_resource::KEPT_RESOURCE,
];

pub static RESOURCES: &[&Mapping] = &[&fhir_endpoint::WEBHOOK, &fhir_endpoint::NODE];

pub static OPERATIONS: &[&Operation] = &[
    &connection::ACTIVATE,
    &connection::PAUSE,
    &connection::DISABLE,
    &credential::ROTATE,
    &credential::REVOKE,
    &jobs::CANCEL_SYNC,
    &jobs::RESUME_SYNC,
    &export_order::CREATE,
    &jobs::CANCEL_EXPORT,
    &webhook::ACTIVATE,
    &webhook::PAUSE,
    &webhook::ROTATE_SECRET,
];
