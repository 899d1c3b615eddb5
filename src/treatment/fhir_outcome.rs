//! How a treatment turned out, as FHIR Observation about the procedure.

use super::clinical_outcome::CLINICAL_OUTCOME;
use crate::fhir::bind::{Bind, How, concept, moment, note, points};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Observation");

pub static MAPPING: Mapping = Mapping { binds: BINDS, creates: true, ..Mapping::new(&TYPE, &CLINICAL_OUTCOME, PEOPLE) };

const BINDS: &[Bind] = &[
    Bind::one("status", How::Always(r#""final""#)),
    Bind::one("code", How::Is(r#"{"coding":[{"system":"urn:enamel:observation","code":"treatment-outcome"}]}"#)),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::item("focus", points("procedure_id", "Procedure")),
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("effectiveDateTime", moment("assessed_at")),
    Bind::one(
        "valueCodeableConcept",
        concept(
            "outcome",
            "urn:enamel:treatment-outcome",
            &[("SUCCESS", "success"), ("PARTIAL", "partial"), ("FAILURE", "failure"), ("UNKNOWN", "unknown")],
        ),
    ),
    Bind::item("note", note("notes")),
];
