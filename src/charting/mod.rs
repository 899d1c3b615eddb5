//! Dental charting and periodontal charting. Catalogue §8.
pub mod chart_entry;
mod compare_perio_exams;
pub mod fhir_chart;
pub mod fhir_perio_exam;
mod patient_chart;
pub mod perio_exam;
pub mod perio_measurement;
pub mod perio_tooth_finding;
pub mod probing;
mod rebuild_snapshot;
mod record_perio_measurements;
mod sign_perio_exam;
mod supersede_chart_entry;
pub mod surface;
pub mod tooth;
pub mod tooth_chart_snapshot;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &chart_entry::CHART_ENTRY,
    &tooth_chart_snapshot::TOOTH_CHART_SNAPSHOT,
    &perio_exam::PERIO_EXAM,
    &perio_tooth_finding::PERIO_TOOTH_FINDING,
    &perio_measurement::PERIO_MEASUREMENT,
];

pub static RESOURCES: &[&Mapping] = &[&fhir_chart::ENTRY, &fhir_chart::FINDING, &fhir_chart::MEASUREMENT, &fhir_perio_exam::MAPPING];

pub static OPERATIONS: &[&Operation] = &[
    &patient_chart::PATIENT_CHART,
    &supersede_chart_entry::SUPERSEDE,
    &rebuild_snapshot::REBUILD_SNAPSHOT,
    &sign_perio_exam::SIGN,
    &sign_perio_exam::CORRECT,
    &compare_perio_exams::COMPARE,
    &record_perio_measurements::RECORD_MANY,
];
