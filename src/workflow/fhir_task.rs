//! Work of the house as FHIR Task. A task of another intent or state than ours is kept as it is.

use super::task::TASK;
use crate::fhir::bind::{Bind, How, code, concept, moment, points, text};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Task");

pub static MAPPING: Mapping = Mapping { binds: BINDS, creates: true, ..Mapping::new(&TYPE, &TASK, PEOPLE) };

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code("status", &[("OPEN", "requested"), ("IN_PROGRESS", "in-progress"), ("DONE", "completed"), ("CANCELLED", "cancelled")]),
    ),
    Bind::one("intent", How::Is(r#""order""#)),
    Bind::one("priority", code("priority", &[("NORMAL", "routine"), ("LOW", "routine"), ("HIGH", "asap"), ("URGENT", "urgent")]))
        .otherwise("NORMAL"),
    Bind::one(
        "code",
        concept(
            "kind",
            "urn:enamel:task",
            &[
                ("GENERAL", "general"),
                ("AI_REVIEW", "ai-review"),
                ("CLAIM_APPEAL", "claim-appeal"),
                ("REFERRAL_FOLLOW_UP", "referral-follow-up"),
                ("RECALL", "recall"),
                ("DSAR", "data-subject-request"),
                ("IDENTITY_CHECK", "identity-check"),
                ("SIGN_NOTE", "sign-note"),
            ],
        ),
    )
    .otherwise("GENERAL"),
    Bind::one("description", text("title")),
    Bind::one("for", points("patient_id", "Patient")),
    Bind::one("authoredOn", moment("created_at")).shown_only(),
    Bind::one("lastModified", moment("updated_at")).shown_only(),
    Bind::one("restriction", How::Within(&[Bind::one("period", How::Within(&[Bind::one("end", moment("due_at"))]))])),
];
