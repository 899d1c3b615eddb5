//! A claim as FHIR Claim with its lines, and what the payer said of it as ClaimResponse and ExplanationOfBenefit. A claim goes
//! its way by operations.

use super::claim::CLAIM;
use super::claim_diagnosis::CLAIM_DIAGNOSIS;
use super::claim_line::CLAIM_LINE;
use crate::fhir::bind::{Bind, How, Words, code, identifier, moment, points};
use crate::fhir::mapping::{Link, Mapping, PEOPLE, Part, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};
use crate::fhir::systems::{SURFACE, TOOTH};
use crate::kernel::money;
use crate::kernel::table::Record;
use serde_json::{Value as Json, json};

static CLAIM_TYPE: TypeDef = TypeDef::all("Claim");
static RESPONSE_TYPE: TypeDef = TypeDef::all("ClaimResponse");
static BENEFIT_TYPE: TypeDef = TypeDef::all("ExplanationOfBenefit");

const PARTS: &[Part] = &[
    Part { table: &CLAIM_LINE, link: Link::Child("claim_id"), planes: PEOPLE, alike: &[] },
    Part { table: &CLAIM_DIAGNOSIS, link: Link::Child("claim_id"), planes: PEOPLE, alike: &[] },
];

pub static MAPPING: Mapping = Mapping { parts: PARTS, render: Some(lines), ..Mapping::shown(&CLAIM_TYPE, &CLAIM, PEOPLE, CLAIMED) };
pub static RESPONSE: Mapping =
    Mapping { render: Some(answered), hides: Some(("status", "DRAFT")), ..Mapping::shown(&RESPONSE_TYPE, &CLAIM, PEOPLE, ANSWERED) };
pub static BENEFIT: Mapping = Mapping {
    parts: PARTS,
    render: Some(explained),
    hides: Some(("status", "DRAFT")),
    ..Mapping::shown(&BENEFIT_TYPE, &CLAIM, PEOPLE, EXPLAINED)
};

const NUMBER: Bind = Bind::item("identifier", identifier("claim_number", "urn:enamel:claim-number"));
const TYPE: Bind =
    Bind::one("type", How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/claim-type","code":"oral"}]}"#));
const USE: Bind = Bind::one(
    "use",
    code("use", &[("CLAIM", "claim"), ("PREDETERMINATION", "predetermination"), ("PREAUTHORIZATION", "preauthorization")]),
);
const PATIENT: Bind = Bind::one("patient", points("patient_id", "Patient"));
const CREATED: Bind = Bind::one("created", moment("created_at"));
const INSURER: Bind = Bind::one("insurer", points("payer_id", "Organization"));
/// Who claims where nobody is named is the clinic.
const PROVIDER: [Bind; 2] = [Bind::one("provider", How::Tenant), Bind::one("provider", points("billing_provider_id", "Practitioner"))];
/// Sent or not, a claim is one that holds; what was not sent yet is a draft.
const STATES: Words = &[
    ("DRAFT", "draft"),
    ("READY", "draft"),
    ("SUBMITTED", "active"),
    ("ACCEPTED", "active"),
    ("REJECTED", "active"),
    ("PENDED", "active"),
    ("PARTIALLY_PAID", "active"),
    ("PAID", "active"),
    ("DENIED", "active"),
    ("APPEALED", "active"),
    ("VOIDED", "cancelled"),
];
const OUTCOMES: Words = &[
    ("READY", "queued"),
    ("SUBMITTED", "queued"),
    ("ACCEPTED", "queued"),
    ("PENDED", "queued"),
    ("APPEALED", "queued"),
    ("REJECTED", "error"),
    ("VOIDED", "complete"),
    ("PARTIALLY_PAID", "partial"),
    ("PAID", "complete"),
    ("DENIED", "complete"),
];
const COVERED: &[Bind] = &[
    Bind::one("sequence", How::Always("1")),
    Bind::one("focal", How::Always("true")),
    Bind::one("coverage", points("policy_id", "Coverage")),
];
const INSURED: &[Bind] = &[Bind::one("focal", How::Always("true")), Bind::one("coverage", points("policy_id", "Coverage"))];

const CLAIMED: &[Bind] = &[
    NUMBER,
    Bind::one("status", code("status", STATES)),
    TYPE,
    USE,
    PATIENT,
    CREATED,
    INSURER,
    PROVIDER[0],
    PROVIDER[1],
    Bind::one(
        "priority",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/processpriority","code":"normal"}]}"#),
    ),
    Bind::one("facility", points("location_id", "Location")),
    Bind::item("insurance", How::Within(COVERED)),
    Bind::one("total", How::Money { column: "total_billed_minor", currency: "currency" }),
];

const ANSWERED: &[Bind] = &[
    NUMBER,
    Bind::one("status", code("status", STATES)),
    TYPE,
    USE,
    PATIENT,
    CREATED,
    INSURER,
    Bind::one("requestor", points("billing_provider_id", "Practitioner")),
    Bind::one("request", How::Itself { to: "Claim" }),
    Bind::one("outcome", code("status", OUTCOMES)),
];

const EXPLAINED: &[Bind] = &[
    NUMBER,
    Bind::one("status", code("status", STATES)),
    TYPE,
    USE,
    PATIENT,
    CREATED,
    INSURER,
    PROVIDER[0],
    PROVIDER[1],
    Bind::one("claim", How::Itself { to: "Claim" }),
    Bind::one("outcome", code("status", OUTCOMES)),
    Bind::item("insurance", How::Within(INSURED)),
];

const ADJUDICATION: &str = "http://terminology.hl7.org/CodeSystem/adjudication";

fn amount(row: &Record, column: &str) -> Option<Json> {
    let currency = row.text("currency")?;
    Some(json!({"value": money::amount(row.int(column)?, currency), "currency": currency}))
}

fn concept(system: &str, code: &str) -> Json {
    json!({"coding": [{"system": system, "code": code}]})
}

fn diagnoses(whole: &Whole, out: &mut Resource) {
    let system = |word: &str| match word {
        "SNOMED" => Some("http://snomed.info/sct"),
        "ICD10" => Some("http://hl7.org/fhir/sid/icd-10"),
        "ICD10CM" => Some("http://hl7.org/fhir/sid/icd-10-cm"),
        _ => None,
    };
    for row in whole.part(1) {
        let mut coding = Element::default();
        coding.string("system", row.text("code_system").and_then(system)).code("code", row.text("code"));
        let coded = json!({"coding": [Json::Object(coding.into_map())]});
        out.append("diagnosis", json!({"sequence": row.get("sequence_no"), "diagnosisCodeableConcept": coded}));
    }
}

/// A line as both say it; a procedure code of no known system has none.
fn line(row: &Record) -> Element {
    let mut item = Element::default();
    item.value("sequence", row.get("line_no").clone());
    item.value("diagnosisSequence", row.get("diagnosis_pointers").clone());
    let system = crate::treatment::fhir_procedure::SYSTEMS.iter().find(|(word, _)| row.text("code_system") == Some(word));
    let mut coding = Element::default();
    coding.string("system", system.map(|(_, uri)| *uri).filter(|uri| !uri.is_empty())).code("code", row.text("code"));
    item.value("productOrService", json!({"coding": [Json::Object(coding.into_map())]}));
    item.string("servicedDate", row.text("service_date"));
    item.value("quantity", json!({"value": row.get("quantity")}));
    item.value("net", amount(row, "billed_minor"));
    item.value("bodySite", row.text("tooth_number").map(|tooth| concept(TOOTH, tooth)));
    for surface in row.get("surface").as_array().into_iter().flatten().filter_map(Json::as_str) {
        item.append("subSite", concept(SURFACE, surface));
    }
    item
}

fn lines(whole: &Whole, out: &mut Resource) {
    diagnoses(whole, out);
    for row in whole.part(0) {
        out.push_element("item", line(row));
    }
}

fn totals(whole: &Whole) -> impl Iterator<Item = Json> {
    let columns = [("submitted", "total_billed_minor"), ("eligible", "total_allowed_minor"), ("benefit", "total_paid_minor")];
    columns
        .into_iter()
        .filter_map(|(code, column)| Some(json!({"category": concept(ADJUDICATION, code), "amount": amount(&whole.root, column)?})))
}

fn answered(whole: &Whole, out: &mut Resource) {
    for total in totals(whole) {
        out.append("total", total);
    }
    out.string("preAuthRef", whole.root.text("prior_authorization_number"));
}

fn explained(whole: &Whole, out: &mut Resource) {
    diagnoses(whole, out);
    for row in whole.part(0) {
        let mut item = line(row);
        for (code, column) in [("submitted", "billed_minor"), ("eligible", "allowed_minor"), ("benefit", "paid_minor")] {
            if let Some(amount) = amount(row, column) {
                item.append("adjudication", json!({"category": concept(ADJUDICATION, code), "amount": amount}));
            }
        }
        out.push_element("item", item);
    }
    for total in totals(whole) {
        out.append("total", total);
    }
}
