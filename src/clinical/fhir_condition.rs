//! A patient's diagnosis as FHIR Condition of the problem list.

use super::patient_condition::PATIENT_CONDITION;
use crate::fhir::bind::{Bind, Coded, How, Words, concept, day, note, points};
use crate::fhir::mapping::{Mapping, PEOPLE, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;
use crate::fhir::systems::SNOMED;

/// How diagnoses are coded; another system's code is CUSTOM, and its system is kept as it was sent.
pub const SYSTEMS: Words =
    &[("ICD10CM", "http://hl7.org/fhir/sid/icd-10-cm"), ("ICD10", "http://hl7.org/fhir/sid/icd-10"), ("SNOMED", SNOMED), ("CUSTOM", "")];
pub const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
pub const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";

static CODE: Coded =
    Coded { code: "code", system: Some("code_system"), systems: SYSTEMS, version: Some("code_version"), display: Some("display") };

pub static TYPE: TypeDef = TypeDef {
    profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-condition-problems-health-concerns"],
    ..TypeDef::all("Condition")
};

pub static MAPPING: Mapping =
    Mapping { binds: BINDS, render: Some(stands), creates: true, ..Mapping::new(&TYPE, &PATIENT_CONDITION, PEOPLE) };

/// What was entered in error has no clinical status (con-5); an end is told beside the status of something that ended (con-4).
fn stands(whole: &Whole, out: &mut Resource) {
    let is_error = whole.root.text("verification_status") == Some("ENTERED_IN_ERROR");
    if is_error {
        out.remove("clinicalStatus");
    }
    if is_error || whole.root.text("clinical_status") == Some("ACTIVE") {
        out.remove("abatementDateTime");
    }
}

const BINDS: &[Bind] = &[
    Bind::one(
        "clinicalStatus",
        concept(
            "clinical_status",
            CLINICAL,
            &[
                ("ACTIVE", "active"),
                ("ACTIVE", "recurrence"),
                ("ACTIVE", "relapse"),
                ("INACTIVE", "inactive"),
                ("RESOLVED", "resolved"),
                ("REMISSION", "remission"),
            ],
        ),
    )
    .otherwise("ACTIVE"),
    Bind::one(
        "verificationStatus",
        concept(
            "verification_status",
            VERIFICATION,
            &[
                ("UNCONFIRMED", "unconfirmed"),
                ("PROVISIONAL", "provisional"),
                ("PROVISIONAL", "differential"),
                ("CONFIRMED", "confirmed"),
                ("REFUTED", "refuted"),
                ("ENTERED_IN_ERROR", "entered-in-error"),
            ],
        ),
    )
    .otherwise("CONFIRMED"),
    Bind::item(
        "category",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"problem-list-item"}]}"#),
    ),
    Bind::one("severity", concept("severity", SNOMED, &[("MILD", "255604002"), ("MODERATE", "6736007"), ("SEVERE", "24484000")])),
    Bind::one("code", How::Coded(&CODE)).otherwise("Unknown"),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("onsetDateTime", day("onset_date")),
    Bind::one("abatementDateTime", day("abatement_date")),
    Bind::item("note", note("notes")),
];
