//! The last exams of a patient beside each other, site by site (catalogue 8.03).

use super::perio_exam::PERIO_EXAM;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::value::instant_text;
use crate::kernel::table::{Field, Value, store};
use crate::sql;
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use tokio_postgres::Row;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 exam, $3 how many. The exam and the signed ones before it, oldest first, with their sites.
    COMPARED(UUID, UUID, INT4) = "
        with compared as (
            select x.id, x.examined_at, x.status from perio_exams x join perio_exams this on this.tenant_id = $1 and this.id = $2
             where x.tenant_id = $1 and x.patient_id = this.patient_id
               and (x.id = this.id or x.status = 'SIGNED' and x.examined_at <= this.examined_at)
             order by x.id = this.id desc, x.examined_at desc, x.id desc limit $3)
        select c.id, c.examined_at, c.status, m.tooth_number, m.site, m.pocket_depth_mm, m.gingival_margin_mm, m.cal_mm, m.bleeding_on_probing
          from compared c left join perio_measurements m on m.tenant_id = $1 and m.exam_id = c.id and m.deleted_at is null
         order by c.examined_at, c.id, m.tooth_number, array_position(array['MB', 'B', 'DB', 'ML', 'L', 'DL'], m.site)";
}

const EXAMS: i32 = 5;
const EXAMS_MAX: i64 = 12;

static COMPARISON: &[Field] = &[
    Field::uuid("patient_id").required(),
    Field::json("exams").required().doc("id, examined_at and status; oldest first, the asked one last"),
    Field::json("sites").required().phi().doc(
        "tooth_number, site, and a list for each of pocket_depth_mm, gingival_margin_mm, cal_mm, bleeding_on_probing in the order of the exams; \
         cal_change_mm between the last two",
    ),
];

pub static COMPARE: Operation = Operation {
    id: "getPerioExamCompare",
    method: Method::Get,
    path: "/perio-exams/{id}/compare",
    tag: PERIO_EXAM.tag,
    doc: "This exam beside the signed ones before it, by tooth and site",
    takes: &[Field::int("last").at_least(1).at_most(EXAMS_MAX).doc("how many exams; 5 when left out")],
    gives: Gives::Object("PerioExamComparison", COMPARISON),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewClinical,
    run: Run::Apart(|call| Box::pin(compare(call))),
};

async fn compare(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&PERIO_EXAM)?;
    let mut scope = caller.kernel.door.open(&context).await?;
    let exam = store::seen(&mut scope, &PERIO_EXAM, call.id()?, &caller.kernel.keys).await?;
    let last = match call.value("last") {
        Some(Value::Int(last)) => *last,
        _ => EXAMS,
    };
    let rows = scope.rows(&COMPARED, &[&exam.tenant, &exam.id, &last]).await?;
    scope.commit().await?;
    caller.saw(&context, &exam).await?;
    let (exams, sites) = beside_each_other(&rows)?;
    let answer = json!({"patient_id": exam.get("patient_id"), "exams": exams, "sites": sites});
    Ok(Answer::Object(answer.as_object().cloned().unwrap_or_default()))
}

const MEASURED: [&str; 4] = ["pocket_depth_mm", "gingival_margin_mm", "cal_mm", "bleeding_on_probing"];

fn beside_each_other(rows: &[Row]) -> Result<(Vec<Json>, Vec<Json>)> {
    let mut exams: Vec<(Uuid, Json)> = Vec::new();
    let mut sites: BTreeMap<(String, String), BTreeMap<usize, [Json; 4]>> = BTreeMap::new();
    for row in rows {
        let id: Uuid = row.try_get(0)?;
        if exams.last().is_none_or(|(last, _)| *last != id) {
            let at: DateTime<Utc> = row.try_get(1)?;
            exams.push((id, json!({"id": id, "examined_at": instant_text(at), "status": row.try_get::<_, String>(2)?})));
        }
        if let (Some(tooth), Some(site)) = (row.try_get(3)?, row.try_get(4)?) {
            let whole = |place| row.try_get::<_, Option<i32>>(place).map(Json::from);
            let measured = [whole(5)?, whole(6)?, whole(7)?, row.try_get::<_, Option<bool>>(8)?.into()];
            sites.entry((tooth, site)).or_default().insert(exams.len() - 1, measured);
        }
    }
    let count = exams.len();
    let sites = sites.into_iter().map(|((tooth, site), by_exam)| {
        let mut line = json!({"tooth_number": tooth, "site": site});
        for (place, name) in MEASURED.into_iter().enumerate() {
            line[name] = (0..count).map(|exam| by_exam.get(&exam).map_or(Json::Null, |measured| measured[place].clone())).collect();
        }
        let cal = |exam: usize| line["cal_mm"][exam].as_i64();
        line["cal_change_mm"] = json!(count.checked_sub(2).and_then(|before| Some(cal(count - 1)? - cal(before)?)));
        line
    });
    Ok((exams.into_iter().map(|(_, exam)| exam).collect(), sites.collect()))
}
