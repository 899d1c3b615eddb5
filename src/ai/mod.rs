//! AI models, inference, review and research data. Catalogue §11.
mod accuracy;
pub mod ai_ground_truth;
pub mod ai_inference_job;
pub mod ai_model;
pub mod ai_model_deployment;
pub mod ai_model_version;
pub mod ai_outcome_link;
pub mod ai_prediction;
pub mod ai_review_event;
mod analysis;
pub mod deidentify;
pub mod fhir_group;
pub mod fhir_prediction;
mod guardrails;
mod release;
mod research;
pub mod research_access_log;
pub mod research_dataset;
pub mod research_dataset_member;
mod review;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &ai_model::AI_MODEL,
    &ai_model_version::AI_MODEL_VERSION,
    &ai_model_deployment::AI_MODEL_DEPLOYMENT,
    &ai_inference_job::AI_INFERENCE_JOB,
    &ai_prediction::AI_PREDICTION,
    &ai_review_event::AI_REVIEW_EVENT,
    &ai_ground_truth::AI_GROUND_TRUTH,
    &ai_outcome_link::AI_OUTCOME_LINK,
    &research_dataset::RESEARCH_DATASET,
    &research_dataset_member::RESEARCH_DATASET_MEMBER,
    &research_access_log::RESEARCH_ACCESS_LOG,
];

pub static RESOURCES: &[&Mapping] = &[&fhir_prediction::FOUND, &fhir_prediction::RISK, &fhir_prediction::JOB, &fhir_group::MAPPING];

pub static OPERATIONS: &[&Operation] = &[
    &release::VALIDATE,
    &release::RELEASE,
    &release::RETIRE,
    &accuracy::ACCURACY,
    &release::ROLL_OUT,
    &release::DISABLE,
    &release::RE_ENABLE,
    &analysis::CANCEL,
    &review::REVIEW,
    &review::WITHDRAW,
    &research::BUILD,
    &research::PUBLISH,
    &research::EXPORT,
    &research::DOWNLOAD,
];
