//! Family and guardian relations between a patient and another patient or contact (catalogue 4.17, C37, C38).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static PATIENT_RELATIONSHIP: Table = Table {
    name: "patient_relationships",
    schema: "PatientRelationship",
    plural: "PatientRelationships",
    path: "/patient-relationships",
    tag: "Patients",
    doc: "Family and guardian relations between a patient and another patient or contact.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewPatient,
    write: Permission::EditPatient,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "related_patient_id", how: How::Equal },
        Filter { name: "external_contact_id", how: How::Equal },
        Filter { name: "relationship_type", how: How::Equal },
        Filter { name: "is_legal_guardian", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("related_patient_id").example("id").refers(Refers::Tenant("patients")),
        Field::uuid("external_contact_id").refers(Refers::Tenant("external_contacts")),
        Field::choice("relationship_type", &["SPOUSE", "CHILD", "GUARDIAN", "EMERGENCY_CONTACT", "PARENT", "OTHER"])
            .means(&[
                "husband, wife or partner",
                "son or daughter",
                "guardian in law",
                "to be called in an emergency",
                "father or mother",
                "another",
            ])
            .required(),
        Field::flag("is_legal_guardian").defaulted(),
        Field::date("valid_from").phi(),
        Field::date("valid_until").phi(),
        Field::text("notes").length(4000).phi(),
    ],
    machines: &[],
};
