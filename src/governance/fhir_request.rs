//! What somebody asks of their data, as FHIR Task.

use super::dsar_request::DSAR_REQUEST;
use crate::fhir::bind::{Bind, How, code, concept, moment, points, text, words};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Task");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &DSAR_REQUEST, PEOPLE, BINDS);

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("RECEIVED", "received"),
                ("VERIFYING", "accepted"),
                ("IN_PROGRESS", "in-progress"),
                ("EXTENDED", "in-progress"),
                ("COMPLETED", "completed"),
                ("REFUSED", "rejected"),
                ("WITHDRAWN", "cancelled"),
            ],
        ),
    ),
    Bind::one("statusReason", words("decision_ground")),
    Bind::one("intent", How::Always(r#""order""#)),
    Bind::one(
        "code",
        concept(
            "request_type",
            "urn:enamel:data-subject-request",
            &[
                ("ACCESS", "access"),
                ("ERASURE", "erasure"),
                ("PORTABILITY", "portability"),
                ("RECTIFICATION", "rectification"),
                ("RESTRICTION", "restriction"),
                ("OBJECTION", "objection"),
            ],
        ),
    ),
    Bind::one("description", text("details")),
    Bind::one("for", points("patient_id", "Patient")),
    Bind::one("authoredOn", moment("received_at")),
];
