//! What a clinic teaches, as FHIR Library: the versions and languages of its content are REST's.

use super::knowledge_document::KNOWLEDGE_DOCUMENT;
use crate::fhir::bind::{Bind, code, concept, day, text};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Library");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &KNOWLEDGE_DOCUMENT, PEOPLE, BINDS);

const BINDS: &[Bind] = &[
    Bind::one("title", text("title")),
    Bind::one("status", code("status", &[("DRAFT", "draft"), ("IN_REVIEW", "draft"), ("PUBLISHED", "active"), ("RETIRED", "retired")])),
    Bind::one(
        "type",
        concept(
            "kind",
            "urn:enamel:knowledge",
            &[("PROTOCOL", "protocol"), ("EVIDENCE_SUMMARY", "evidence-summary"), ("PATIENT_EDUCATION", "patient-education")],
        ),
    ),
    Bind::one("date", day("publish_date")),
];
