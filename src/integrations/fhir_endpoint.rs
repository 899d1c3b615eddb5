//! Where this clinic sends to: webhooks as FHIR Subscription, imaging nodes as Endpoint. Their secrets stay in REST.

use super::dicom_node::DICOM_NODE;
use super::webhook_subscription::WEBHOOK_SUBSCRIPTION;
use crate::fhir::bind::{Bind, How, code, text};
use crate::fhir::mapping::{Mapping, STAFF, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;

static SUBSCRIPTION: TypeDef = TypeDef::seen("Subscription");
static ENDPOINT: TypeDef = TypeDef::all("Endpoint");

pub static WEBHOOK: Mapping = Mapping { render: Some(listens), ..Mapping::shown(&SUBSCRIPTION, &WEBHOOK_SUBSCRIPTION, STAFF, HOOKS) };
pub static NODE: Mapping = Mapping { render: Some(address), ..Mapping::shown(&ENDPOINT, &DICOM_NODE, STAFF, NODES) };

const HOOKS: &[Bind] = &[
    Bind::one("status", code("status", &[("ACTIVE", "active"), ("PAUSED", "off"), ("DISABLED", "error")])),
    Bind::one("reason", How::Always(r#""Events of this clinic""#)),
    Bind::one("reason", text("description")),
    Bind::one("channel", How::Within(&[Bind::one("type", How::Always(r#""rest-hook""#)), Bind::one("endpoint", text("url"))])),
];

/// Events have names of their own; no search string says them.
fn listens(whole: &Whole, out: &mut Resource) {
    let names = whole.root.texts("event_types");
    out.string("criteria", names.collect::<Vec<_>>().join(" ").as_str());
}

const NODES: &[Bind] = &[
    Bind::one("status", code("is_active", &[("true", "active"), ("false", "off")])),
    Bind::one(
        "connectionType",
        How::Always(r#"{"system":"http://terminology.hl7.org/CodeSystem/endpoint-connection-type","code":"dicom-wado-rs"}"#),
    ),
    Bind::one("name", text("name")),
    Bind::one("managingOrganization", How::Tenant),
    Bind::item("payloadType", How::Always(r#"{"text":"DICOM"}"#)),
];

fn address(whole: &Whole, out: &mut Resource) {
    let node = &whole.root;
    let (host, port) = (node.text("host").unwrap_or_default(), node.int("port").unwrap_or_default());
    out.string("address", format!("dicom://{host}:{port}").as_str());
}
