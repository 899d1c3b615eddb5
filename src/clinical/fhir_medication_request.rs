//! What was prescribed here, as FHIR MedicationRequest; the same row is a MedicationStatement too, which is written.

use super::patient_medication::PATIENT_MEDICATION;
use crate::fhir::bind::{Bind, How, code, day, named, note, points, text};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;
use crate::reference::fhir_medication::CODE;

static TYPE: TypeDef = TypeDef::all("MedicationRequest");

pub static MAPPING: Mapping =
    Mapping { only: Some(("is_prescribed_here", "true")), ..Mapping::shown(&TYPE, &PATIENT_MEDICATION, PEOPLE, BINDS) };

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
    Bind::one("intent", How::Always(r#""order""#)),
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
