//! A patient's answer to an appointment, as FHIR AppointmentResponse: what they confirmed, moved or called off.

use super::appointment_event::APPOINTMENT_EVENT;
use crate::fhir::bind::{Bind, How, code, moment, points, text};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("AppointmentResponse");

pub static MAPPING: Mapping = Mapping {
    only: Some(("actor_party", "PATIENT")),
    among: Some(("event_type", || &["CONFIRMED", "RESCHEDULED", "CANCELLED"])),
    ..Mapping::shown(&TYPE, &APPOINTMENT_EVENT, PEOPLE, BINDS)
};

const BINDS: &[Bind] = &[
    Bind::one("appointment", points("appointment_id", "Appointment")),
    Bind::one("start", moment("new_start_at")),
    Bind::item(
        "participantType",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"SBJ"}]}"#),
    ),
    Bind::one("actor", points("patient_id", "Patient")),
    Bind::one(
        "participantStatus",
        code("event_type", &[("CONFIRMED", "accepted"), ("RESCHEDULED", "tentative"), ("CANCELLED", "declined")]),
    ),
    Bind::one("comment", text("reason")),
];
