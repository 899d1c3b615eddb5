//! The chart of a patient at a moment, in the wanted numbering (catalogue 8.01, 8.02). What it says comes from
//! `kernel.tooth_chart`, which snapshots use too; here it is only put into the words of the reader.

use super::chart_entry::CHART_ENTRY;
use super::surface::spoken;
use super::tooth::{Designation, System, Tooth};
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::value::instant_text;
use crate::kernel::table::{Field, store};
use crate::patients::patient::PATIENT;
use crate::sql;
use serde_json::{Map, Value as Json, json};

sql! {
    /// $1 tenant, $2 patient, $3 moment.
    CHART(UUID, UUID, TIMESTAMPTZ) = "select kernel.tooth_chart($1, $2, $3)";
    /// $1 tenant.
    NUMBERING(UUID) = "select s.tooth_system from tenant_settings s where s.tenant_id = $1";
}

static CHART_FIELDS: &[Field] = &[
    Field::uuid("patient_id").required(),
    Field::instant("at").required(),
    Field::choice("tooth_system", System::WORDS)
        .means(&["FDI, ISO 3950: 11 to 48", "Universal: 1 to 32, A to T", "Palmer quadrants"])
        .required(),
    Field::int("schema_version").required(),
    Field::json("teeth").required().phi().doc("by FDI code: tooth in the wanted system, status, conditions, restorations, prostheses"),
    Field::json("areas").required().phi().doc("the same for areas of the mouth"),
];

pub static PATIENT_CHART: Operation = Operation {
    id: "getPatientChart",
    method: Method::Get,
    path: "/patients/{id}/chart",
    tag: CHART_ENTRY.tag,
    doc: "The tooth chart at any moment: what was known and not superseded then",
    takes: &[
        Field::instant("at").doc("now when left out"),
        Field::choice("tooth_system", System::WORDS)
            .means(&["FDI, ISO 3950: 11 to 48", "Universal: 1 to 32, A to T", "Palmer quadrants"])
            .doc("the tenant's when left out; FDI for patients"),
    ],
    gives: Gives::Object("PatientChart", CHART_FIELDS),
    planes: &[Plane::Staff, Plane::Patient, Plane::Share],
    permission: Permission::ViewClinical,
    run: Run::Apart(|call| Box::pin(patient_chart(call))),
};

async fn patient_chart(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&PATIENT)?;
    let mut scope = caller.kernel.door.open(&context).await?;
    let patient = store::seen(&mut scope, &PATIENT, call.id()?, &caller.kernel.keys).await?;
    let at = call.instant("at").unwrap_or_else(|| scope.now());
    let chart: Json = scope.one(&CHART, &[&patient.tenant, &patient.id, &at]).await?.try_get(0)?;
    let settled = matches!(context.plane, Plane::Staff | Plane::Group);
    let word = match call.text("tooth_system") {
        Some(word) => word.to_owned(),
        None if settled => scope.optional(&NUMBERING, &[&patient.tenant]).await?.map_or(Ok("FDI".to_owned()), |row| row.try_get(0))?,
        None => "FDI".to_owned(),
    };
    scope.commit().await?;
    caller.saw(&context, &patient).await?;
    let mut answer = shown(chart, System::of(&word).unwrap_or(System::Fdi));
    answer.insert("patient_id".into(), json!(patient.id));
    answer.insert("at".into(), json!(instant_text(at)));
    answer.insert("tooth_system".into(), json!(word));
    Ok(Answer::Object(answer))
}

/// Each tooth also as that system writes it, each set of surfaces also as it is spoken.
fn shown(mut chart: Json, system: System) -> Map<String, Json> {
    for place in chart["teeth"].as_array_mut().into_iter().flatten() {
        let Some(tooth) = place["fdi_tooth"].as_str().and_then(Tooth::from_fdi) else { continue };
        let is_supernumerary = !place["supernumerary_ordinal"].is_null();
        place["tooth"] = Designation { tooth, is_supernumerary }.written(system).into();
        for part in ["conditions", "restorations", "prostheses"] {
            for entry in place[part].as_array_mut().into_iter().flatten() {
                let surfaces: Vec<&str> = entry["surfaces"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
                if !surfaces.is_empty() {
                    entry["surfaces_spoken"] = spoken(tooth, &surfaces).into();
                }
            }
        }
    }
    match chart {
        Json::Object(mut members) => {
            members.remove("numbering");
            members
        }
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_speaks_the_readers_numbering() {
        let stored = json!({"schema_version": 1, "numbering": "FDI", "areas": [], "teeth": [
            {"fdi_tooth": "18", "supernumerary_ordinal": 1, "status": null, "conditions": [], "restorations": [], "prostheses": []},
            {"fdi_tooth": "36", "supernumerary_ordinal": null, "status": null, "prostheses": [], "restorations": [],
             "conditions": [{"entry_id": "x", "surfaces": ["M", "O", "D"]}, {"entry_id": "y"}]}]});
        let chart = shown(stored, System::Universal);
        assert_eq!((&chart["teeth"][0]["tooth"], &chart["teeth"][1]["tooth"]), (&json!("51"), &json!("19")));
        assert_eq!(
            chart["teeth"][1]["conditions"],
            json!([{"entry_id": "x", "surfaces": ["M", "O", "D"], "surfaces_spoken": "MOD"}, {"entry_id": "y"}])
        );
        assert!(!chart.contains_key("numbering"));
    }
}
