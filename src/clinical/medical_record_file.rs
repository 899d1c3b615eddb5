//! Files attached to a narrative entry (catalogue 7.09, 7.12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static MEDICAL_RECORD_FILE: Table = Table {
    name: "medical_record_files",
    schema: "MedicalRecordFile",
    plural: "MedicalRecordFiles",
    path: "/medical-record-files",
    tag: "Encounters",
    doc: "Files attached to a narrative entry.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "medical_record_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
        Filter { name: "is_patient_visible", how: How::Equal },
    ],
    fields: &[
        Field::uuid("medical_record_id").required().fixed().refers(Refers::Tenant("medical_records")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("file_id").required().refers(Refers::Tenant("files")),
        Field::text("caption").phi(),
        Field::flag("is_patient_visible").defaulted().read_only().doc("visibility of the record, by trigger"),
    ],
    machines: &[],
};
