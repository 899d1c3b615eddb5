//! What somebody agreed to, as FHIR Consent. One that is given stays as it was given; it is revoked by the operation, and what
//! was built on it stops.

use super::consent::CONSENT;
use super::consenting::REVOKE;
use crate::fhir::bind::{Bind, How, code, concept, moment, points, span};
use crate::fhir::datatype::{CodeableConcept, Period};
use crate::fhir::mapping::{Columns, Mapping, PEOPLE, Taken};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;
use crate::fhir::temporal;
use crate::fhir::xhtml;
use crate::kernel::error::Result;
use crate::kernel::table::projection::Step;
use crate::kernel::table::value;
use serde_json::Value as Json;

static TYPE: TypeDef = TypeDef::all("Consent");

pub static MAPPING: Mapping = Mapping {
    binds: BINDS,
    take: Some(take),
    steps: &[Step { to: "REVOKED", by: &[&REVOKE], with: &[] }],
    presumed: &[("subject_type", "PATIENT"), ("source", "IN_CLINIC")],
    creates: true,
    fits: Some(says_to_what),
    ..Mapping::new(&TYPE, &CONSENT, PEOPLE)
};

/// A consent of ours has the words that were agreed to; one without them is kept whole.
fn says_to_what(columns: &Columns) -> bool {
    columns.get("text_snapshot").is_some_and(|words| !words.is_null())
}

/// Who is asked is the patient. A purpose that only the scope tells is the one that the scope stands for alone.
fn take(resource: &Resource, _base: &str, taken: &mut Taken) -> Result<()> {
    let patient = taken.root.get("patient_id").cloned().unwrap_or(Json::Null);
    taken.root.set("subject_id", patient, resource.root().at("patient"));
    if taken.root.get("granted_at").is_some_and(Json::is_null) {
        taken.root.remove("granted_at");
    }
    let period: Option<Period> = resource.root().node("provision")?.map(|provision| provision.read("period")).transpose()?.flatten();
    let end = period.and_then(|period| temporal::date_time(&period.end?)).map(|end| value::instant_text(end.end));
    taken.root.set("expires_at", end, resource.root().at("provision"));
    // The narrative is what somebody reads before they agree.
    let shown =
        resource.as_map().get("text").and_then(|text| text.get("div")?.as_str()).map(xhtml::words).filter(|words| !words.is_empty());
    let language = resource.root().code("language")?.unwrap_or("und");
    let (version, locale) = (shown.is_some().then_some(1), shown.is_some().then_some(language));
    let at = resource.root().at("text");
    taken.root.set("text_version", version, at.clone()).set("text_locale", locale, at.clone()).set("text_snapshot", shown, at);
    if taken.root.get("consent_type").is_none_or(Json::is_null) {
        let scope: Option<CodeableConcept> = resource.root().read("scope")?;
        let purpose = match scope.as_ref().and_then(|scope| scope.code_in(SCOPE)) {
            Some("research") => Some("RESEARCH"),
            Some("treatment") => Some("TREATMENT_PLANNING"),
            _ => None,
        };
        taken.root.set("consent_type", purpose, resource.root().at("scope"));
    }
    Ok(())
}

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
    )
    .shown_only(),
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
    Bind::one("provision", How::Within(&[Bind::one("period", span("granted_at", "expires_at"))])).shown_only(),
];
