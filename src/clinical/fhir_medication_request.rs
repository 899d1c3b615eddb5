//! What was prescribed here, as FHIR MedicationRequest; the same row is a MedicationStatement too. What others prescribed is kept as
//! it is told.

use super::patient_medication::PATIENT_MEDICATION;
use crate::fhir::bind::{Bind, How, code, day, named, note, points, text};
use crate::fhir::mapping::{Columns, Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;
use crate::reference::fhir_medication::CODE;
use serde_json::Value as Json;

static TYPE: TypeDef = TypeDef::all("MedicationRequest");

pub static MAPPING: Mapping = Mapping {
    binds: BINDS,
    only: Some(("is_prescribed_here", "true")),
    creates: true,
    fits: Some(by_us),
    ..Mapping::new(&TYPE, &PATIENT_MEDICATION, PEOPLE)
};

fn by_us(columns: &Columns) -> bool {
    columns.get("prescriber_id").is_some_and(Json::is_string)
}

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("ACTIVE", "active"),
                ("COMPLETED", "completed"),
                ("ENTERED_IN_ERROR", "entered-in-error"),
                ("STOPPED", "stopped"),
                ("ON_HOLD", "on-hold"),
            ],
        ),
    ),
    Bind::one("intent", How::Is(r#""order""#)),
    Bind::one("medicationCodeableConcept", How::Coded(&CODE)),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("authoredOn", day("start_date")),
    Bind::one("requester", named("prescriber_name")),
    Bind::one("requester", points("prescriber_id", "Practitioner")),
    Bind::item("note", note("notes")),
    Bind::item("dosageInstruction", How::Within(DOSAGE)),
];
const DOSAGE: &[Bind] = &[
    Bind::one("text", text("dosage")),
    Bind::one("patientInstruction", text("frequency")),
    Bind::one("route", How::Words { column: "route" }),
];
