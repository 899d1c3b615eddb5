//! `treatment_details`: the items of a plan as one JSON list, read and written as a whole (catalogue 9.02, C22). The items
//! stay rows; the list is another way to say them.

use super::treatment_plan_item::TREATMENT_PLAN_ITEM;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::{Draft, Record, Value, store};
use crate::sql;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Of the row `r` of a plan. What is cancelled is no selected treatment.
pub const SHOWN: &str = "
    select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'status', i.status, 'catalog_id', i.catalog_id, 'code_system', i.code_system,
           'cdt_code', i.cdt_code, 'description', i.description, 'tooth_number', i.tooth_number, 'oral_area', i.oral_area,
           'surface', i.surface, 'phase', i.phase, 'sequence_order', i.sequence_order, 'quantity', i.quantity,
           'option_group', i.option_group, 'currency', i.currency, 'estimated_fee_minor', i.estimated_fee_minor,
           'estimated_patient_portion_minor', i.estimated_patient_portion_minor, 'clinic_treatment_id', i.clinic_treatment_id,
           'notes', i.notes) order by i.phase, i.sequence_order, i.id), '[]')
      from treatment_plan_items i
     where i.tenant_id = r.tenant_id and i.plan_id = r.id and i.deleted_at is null and i.status <> 'CANCELLED'";

sql! {
    /// $1 tenant, $2 plan.
    HELD(UUID, UUID) = "
        select id, phase, sequence_order, status = 'CANCELLED' from treatment_plan_items
         where tenant_id = $1 and plan_id = $2 and deleted_at is null order by phase, sequence_order, id";
}

const ITEMS_MAX: usize = 200;

pub fn write<'a>(scope: &'a mut Scope, plan: &'a Record, value: &'a Value, keys: &'a Keyring) -> BoxFuture<'a, Result<()>> {
    Box::pin(replace(scope, plan, value, keys))
}

/// An element with the id of an item changes it, any other adds one, and an item that no element names is cancelled.
async fn replace(scope: &mut Scope, plan: &Record, value: &Value, keys: &Keyring) -> Result<()> {
    let wanted = match value {
        Value::Json(Json::Array(wanted)) if wanted.len() <= ITEMS_MAX => wanted.as_slice(),
        Value::Null => &[],
        _ => return Err(wrong("treatment_details", "type", &format!("It must be a list of at most {ITEMS_MAX} treatments."))),
    };
    let mut open = Vec::new();
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    for row in scope.rows(&HELD, &[&plan.tenant, &plan.id]).await? {
        let (id, phase, sequence, cancelled): (Uuid, i32, i32, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let place = last.entry(phase.into()).or_default();
        *place = i64::from(sequence).max(*place);
        if !cancelled {
            open.push(id);
        }
    }
    for (place, element) in wanted.iter().enumerate() {
        let mut body = members("treatment_details", place, element)?;
        if let Some(name) = body.remove("name") {
            body.entry("description").or_insert(name);
        }
        let named = body.get("id").and_then(Json::as_str).and_then(|id| id.parse::<Uuid>().ok()).filter(|id| open.contains(id));
        let written = match named {
            Some(id) => {
                open.retain(|held| *held != id);
                change(scope, id, body, keys).await
            }
            None => add(scope, plan, body, &mut last, keys).await,
        };
        written.map_err(|failure| inside("treatment_details", place, failure))?;
    }
    for id in open {
        let was = store::lock(scope, &TREATMENT_PLAN_ITEM, id, None, keys).await?;
        let draft = Draft::default().set(&TREATMENT_PLAN_ITEM, "status", Value::Text("CANCELLED".into()))?;
        store::update(scope, &was, &draft, "cancel", keys).await?;
    }
    Ok(())
}

async fn change(scope: &mut Scope, id: Uuid, mut body: Map<String, Json>, keys: &Keyring) -> Result<()> {
    let was = store::lock(scope, &TREATMENT_PLAN_ITEM, id, None, keys).await?;
    body.retain(|name, given| was.json.get(name) != Some(given));
    let draft = Draft::patch(&TREATMENT_PLAN_ITEM, &body)?;
    store::update(scope, &was, &draft, "update", keys).await.map(|_| ())
}

/// What an element leaves out is the plan's, or comes after what is there.
async fn add(scope: &mut Scope, plan: &Record, mut body: Map<String, Json>, last: &mut BTreeMap<i64, i64>, keys: &Keyring) -> Result<()> {
    body.insert("plan_id".into(), plan.id.to_string().into());
    body.insert("patient_id".into(), plan.get("patient_id").clone());
    body.entry("currency").or_insert_with(|| plan.get("currency").clone());
    body.entry("code_system").or_insert_with(|| "INTERNAL".into());
    body.entry("estimated_fee_minor").or_insert_with(|| 0.into());
    let phase = body.get("phase").and_then(Json::as_i64).unwrap_or(1);
    let place = last.entry(phase).or_default();
    *place = body.get("sequence_order").and_then(Json::as_i64).unwrap_or(*place + 1).max(*place);
    body.entry("sequence_order").or_insert_with(|| (*place).into());
    let draft = Draft::create(&TREATMENT_PLAN_ITEM, &body)?;
    store::insert(scope, &TREATMENT_PLAN_ITEM, &draft, keys).await.map(|_| ())
}

fn wrong(field: &str, rule: &'static str, text: &str) -> Error {
    Error::new(&error::INVALID).fault(field, rule, text)
}

/// One element of a list of parts: an object.
pub(super) fn members(list: &str, place: usize, element: &Json) -> Result<Map<String, Json>> {
    element.as_object().cloned().ok_or_else(|| wrong(&format!("{list}[{place}]"), "type", "It must be an object."))
}

/// The faults of a part, named from the whole: `treatment_details[2].phase`.
pub(super) fn inside(list: &str, place: usize, mut failure: Error) -> Error {
    for fault in &mut failure.faults {
        fault.field = format!("{list}[{place}].{}", fault.field);
    }
    failure
}
