//! Messages and notifications as FHIR Communication; they are sent by operations.

use super::message::MESSAGE;
use super::notification::NOTIFICATION;
use crate::fhir::bind::{Bind, How, code, moment, points, text};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Communication");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &MESSAGE, PEOPLE, SAID);
pub static NOTICE: Mapping = Mapping::shown(&TYPE, &NOTIFICATION, PEOPLE, TOLD);

const SAID: &[Bind] = &[
    Bind::item("inResponseTo", points("reply_to_id", "Communication")),
    Bind::one(
        "status",
        code(
            "delivery_state",
            &[
                ("QUEUED", "preparation"),
                ("SENT", "in-progress"),
                ("DELIVERED", "completed"),
                ("READ", "completed"),
                ("FAILED", "not-done"),
            ],
        ),
    ),
    Bind::item("category", How::Always(r#"{"coding":[{"system":"urn:enamel:communication","code":"message"}]}"#)),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("sent", moment("sent_at")),
    Bind::item("payload", How::Within(&[Bind::one("contentString", text("content"))])),
];

const TOLD: &[Bind] = &[
    Bind::one("status", How::Always(r#""completed""#)),
    Bind::item(
        "category",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/communication-category","code":"notification"}]}"#),
    ),
    Bind::one("priority", code("priority", &[("NORMAL", "routine"), ("HIGH", "urgent")])),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("topic", How::Within(&[Bind::one("text", text("title"))])),
    Bind::one("sent", moment("created_at")),
    Bind::item("payload", How::Within(&[Bind::one("contentString", text("message"))])),
];
