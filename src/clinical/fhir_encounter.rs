//! A visit as FHIR Encounter.

use super::encounter::ENCOUNTER;
use crate::fhir::bind::{Bind, How, code, points, span, words};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::{KEPT, TypeDef};

pub static TYPE: TypeDef = TypeDef {
    interactions: KEPT,
    profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-encounter"],
    ..TypeDef::all("Encounter")
};

pub static MAPPING: Mapping = Mapping { binds: BINDS, creates: true, ..Mapping::new(&TYPE, &ENCOUNTER, PEOPLE) };

/// Kinds of visits as this server names them.
const KINDS: &str = "urn:enamel:encounter-type";

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("SCHEDULED", "planned"),
                ("IN_PROGRESS", "in-progress"),
                ("IN_PROGRESS", "arrived"),
                ("IN_PROGRESS", "triaged"),
                ("IN_PROGRESS", "onleave"),
                ("COMPLETED", "finished"),
                ("CANCELLED", "cancelled"),
                ("CANCELLED", "entered-in-error"),
                ("NO_SHOW", "cancelled"),
            ],
        ),
    )
    .otherwise("IN_PROGRESS"),
    Bind::one("class", How::Coding { column: "encounter_type", system: ACT, words: CLASSES }).shown_only(),
    Bind::item(
        "type",
        How::Concept {
            column: "encounter_type",
            system: KINDS,
            words: &[
                ("EXAM", "exam"),
                ("EMERGENCY", "emergency"),
                ("HYGIENE", "hygiene"),
                ("ORTHO", "orthodontics"),
                ("IMPLANT", "implant"),
                ("TEACHING", "teaching"),
                ("CONSULTATION", "consultation"),
            ],
        },
    ),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::item("participant", How::Within(PARTICIPANT)),
    Bind::item("appointment", points("appointment_id", "Appointment")),
    Bind::one("period", span("check_in_at", "check_out_at")),
    Bind::item("reasonCode", words("chief_complaint")),
    Bind::item("location", How::Within(PLACE)),
    Bind::one("serviceProvider", How::Tenant).shown_only(),
];
const PARTICIPANT: &[Bind] = &[Bind::one("individual", points("provider_id", "Practitioner"))];
const PLACE: &[Bind] = &[Bind::one("location", points("location_id", "Location"))];
const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const CLASSES: &[(&str, &str)] = &[
    ("EMERGENCY", "EMER"),
    ("EXAM", "AMB"),
    ("HYGIENE", "AMB"),
    ("ORTHO", "AMB"),
    ("IMPLANT", "AMB"),
    ("TEACHING", "AMB"),
    ("CONSULTATION", "AMB"),
];
