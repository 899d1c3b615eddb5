//! A treatment plan as FHIR CarePlan, its items as ServiceRequests of it: both are decided on by operations.

use super::fhir_procedure::SYSTEMS;
use super::treatment_plan::TREATMENT_PLAN;
use super::treatment_plan_item::TREATMENT_PLAN_ITEM;
use crate::fhir::bind::{Bind, Coded, How, code, moment, note, points, text, words};
use crate::fhir::mapping::{Link, Mapping, PEOPLE, Part, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};

static PLAN_TYPE: TypeDef = TypeDef::all("CarePlan");
static ITEM_TYPE: TypeDef = TypeDef::all("ServiceRequest");

pub static PLAN: Mapping = Mapping {
    parts: &[Part { table: &TREATMENT_PLAN_ITEM, link: Link::Child("plan_id"), planes: PEOPLE, alike: &[] }],
    render: Some(activities),
    ..Mapping::shown(&PLAN_TYPE, &TREATMENT_PLAN, PEOPLE, PLANS)
};
pub static ITEM: Mapping = Mapping { render: Some(intent), ..Mapping::shown(&ITEM_TYPE, &TREATMENT_PLAN_ITEM, PEOPLE, ITEMS) };

const PLANS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("DRAFT", "draft"),
                ("PRESENTED", "active"),
                ("ACCEPTED", "active"),
                ("PARTIALLY_ACCEPTED", "active"),
                ("IN_TREATMENT", "active"),
                ("COMPLETED", "completed"),
                ("DECLINED", "revoked"),
                ("CANCELLED", "revoked"),
                ("SUPERSEDED", "revoked"),
            ],
        ),
    ),
    Bind::one("intent", How::Always(r#""plan""#)),
    Bind::item(
        "category",
        How::Always(r#"{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/careplan-category","code":"assess-plan"}]}"#),
    ),
    Bind::item("replaces", points("supersedes_id", "CarePlan")),
    Bind::one("title", text("title")),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("created", moment("created_at")),
    Bind::one("author", points("provider_id", "Practitioner")),
    Bind::item("note", note("notes")),
];

fn activities(whole: &Whole, out: &mut Resource) {
    for row in whole.part(0) {
        let (mut activity, mut to) = (Element::default(), Element::default());
        to.string("reference", format!("ServiceRequest/{}", row.id).as_str());
        activity.value("reference", serde_json::Value::Object(to.into_map()));
        out.push_element("activity", activity);
    }
}

static CODE: Coded =
    Coded { code: "cdt_code", system: Some("code_system"), systems: SYSTEMS, version: Some("code_version"), display: Some("description") };

const ITEMS: &[Bind] = &[
    Bind::item("basedOn", points("plan_id", "CarePlan")),
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("PROPOSED", "draft"),
                ("ACCEPTED", "active"),
                ("SCHEDULED", "active"),
                ("IN_PROGRESS", "active"),
                ("COMPLETED", "completed"),
                ("DECLINED", "revoked"),
                ("CANCELLED", "revoked"),
            ],
        ),
    ),
    Bind::one("code", How::Coded(&CODE)),
    Bind::one("quantityQuantity", How::Quantity { column: "quantity", unit: "1" }),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("authoredOn", moment("accepted_at")),
    Bind::item("performer", points("provider_id", "Practitioner")),
    Bind::item("bodySite", words("tooth_number")),
    Bind::item("bodySite", words("oral_area")),
    Bind::item("note", note("notes")),
];

/// A plan until the patient accepts, an order from then on.
fn intent(whole: &Whole, out: &mut Resource) {
    let planned = matches!(whole.root.text("status"), Some("PROPOSED" | "DECLINED"));
    out.code("intent", if planned { "plan" } else { "order" });
}
