//! A visit that falls due as FHIR ServiceRequest of a plan.

use super::recall::RECALL;
use crate::fhir::bind::{Bind, How, code, day, points, words};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("ServiceRequest");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &RECALL, PEOPLE, BINDS);

const BINDS: &[Bind] = &[
    Bind::one("status", code("status", &[("DUE", "active"), ("SCHEDULED", "active"), ("DONE", "completed"), ("DISABLED", "revoked")])),
    Bind::one("intent", How::Always(r#""plan""#)),
    Bind::item("category", How::Always(r#"{"coding":[{"system":"urn:enamel:request","code":"recall"}],"text":"Recall"}"#)),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("occurrenceDateTime", day("due_on")),
    Bind::item("reasonCode", words("disable_reason")).shown_only(),
];
