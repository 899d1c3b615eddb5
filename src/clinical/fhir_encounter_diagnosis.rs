//! What a visit found, as FHIR Condition of that visit. What is sent becomes one of the problem list, which has a state.

use super::encounter_diagnosis::ENCOUNTER_DIAGNOSIS;
use super::fhir_condition::{SYSTEMS, TYPE};
use crate::fhir::bind::{Bind, Coded, How, each, note, points};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::systems::{SURFACE, TOOTH};

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &ENCOUNTER_DIAGNOSIS, PEOPLE, BINDS);

static CODE: Coded =
    Coded { code: "code", system: Some("code_system"), systems: SYSTEMS, version: Some("code_version"), display: Some("display") };
static SITE: Coded = Coded { code: "fdi_tooth", system: None, systems: &[("FDI", TOOTH)], version: None, display: None };

const BINDS: &[Bind] = &[
    Bind::item(
        "category",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"encounter-diagnosis"}]}"#),
    ),
    Bind::one("code", How::Coded(&CODE)),
    Bind::item("bodySite", How::Coded(&SITE)),
    Bind::item("bodySite", each("surfaces", SURFACE)),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::item("note", note("notes")),
];
