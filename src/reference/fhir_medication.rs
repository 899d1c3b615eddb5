//! A drug of the reference as FHIR Medication.

use super::drug_reference::DRUG_REFERENCE;
use crate::fhir::bind::{Bind, Coded, How, Words, code, words};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Medication");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &DRUG_REFERENCE, PEOPLE, BINDS);

const SYSTEMS: Words = &[
    ("RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("NDC", "http://hl7.org/fhir/sid/ndc"),
    ("ATC", "http://www.whocc.no/atc"),
    ("SNOMED", "http://snomed.info/sct"),
    ("CUSTOM", ""),
];
/// A drug by its code, as every table that names one has it.
pub static CODE: Coded = Coded { code: "code", system: Some("code_system"), systems: SYSTEMS, version: None, display: Some("name") };

pub const IN_USE: Words = &[("true", "active"), ("false", "inactive")];
const BINDS: &[Bind] =
    &[Bind::one("code", How::Coded(&CODE)), Bind::one("status", code("is_active", IN_USE)), Bind::one("form", words("form"))];
