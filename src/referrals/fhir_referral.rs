//! A referral as FHIR ServiceRequest, as the Task that carries its state, and as the letter that goes with it. Its moves are the
//! operations of both sides, whichever of its resources asks for them.

use super::life::{ACCEPT, CANCEL, COMPLETE, REJECT, SEND, START};
use super::referral::REFERRAL;
use super::referral_file::REFERRAL_FILE;
use crate::fhir::bind::{Bind, How, code, each, moment, named, note, points, text, words};
use crate::fhir::find::Find;
use crate::fhir::mapping::{Columns, Complete, Link, Mapping, PEOPLE, Part, Taken, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};
use crate::fhir::systems::TOOTH;
use crate::fhir::xhtml;
use crate::kernel::error::Result;
use crate::kernel::table::Value;
use crate::kernel::table::projection::Step;
use crate::sql;
use serde_json::{Value as Json, json};
use tokio_postgres::Row;
use uuid::Uuid;

static REQUEST: TypeDef = TypeDef::all("ServiceRequest");
static TASK: TypeDef = TypeDef::all("Task");
static LETTER_TYPE: TypeDef = TypeDef::all("Composition");

pub static MAPPING: Mapping = Mapping {
    binds: ASKED,
    take: Some(direction),
    steps: STEPS,
    creates: true,
    fits: Some(leads_somewhere),
    complete: Some(Complete { query: &REFERRED, asks: patient, fill }),
    ..Mapping::new(&REQUEST, &REFERRAL, PEOPLE)
};
pub static STATE: Mapping = Mapping { binds: CARRIED, steps: STEPS, ..Mapping::new(&TASK, &REFERRAL, PEOPLE) };
pub static LETTER: Mapping = Mapping {
    parts: &[Part { table: &REFERRAL_FILE, link: Link::Child("referral_id"), planes: PEOPLE, alike: &[] }],
    render: Some(sections),
    search: &[("entry", Find::Any(ENTRIES))],
    ..Mapping::shown(&LETTER_TYPE, &REFERRAL, PEOPLE, WRITTEN)
};

const ENTRIES: &[Find] = &[
    Find::Points { column: "r.id", to: "ServiceRequest" },
    Find::Rows {
        from: "referral_files i where i.tenant_id = r.tenant_id and i.referral_id = r.id and i.deleted_at is null",
        column: "i.file_id",
        to: "DocumentReference",
    },
];

const STEPS: &[Step] = &[
    Step { to: "SENT", by: &[&SEND], with: &[] },
    Step { to: "ACCEPTED", by: &[&ACCEPT], with: &[] },
    Step { to: "REJECTED", by: &[&REJECT], with: &[("reason", "Rejected in another system.")] },
    Step { to: "IN_PROGRESS", by: &[&ACCEPT, &START], with: &[] },
    Step { to: "COMPLETED", by: &[&COMPLETE], with: &[("outcome_report", "Completed in another system.")] },
    Step { to: "CANCELLED", by: &[&CANCEL], with: &[] },
];

sql! {
    /// $1 tenant, $2 patient. One row, whether there is such a patient or not.
    REFERRED(UUID, UUID) = "
        select p.full_name, p.dob from (select) one left join patients p on p.tenant_id = $1 and p.id = $2 and p.deleted_at is null";
}

fn patient(taken: &Taken) -> Vec<Value> {
    let id = taken.root.get("patient_id").and_then(Json::as_str).and_then(|id| id.parse::<Uuid>().ok());
    vec![id.map_or(Value::Null, Value::Uuid)]
}

/// What the receiver is told of a patient of ours is what our record says.
fn fill(row: &Row, taken: &mut Taken) -> Result<()> {
    let (name, dob) = (row.try_get::<_, Option<String>>(0)?, row.try_get::<_, Option<chrono::NaiveDate>>(1)?);
    if let Some(name) = name {
        taken.root.set("patient_name", name, "ServiceRequest.subject".into());
    }
    taken.root.set("patient_dob", dob.map(|dob| dob.to_string()), "ServiceRequest.subject".into());
    Ok(())
}

/// What one of our own asks for goes out; what comes from elsewhere came in.
fn direction(resource: &Resource, _base: &str, taken: &mut Taken) -> Result<()> {
    let is_ours = taken.root.get("referring_provider_id").is_some_and(Json::is_string);
    taken.root.set("referral_type", if is_ours { "OUTGOING" } else { "INCOMING" }, resource.root().at("requester"));
    Ok(())
}

/// A referral that goes out has a receiver we know, or it is a draft.
fn leads_somewhere(columns: &Columns) -> bool {
    let says = |column: &str, word: &str| columns.get(column).is_some_and(|value| value == word);
    says("referral_type", "INCOMING") || says("status", "DRAFT") || columns.get("recipient_tenant_id").is_some_and(Json::is_string)
}

const PRIORITY: Bind =
    Bind::one("priority", code("urgency", &[("ROUTINE", "routine"), ("URGENT", "urgent"), ("EMERGENCY", "stat"), ("URGENT", "asap")]))
        .otherwise("ROUTINE");

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
                ("CANCELLED", "revoked"),
                ("REJECTED", "revoked"),
            ],
        ),
    ),
    Bind::one("intent", How::Always(r#""order""#)),
    Bind::item("category", How::Is(r#"{"coding":[{"system":"http://snomed.info/sct","code":"3457005","display":"Patient referral"}]}"#)),
    PRIORITY,
    // Somebody who is no patient here yet is named.
    Bind::one("subject", named("patient_name")),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("authoredOn", moment("sent_at")).shown_only(),
    Bind::one("requester", named("referring_dentist")),
    Bind::one("requester", points("referring_provider_id", "Practitioner")),
    Bind::one("performerType", words("specialty")),
    Bind::item("performer", points("assigned_provider_id", "Practitioner")),
    Bind::item("performer", points("recipient_tenant_id", "Organization")),
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
    Bind::one("statusReason", words("rejection_reason")).shown_only(),
    Bind::one("intent", How::Always(r#""order""#)),
    PRIORITY.shown_only(),
    Bind::one(
        "code",
        How::Always(r#"{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}],"text":"Referral"}"#),
    ),
    Bind::one("description", text("reason")).shown_only(),
    Bind::one("focus", How::Itself { to: "ServiceRequest" }),
    Bind::one("for", points("patient_id", "Patient")).shown_only(),
    Bind::one("authoredOn", moment("sent_at")).shown_only(),
    Bind::one("requester", points("referring_provider_id", "Practitioner")).shown_only(),
    Bind::one("owner", points("assigned_provider_id", "Practitioner")),
];

const WRITTEN: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("DRAFT", "preliminary"),
                ("SENT", "final"),
                ("ACCEPTED", "final"),
                ("REJECTED", "final"),
                ("IN_PROGRESS", "final"),
                ("COMPLETED", "final"),
                ("CANCELLED", "entered-in-error"),
            ],
        ),
    ),
    Bind::one("type", How::Always(r#"{"coding":[{"system":"http://loinc.org","code":"57133-1","display":"Referral note"}]}"#)),
    Bind::one("subject", named("patient_name")),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("date", moment("created_at")),
    Bind::one("date", moment("sent_at")),
    Bind::item("author", How::Tenant),
    Bind::one("title", How::Always(r#""Referral""#)),
];

/// The reason with the request itself, and what is attached.
fn sections(whole: &Whole, out: &mut Resource) {
    let referral = &whole.root;
    let mut reason = Element::default();
    let text = referral.text("reason").unwrap_or_default();
    reason.string("title", "Reason").value("text", json!({"status": "generated", "div": xhtml::paragraphs(text)}));
    reason.append("entry", json!({"reference": format!("ServiceRequest/{}", referral.id)}));
    out.push_element("section", reason);
    let mut files = Element::default();
    files.string("title", "Attachments");
    for file in whole.part(0).iter().filter_map(|row| row.text("file_id")) {
        files.append("entry", json!({"reference": format!("DocumentReference/{file}")}));
    }
    if !whole.part(0).is_empty() {
        out.push_element("section", files);
    }
}
