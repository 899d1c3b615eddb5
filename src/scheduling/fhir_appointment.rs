//! A booked time as FHIR Appointment; a time that is only held is none yet.

use super::appointment::APPOINTMENT;
use super::waitlist_entry::WAITLIST_ENTRY;
use crate::fhir::bind::{Bind, How, Words, code, days, moment, plain, points, text, words};
use crate::fhir::mapping::{Mapping, PEOPLE, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;

static TYPE: TypeDef = TypeDef::all("Appointment");

pub static MAPPING: Mapping = Mapping {
    binds: BINDS,
    render: Some(reason),
    creates: true,
    hides: Some(("status", "HELD")),
    ..Mapping::new(&TYPE, &APPOINTMENT, PEOPLE)
};

/// A reason for calling off is one of what was called off: app-4 spells its other status in a way that no code is spelled.
fn reason(whole: &Whole, out: &mut Resource) {
    if whole.root.text("status") != Some("CANCELLED") {
        out.remove("cancelationReason");
    }
}

const STATUS: Words = &[
    ("PENDING", "pending"),
    ("PENDING", "proposed"),
    ("SCHEDULED", "booked"),
    ("CONFIRMED", "booked"),
    ("ARRIVED", "arrived"),
    ("ARRIVED", "checked-in"),
    ("IN_PROGRESS", "arrived"),
    ("COMPLETED", "fulfilled"),
    ("CANCELLED", "cancelled"),
    ("CANCELLED", "entered-in-error"),
    ("NO_SHOW", "noshow"),
];

const BINDS: &[Bind] = &[
    Bind::one("status", code("status", STATUS)),
    Bind::one("cancelationReason", words("cancel_reason")),
    Bind::item("basedOn", points("referral_id", "ServiceRequest")),
    Bind::one("start", moment("start_at")),
    Bind::one("end", moment("end_at")),
    Bind::one("minutesDuration", plain("duration_minutes")).shown_only(),
    Bind::one("comment", text("notes")),
    Bind::item("participant", How::Within(PATIENT)),
    Bind::item("participant", How::Within(PROVIDER)),
    Bind::item("participant", How::Within(PLACE)),
    // A chair is a place too; which of several places sent is the site is told by their order.
    Bind::item("participant", How::Within(CHAIR)).shown_only(),
];
const AGREED: How = How::Always(r#""accepted""#);
const PATIENT: &[Bind] = &[Bind::one("actor", points("patient_id", "Patient")), Bind::one("status", AGREED)];
const PROVIDER: &[Bind] = &[Bind::one("actor", points("provider_id", "Practitioner")), Bind::one("status", AGREED)];
const PLACE: &[Bind] = &[Bind::one("actor", points("location_id", "Location")), Bind::one("status", AGREED)];
const CHAIR: &[Bind] = &[Bind::one("actor", points("operatory_id", "Location")), Bind::one("status", AGREED)];

/// Who waits for a time has an appointment without one, until there is one with it.
pub static WAITING: Mapping = Mapping { hides: Some(("status", "BOOKED")), ..Mapping::shown(&TYPE, &WAITLIST_ENTRY, PEOPLE, WAITS) };

const WAITS: &[Bind] = &[
    Bind::one("status", code("status", &[("WAITING", "waitlist"), ("OFFERED", "waitlist"), ("REMOVED", "cancelled")])),
    Bind::one("priority", plain("priority")),
    Bind::item("participant", How::Within(PATIENT)),
    Bind::item("participant", How::Within(PROVIDER)),
    Bind::item("participant", How::Within(PLACE)),
    Bind::item("requestedPeriod", days("earliest_date", "latest_date")),
];
