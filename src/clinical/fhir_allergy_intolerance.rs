//! What a patient does not tolerate, as FHIR AllergyIntolerance.

use super::patient_allergy::PATIENT_ALLERGY;
use crate::fhir::bind::{Bind, Coded, How, Words, code, concept, day, note, points};
use crate::fhir::mapping::{Mapping, PEOPLE, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const SYSTEMS: Words = &[
    ("RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("SNOMED", "http://snomed.info/sct"),
    ("UNII", "http://fdasis.nlm.nih.gov"),
    ("NDFRT", "http://hl7.org/fhir/ndfrt"),
    ("CUSTOM", ""),
];

static CODE: Coded = Coded { code: "code", system: Some("code_system"), systems: SYSTEMS, version: None, display: Some("substance") };

pub static TYPE: TypeDef = TypeDef {
    profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-allergyintolerance"],
    ..TypeDef::all("AllergyIntolerance")
};

pub static MAPPING: Mapping =
    Mapping { binds: BINDS, render: Some(withdrawn), creates: true, ..Mapping::new(&TYPE, &PATIENT_ALLERGY, PEOPLE) };

/// What was entered in error has no clinical status (ait-2).
fn withdrawn(whole: &Whole, out: &mut Resource) {
    if whole.root.text("verification_status") == Some("ENTERED_IN_ERROR") {
        out.remove("clinicalStatus");
    }
}

const BINDS: &[Bind] = &[
    Bind::one(
        "clinicalStatus",
        concept("clinical_status", CLINICAL, &[("ACTIVE", "active"), ("INACTIVE", "inactive"), ("RESOLVED", "resolved")]),
    )
    .otherwise("ACTIVE"),
    Bind::one(
        "verificationStatus",
        concept(
            "verification_status",
            VERIFICATION,
            &[("UNCONFIRMED", "unconfirmed"), ("CONFIRMED", "confirmed"), ("REFUTED", "refuted"), ("ENTERED_IN_ERROR", "entered-in-error")],
        ),
    )
    .otherwise("UNCONFIRMED"),
    Bind::item(
        "category",
        code("category", &[("DRUG", "medication"), ("MATERIAL", "environment"), ("OTHER", "food"), ("OTHER", "biologic")]),
    )
    .otherwise("OTHER"),
    Bind::one("criticality", code("criticality", &[("LOW", "low"), ("HIGH", "high"), ("UNABLE_TO_ASSESS", "unable-to-assess")])),
    Bind::one("code", How::Coded(&CODE)).otherwise("Unknown"),
    Bind::one("patient", points("patient_id", "Patient")),
    Bind::one("onsetDateTime", day("onset_date")),
    Bind::item("note", note("notes")),
    Bind::item("reaction", How::Within(REACTION)),
];

const REACTION: &[Bind] = &[
    Bind::item("manifestation", How::Words { column: "reaction" }),
    Bind::one("severity", code("severity", &[("MILD", "mild"), ("MODERATE", "moderate"), ("SEVERE", "severe")])),
];
