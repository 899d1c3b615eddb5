//! An identifier of a patient in some system (catalogue 4.15, 3.13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static PATIENT_IDENTIFIER: Table = Table {
    name: "patient_identifiers",
    schema: "PatientIdentifier",
    plural: "PatientIdentifiers",
    path: "/patient-identifiers",
    tag: "Patients",
    doc: "An identifier of a patient in some system.",
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
        Filter { name: "value", how: How::Blind("value") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "system", how: How::Equal },
        Filter { name: "is_primary", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::choice("system", &["INTERNAL", "MRN", "INSURANCE_MEMBER", "NATIONAL_ID", "DSO_GLOBAL_ID"])
            .means(&[
                "number of this clinic",
                "medical record number",
                "member number of an insurance",
                "national identity number",
                "number throughout the DSO",
            ])
            .required(),
        Field::text("system_uri").length(2000).phi().doc("FHIR identifier system"),
        Field::text("value").required().blind().phi().doc("NATIONAL_ID always encrypted; looked up by blind index"),
        Field::text("value_last4").phi().doc("shown in lists"),
        Field::flag("is_primary").defaulted(),
        Field::text("issuer").length(2000).phi(),
        Field::date("valid_from").phi(),
        Field::date("valid_until").phi(),
    ],
    machines: &[],
};
