//! A chart that another clinic may open for a time, as FHIR Consent; it is given and ended by operations.

use super::record_share::RECORD_SHARE;
use crate::fhir::bind::{Bind, How, Words, points, span};
use crate::fhir::find::Find;
use crate::fhir::mapping::{Mapping, PEOPLE, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;

static TYPE: TypeDef = TypeDef::all("Consent");

pub static MAPPING: Mapping = Mapping {
    render: Some(state),
    search: &[("status", Find::Words { column: STATE, system: "", words: STATES })],
    ..Mapping::shown(&TYPE, &RECORD_SHARE, PEOPLE, BINDS)
};
const STATE: &str = "(case when r.revoked_at is null then 'active' else 'inactive' end)";
const STATES: Words = &[("active", "active"), ("inactive", "inactive")];

const BINDS: &[Bind] = &[
    Bind::one(
        "scope",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]}"#),
    ),
    Bind::item("category", How::Always(r#"{"coding":[{"system":"urn:enamel:consent-type","code":"record-share"}]}"#)),
    Bind::one("patient", points("patient_id", "Patient")),
    Bind::item("organization", How::Tenant),
    Bind::one("sourceReference", points("consent_id", "Consent")),
    Bind::one("policyRule", How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTIN"}]}"#)),
    Bind::one("provision", How::Within(PROVISION)),
];
const PROVISION: &[Bind] = &[
    Bind::one("period", span("valid_from", "valid_until")),
    Bind::item(
        "actor",
        How::Within(&[
            Bind::one(
                "role",
                How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]}"#),
            ),
            Bind::one("reference", points("grantee_tenant_id", "Organization")),
        ]),
    ),
];

fn state(whole: &Whole, out: &mut Resource) {
    out.code("status", if whole.root.text("revoked_at").is_some() { "inactive" } else { "active" });
}
