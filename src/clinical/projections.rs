//! Narrative records and templates in the words of a requirement text (catalogue 7.09, 7.10, C19).

use super::medical_record::MEDICAL_RECORD;
use super::template::TEMPLATE;
use crate::kernel::table::projection::{Name, Projection};

pub static CENTRE_MEDICAL_RECORD: Projection = Projection::new(
    &MEDICAL_RECORD,
    "MedicalCentreMedicalRecord",
    "MedicalCentreMedicalRecords",
    "/projections/medical-centre/medical-records",
    &[
        Name::of("record_id", "id"),
        Name::same("patient_id"),
        Name::of("specialist_id", "provider_id"),
        Name::same("record_date"),
        Name::same("diagnosis"),
        Name::same("treatment"),
        Name::of("attached_files_json", "attached_files").doc("files are attached as rows of medical-record-files"),
    ],
);

pub static CENTRE_TEMPLATE: Projection = Projection::new(
    &TEMPLATE,
    "MedicalCentreTemplate",
    "MedicalCentreTemplates",
    "/projections/medical-centre/templates",
    &[
        Name::of("template_id", "id"),
        Name::of("specialist_id", "provider_id"),
        Name::same("template_name"),
        Name::same("content"),
        Name::same("template_type"),
        Name::same("is_global"),
    ],
);
