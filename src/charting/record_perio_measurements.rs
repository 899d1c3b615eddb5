//! All sites of an exam in one step (catalogue 8.03): what is sent for a site replaces what it had.

use super::perio_exam::PERIO_EXAM;
use super::perio_measurement::PERIO_MEASUREMENT;
use super::probing::{SITES, has_furcation};
use super::sign_perio_exam::suggested;
use super::tooth::{Designation, System};
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Fault, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

sql! {
    /// $1 tenant, $2 exam, $3 patient, $4 encounter, $5 rows with their ids.
    RECORD_SITES(UUID, UUID, UUID, UUID, JSONB) = "
        insert into perio_measurements as m (tenant_id, id, exam_id, patient_id, encounter_id, tooth_number, site, pocket_depth_mm,
               gingival_margin_mm, bleeding_on_probing, suppuration, plaque, calculus, furcation_involvement, furcation_scale,
               mucogingival_junction_mm)
        select $1, s.id, $2, $3, $4, s.tooth_number, s.site, s.pocket_depth_mm, s.gingival_margin_mm, s.bleeding_on_probing,
               s.suppuration, s.plaque, s.calculus, s.furcation_involvement, s.furcation_scale, s.mucogingival_junction_mm
          from jsonb_to_recordset($5) s(id uuid, tooth_number text, site text, pocket_depth_mm int, gingival_margin_mm int,
               bleeding_on_probing boolean, suppuration boolean, plaque boolean, calculus boolean, furcation_involvement int,
               furcation_scale text, mucogingival_junction_mm int)
         order by s.tooth_number, s.site
        on conflict (tenant_id, exam_id, tooth_number, site) where deleted_at is null do update
           set pocket_depth_mm = excluded.pocket_depth_mm, gingival_margin_mm = excluded.gingival_margin_mm,
               bleeding_on_probing = excluded.bleeding_on_probing, suppuration = excluded.suppuration, plaque = excluded.plaque,
               calculus = excluded.calculus, furcation_involvement = excluded.furcation_involvement,
               furcation_scale = excluded.furcation_scale, mucogingival_junction_mm = excluded.mucogingival_junction_mm";
    /// $1 tenant, $2 exam, $3 teeth. Those of them that cannot be probed.
    UNPROBED(UUID, UUID, TEXT_ARRAY) = "
        select t.tooth from unnest($3) t(tooth) where kernel.unprobed($1, $2, t.tooth) is not null";
}

pub static RECORD_MANY: Operation = Operation {
    id: "recordPerioMeasurements",
    method: Method::Post,
    path: "/perio-measurements/record-many",
    tag: PERIO_MEASUREMENT.tag,
    doc: "Record sites of a draft exam in one step; what is sent for a site replaces what it had. Answers the exam with its indices",
    takes: &[
        Field::uuid("exam_id").required(),
        Field::choice("tooth_system", System::WORDS)
            .means(&["FDI, ISO 3950: 11 to 48", "Universal: 1 to 32, A to T", "Palmer quadrants"])
            .doc("in which the teeth are given; FDI when left out"),
        Field::json("measurements").required().phi().doc("a list of sites: tooth_number, site, and what was measured there"),
    ],
    gives: Gives::Record(&PERIO_EXAM),
    planes: &[Plane::Staff],
    permission: Permission::EditClinical,
    run: Run::Inside(|scope, call| Box::pin(record_many(scope, call))),
};

async fn record_many(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault("exam_id", "reference", "It points to nothing the caller can see.");
    let id = call.uuid("exam_id").unwrap_or_default();
    let exam = store::lock(scope, &PERIO_EXAM, id, call.version, keys)
        .await
        .map_err(|failure| if failure.code == &error::NOT_FOUND { unknown() } else { failure })?;
    if exam.text("status") != Some("DRAFT") {
        return Err(Error::new(&error::APPEND_ONLY).detail("A signed exam is corrected by a new one: POST /perio-exams/{id}/correct."));
    }
    let system = call.text("tooth_system").and_then(System::of).unwrap_or(System::Fdi);
    let mut sites = checked(call.value("measurements"), &exam, system)?;
    present(scope, &exam, &sites).await?;
    for site in &mut sites {
        site.insert("id".into(), json!(scope.new_id()));
    }
    let rows = Value::Json(sites.into_iter().map(Json::Object).collect());
    let (patient, encounter) = (exam.uuid("patient_id"), exam.uuid("encounter_id"));
    scope.exec(&RECORD_SITES, &[&exam.tenant, &exam.id, &patient, &encounter, &rows]).await?;
    let mut draft = Draft::default();
    for (name, value) in suggested(scope, exam.tenant, exam.id).await? {
        draft = draft.set(&PERIO_EXAM, name, value)?;
    }
    Ok(Answer::Record(store::update(scope, &exam, &draft, "update", keys).await?))
}

/// The sites as their record takes them, teeth by FDI code; every fault of every site is named.
fn checked(sent: Option<&Value>, exam: &Record, system: System) -> Result<Vec<Map<String, Json>>> {
    let most = SITES.len() * 52;
    let list = match sent {
        Some(Value::Json(Json::Array(list))) if (1..=most).contains(&list.len()) => list,
        _ => return Err(Error::new(&error::INVALID).fault("measurements", "length", format!("It must be a list of 1 to {most} sites."))),
    };
    let mut sites = Vec::with_capacity(list.len());
    let mut faults: Vec<Fault> = Vec::new();
    let mut seen = BTreeSet::new();
    for (place, sent) in list.iter().enumerate() {
        let named = |field: &str, rule, text: &str| Fault { field: format!("measurements[{place}].{field}"), rule, text: text.to_owned() };
        let Some(sent) = sent.as_object() else {
            faults.push(named("", "type", "It must be an object."));
            continue;
        };
        let mut site = sent.clone();
        for fixed in ["id", "exam_id", "patient_id", "encounter_id"] {
            if site.contains_key(fixed) {
                faults.push(named(fixed, "read_only", "It is the exam's."));
            }
        }
        site.retain(|_, value| !value.is_null());
        let tooth = site.get("tooth_number").and_then(Json::as_str).and_then(|text| Designation::read(system, text));
        match tooth {
            Some(read) if !read.is_supernumerary => {
                site.insert("tooth_number".into(), read.tooth.to_string().into());
                let at = site.get("site").and_then(Json::as_str).unwrap_or_default();
                if site.contains_key("furcation_involvement") && !has_furcation(read.tooth, at) {
                    faults.push(named("furcation_involvement", "value", "No furcation of this tooth is entered at this site."));
                }
                if !seen.insert((read.tooth, at.to_owned())) {
                    faults.push(named("site", "unique", "The site stands twice in the list."));
                }
            }
            _ => faults.push(named("tooth_number", "value", "It must be a tooth of that system.")),
        }
        let mut whole = site.clone();
        for (name, value) in [("exam_id", json!(exam.id)), ("patient_id", exam.get("patient_id").clone())] {
            whole.insert(name.into(), value);
        }
        if let Err(refusal) = Draft::create(&PERIO_MEASUREMENT, &whole) {
            let told = refusal.faults.into_iter().filter(|fault| !["tooth_number", "id"].contains(&fault.field.as_str()));
            faults.extend(told.map(|fault| Fault { field: format!("measurements[{place}].{}", fault.field), ..fault }));
        }
        sites.push(site);
    }
    if faults.is_empty() { Ok(sites) } else { Err(Error::new(&error::INVALID).faults(faults)) }
}

/// Missing and unerupted teeth have nothing to probe.
async fn present(scope: &mut Scope, exam: &Record, sites: &[Map<String, Json>]) -> Result<()> {
    let tooth = |site: &Map<String, Json>| site.get("tooth_number").and_then(Json::as_str).unwrap_or_default().to_owned();
    let teeth: Vec<String> = sites.iter().map(tooth).collect::<BTreeSet<_>>().into_iter().collect();
    let mut absent = BTreeSet::new();
    for row in scope.rows(&UNPROBED, &[&exam.tenant, &exam.id, &teeth]).await? {
        absent.insert(row.try_get::<_, String>(0)?);
    }
    let faults = sites.iter().enumerate().filter(|(_, site)| absent.contains(&tooth(site))).map(|(place, _)| Fault {
        field: format!("measurements[{place}].tooth_number"),
        rule: "state",
        text: "The tooth is missing or has not erupted.".to_owned(),
    });
    let faults: Vec<Fault> = faults.collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::new(&error::INVALID).faults(faults)) }
}
