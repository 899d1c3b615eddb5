//! Encounters, notes, histories and medical records. Catalogue §7.
pub mod clinical_note;
pub mod clinical_note_amendment;
pub mod encounter;
pub mod encounter_diagnosis;
pub mod fhir_allergy_intolerance;
pub mod fhir_composition;
pub mod fhir_condition;
pub mod fhir_encounter;
pub mod fhir_encounter_diagnosis;
pub mod fhir_medication_request;
pub mod fhir_medication_statement;
pub mod fhir_note;
pub mod fhir_social_history;
pub mod fhir_vital_signs;
mod html;
mod medical_history;
pub mod medical_record;
pub mod medical_record_file;
mod note_signature;
pub mod patient_allergy;
pub mod patient_condition;
pub mod patient_medication;
pub mod patient_social_history;
mod projections;
mod record_signature;
mod render_template;
mod search_notes;
pub mod sterilisation_cycle;
pub mod template;
mod timeline;
mod visit;
pub mod vital_sign;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &encounter::ENCOUNTER,
    &encounter_diagnosis::ENCOUNTER_DIAGNOSIS,
    &clinical_note::CLINICAL_NOTE,
    &clinical_note_amendment::CLINICAL_NOTE_AMENDMENT,
    &vital_sign::VITAL_SIGN,
    &patient_condition::PATIENT_CONDITION,
    &patient_medication::PATIENT_MEDICATION,
    &patient_allergy::PATIENT_ALLERGY,
    &patient_social_history::PATIENT_SOCIAL_HISTORY,
    &medical_record::MEDICAL_RECORD,
    &medical_record_file::MEDICAL_RECORD_FILE,
    &template::TEMPLATE,
    &sterilisation_cycle::STERILISATION_CYCLE,
];

pub static RESOURCES: &[&Mapping] = &[
    &fhir_condition::MAPPING,
    &fhir_allergy_intolerance::MAPPING,
    &fhir_encounter::MAPPING,
    &fhir_medication_statement::MAPPING,
    &fhir_encounter_diagnosis::MAPPING,
    &fhir_vital_signs::MAPPING,
    &fhir_social_history::SMOKING,
    &fhir_social_history::MAPPING,
    &fhir_medication_request::MAPPING,
    &fhir_note::NOTE,
    &fhir_composition::NOTE,
    &fhir_note::RECORD,
];

pub static OPERATIONS: &[&Operation] = &[
    &visit::START,
    &visit::CHECK_OUT,
    &visit::CANCEL,
    &note_signature::SIGN,
    &note_signature::AMEND_NOTE,
    &note_signature::COSIGN,
    &note_signature::MARK_IN_ERROR,
    &search_notes::SEARCH_NOTES,
    &record_signature::SIGN,
    &record_signature::MARK_IN_ERROR,
    &render_template::RENDER,
    &medical_history::MEDICAL_HISTORY,
    &timeline::TIMELINE,
];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] = &[&projections::CENTRE_MEDICAL_RECORD, &projections::CENTRE_TEMPLATE];
