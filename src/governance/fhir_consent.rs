//! What somebody agreed to, as FHIR Consent; giving and revoking are operations, for they keep the text and the proof.

use super::consent::CONSENT;
use crate::fhir::bind::{Bind, How, code, concept, moment, points, span};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Consent");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &CONSENT, PEOPLE, BINDS);

const SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";

const BINDS: &[Bind] = &[
    Bind::one("status", code("status", &[("ACTIVE", "active"), ("REVOKED", "inactive"), ("EXPIRED", "inactive")])),
    Bind::one(
        "scope",
        concept(
            "consent_type",
            SCOPE,
            &[
                ("RESEARCH", "research"),
                ("TREATMENT_PLANNING", "treatment"),
                ("AI_ANALYSIS", "patient-privacy"),
                ("DATA_SHARING", "patient-privacy"),
                ("MARKETING", "patient-privacy"),
                ("DATA_STORAGE", "patient-privacy"),
            ],
        ),
    ),
    Bind::item(
        "category",
        concept(
            "consent_type",
            "urn:enamel:consent-type",
            &[
                ("AI_ANALYSIS", "ai-analysis"),
                ("RESEARCH", "research"),
                ("DATA_SHARING", "data-sharing"),
                ("MARKETING", "marketing"),
                ("TREATMENT_PLANNING", "treatment-planning"),
                ("DATA_STORAGE", "data-storage"),
            ],
        ),
    ),
    Bind::one("patient", points("patient_id", "Patient")),
    Bind::one("dateTime", moment("granted_at")),
    Bind::item("organization", How::Tenant),
    Bind::one("sourceReference", points("document_id", "DocumentReference")),
    Bind::one("policyRule", How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTIN"}]}"#)),
    Bind::one("provision", How::Within(&[Bind::one("period", span("granted_at", "expires_at"))])),
];
