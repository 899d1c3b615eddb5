//! A physical or mailing address of a patient (catalogue 4.16).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Stamps, Table, Verb};

pub static PATIENT_ADDRESS: Table = Table {
    name: "patient_addresses",
    schema: "PatientAddress",
    plural: "PatientAddresses",
    path: "/patient-addresses",
    tag: "Patients",
    doc: "A physical or mailing address of a patient.",
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
        Filter { name: "kind", how: How::Equal },
        Filter { name: "use", how: How::Equal },
        Filter { name: "is_primary", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::choice("kind", &["PHYSICAL", "MAILING", "BOTH"]).means(&["to visit", "for letters", "to visit and for letters"]).defaulted(),
        Field::choice("use", &["HOME", "WORK", "TEMP", "OLD"])
            .means(&["where they live", "where they work", "for a time", "no longer"])
            .defaulted(),
        Field::text("line1").required().phi(),
        Field::text("line2").phi(),
        Field::text("city").phi(),
        Field::text("region").phi(),
        Field::text("postal_code").phi(),
        Field::text("country").form(Form::Country).phi(),
        Field::flag("is_primary").defaulted(),
        Field::date("valid_from").phi(),
        Field::date("valid_until").phi(),
    ],
    machines: &[],
};
