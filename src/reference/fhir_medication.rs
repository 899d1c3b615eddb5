//! A drug of the reference as FHIR Medication.

use super::drug_reference::DRUG_REFERENCE;
use crate::fhir::bind::{Bind, Coded, How, Words, words};
use crate::fhir::mapping::{Mapping, PEOPLE, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;

static TYPE: TypeDef = TypeDef::all("Medication");

pub static MAPPING: Mapping = Mapping { render: Some(state), ..Mapping::shown(&TYPE, &DRUG_REFERENCE, PEOPLE, BINDS) };

const SYSTEMS: Words = &[
    ("RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("NDC", "http://hl7.org/fhir/sid/ndc"),
    ("ATC", "http://www.whocc.no/atc"),
    ("SNOMED", "http://snomed.info/sct"),
    ("CUSTOM", ""),
];
/// A drug by its code, as every table that names one has it.
pub static CODE: Coded = Coded { code: "code", system: Some("code_system"), systems: SYSTEMS, version: None, display: Some("name") };

const BINDS: &[Bind] = &[Bind::one("code", How::Coded(&CODE)), Bind::one("form", words("form"))];

fn state(whole: &Whole, out: &mut Resource) {
    out.code("status", if whole.root.flag("is_active") { "active" } else { "inactive" });
}
