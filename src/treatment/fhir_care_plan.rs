//! A treatment plan as FHIR CarePlan, its items as ServiceRequests of it: both begin as drafts and are decided on by operations.

use super::fhir_procedure::SYSTEMS;
use super::plan;
use super::treatment_plan::TREATMENT_PLAN;
use super::treatment_plan_item::TREATMENT_PLAN_ITEM;
use crate::fhir::bind::{Bind, Coded, How, Words, code, moment, note, points, text, words};
use crate::fhir::find::Find;
use crate::fhir::mapping::{Complete, Link, Mapping, PEOPLE, Part, Taken, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};
use crate::kernel::error::Result;
use crate::kernel::table::Value;
use crate::kernel::table::projection::Step;
use crate::sql;
use serde_json::Value as Json;
use tokio_postgres::Row;
use uuid::Uuid;

static PLAN_TYPE: TypeDef = TypeDef::all("CarePlan");
static ITEM_TYPE: TypeDef = TypeDef::all("ServiceRequest");
const ELSEWHERE: &[(&str, &str)] = &[("reason", "Cancelled in another system.")];

pub static PLAN: Mapping = Mapping {
    parts: &[Part { table: &TREATMENT_PLAN_ITEM, link: Link::Child("plan_id"), planes: PEOPLE, alike: &[] }],
    binds: PLANS,
    render: Some(activities),
    steps: &[Step { to: "PRESENTED", by: &[&plan::PRESENT], with: &[] }, Step { to: "CANCELLED", by: &[&plan::CANCEL], with: ELSEWHERE }],
    creates: true,
    search: &[("activity-reference", ACTIVITIES)],
    complete: Some(Complete { query: &CURRENCY, asks: |_| Vec::new(), fill: plan_in }),
    ..Mapping::new(&PLAN_TYPE, &TREATMENT_PLAN, PEOPLE)
};
const ACTIVITIES: Find = Find::Rows {
    from: "treatment_plan_items i where i.tenant_id = r.tenant_id and i.plan_id = r.id and i.deleted_at is null",
    column: "i.id",
    to: "ServiceRequest",
};
pub static ITEM: Mapping = Mapping {
    binds: ITEMS,
    steps: &[Step { to: "CANCELLED", by: &[&plan::CANCEL_ITEM], with: ELSEWHERE }],
    creates: true,
    complete: Some(Complete { query: &PRICE, asks: priced, fill: item_at }),
    ..Mapping::new(&ITEM_TYPE, &TREATMENT_PLAN_ITEM, PEOPLE)
};

sql! {
    /// $1 tenant.
    CURRENCY(UUID) = "select t.default_currency from tenants t where t.id = $1";
    /// $1 tenant, $2 plan, $3 system of codes, $4 code. One row, whatever of it there is.
    PRICE(UUID, UUID, TEXT, TEXT) = "
        select p.currency, c.id, c.default_fee_minor from (select) one
          left join treatment_plans p on p.tenant_id = $1 and p.id = $2
          left join lateral (
              select c.id, c.default_fee_minor from procedure_catalog c
               where c.tenant_id = $1 and c.code = $4 and c.code_system = $3 and c.currency = p.currency and c.is_active
                 and c.deleted_at is null order by c.effective_from desc nulls last, c.id limit 1) c on true";
}

fn plan_in(row: &Row, taken: &mut Taken) -> Result<()> {
    taken.root.set("currency", row.try_get::<_, String>(0)?, "CarePlan".into());
    Ok(())
}

fn priced(taken: &Taken) -> Vec<Value> {
    let text = |column: &str| taken.root.get(column).and_then(Json::as_str);
    let plan = text("plan_id").and_then(|id| id.parse::<Uuid>().ok());
    let word = |column: &str| text(column).map_or(Value::Null, |word| Value::Text(word.to_owned()));
    vec![plan.map_or(Value::Null, Value::Uuid), word("code_system"), word("cdt_code")]
}

/// FHIR tells no price: it is the clinic's own for the code. What has none is no item of a plan.
fn item_at(row: &Row, taken: &mut Taken) -> Result<()> {
    let path = || "ServiceRequest.code".to_owned();
    taken
        .root
        .set("currency", row.try_get::<_, Option<String>>(0)?, path())
        .set("catalog_id", row.try_get::<_, Option<Uuid>>(1)?.map(|id| id.to_string()), path())
        .set("estimated_fee_minor", row.try_get::<_, Option<i64>>(2)?, path());
    Ok(())
}

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
                ("CANCELLED", "revoked"),
                ("DECLINED", "revoked"),
                ("SUPERSEDED", "revoked"),
            ],
        ),
    ),
    Bind::one("intent", How::Is(r#""plan""#)),
    Bind::item("category", How::Is(r#"{"coding":[{"system":"urn:enamel:care-plan","code":"treatment-plan"}]}"#)),
    Bind::item(
        "category",
        How::Always(r#"{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/careplan-category","code":"assess-plan"}]}"#),
    ),
    Bind::item("replaces", points("supersedes_id", "CarePlan")),
    Bind::one("title", text("title")),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("created", moment("created_at")).shown_only(),
    Bind::one("author", points("provider_id", "Practitioner")),
    Bind::item("note", note("notes")),
];

fn activities(whole: &Whole, out: &mut Resource) {
    for row in whole.part(0) {
        let (mut activity, mut to) = (Element::default(), Element::default());
        to.string("reference", format!("ServiceRequest/{}", row.id).as_str());
        activity.value("reference", Json::Object(to.into_map()));
        out.push_element("activity", activity);
    }
}

static CODE: Coded =
    Coded { code: "cdt_code", system: Some("code_system"), systems: SYSTEMS, version: Some("code_version"), display: Some("description") };

/// A plan until the patient accepts, an order from then on.
const INTENTS: Words = &[
    ("PROPOSED", "plan"),
    ("DECLINED", "plan"),
    ("ACCEPTED", "order"),
    ("SCHEDULED", "order"),
    ("IN_PROGRESS", "order"),
    ("COMPLETED", "order"),
    ("CANCELLED", "order"),
];

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
                ("CANCELLED", "revoked"),
                ("DECLINED", "revoked"),
            ],
        ),
    ),
    Bind::one("intent", code("status", INTENTS)).shown_only(),
    Bind::one("code", How::Coded(&CODE)),
    Bind::one("quantityQuantity", How::Quantity { column: "quantity", unit: "1" }),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("authoredOn", moment("accepted_at")).shown_only(),
    Bind::item("performer", points("provider_id", "Practitioner")),
    Bind::item("bodySite", words("tooth_number")),
    Bind::item("bodySite", words("oral_area")),
    Bind::item("note", note("notes")),
];
