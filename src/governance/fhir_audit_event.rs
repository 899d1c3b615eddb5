//! Who did what, as FHIR AuditEvent: written by the server alone, read by those who may read the audit log.

use super::audit_event::AUDIT_EVENT;
use crate::fhir::bind::{Bind, How, code, moment, points};
use crate::fhir::mapping::{Mapping, PEOPLE, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};
use serde_json::json;

static TYPE: TypeDef = TypeDef::seen("AuditEvent");

pub static MAPPING: Mapping = Mapping { render: Some(who), ..Mapping::shown(&TYPE, &AUDIT_EVENT, PEOPLE, BINDS) };

const BINDS: &[Bind] = &[
    Bind::one("type", How::Always(r#"{"system":"http://terminology.hl7.org/CodeSystem/audit-event-type","code":"rest"}"#)),
    Bind::item("subtype", How::Spelled { column: "event_type", system: "urn:enamel:audit-event" }),
    Bind::one(
        "action",
        code("action", &[("CREATE", "C"), ("READ", "R"), ("UPDATE", "U"), ("DELETE", "D"), ("EXECUTE", "E"), ("SEARCH", "E")]),
    ),
    Bind::one("recorded", moment("occurred_at")),
    Bind::one("outcome", code("outcome", &[("SUCCESS", "0"), ("DENIED", "4"), ("FAILED", "4"), ("ABORTED", "8")])),
    Bind::item("entity", How::Within(&[Bind::one("what", points("patient_id", "Patient"))])),
];

fn who(whole: &Whole, out: &mut Resource) {
    let event = &whole.root;
    let mut agent = Element::default();
    let kind = if event.text("actor_type") == Some("USER") { "humanuser" } else { "application" };
    agent.value("type", json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/extra-security-role-type", "code": kind}]}));
    if let Some(actor) = event.text("user_id").or_else(|| event.text("api_client_id")) {
        agent.value("who", json!({"identifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{actor}")}}));
    }
    agent.boolean("requestor", true);
    out.push_element("agent", agent);
    out.value("source", json!({"observer": {"reference": format!("Organization/{}", event.tenant)}}));
}
