//! What a person decides: that a refused file is good after all, and whose images a study holds.

use super::file::FILE;
use super::imaging_study::IMAGING_STUDY;
use super::{access, completion};
use crate::kernel::audit::Action;
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Refers, Value, store};
use crate::sql;

sql! {
    /// $1 tenant, $2 study, $3 patient.
    SERIES_TO_PATIENT(UUID, UUID, UUID) = "update imaging_series set patient_id = $3 where tenant_id = $1 and study_id = $2 and patient_id <> $3";
    OBJECTS_TO_PATIENT(UUID, UUID, UUID) = "update imaging_objects set patient_id = $3 where tenant_id = $1 and study_id = $2 and patient_id <> $3";
    ANNOTATIONS_TO_PATIENT(UUID, UUID, UUID) = "
        update image_annotations a set patient_id = $3 from imaging_objects o
         where o.tenant_id = $1 and o.study_id = $2 and a.tenant_id = o.tenant_id and a.imaging_object_id = o.id and a.patient_id <> $3";
    /// $1 tenant, $2 study, $3 patient, $4 the word of files hidden until now, $5 their word from now on. By hash: the
    /// same bytes may have been uploaded twice.
    FILES_TO_PATIENT(UUID, UUID, UUID, TEXT, TEXT) = "
        update files f set patient_id = $3, is_patient_visible = f.is_patient_visible or f.scan_result = $4,
               scan_result = case when f.scan_result = $4 then $5 else f.scan_result end
          from (select distinct o.hash, o.patient_id from imaging_objects o where o.tenant_id = $1 and o.study_id = $2) o
         where f.tenant_id = $1 and f.sha256 = o.hash and f.patient_id = o.patient_id and f.status = 'READY'";
}

pub static RELEASE_FILE: Operation = Operation {
    id: "releaseFile",
    method: Method::Post,
    path: "/files/{id}/release",
    tag: "Imaging",
    doc: "Make a QUARANTINED file READY, with the reason",
    takes: &[Field::text("reason").required().length(250)],
    gives: Gives::Record(&FILE),
    planes: &[Plane::Staff],
    permission: Permission::ManageGovernance,
    run: Run::Apart(|call| Box::pin(release(call))),
};

pub static ACCEPT_MATCH: Operation = Operation {
    id: "acceptImagingStudyMatch",
    method: Method::Post,
    path: "/imaging-studies/{id}/accept-match",
    tag: "Imaging",
    doc: "Say whose images a QUARANTINED study holds and make it AVAILABLE",
    takes: &[Field::uuid("patient_id").required().refers(Refers::Tenant("patients"))],
    gives: Gives::Record(&IMAGING_STUDY),
    planes: &[Plane::Staff],
    permission: Permission::EditImaging,
    run: Run::Inside(|scope, call| Box::pin(accept(scope, call))),
};

/// Those who govern need not be those who edit images: they see the file with their own eyes, the server writes.
async fn release(call: Call) -> Result<Answer> {
    let (caller, id) = (&call.caller, call.id()?);
    let file = access::read(caller, &caller.context, id).await?;
    let keys = &caller.kernel.keys;
    let mut scope = caller.kernel.door.open(&caller.acting(file.tenant, call.operation.permission)?).await?;
    let was = store::lock(&mut scope, &FILE, id, call.version, keys).await?;
    if was.text("status") != Some("QUARANTINED") {
        return Err(Error::new(&error::MOVE_REFUSED).fault("status", "state", "It is not quarantined."));
    }
    let reason = format!("RELEASED: {}", call.text("reason").unwrap_or_default());
    let draft = Draft::default().set(&FILE, "status", Value::Text("READY".to_owned()))?.set(&FILE, "scan_result", Value::Text(reason))?;
    let done = store::update(&mut scope, &was, &draft, "release", keys).await?;
    let now = scope.now();
    scope.audit(audit_store::of_record(&caller.context, Action::Execute, &done, now));
    scope.commit().await?;
    Ok(Answer::Record(done))
}

async fn accept(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let patient = call.uuid("patient_id").ok_or_else(|| Error::new(&error::INVALID))?;
    let answer = transition(scope, call, &IMAGING_STUDY, vec![("patient_id", Value::Uuid(patient))]).await?;
    let (tenant, study) = (scope.tenant()?, call.id()?);
    // Files first: they are found by the patient their objects still name.
    scope.exec(&FILES_TO_PATIENT, &[&tenant, &study, &patient, &completion::PATIENT_MISMATCH, &completion::VERIFIED]).await?;
    scope.exec(&OBJECTS_TO_PATIENT, &[&tenant, &study, &patient]).await?;
    scope.exec(&SERIES_TO_PATIENT, &[&tenant, &study, &patient]).await?;
    scope.exec(&ANNOTATIONS_TO_PATIENT, &[&tenant, &study, &patient]).await?;
    Ok(answer)
}
