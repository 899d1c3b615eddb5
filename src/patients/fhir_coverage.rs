//! An insurance policy as FHIR Coverage.

use super::patient_insurance_policy::PATIENT_INSURANCE_POLICY;
use crate::fhir::datatype::{CodeableConcept, Identifier, Period, Reference};
use crate::fhir::find::{Find, HERE, Namespace};
use crate::fhir::mapping::{Complete, Mapping, PEOPLE, Taken, Whole};
use crate::fhir::reference::Literal;
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Node, Resource};
use crate::kernel::error::{Error, REFERENCE_UNKNOWN, Result};
use crate::kernel::table::Value;
use crate::sql;
use chrono::NaiveDate;
use serde_json::{Value as Json, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::fhir_patient_parts::take_period;

const MEMBER: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
const RELATION: &str = "http://terminology.hl7.org/CodeSystem/subscriber-relationship";
const CLASSES: &str = "http://terminology.hl7.org/CodeSystem/coverage-class";
const ORDERS: [&str; 3] = ["PRIMARY", "SECONDARY", "TERTIARY"];

/// Whoever has no payer.
const ONESELF: Find = Find::Leads {
    rows: "r.payer_id is null and r.patient_id = $value",
    column: "case when r.payer_id is null then r.patient_id end",
    to: "Patient",
};
const NUMBER: Find =
    Find::Blind { within: HERE, namespace: Namespace::None, table: "patient_insurance_policies", column: "policy_number", kind: "'MB'" };

static TYPE: TypeDef =
    TypeDef { profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-coverage"], ..TypeDef::all("Coverage") };

pub static MAPPING: Mapping = Mapping {
    render: Some(render),
    take: Some(take),
    creates: true,
    complete: Some(Complete { query: &COVERAGE_DEFAULTS, asks: patient, fill }),
    search: &[
        ("patient", Find::Points { column: "r.patient_id", to: "Patient" }),
        ("beneficiary", Find::Points { column: "r.patient_id", to: "Patient" }),
        ("payor", Find::Any(&[Find::Points { column: "r.payer_id", to: "Organization" }, ONESELF])),
        ("identifier", NUMBER),
        (
            "class-value",
            Find::Text {
                within: HERE,
                starts: &["kernel.fold(r.group_number)", "kernel.fold(r.plan_name)"],
                words: &[],
                exact: &["r.group_number", "r.plan_name"],
            },
        ),
        ("status", Find::Code { expr: "r.status", system: "http://hl7.org/fhir/fm-status", stored: str::to_uppercase }),
    ],
    sorts: &[],
    ..Mapping::new(&TYPE, &PATIENT_INSURANCE_POLICY, PEOPLE)
};

fn render(whole: &Whole, out: &mut Resource) {
    let policy = &whole.root;
    let text = |column| policy.text(column).map(String::from);
    let number = Identifier { type_: Some(CodeableConcept::of(MEMBER, "MB")), value: text("policy_number"), ..Identifier::default() };
    out.push("identifier", &number).code("status", policy.text("status").map(str::to_lowercase).as_deref());
    if policy.text("subscriber_name").is_some() {
        out.put("subscriber", &Reference { display: text("subscriber_name"), ..Reference::default() });
    }
    out.string("subscriberId", policy.text("policy_number"));
    if let Some(patient) = policy.uuid("patient_id") {
        out.reference("beneficiary", "Patient", patient);
    }
    out.put("relationship", &CodeableConcept::of(RELATION, &policy.text("subscriber_relationship").unwrap_or("OTHER").to_lowercase()));
    let day = |column| policy.text(column).and_then(|text| text.parse::<NaiveDate>().ok());
    let period = Period::of_days(day("coverage_start"), day("coverage_end"));
    if period != Period::default() {
        out.put("period", &period);
    }
    let mut payor = Element::default();
    match policy.uuid("payer_id") {
        Some(payer) => payor.string("reference", format!("Organization/{payer}").as_str()),
        // R4 wants a payor; whom nobody named is the patient.
        None => payor.string("reference", format!("Patient/{}", policy.text("patient_id").unwrap_or_default()).as_str()),
    };
    out.push_element("payor", payor);
    for (kind, column) in [("group", "group_number"), ("plan", "plan_name")] {
        if let Some(value) = policy.text(column) {
            let mut class = Element::default();
            class.put("type", &CodeableConcept::of(CLASSES, kind)).string("value", value);
            if kind == "plan" {
                class.string("name", value);
            }
            out.push_element("class", class);
        }
    }
    let order = ORDERS.iter().position(|order| policy.text("coverage_order") == Some(order));
    out.integer("order", order.and_then(|place| i32::try_from(place + 1).ok()));
}

fn take(resource: &Resource, base: &str, taken: &mut Taken) -> Result<()> {
    let root = resource.root();
    let columns = &mut taken.root;
    let Some(patient) = root.reference("beneficiary", "Patient", base)?.and_then(|id| id.parse::<Uuid>().ok()) else {
        return Err(root.fault("beneficiary", "reference", "A reference to a Patient of this server is needed."));
    };
    let subscriber: Option<Reference> = root.read("subscriber")?;
    let status = match root.code("status")? {
        Some("active") => "ACTIVE",
        Some("draft") => "DRAFT",
        _ => "CANCELLED",
    };
    let relation: Option<CodeableConcept> = root.read("relationship")?;
    let relation = match relation.and_then(|concept| concept.coding.into_iter().find_map(|coding| coding.code)).as_deref() {
        None | Some("self") => "SELF",
        Some("spouse") => "SPOUSE",
        Some("child") => "CHILD",
        Some(_) => "OTHER",
    };
    columns
        .set("patient_id", json!(patient), root.at("beneficiary"))
        .set("policy_number", policy_number(&root)?, root.at("identifier"))
        .set("status", status, root.at("status"))
        .set("subscriber_name", subscriber.and_then(|subscriber| subscriber.display), root.at("subscriber.display"))
        .set("subscriber_relationship", relation, root.at("relationship"))
        .set("payer_id", payer(&root, base)?, root.at("payor[0]"));
    take_period(columns, root.read("period")?.as_ref(), root.path(), ["coverage_start", "coverage_end"])?;
    let (mut group, mut plan) = (None, None);
    for class in root.nodes("class")? {
        let kind: CodeableConcept = class.need("type")?;
        let value = class.string("value")?;
        match kind.code_in(CLASSES) {
            Some("group") if group.is_none() => group = value,
            Some("plan") if plan.is_none() => plan = class.string("name")?.or(value),
            _ => {}
        }
    }
    columns.set("group_number", group, root.at("class")).set("plan_name", plan, root.at("class"));
    if let Some(order) = root.read::<i32>("order")? {
        let word = usize::try_from(order - 1).ok().and_then(|place| ORDERS.get(place));
        let word = word.ok_or_else(|| root.fault("order", "range", "A cover is the first, second or third."))?;
        columns.set("coverage_order", *word, root.at("order"));
    }
    Ok(())
}

fn policy_number(root: &Node<'_>) -> Result<String> {
    let identifiers: Vec<Identifier> = root.list("identifier")?;
    let is_member = |identifier: &&Identifier| {
        identifier.type_.as_ref().and_then(|of| of.code_in(MEMBER)).is_some_and(|code| matches!(code, "MB" | "MC"))
    };
    let member = identifiers.iter().find(is_member).and_then(|identifier| identifier.value.clone());
    let number = match root.string("subscriberId")? {
        Some(number) => Some(number.to_owned()),
        None => member.or_else(|| identifiers.iter().find_map(|identifier| identifier.value.clone())),
    };
    number.ok_or_else(|| root.fault("identifier", "required", "A member number is needed: an identifier or subscriberId."))
}

/// The payer's row. A person who pays, and a payer known by an identifier alone, have none and stay as they were sent.
fn payer(root: &Node<'_>, base: &str) -> Result<Json> {
    let Some(first) = root.nodes("payor")?.into_iter().next() else { return Ok(Json::Null) };
    let Some(text) = first.string("reference")? else { return Ok(Json::Null) };
    match Literal::parse(text, base) {
        Literal::Local { type_name: "Organization", id, .. } => id.parse::<Uuid>().map(|id| json!(id)).map_err(|_| {
            Error::new(&REFERENCE_UNKNOWN).fault(first.at("reference"), "reference", "It points to nothing the caller can see.")
        }),
        _ => Ok(Json::Null),
    }
}

sql! {
    /// $1 tenant, $2 patient.
    COVERAGE_DEFAULTS(UUID, UUID) = "
        select t.default_currency, array(
            select p.coverage_order from patient_insurance_policies p
             where p.tenant_id = $1 and p.patient_id = $2 and p.status = 'ACTIVE' and p.deleted_at is null)
          from tenants t where t.id = $1";
}

fn patient(taken: &Taken) -> Vec<Value> {
    let id = taken.root.get("patient_id").and_then(Json::as_str).and_then(|id| id.parse().ok());
    vec![id.map_or(Value::Null, Value::Uuid)]
}

/// The currency is the clinic's; a cover whose order nobody says comes after those that are there.
fn fill(row: &Row, taken: &mut Taken) -> Result<()> {
    let (currency, orders): (String, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
    taken.root.set("currency", currency, "Coverage".into());
    if taken.root.get("coverage_order").is_none() {
        let free = ORDERS.iter().find(|order| !orders.iter().any(|taken| taken == *order));
        taken.root.set("coverage_order", *free.unwrap_or(&ORDERS[0]), "Coverage.order".into());
    }
    Ok(())
}
