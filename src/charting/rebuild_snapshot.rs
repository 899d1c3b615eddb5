//! A snapshot held against what the entries say today (catalogue 8.02). Nothing is stored.

use super::tooth_chart_snapshot::TOOTH_CHART_SNAPSHOT;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, store};
use crate::sql;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

sql! {
    /// $1 snapshot's tenant, $2 its id.
    REBUILD(UUID, UUID) = "
        select kernel.tooth_chart(s.tenant_id, s.patient_id, s.as_of), kernel.chart_hash(s.tenant_id, s.patient_id, s.as_of)
          from tooth_chart_snapshots s where s.tenant_id = $1 and s.id = $2";
}

static REBUILT: &[Field] = &[
    Field::flag("is_same").required(),
    Field::text("entries_hash").required().doc("of the entries as they are now"),
    Field::json("differences").required().phi().doc("place, part, entry_id and change: ADDED, REMOVED or CHANGED"),
    Field::json("chart_json").required().phi().doc("the chart made anew"),
];

pub static REBUILD_SNAPSHOT: Operation = Operation {
    id: "rebuildToothChartSnapshot",
    method: Method::Post,
    path: "/tooth-chart-snapshots/{id}/rebuild",
    tag: TOOTH_CHART_SNAPSHOT.tag,
    doc: "Make the chart of that moment anew from its entries and say what differs; nothing is stored",
    takes: &[],
    gives: Gives::Object("ToothChartRebuild", REBUILT),
    planes: &[Plane::Staff],
    permission: Permission::EditClinical,
    run: Run::Inside(|scope, call| Box::pin(rebuild(scope, call))),
};

async fn rebuild(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let stored = store::seen(scope, &TOOTH_CHART_SNAPSHOT, call.id()?, &call.caller.kernel.keys).await?;
    let row = scope.one(&REBUILD, &[&stored.tenant, &stored.id]).await?;
    let (chart, hash): (Json, String) = (row.try_get(0)?, row.try_get(1)?);
    scope.did(crate::kernel::audit::Action::Read, &stored);
    let answer = json!({
        "is_same": stored.text("entries_hash") == Some(&hash),
        "entries_hash": hash,
        "differences": differences(stored.get("chart_json"), &chart),
        "chart_json": chart,
    });
    Ok(Answer::Object(answer.as_object().cloned().unwrap_or_default()))
}

/// Where a statement stands: the place in the mouth, the part of the chart, the entry.
type Place = (String, String, String);

fn statements<'a>(chart: &'a Json) -> BTreeMap<Place, &'a Json> {
    let mut out = BTreeMap::new();
    for (kind, name) in [("teeth", "fdi_tooth"), ("areas", "oral_area")] {
        for place in chart[kind].as_array().into_iter().flatten() {
            let ordinal = place["supernumerary_ordinal"].as_i64().map(|n| format!("+{n}")).unwrap_or_default();
            let code = format!("{}{ordinal}", place[name].as_str().unwrap_or_default());
            let mut keep = |part: &str, entry: &'a Json| {
                let id = entry["entry_id"].as_str().unwrap_or_default().to_owned();
                out.insert((code.clone(), part.to_owned(), id), entry);
            };
            if place["status"].is_object() {
                keep("status", &place["status"]);
            }
            for part in ["conditions", "restorations", "prostheses"] {
                place[part].as_array().into_iter().flatten().for_each(|entry| keep(part, entry));
            }
        }
    }
    out
}

fn differences(stored: &Json, now: &Json) -> Vec<Json> {
    let (was, is) = (statements(stored), statements(now));
    let told = |(place, part, entry): &Place, change| json!({"place": place, "part": part, "entry_id": entry, "change": change});
    let gone = was.keys().filter(|place| !is.contains_key(*place)).map(|place| told(place, "REMOVED"));
    let here = is.iter().filter_map(|(place, entry)| match was.get(place) {
        None => Some(told(place, "ADDED")),
        Some(before) if before != entry => Some(told(place, "CHANGED")),
        Some(_) => None,
    });
    gone.chain(here).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(entries: &[(&str, &str, i64)]) -> Json {
        let teeth: Vec<Json> = entries
            .iter()
            .map(|(tooth, id, icdas)| json!({"fdi_tooth": tooth, "status": null, "conditions": [{"entry_id": id, "icdas": icdas}]}))
            .collect();
        json!({"teeth": teeth, "areas": []})
    }

    #[test]
    fn a_rebuild_tells_what_came_went_and_changed() {
        let (before, after) =
            (chart(&[("11", "a", 1), ("12", "b", 2), ("13", "c", 3)]), chart(&[("12", "b", 4), ("13", "c", 3), ("14", "d", 5)]));
        let told = differences(&before, &after);
        let changes: Vec<_> = told.iter().map(|d| (d["place"].as_str().unwrap(), d["change"].as_str().unwrap())).collect();
        assert_eq!(changes, [("11", "REMOVED"), ("12", "CHANGED"), ("14", "ADDED")]);
        assert!(differences(&after, &after).is_empty());
    }
}
