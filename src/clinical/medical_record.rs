//! A narrative entry: diagnosis, treatment and attachments (catalogue 7.09, C19, 9.16, 3.13, 16.11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static MEDICAL_RECORD: Table = Table {
    name: "medical_records",
    schema: "MedicalRecord",
    plural: "MedicalRecords",
    path: "/medical-records",
    tag: "Encounters",
    doc: "A narrative entry: diagnosis, treatment and attachments.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "record_date", column: "record_date", ty: Ty::Date, nullable: false }],
    filters: &[
        Filter { name: "record_date_from", how: How::From("record_date") },
        Filter { name: "record_date_to", how: How::Before("record_date") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "template_id", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
        Filter { name: "condition_id", how: How::Equal },
        Filter { name: "procedure_id", how: How::Equal },
        Filter { name: "clinical_note_id", how: How::Equal },
        Filter { name: "visibility", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("provider_id").required().refers(Refers::Tenant("providers")),
        Field::date("record_date").required().phi(),
        Field::text("diagnosis").sealed().phi(),
        Field::text("treatment").sealed().phi(),
        Field::json("attached_files")
            .computed(
                "select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'file_id', f.file_id, 'caption', f.caption) order by f.id), '[]')
                   from medical_record_files f where f.tenant_id = r.tenant_id and f.medical_record_id = r.id and f.deleted_at is null",
            )
            .phi()
            .doc("id, file_id and caption of each attached file"),
        Field::uuid("template_id").refers(Refers::Tenant("templates")),
        Field::uuid("encounter_id").refers(Refers::Tenant("encounters")),
        Field::uuid("condition_id").refers(Refers::Tenant("patient_conditions")),
        Field::uuid("procedure_id").refers(Refers::Tenant("procedures")),
        Field::uuid("clinical_note_id").refers(Refers::Tenant("clinical_notes")),
        Field::choice("visibility", &["PATIENT", "STAFF"]).means(&["the patient sees it too", "staff only"]).defaulted(),
        Field::choice("status", &["DRAFT", "FINAL", "ENTERED_IN_ERROR"])
            .means(&["may change", "signed, never changed", "should never have been"])
            .defaulted()
            .read_only(),
        Field::instant("signed_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "FINAL", by: "sign" },
            Move { from: "DRAFT", to: "ENTERED_IN_ERROR", by: "mark-in-error" },
            Move { from: "FINAL", to: "ENTERED_IN_ERROR", by: "mark-in-error" },
        ],
    }],
};
