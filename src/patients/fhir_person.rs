//! The login behind a patient's portal as FHIR Person, and what somebody may do for a patient as FHIR Consent.

use super::patient_portal_account::PATIENT_PORTAL_ACCOUNT;
use super::patient_proxy::PATIENT_PROXY;
use crate::fhir::bind::{Bind, How, code, concept, named, points, span};
use crate::fhir::mapping::{Mapping, PEOPLE, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;

static PERSON: TypeDef = TypeDef::all("Person");
static CONSENT: TypeDef = TypeDef::all("Consent");

pub static ACCOUNT: Mapping = Mapping { render: Some(in_use), ..Mapping::shown(&PERSON, &PATIENT_PORTAL_ACCOUNT, PEOPLE, ACCOUNTS) };

const ACCOUNTS: &[Bind] = &[
    Bind::one("managingOrganization", How::Tenant),
    Bind::item("link", How::Within(&[Bind::one("target", points("patient_id", "Patient"))])),
];

fn in_use(whole: &Whole, out: &mut Resource) {
    out.boolean("active", whole.root.text("status") == Some("ACTIVE"));
}

pub static PROXY: Mapping = Mapping::shown(&CONSENT, &PATIENT_PROXY, PEOPLE, PROXIES);

const PROXIES: &[Bind] = &[
    Bind::one("status", code("status", &[("PENDING", "proposed"), ("ACTIVE", "active"), ("REVOKED", "inactive"), ("EXPIRED", "inactive")])),
    Bind::one(
        "scope",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]}"#),
    ),
    Bind::item("category", How::Always(r#"{"coding":[{"system":"urn:enamel:consent-type","code":"proxy"}]}"#)),
    Bind::one("patient", points("patient_id", "Patient")),
    Bind::item("organization", How::Tenant),
    Bind::one("policyRule", How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTIN"}]}"#)),
    Bind::one("provision", How::Within(PROVISION)),
];
const PROVISION: &[Bind] = &[Bind::one("period", span("valid_from", "valid_until")), Bind::item("actor", How::Within(ACTOR))];
const ACTOR: &[Bind] = &[
    Bind::one(
        "role",
        concept(
            "relationship",
            "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
            &[("PARENT", "PRN"), ("SPOUSE", "SPS"), ("CHILD", "CHILD"), ("GUARDIAN", "GUARD"), ("OTHER", "PERSON")],
        ),
    ),
    // One whose relation is not in the records is told by what they are.
    Bind::one("reference", named("relationship")),
    Bind::one("reference", points("relationship_id", "RelatedPerson")),
];
