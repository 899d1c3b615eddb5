//! Active and past diagnoses of a patient (catalogue 7.05, 4.12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static PATIENT_CONDITION: Table = Table {
    name: "patient_conditions",
    schema: "PatientCondition",
    plural: "PatientConditions",
    path: "/patient-conditions",
    tag: "Encounters",
    doc: "Active and past diagnoses of a patient.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "onset_date", column: "onset_date", ty: Ty::Date, nullable: true }],
    filters: &[
        Filter { name: "code", how: How::Equal },
        Filter { name: "clinical_status", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "verification_status", how: How::Equal },
        Filter { name: "category", how: How::Equal },
        Filter { name: "severity", how: How::Equal },
        Filter { name: "recorder_id", how: How::Equal },
        Filter { name: "is_alert", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::text("code_system").required().phi(),
        Field::text("code").phi(),
        Field::text("code_version").phi(),
        Field::text("display").required().phi(),
        Field::choice("clinical_status", &["ACTIVE", "INACTIVE", "RESOLVED", "REMISSION"])
            .means(&["stands", "not at present", "gone", "in remission"])
            .defaulted(),
        Field::choice("verification_status", &["UNCONFIRMED", "PROVISIONAL", "CONFIRMED", "REFUTED", "ENTERED_IN_ERROR"])
            .means(&["said or suspected", "working diagnosis", "the diagnosis is certain", "proven wrong", "should never have been"])
            .defaulted(),
        Field::choice("category", &["MEDICAL", "DENTAL"]).means(&["of the body", "of teeth, mouth or jaws"]).defaulted(),
        Field::choice("severity", &["MILD", "MODERATE", "SEVERE"]).means(&[
            "hardly hinders treatment",
            "is taken into account",
            "decides what can be done",
        ]),
        Field::text("fdi_tooth").phi(),
        Field::texts("surfaces"),
        Field::date("onset_date").phi(),
        Field::date("abatement_date").phi(),
        Field::uuid("recorder_id").refers(Refers::Installation("users")),
        Field::flag("is_alert").defaulted().doc("shown on every chart screen"),
        Field::text("notes").length(4000).phi(),
    ],
    machines: &[],
};
