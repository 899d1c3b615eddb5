//! How somebody lives, as FHIR Observation: smoking as US Core has it, the rest by this server's topics.

use super::patient_social_history::PATIENT_SOCIAL_HISTORY;
use crate::fhir::bind::{Bind, How, Words, concept, moment, points};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;
use crate::fhir::systems::SNOMED;

static TYPE: TypeDef = TypeDef::all("Observation");

pub static SMOKING: Mapping =
    Mapping { binds: SMOKES, creates: true, only: Some(("topic", "SMOKING")), ..Mapping::new(&TYPE, &PATIENT_SOCIAL_HISTORY, PEOPLE) };

pub static MAPPING: Mapping =
    Mapping { binds: LIVES, creates: true, hides: Some(("topic", "SMOKING")), ..Mapping::new(&TYPE, &PATIENT_SOCIAL_HISTORY, PEOPLE) };

const SMOKES: &[Bind] = &[
    FINAL,
    CATEGORY,
    Bind::one("code", How::Is(r#"{"coding":[{"system":"http://loinc.org","code":"72166-2","display":"Tobacco smoking status"}]}"#)),
    SUBJECT,
    RECORDED,
    Bind::one(
        "valueCodeableConcept",
        concept("status", SNOMED, &[("CURRENT", "77176002"), ("FORMER", "8517006"), ("NEVER", "266919005"), ("UNKNOWN", "266927001")]),
    ),
];

const LIVES: &[Bind] = &[
    FINAL,
    CATEGORY,
    Bind::one("code", concept("topic", "urn:enamel:social-history", TOPICS)),
    SUBJECT,
    RECORDED,
    Bind::one(
        "valueCodeableConcept",
        concept(
            "status",
            "urn:enamel:social-history-status",
            &[("CURRENT", "current"), ("FORMER", "former"), ("NEVER", "never"), ("UNKNOWN", "unknown")],
        ),
    ),
];

const TOPICS: Words = &[
    ("ALCOHOL", "alcohol"),
    ("BRUXISM", "bruxism"),
    ("DIET", "diet"),
    ("ORAL_HYGIENE", "oral-hygiene"),
    ("DRUGS", "drugs"),
    ("OTHER", "other"),
];
const FINAL: Bind = Bind::one("status", How::Always(r#""final""#));
const CATEGORY: Bind = Bind::item(
    "category",
    How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"social-history"}]}"#),
);
const SUBJECT: Bind = Bind::one("subject", points("patient_id", "Patient"));
const RECORDED: Bind = Bind::one("effectiveDateTime", moment("recorded_at"));
