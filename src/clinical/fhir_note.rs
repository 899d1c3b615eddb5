//! Notes and medical records as FHIR DocumentReference with their text in it; they are signed, so operations change them.

use super::clinical_note::CLINICAL_NOTE;
use super::medical_record::MEDICAL_RECORD;
use crate::fhir::bind::{Bind, How, Words, code, concept, content, moment, points, text};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;
use crate::fhir::systems::LOINC;

static TYPE: TypeDef = TypeDef::all("DocumentReference");

pub static NOTE: Mapping = Mapping::shown(&TYPE, &CLINICAL_NOTE, PEOPLE, NOTES);
pub static RECORD: Mapping = Mapping::shown(&TYPE, &MEDICAL_RECORD, PEOPLE, RECORDS);

const CATEGORY: Bind = Bind::item(
    "category",
    How::Always(
        r#"{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category","code":"clinical-note"}]}"#,
    ),
);
const SUBJECT: Bind = Bind::one("subject", points("patient_id", "Patient"));
const CONTEXT: Bind = Bind::one("context", How::Within(&[Bind::item("encounter", points("encounter_id", "Encounter"))]));
const PLAIN: Bind = Bind::one("contentType", How::Always(r#""text/plain; charset=utf-8""#));

pub const KINDS: Words = &[
    ("SOAP", "11506-3"),
    ("PROGRESS", "11506-3"),
    ("RADIOLOGY_REPORT", "18748-4"),
    ("OP_NOTE", "11504-8"),
    ("CONSULT", "11488-4"),
    ("FREE_TEXT", "34109-9"),
];

const NOTES: &[Bind] = &[
    Bind::one(
        "status",
        code("status", &[("DRAFT", "current"), ("SIGNED", "current"), ("AMENDED", "current"), ("ENTERED_IN_ERROR", "entered-in-error")]),
    ),
    Bind::one(
        "docStatus",
        code("status", &[("DRAFT", "preliminary"), ("SIGNED", "final"), ("AMENDED", "amended"), ("ENTERED_IN_ERROR", "entered-in-error")]),
    ),
    Bind::one("type", concept("note_type", LOINC, KINDS)),
    CATEGORY,
    SUBJECT,
    Bind::one("date", moment("signed_at")),
    Bind::one("description", text("title")),
    Bind::item("content", How::Within(&[Bind::one("attachment", How::Within(&[PLAIN, Bind::one("data", content("content"))]))])),
    CONTEXT,
];

const RECORDS: &[Bind] = &[
    Bind::one("status", code("status", &[("DRAFT", "current"), ("FINAL", "current"), ("ENTERED_IN_ERROR", "entered-in-error")])),
    Bind::one("docStatus", code("status", &[("DRAFT", "preliminary"), ("FINAL", "final"), ("ENTERED_IN_ERROR", "entered-in-error")])),
    Bind::one("type", How::Always(r#"{"coding":[{"system":"http://loinc.org","code":"34109-9","display":"Note"}]}"#)),
    CATEGORY,
    SUBJECT,
    Bind::item("author", points("provider_id", "Practitioner")),
    Bind::item("content", How::Within(&[Bind::one("attachment", How::Within(DIAGNOSIS))])),
    Bind::item("content", How::Within(&[Bind::one("attachment", How::Within(TREATMENT))])),
    CONTEXT,
];
/// Stands there before it has a text: a document has content.
const DIAGNOSIS: &[Bind] = &[
    PLAIN,
    Bind::one("data", content("diagnosis")),
    Bind::one("title", How::Always(r#""Diagnosis""#)),
    Bind::one("creation", text("record_date")),
];
const TREATMENT: &[Bind] = &[PLAIN, Bind::one("title", How::Always(r#""Treatment""#)), Bind::one("data", content("treatment"))];
