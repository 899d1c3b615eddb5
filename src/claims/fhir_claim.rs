//! A claim as FHIR Claim with its lines, and what the payer said of it as ClaimResponse and ExplanationOfBenefit. A claim goes
//! its way by operations, which are asked for by its status.

use super::claim::CLAIM;
use super::claim_diagnosis::CLAIM_DIAGNOSIS;
use super::claim_line::CLAIM_LINE;
use super::course::{SUBMIT, VALIDATE, VOID};
use crate::fhir::bind::{Bind, How, Words, code, identifier, moment, points};
use crate::fhir::mapping::{Columns, Complete, Link, Mapping, PEOPLE, Part, Taken, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Node, Resource};
use crate::fhir::systems::{SNOMED, SURFACE, TOOTH};
use crate::kernel::error::Result;
use crate::kernel::money;
use crate::kernel::table::projection::Step;
use crate::kernel::table::{Record, Value};
use crate::sql;
use crate::treatment::fhir_procedure;
use serde_json::{Value as Json, json};
use tokio_postgres::Row;
use uuid::Uuid;

static CLAIM_TYPE: TypeDef = TypeDef::all("Claim");
static RESPONSE_TYPE: TypeDef = TypeDef::all("ClaimResponse");
static BENEFIT_TYPE: TypeDef = TypeDef::all("ExplanationOfBenefit");

const PARTS: &[Part] = &[
    Part { table: &CLAIM_LINE, link: Link::Child("claim_id"), planes: PEOPLE, alike: &["line_no"] },
    Part { table: &CLAIM_DIAGNOSIS, link: Link::Child("claim_id"), planes: PEOPLE, alike: &["sequence_no"] },
];

pub static MAPPING: Mapping = Mapping {
    parts: PARTS,
    binds: CLAIMED,
    render: Some(lines),
    take: Some(take),
    steps: &[
        Step { to: "SUBMITTED", by: &[&VALIDATE, &SUBMIT], with: &[] },
        Step { to: "VOIDED", by: &[&VOID], with: &[("reason", "Voided in another system.")] },
    ],
    creates: true,
    complete: Some(Complete { query: &INSURED_BY, asks: policy, fill }),
    ..Mapping::new(&CLAIM_TYPE, &CLAIM, PEOPLE)
};
pub static RESPONSE: Mapping =
    Mapping { render: Some(answered), hides: Some(("status", "DRAFT")), ..Mapping::shown(&RESPONSE_TYPE, &CLAIM, PEOPLE, ANSWERED) };
pub static BENEFIT: Mapping = Mapping {
    parts: PARTS,
    render: Some(explained),
    hides: Some(("status", "DRAFT")),
    ..Mapping::shown(&BENEFIT_TYPE, &CLAIM, PEOPLE, EXPLAINED)
};

/// What all three say, before what each says alone.
const HEAD: &[Bind] = &[
    Bind::item("identifier", identifier("claim_number", "urn:enamel:claim-number")).shown_only(),
    Bind::one("status", code("status", STATES)),
    Bind::one("type", How::Is(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/claim-type","code":"oral"}]}"#)),
    Bind::one(
        "use",
        code("use", &[("CLAIM", "claim"), ("PREDETERMINATION", "predetermination"), ("PREAUTHORIZATION", "preauthorization")]),
    ),
    Bind::one("patient", points("patient_id", "Patient")),
    Bind::one("created", moment("created_at")).shown_only(),
    Bind::one("insurer", points("payer_id", "Organization")),
];
/// Who claims where nobody is named is the clinic.
const PROVIDER: &[Bind] = &[Bind::one("provider", How::Tenant), Bind::one("provider", points("billing_provider_id", "Practitioner"))];
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
    Bind::all(HEAD),
    Bind::all(PROVIDER),
    Bind::one(
        "priority",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/processpriority","code":"normal"}]}"#),
    ),
    Bind::one("facility", points("location_id", "Location")),
    Bind::item("insurance", How::Within(COVERED)),
    Bind::one("total", How::Money { column: "total_billed_minor", currency: "currency" }).shown_only(),
];

const ANSWERED: &[Bind] = &[
    Bind::all(HEAD),
    Bind::one("requestor", points("billing_provider_id", "Practitioner")),
    Bind::one("request", How::Itself { to: "Claim" }),
    Bind::one("outcome", code("status", OUTCOMES)),
];

const EXPLAINED: &[Bind] = &[
    Bind::all(HEAD),
    Bind::all(PROVIDER),
    Bind::one("claim", How::Itself { to: "Claim" }),
    Bind::one("outcome", code("status", OUTCOMES)),
    Bind::item("insurance", How::Within(INSURED)),
];

const INFORMATION: &str = "http://terminology.hl7.org/CodeSystem/claiminformationcategory";
const ADJUDICATION: &str = "http://terminology.hl7.org/CodeSystem/adjudication";

fn amount(row: &Record, column: &str) -> Option<Json> {
    let currency = row.text("currency")?;
    Some(json!({"value": money::amount(row.int(column)?, currency), "currency": currency}))
}

fn concept(system: &str, code: &str) -> Json {
    json!({"coding": [{"system": system, "code": code}]})
}

const DIAGNOSES: Words =
    &[("ICD10CM", "http://hl7.org/fhir/sid/icd-10-cm"), ("ICD10", "http://hl7.org/fhir/sid/icd-10"), ("SNOMED", SNOMED), ("CUSTOM", "")];

fn diagnoses(whole: &Whole, out: &mut Resource) {
    for row in whole.part(1) {
        let coded = coding(row, DIAGNOSES);
        out.append("diagnosis", json!({"sequence": row.get("sequence_no"), "diagnosisCodeableConcept": coded}));
    }
}

/// A code of a system that has no address stands alone.
fn coding(row: &Record, systems: Words) -> Json {
    let system = systems.iter().find(|(word, _)| row.text("code_system") == Some(word)).map(|(_, uri)| *uri);
    let mut coding = Element::default();
    coding.string("system", system.filter(|uri| !uri.is_empty())).code("code", row.text("code"));
    json!({"coding": [Json::Object(coding.into_map())]})
}

/// A line as both say it.
fn line(row: &Record) -> Element {
    let mut item = Element::default();
    item.value("sequence", row.get("line_no").clone());
    item.value("diagnosisSequence", row.get("diagnosis_pointers").clone());
    for (key, column) in [("procedureSequence", "procedure_id"), ("informationSequence", "plan_item_id")] {
        if row.text(column).is_some() {
            item.append(key, row.get("line_no").clone());
        }
    }
    item.value("productOrService", coding(row, fhir_procedure::SYSTEMS));
    item.string("servicedDate", row.text("service_date"));
    item.value("quantity", json!({"value": row.get("quantity")}));
    item.value("net", amount(row, "billed_minor"));
    item.value("bodySite", row.text("tooth_number").map(|tooth| concept(TOOTH, tooth)));
    for surface in row.texts("surface") {
        item.append("subSite", concept(SURFACE, surface));
    }
    item
}

/// What a line bills stands beside the lines: a procedure that was done, or an item of a plan. Its number is the line's.
fn sources(whole: &Whole, out: &mut Resource) {
    for row in whole.part(0) {
        let number = row.get("line_no");
        if let Some(procedure) = row.text("procedure_id") {
            out.append("procedure", json!({"sequence": number, "procedureReference": {"reference": format!("Procedure/{procedure}")}}));
        }
        if let Some(item) = row.text("plan_item_id") {
            let to = json!({"reference": format!("ServiceRequest/{item}")});
            out.append("supportingInfo", json!({"sequence": number, "category": concept(INFORMATION, "info"), "valueReference": to}));
        }
    }
}

fn lines(whole: &Whole, out: &mut Resource) {
    diagnoses(whole, out);
    sources(whole, out);
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
    sources(whole, out);
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

sql! {
    /// $1 tenant, $2 policy. One row, whether there is such a policy or not.
    INSURED_BY(UUID, UUID) = "
        select t.default_currency, p.payer_id from tenants t
          left join patient_insurance_policies p on p.tenant_id = t.id and p.id = $2 and p.deleted_at is null
         where t.id = $1";
}

fn policy(taken: &Taken) -> Vec<Value> {
    let id = taken.root.get("policy_id").and_then(Json::as_str).and_then(|id| id.parse::<Uuid>().ok());
    vec![id.map_or(Value::Null, Value::Uuid)]
}

/// Whoever is named as the insurer, a claim goes to the payer of its policy; money that names no currency is the clinic's.
fn fill(row: &Row, taken: &mut Taken) -> Result<()> {
    let (currency, payer) = (row.try_get::<_, String>(0)?, row.try_get::<_, Option<Uuid>>(1)?);
    let missing = |columns: &Columns, name: &str| columns.get(name).is_none_or(Json::is_null);
    if missing(&taken.root, "payer_id") {
        taken.root.set("payer_id", payer.map(|id| id.to_string()), "Claim.insurer".into());
    }
    let lines = taken.parts.iter_mut().flatten().flatten().filter(|row| row.names().any(|name| name == "line_no"));
    for columns in lines.chain([&mut taken.root]) {
        if missing(columns, "currency") {
            columns.set("currency", currency.as_str(), "Claim.total".into());
        }
    }
    Ok(())
}

/// The lines and the diagnoses, whole.
fn take(resource: &Resource, base: &str, taken: &mut Taken) -> Result<()> {
    let root = resource.root();
    let patient = taken.root.get("patient_id").cloned().unwrap_or(Json::Null);
    let currency = resource.as_map().get("total").and_then(|total| total.get("currency")).cloned();
    taken.root.set("currency", currency.unwrap_or(Json::Null), root.at("total"));
    let mut lines = Vec::new();
    for item in root.nodes("item")? {
        let mut line = taken_line(&item, &patient)?;
        let procedure = billed(&root, &item, ["procedureSequence", "procedure", "procedureReference"], "Procedure", base)?;
        let planned = billed(&root, &item, ["informationSequence", "supportingInfo", "valueReference"], "ServiceRequest", base)?;
        if procedure.is_none() && planned.is_none() {
            // Nothing of ours is billed: the claim is another's, and kept as it is told.
            line.set("line_no", Json::Null, item.at("procedureSequence"));
        }
        line.set("procedure_id", procedure, item.at("procedureSequence")).set("plan_item_id", planned, item.at("informationSequence"));
        lines.push(line);
    }
    let diagnoses = root.nodes("diagnosis")?.iter().map(|item| taken_diagnosis(item, &patient)).collect();
    taken.parts = vec![Some(lines), Some(diagnoses)];
    Ok(())
}

/// The code as our columns have it: under the system's word, or under the one that stands for all others.
fn take_code(concept: Option<&Json>, systems: Words, columns: &mut Columns, path: &str) {
    let codings = concept.and_then(|concept| concept.get("coding")).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let word = |coding: &Json| {
        let system = coding.get("system").and_then(Json::as_str).unwrap_or_default();
        systems.iter().find(|(_, uri)| *uri == system).map(|(word, _)| *word)
    };
    let found =
        codings.iter().find_map(|coding| Some((word(coding)?, coding))).or_else(|| codings.first().map(|coding| ("CUSTOM", coding)));
    columns.set("code_system", found.map(|(word, _)| word), path.to_owned()).set(
        "code",
        found.and_then(|(_, coding)| coding.get("code")).cloned().unwrap_or(Json::Null),
        path.to_owned(),
    );
}

fn taken_diagnosis(item: &Node<'_>, patient: &Json) -> Columns {
    let mut columns = Columns::default();
    take_code(item.value("diagnosisCodeableConcept"), DIAGNOSES, &mut columns, &item.at("diagnosisCodeableConcept"));
    columns.set("sequence_no", item.number("sequence"), item.at("sequence")).set("patient_id", patient.clone(), item.at("sequence"));
    columns
}

/// Codes of the system that an element says.
fn codes(value: Option<&Json>, system: &str) -> Vec<String> {
    let concepts = value.map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)).unwrap_or_default();
    let codings = concepts.iter().filter_map(|concept| concept.get("coding")?.as_array()).flatten();
    let of = codings.filter(|coding| coding.get("system").and_then(Json::as_str) == Some(system));
    of.filter_map(|coding| coding.get("code")?.as_str().map(str::to_owned)).collect()
}

/// What the line's number leads to, of that type.
fn billed(root: &Node<'_>, item: &Node<'_>, [number, list, to]: [&str; 3], type_name: &str, base: &str) -> Result<Option<String>> {
    let numbers = item.value(number).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    for told in root.nodes(list)? {
        let is_meant = told.value("sequence").is_some_and(|sequence| numbers.contains(sequence));
        if let Some(id) = told.reference(to, type_name, base).ok().flatten().filter(|_| is_meant) {
            return Ok(Some(id.to_owned()));
        }
    }
    Ok(None)
}

fn taken_line(item: &Node<'_>, patient: &Json) -> Result<Columns> {
    let mut columns = Columns::default();
    take_code(item.value("productOrService"), fhir_procedure::SYSTEMS, &mut columns, &item.at("productOrService"));
    let quantity = item.value("quantity").and_then(|quantity| quantity.get("value")).cloned().unwrap_or(json!(1));
    let price = item.value("net").or_else(|| item.value("unitPrice").filter(|_| quantity == json!(1)));
    let currency = price.and_then(|price| price.get("currency")).and_then(Json::as_str);
    let billed = price.zip(currency).and_then(|(price, currency)| money::minor(price.get("value")?, currency));
    columns
        .set("line_no", item.number("sequence"), item.at("sequence"))
        .set("patient_id", patient.clone(), item.at("sequence"))
        .set("service_date", item.string("servicedDate")?, item.at("servicedDate"))
        .set("quantity", quantity, item.at("quantity"))
        .set("diagnosis_pointers", item.value("diagnosisSequence").cloned().unwrap_or(json!([])), item.at("diagnosisSequence"))
        .set("tooth_number", codes(item.value("bodySite"), TOOTH).into_iter().next(), item.at("bodySite"))
        .set("surface", codes(item.value("subSite"), SURFACE), item.at("subSite"))
        .set("billed_minor", billed, item.at("net"))
        .set("currency", currency, item.at("net"));
    Ok(columns)
}
