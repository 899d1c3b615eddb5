//! Work of the house as FHIR Task. Its state goes the way of the REST operations.

use super::doing::{CANCEL, COMPLETE, REOPEN, START};
use super::task::TASK;
use crate::fhir::bind::{Bind, How, code, concept, moment, points, text};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;
use crate::kernel::table::projection::Step;

static TYPE: TypeDef = TypeDef::all("Task");

pub static MAPPING: Mapping = Mapping { binds: BINDS, steps: STEPS, creates: true, ..Mapping::new(&TYPE, &TASK, PEOPLE) };

const STEPS: &[Step] = &[
    Step { to: "OPEN", by: &[&REOPEN], with: &[] },
    Step { to: "IN_PROGRESS", by: &[&REOPEN, &START], with: &[] },
    Step { to: "DONE", by: &[&COMPLETE], with: &[] },
    Step { to: "CANCELLED", by: &[&CANCEL], with: &[("reason", "Cancelled in another system.")] },
];

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("OPEN", "requested"),
                ("OPEN", "draft"),
                ("OPEN", "received"),
                ("OPEN", "ready"),
                ("OPEN", "accepted"),
                ("IN_PROGRESS", "in-progress"),
                ("IN_PROGRESS", "on-hold"),
                ("DONE", "completed"),
                ("CANCELLED", "cancelled"),
                ("CANCELLED", "rejected"),
                ("CANCELLED", "failed"),
            ],
        ),
    ),
    Bind::one("intent", How::Always(r#""order""#)),
    Bind::one(
        "priority",
        code("priority", &[("NORMAL", "routine"), ("LOW", "routine"), ("HIGH", "asap"), ("URGENT", "urgent"), ("URGENT", "stat")]),
    )
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
