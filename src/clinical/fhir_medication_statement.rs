//! What a patient takes, as FHIR MedicationStatement.

use super::patient_medication::PATIENT_MEDICATION;
use crate::fhir::bind::{Bind, How, code, days, note, points, text, words};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;
use crate::reference::fhir_medication::CODE;

pub static TYPE: TypeDef = TypeDef::all("MedicationStatement");

pub static MAPPING: Mapping = Mapping { binds: BINDS, creates: true, ..Mapping::new(&TYPE, &PATIENT_MEDICATION, PEOPLE) };

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("ACTIVE", "active"),
                ("ACTIVE", "intended"),
                ("ACTIVE", "unknown"),
                ("COMPLETED", "completed"),
                ("ENTERED_IN_ERROR", "entered-in-error"),
                ("STOPPED", "stopped"),
                ("STOPPED", "not-taken"),
                ("ON_HOLD", "on-hold"),
            ],
        ),
    )
    .otherwise("ACTIVE"),
    Bind::one("medicationCodeableConcept", How::Coded(&CODE)).otherwise("Unknown"),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("context", points("encounter_id", "Encounter")),
    Bind::one("effectivePeriod", days("start_date", "stop_date")),
    Bind::item("note", note("notes")),
    Bind::item("dosage", How::Within(DOSAGE)),
];
const DOSAGE: &[Bind] = &[Bind::one("text", text("dosage")), Bind::one("route", words("route"))];
