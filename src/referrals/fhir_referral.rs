//! A referral as FHIR ServiceRequest, and as the Task that carries its state; its moves are operations of both sides.

use super::referral::REFERRAL;
use crate::fhir::bind::{Bind, How, code, each, moment, named, note, points, text, words};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;
use crate::fhir::systems::TOOTH;

static REQUEST: TypeDef = TypeDef::all("ServiceRequest");
static TASK: TypeDef = TypeDef::all("Task");

pub static MAPPING: Mapping = Mapping::shown(&REQUEST, &REFERRAL, PEOPLE, ASKED);
pub static STATE: Mapping = Mapping::shown(&TASK, &REFERRAL, PEOPLE, CARRIED);

const PRIORITY: Bind = Bind::one("priority", code("urgency", &[("ROUTINE", "routine"), ("URGENT", "urgent"), ("EMERGENCY", "stat")]));

const ASKED: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("DRAFT", "draft"),
                ("SENT", "active"),
                ("ACCEPTED", "active"),
                ("IN_PROGRESS", "active"),
                ("COMPLETED", "completed"),
                ("REJECTED", "revoked"),
                ("CANCELLED", "revoked"),
            ],
        ),
    ),
    Bind::one("intent", How::Always(r#""order""#)),
    Bind::item(
        "category",
        How::Always(r#"{"coding":[{"system":"http://snomed.info/sct","code":"3457005","display":"Patient referral"}]}"#),
    ),
    PRIORITY,
    // Somebody who is no patient here yet is named.
    Bind::one("subject", named("patient_name")),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("authoredOn", moment("sent_at")),
    Bind::one("requester", named("referring_dentist")),
    Bind::one("requester", points("referring_provider_id", "Practitioner")),
    Bind::one("performerType", words("specialty")),
    Bind::item("performer", points("assigned_provider_id", "Practitioner")),
    Bind::item("reasonCode", words("reason")),
    Bind::item("bodySite", each("fdi_teeth", TOOTH)),
    Bind::item("note", note("notes")),
];

const CARRIED: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("DRAFT", "draft"),
                ("SENT", "requested"),
                ("ACCEPTED", "accepted"),
                ("REJECTED", "rejected"),
                ("IN_PROGRESS", "in-progress"),
                ("COMPLETED", "completed"),
                ("CANCELLED", "cancelled"),
            ],
        ),
    ),
    Bind::one("statusReason", words("rejection_reason")),
    Bind::one("intent", How::Always(r#""order""#)),
    PRIORITY,
    Bind::one(
        "code",
        How::Always(r#"{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}],"text":"Referral"}"#),
    ),
    Bind::one("description", text("reason")),
    Bind::one("focus", How::Itself { to: "ServiceRequest" }),
    Bind::one("for", points("patient_id", "Patient")),
    Bind::one("authoredOn", moment("sent_at")),
    Bind::one("requester", points("referring_provider_id", "Practitioner")),
    Bind::one("owner", points("assigned_provider_id", "Practitioner")),
];
