//! A chart that another clinic may open for a time, as FHIR Consent; it is given and ended by operations.

use super::record_share::RECORD_SHARE;
use crate::fhir::bind::{Bind, How, points, span};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Consent");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &RECORD_SHARE, PEOPLE, BINDS);

const BINDS: &[Bind] = &[
    Bind::one("status", How::Whether { column: "revoked_at", without: "active", with: "inactive" }),
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
