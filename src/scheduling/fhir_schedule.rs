//! When providers work as FHIR Schedule, what keeps a time as Slot, and kinds of visit as HealthcareService.

use super::appointment_type::APPOINTMENT_TYPE;
use super::availability_block::AVAILABILITY_BLOCK;
use super::slot_hold::SLOT_HOLD;
use crate::fhir::bind::{Bind, How, code, concept, days, identifier, moment, plain, points, text};
use crate::fhir::mapping::{Mapping, PEOPLE, STAFF};
use crate::fhir::registry::TypeDef;
use crate::kernel::context::Plane;

static SCHEDULE: TypeDef = TypeDef::all("Schedule");

pub static MAPPING: Mapping = Mapping::shown(&SCHEDULE, &AVAILABILITY_BLOCK, STAFF, BLOCK);

const BLOCK: &[Bind] = &[
    Bind::one("active", How::Always("true")),
    Bind::item(
        "serviceCategory",
        concept("kind", "urn:enamel:availability", &[("WEEKLY", "weekly"), ("EXTRA", "extra"), ("BLOCKED", "blocked")]),
    ),
    Bind::item("actor", points("provider_id", "Practitioner")),
    Bind::item("actor", points("location_id", "Location")),
    Bind::item("actor", points("operatory_id", "Location")),
    Bind::one("planningHorizon", days("valid_from", "valid_until")),
    Bind::one("comment", text("reason")),
];

static SLOT: TypeDef = TypeDef::all("Slot");

pub static HOLD: Mapping = Mapping::shown(&SLOT, &SLOT_HOLD, &[Plane::Staff, Plane::Patient], HELD);

const HELD: &[Bind] = &[
    // Whose hours they are is told by the reservation itself; no block of hours is named.
    Bind::one("schedule", How::Always(r#"{"display":"Reserved time"}"#)),
    Bind::one("status", code("status", &[("HELD", "busy-tentative"), ("USED", "busy"), ("EXPIRED", "free"), ("RELEASED", "free")])),
    Bind::one("start", moment("start_at")),
    Bind::one("end", moment("end_at")),
];

static SERVICE: TypeDef = TypeDef::all("HealthcareService");

pub static VISIT: Mapping = Mapping::shown(&SERVICE, &APPOINTMENT_TYPE, PEOPLE, KIND);

const KIND: &[Bind] = &[
    Bind::item("identifier", identifier("code", "urn:enamel:appointment-type")),
    Bind::one("active", plain("is_active")),
    Bind::one("providedBy", How::Tenant),
    Bind::one("name", text("name")),
    Bind::one("appointmentRequired", How::Always("true")),
];
