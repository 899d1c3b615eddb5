//! What stands in the chart of teeth and gums, as FHIR Observation. A statement is never changed: another takes its place.

use super::chart_entry::CHART_ENTRY;
use super::perio_measurement::PERIO_MEASUREMENT;
use super::perio_tooth_finding::PERIO_TOOTH_FINDING;
use crate::fhir::bind::{Bind, Coded, How, Words, concept, moment, note, plain, points, quantity, text, words};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;
use crate::fhir::systems::TOOTH;

static TYPE: TypeDef = TypeDef::all("Observation");

pub static ENTRY: Mapping = Mapping::shown(&TYPE, &CHART_ENTRY, PEOPLE, ENTRIES);
pub static FINDING: Mapping = Mapping::shown(&TYPE, &PERIO_TOOTH_FINDING, PEOPLE, FINDINGS);
pub static MEASUREMENT: Mapping = Mapping::shown(&TYPE, &PERIO_MEASUREMENT, PEOPLE, MEASUREMENTS);

const CHART: &str = "urn:enamel:chart";
const FINAL: Bind = Bind::one("status", How::Always(r#""final""#));
const CATEGORY: Bind = Bind::item(
    "category",
    How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"exam"}]}"#),
);
const SUBJECT: Bind = Bind::one("subject", points("patient_id", "Patient"));

static SITE: Coded = Coded { code: "fdi_tooth", system: None, systems: &[("FDI", TOOTH)], version: None, display: None };
static MEASURED: Coded = Coded { code: "tooth_number", system: None, systems: &[("FDI", TOOTH)], version: None, display: None };
static SYSTEMS: Words = &[("ICD10CM", "http://hl7.org/fhir/sid/icd-10-cm"), ("SNOMED", "http://snomed.info/sct"), ("CUSTOM", "")];
static CODE: Coded =
    Coded { code: "finding_code", system: Some("finding_code_system"), systems: SYSTEMS, version: None, display: Some("finding_display") };

macro_rules! part {
    ($code:literal, $value:expr) => {
        Bind::item(
            "component",
            How::Within(&[
                Bind::one("code", How::Is(concat!(r#"{"coding":[{"system":"urn:enamel:chart","code":""#, $code, r#""}]}"#))),
                $value,
            ]),
        )
    };
}
macro_rules! flag {
    ($code:literal, $column:literal) => {
        part!($code, Bind::one("valueBoolean", plain($column)))
    };
}
macro_rules! size {
    ($code:literal, $column:literal, $unit:literal) => {
        part!($code, Bind::one("valueQuantity", quantity($column, $unit)))
    };
}
macro_rules! grade {
    ($code:literal, $column:literal) => {
        part!($code, Bind::one("valueInteger", plain($column)))
    };
}
macro_rules! word {
    ($code:literal, $column:literal) => {
        part!($code, Bind::one("valueString", text($column)))
    };
}

const ENTRIES: &[Bind] = &[
    // What another statement has taken the place of no longer holds.
    Bind::one("status", How::Whether { column: "superseded_at", without: "final", with: "cancelled" }),
    CATEGORY,
    Bind::one("code", concept("axis", CHART, &[("PRESENCE", "tooth-presence"), ("FINDING", "tooth-finding"), ("WORK", "tooth-work")])),
    SUBJECT,
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("effectiveDateTime", moment("observed_at")),
    Bind::item("performer", points("recorded_by_provider_id", "Practitioner")),
    Bind::one("valueCodeableConcept", How::Coded(&CODE)),
    Bind::item("note", note("notes")),
    Bind::one("bodySite", words("oral_area")),
    Bind::one("bodySite", How::Coded(&SITE)),
    word!("presence", "presence"),
    word!("missing-reason", "missing_reason"),
    word!("caries-depth", "caries_depth"),
    grade!("icdas", "icdas"),
    word!("work", "work_layer"),
    word!("restoration", "restoration_kind"),
    word!("material", "material_code"),
    word!("severity", "severity"),
];

const FINDINGS: &[Bind] = &[
    FINAL,
    CATEGORY,
    Bind::one(
        "code",
        How::Always(r#"{"coding":[{"system":"urn:enamel:chart","code":"perio-tooth"}],"text":"Periodontal findings of a tooth"}"#),
    ),
    SUBJECT,
    Bind::one("bodySite", How::Coded(&SITE)),
    Bind::item("note", note("notes")),
    grade!("mobility", "mobility_grade"),
    flag!("implant", "is_implant"),
    flag!("missing", "is_missing"),
    word!("prognosis", "prognosis"),
];

const MEASUREMENTS: &[Bind] = &[
    FINAL,
    CATEGORY,
    Bind::one(
        "code",
        How::Always(r#"{"coding":[{"system":"http://loinc.org","code":"32910-2"}],"text":"Periodontal measurements of a site"}"#),
    ),
    SUBJECT,
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("bodySite", How::Coded(&MEASURED)),
    word!("site", "site"),
    size!("probing-depth", "pocket_depth_mm", "mm"),
    size!("gingival-margin", "gingival_margin_mm", "mm"),
    size!("attachment-loss", "cal_mm", "mm"),
    size!("recession", "recession_mm", "mm"),
    size!("mucogingival-junction", "mucogingival_junction_mm", "mm"),
    flag!("bleeding-on-probing", "bleeding_on_probing"),
    flag!("suppuration", "suppuration"),
    flag!("plaque", "plaque"),
    flag!("calculus", "calculus"),
    grade!("furcation", "furcation_involvement"),
];
