//! A clinical note as FHIR Composition: its sections are the note's text, and what SOAP divides it into.

use super::clinical_note::CLINICAL_NOTE;
use super::fhir_note::KINDS;
use crate::fhir::bind::{Bind, How, code, concept, moment, points};
use crate::fhir::find::Find;
use crate::fhir::mapping::{Mapping, PEOPLE, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};
use crate::fhir::systems::LOINC;
use crate::fhir::xhtml;
use serde_json::json;

static TYPE: TypeDef = TypeDef::all("Composition");

pub static NOTE: Mapping = Mapping {
    render: Some(sections),
    search: &[("title", Find::Said("coalesce(r.title, 'Clinical note')"))],
    ..Mapping::shown(&TYPE, &CLINICAL_NOTE, PEOPLE, BINDS)
};

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code("status", &[("DRAFT", "preliminary"), ("SIGNED", "final"), ("AMENDED", "amended"), ("ENTERED_IN_ERROR", "entered-in-error")]),
    ),
    Bind::one("type", concept("note_type", LOINC, KINDS)),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("date", moment("created_at")),
    Bind::one("date", moment("signed_at")),
    // A note is a login's, and a login need not be a provider.
    Bind::item("author", How::Tenant),
    Bind::one("custodian", How::Tenant),
];

const PARTS: &[(&str, &str)] = &[("subjective", "Subjective"), ("objective", "Objective"), ("assessment", "Assessment"), ("plan", "Plan")];

fn sections(whole: &Whole, out: &mut Resource) {
    let note = &whole.root;
    out.string("title", note.text("title").unwrap_or("Clinical note"));
    let soap = note.get("soap");
    let told = PARTS.iter().filter_map(|(key, title)| Some((*title, soap.get(key)?.as_str().filter(|text| !text.trim().is_empty())?)));
    let mut sections: Vec<(&str, &str)> = told.collect();
    if let (true, Some(content)) = (sections.is_empty(), note.text("content")) {
        sections.push(("Note", content));
    }
    for (title, text) in sections {
        let mut section = Element::default();
        section.string("title", title).value("text", json!({"status": "generated", "div": xhtml::paragraphs(text)}));
        out.push_element("section", section);
    }
}
