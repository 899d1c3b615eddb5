//! How right a version was, by what turned out to be true (catalogue 11.07). Groups so small that they would point to
//! people are hidden, and with a hidden one a second of the same kind, so that no subtraction shows it.

use super::ai_model_version::AI_MODEL_VERSION;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, store};
use crate::sql;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The fewest findings a shown group has.
const GROUP_MIN: i64 = 11;

sql! {
    /// $1 version. A true finding that a run of the version did not name is missed.
    FINDINGS(UUID) = "
        with found as (
            select l.agreement as verdict, j.tenant_id, j.patient_id, coalesce(o.study_id, case when j.input_type = 'IMAGING_STUDY' then j.input_ref_id end) as study_id
              from ai_inference_jobs j
              join ai_predictions p on p.tenant_id = j.tenant_id and p.job_id = j.id
              join ai_outcome_links l on l.tenant_id = p.tenant_id and l.prediction_id = p.id
              left join imaging_objects o on o.tenant_id = p.tenant_id and o.id = p.imaging_object_id
             where j.model_version_id = $1 and l.agreement is not null
            union all
            select 'MISSED', g.tenant_id, g.patient_id, o.study_id
              from ai_ground_truth g
              join imaging_objects o on o.tenant_id = g.tenant_id and o.id = g.imaging_object_id
              join ai_inference_jobs j on j.tenant_id = o.tenant_id and j.model_version_id = $1 and j.status = 'SUCCEEDED'
                   and j.input_type = 'IMAGING_STUDY' and j.input_ref_id = o.study_id
             where g.is_present and not exists (
                   select from ai_predictions p where p.tenant_id = j.tenant_id and p.job_id = j.id
                      and p.prediction_type = g.finding_type and p.fdi_tooth is not distinct from g.fdi_tooth)),
        placed as (
            select f.verdict, s.performing_device_id::text as device, s.modality, d.location_id::text as site,
                   case when a.years < 18 then 'under 18' when a.years < 40 then '18 to 39' when a.years < 65 then '40 to 64'
                        when a.years >= 65 then '65 and over' end as age_band
              from found f
              left join imaging_studies s on s.tenant_id = f.tenant_id and s.id = f.study_id
              left join devices d on d.tenant_id = s.tenant_id and d.id = s.performing_device_id
              left join patients p on p.tenant_id = f.tenant_id and p.id = f.patient_id
              cross join lateral (select extract(year from age(coalesce(s.acquisition_datetime, now()), p.dob)) as years) a)
        select case when grouping(device) = 0 then 'device' when grouping(modality) = 0 then 'modality' when grouping(site) = 0 then 'site'
                    when grouping(age_band) = 0 then 'age_band' else 'all' end as kind,
               coalesce(device, modality, site, age_band) as word,
               count(*) filter (where verdict = 'TRUE_POSITIVE'), count(*) filter (where verdict = 'FALSE_POSITIVE'),
               count(*) filter (where verdict = 'PARTIAL'), count(*) filter (where verdict = 'MISSED')
          from placed group by grouping sets ((), (device), (modality), (site), (age_band)) order by 1, 2 nulls last";
}

pub static ACCURACY: Operation = Operation {
    id: "getAiModelVersionAccuracy",
    method: Method::Get,
    path: "/ai-model-versions/{id}/accuracy",
    tag: "AI models",
    doc: "How right a version was in the caller's tenants, by device, modality, site and age band; small numbers are hidden",
    takes: &[],
    gives: Gives::Object(
        "AiModelVersionAccuracy",
        &[
            Field::uuid("model_version_id").required(),
            Field::json("groups")
                .required()
                .doc("kind, value, hidden; true_positive, false_positive, partial, missed, precision, sensitivity unless hidden"),
        ],
    ),
    planes: &[Plane::Staff],
    permission: Permission::ViewImaging,
    run: Run::Apart(|call| Box::pin(accuracy(call))),
};

#[derive(Debug, Clone, PartialEq)]
struct Group {
    kind: String,
    value: Option<String>,
    right: i64,
    wrong: i64,
    partial: i64,
    missed: i64,
}

impl Group {
    fn size(&self) -> i64 {
        self.right + self.wrong + self.partial + self.missed
    }
    fn told(&self, hidden: bool) -> Json {
        if hidden {
            return json!({"kind": self.kind, "value": self.value, "hidden": true});
        }
        let share = |part: i64, whole: i64| (whole > 0).then(|| part as f64 / whole as f64);
        json!({
            "kind": self.kind, "value": self.value, "hidden": false,
            "true_positive": self.right, "false_positive": self.wrong, "partial": self.partial, "missed": self.missed,
            "precision": share(self.right, self.right + self.wrong + self.partial),
            "sensitivity": share(self.right, self.right + self.missed),
        })
    }
}

async fn accuracy(call: Call) -> Result<Answer> {
    let (caller, id) = (&call.caller, call.id()?);
    let context = caller.reading(&AI_MODEL_VERSION)?;
    let mut scope = caller.kernel.door.open(&context).await?;
    let version = store::seen(&mut scope, &AI_MODEL_VERSION, id, &caller.kernel.keys).await?;
    let rows = scope.rows(&FINDINGS, &[&id]).await?;
    scope.commit().await?;
    caller.saw(&context, &version).await?;
    let mut groups = Vec::with_capacity(rows.len());
    for row in &rows {
        groups.push(Group {
            kind: row.try_get(0)?,
            value: row.try_get(1)?,
            right: row.try_get(2)?,
            wrong: row.try_get(3)?,
            partial: row.try_get(4)?,
            missed: row.try_get(5)?,
        });
    }
    let hidden = hidden(&groups);
    let told: Vec<Json> = groups.iter().zip(hidden).map(|(group, hidden)| group.told(hidden)).collect();
    Ok(Answer::Object([("model_version_id".to_owned(), json!(id)), ("groups".to_owned(), told.into())].into_iter().collect()))
}

/// Which groups are not told: the small ones, and the next smallest of a kind of which only one is small.
fn hidden(groups: &[Group]) -> Vec<bool> {
    let mut hidden: Vec<bool> = groups.iter().map(|group| group.size() < GROUP_MIN).collect();
    let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        kinds.entry(&group.kind).or_default().push(place);
    }
    for places in kinds.values() {
        if places.iter().filter(|place| hidden[**place] && groups[**place].size() > 0).count() == 1 {
            let next = places.iter().filter(|place| !hidden[**place]).min_by_key(|place| groups[**place].size());
            if let Some(place) = next {
                hidden[*place] = true;
            }
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(kind: &str, value: &str, right: i64, missed: i64) -> Group {
        Group { kind: kind.into(), value: Some(value.into()), right, wrong: 0, partial: 0, missed }
    }

    #[test]
    fn small_groups_are_hidden_with_a_second_one() {
        let groups = [
            group("all", "", 40, 0),
            group("device", "a", 20, 0),
            group("device", "b", 10, 5),
            group("device", "c", 5, 0),
            group("modality", "CBCT", 11, 0),
            group("modality", "PHOTO", 29, 0),
            group("site", "x", 4, 0),
            group("site", "y", 3, 0),
            group("site", "z", 33, 0),
        ];
        assert_eq!(hidden(&groups), [false, false, true, true, false, false, true, true, false]);
    }

    #[test]
    fn a_hidden_group_tells_no_number() {
        let told = group("device", "a", 3, 1).told(true);
        assert!(told.as_object().unwrap().values().all(|value| !value.is_number()));
        let told = group("device", "a", 30, 10).told(false);
        assert_eq!((told["precision"].as_f64(), told["sensitivity"].as_f64()), (Some(1.0), Some(0.75)));
    }
}
