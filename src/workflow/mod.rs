//! Workflow: long work with progress, cancel and retry. Catalogue §15.04.
mod control;
pub mod custom_field_definition;
pub mod custom_field_value;
mod doing;
pub mod fhir_task;
pub mod job;
pub mod long_work;
pub mod order;
mod running;
pub mod states;
pub mod task;
pub mod workflow_definition;
pub mod workflow_instance;
pub mod workflow_transition;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &job::JOB,
    &task::TASK,
    &custom_field_definition::CUSTOM_FIELD_DEFINITION,
    &custom_field_value::CUSTOM_FIELD_VALUE,
    &workflow_definition::WORKFLOW,
    &workflow_instance::WORKFLOW_INSTANCE,
    &workflow_transition::WORKFLOW_TRANSITION,
];

pub static RESOURCES: &[&Mapping] = &[&fhir_task::MAPPING];

pub static OPERATIONS: &[&Operation] = &[
    &control::CANCEL,
    &control::RETRY,
    &doing::START,
    &doing::COMPLETE,
    &doing::CANCEL,
    &doing::REOPEN,
    &running::ACTIVATE,
    &running::RETIRE,
    &running::TRANSITION,
    &running::CANCEL,
];
