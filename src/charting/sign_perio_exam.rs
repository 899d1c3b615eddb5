//! A periodontal exam is signed once; a correction is a new exam that takes its place when it is signed (catalogue 8.04).

use super::perio_exam::PERIO_EXAM;
use super::probing::{Attachment, suggestion};
use super::tooth::Tooth;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Value, store};
use crate::sql;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 exam.
    ATTACHMENT(UUID, UUID) = "
        select m.tooth_number, m.site, m.cal_mm from perio_measurements m
         where m.tenant_id = $1 and m.exam_id = $2 and m.cal_mm is not null and m.deleted_at is null";
    /// $1 tenant, $2 exam, $3 the exam that copies it.
    COPY_FINDINGS(UUID, UUID, UUID) = "
        insert into perio_tooth_findings (tenant_id, id, exam_id, patient_id, fdi_tooth, mobility_grade, mobility_suffix, is_implant,
               is_missing, prognosis, notes)
        select f.tenant_id, gen_random_uuid(), $3, f.patient_id, f.fdi_tooth, f.mobility_grade, f.mobility_suffix, f.is_implant,
               f.is_missing, f.prognosis, f.notes
          from perio_tooth_findings f where f.tenant_id = $1 and f.exam_id = $2 and f.deleted_at is null";
    COPY_MEASUREMENTS(UUID, UUID, UUID) = "
        insert into perio_measurements (tenant_id, id, exam_id, patient_id, encounter_id, tooth_number, site, pocket_depth_mm,
               gingival_margin_mm, bleeding_on_probing, suppuration, plaque, calculus, furcation_involvement, furcation_scale,
               mucogingival_junction_mm)
        select m.tenant_id, gen_random_uuid(), $3, m.patient_id, m.encounter_id, m.tooth_number, m.site, m.pocket_depth_mm,
               m.gingival_margin_mm, m.bleeding_on_probing, m.suppuration, m.plaque, m.calculus, m.furcation_involvement,
               m.furcation_scale, m.mucogingival_junction_mm
          from perio_measurements m where m.tenant_id = $1 and m.exam_id = $2 and m.deleted_at is null";
}

const fn operation(id: &'static str, path: &'static str, doc: &'static str, takes: &'static [Field], gives: Gives, run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: PERIO_EXAM.tag,
        doc,
        takes,
        gives,
        planes: &[Plane::Staff],
        permission: Permission::SignClinical,
        run,
    }
}

pub static SIGN: Operation = operation(
    "signPerioExam",
    "/perio-exams/{id}/sign",
    "Sign an exam: it and its measurements stay as they are; the exam it corrects is superseded",
    &[],
    Gives::Record(&PERIO_EXAM),
    Run::Inside(|scope, call| Box::pin(sign(scope, call))),
);

async fn sign(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let exam = store::lock(scope, &PERIO_EXAM, call.id()?, call.version, keys).await?;
    let mut columns = suggested(scope, exam.tenant, exam.id).await?;
    columns.push(("signed_at", Value::Instant(scope.now())));
    let signed = transition(scope, call, &PERIO_EXAM, columns).await?;
    if let Some(corrected) = exam.uuid("supersedes_id") {
        let was = store::lock(scope, &PERIO_EXAM, corrected, None, keys).await?;
        let over = Draft::default().set(&PERIO_EXAM, "status", Value::Text("SUPERSEDED".into()))?;
        store::update(scope, &was, &over, "correct", keys).await?;
    }
    Ok(signed)
}

/// Stage and extent as the measurements suggest them, or nothing.
pub async fn suggested(scope: &mut Scope, tenant: Uuid, exam: Uuid) -> Result<Vec<(&'static str, Value)>> {
    let mut sites: Vec<Attachment> = Vec::new();
    for row in scope.rows(&ATTACHMENT, &[&tenant, &exam]).await? {
        let tooth = Tooth::from_fdi(row.try_get(0)?).ok_or_else(|| Error::internal("a measurement of no tooth"))?;
        sites.push((tooth, row.try_get(1)?, row.try_get(2)?));
    }
    let found = suggestion(&sites);
    let word = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.into()));
    Ok(vec![("suggested_stage", word(found.map(|found| found.stage))), ("suggested_extent", word(found.map(|found| found.extent)))])
}

pub static CORRECT: Operation = operation(
    "correctPerioExam",
    "/perio-exams/{id}/correct",
    "Begin a correction of a signed exam: a copy as draft, which takes its place when it is signed",
    &[Field::text("reason").required().length(1_000)],
    Gives::Created(&PERIO_EXAM),
    Run::Inside(|scope, call| Box::pin(correct(scope, call))),
);

async fn correct(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &PERIO_EXAM, call.id()?, call.version, keys).await?;
    if was.text("status") != Some("SIGNED") {
        return Err(Error::new(&error::MOVE_REFUSED).detail("Only a signed exam is corrected."));
    }
    let body = PERIO_EXAM.fields.iter().filter(|field| field.on_create() && !was.get(field.name).is_null());
    let body = body.map(|field| (field.name.to_owned(), was.get(field.name).clone())).collect();
    let copy = Draft::create(&PERIO_EXAM, &body)?.set(&PERIO_EXAM, "supersedes_id", Value::Uuid(was.id))?;
    let copy = store::insert(scope, &PERIO_EXAM, &copy, keys).await?;
    scope.exec(&COPY_FINDINGS, &[&was.tenant, &was.id, &copy.id]).await?;
    scope.exec(&COPY_MEASUREMENTS, &[&was.tenant, &was.id, &copy.id]).await?;
    let mut event = audit_store::of_record(scope.context(), Action::Execute, &was, scope.now());
    event.metadata = Metadata::new()
        .text("operation", call.operation.id)
        .text("other", copy.id.to_string())
        .text("reason", call.text("reason").unwrap_or_default());
    scope.audit(event);
    // As read anew: its indices come from the copied measurements.
    Ok(Answer::Record(store::lock(scope, &PERIO_EXAM, copy.id, None, keys).await?))
}
