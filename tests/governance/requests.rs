//! Requests of people: one month, three when extended, with a decision and its ground; holds released by a second person.

use super::rule;
use crate::world;
use crate::world::files::{fetched, until_copied, until_ended};
use crate::world::operations::{create, patch, read, record, retire, run};
use crate::world::tenants::Clinic;
use enamel::governance::dsar_request::DSAR_REQUEST;
use enamel::governance::legal_hold::LEGAL_HOLD;
use enamel::governance::legal_hold_item::LEGAL_HOLD_ITEM;
use enamel::integrations::export_job::EXPORT_JOB;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::patients::patient::PATIENT;
use serde_json::json;
use uuid::Uuid;

async fn officer(clinic: &Clinic) -> Caller {
    let user = clinic.member("TENANT_ADMIN").await;
    clinic.world.caller(Plane::Staff, clinic.id, Some(user), Permission::ALL)
}

async fn request(caller: &Caller, kind: &str, patient: Uuid) -> enamel::kernel::table::Record {
    let body = json!({"patient_id": patient, "requester_name": "Pat Person", "request_type": kind, "received_at": "2026-01-31T09:00:00Z"});
    create(caller, &DSAR_REQUEST, body).await.unwrap()
}

#[test]
fn an_access_request_is_due_in_a_month_and_needs_its_export() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (officer, patient) = (officer(&clinic).await, clinic.patient("Asker").await.unwrap().id);
        let asked = request(&officer, "ACCESS", patient).await;
        assert_eq!(asked.text("due_on"), Some("2026-02-28"));
        assert_eq!(rule(&officer, "completeDsarRequest", asked.id, json!({"decision": "FULFILLED"})).await, (409, "state"));
        assert_eq!(rule(&officer, "startDsarRequest", asked.id, json!({})).await, (422, "required"));
        let waiting = record(run(&officer, "verifyDsarRequestIdentity", Some(asked.id), json!({})).await.unwrap());
        assert_eq!(waiting.text("status"), Some("VERIFYING"));
        let begun = record(run(&officer, "startDsarRequest", Some(asked.id), json!({"identity": "ID_DOCUMENT"})).await.unwrap());
        assert!(begun.text("identity_verified_at").is_some());
        let export = begun.uuid("export_job_id").unwrap();
        assert_eq!(read(&officer, &EXPORT_JOB, export).await.unwrap().text("export_type"), Some("PATIENT_RECORD"));
        let truth = world.truth().await;
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        let put = async |status: &str| {
            truth.execute("update enamel.export_jobs set status = $2 where id = $1", &[&export, &status]).await.unwrap();
        };
        // The worker may be quicker than we are: for now there is no copy.
        put("FAILED").await;
        let longer = record(run(&officer, "extendDsarRequest", Some(asked.id), json!({"reason": "many images"})).await.unwrap());
        assert_eq!((longer.text("status"), longer.text("due_on")), (Some("EXTENDED"), Some("2026-04-28")));
        assert_eq!(rule(&officer, "extendDsarRequest", asked.id, json!({"reason": "more"})).await, (409, "state"));
        assert_eq!(rule(&officer, "completeDsarRequest", asked.id, json!({"decision": "FULFILLED"})).await, (409, "result_attached"));
        assert_eq!(rule(&officer, "completeDsarRequest", asked.id, json!({"decision": "PARTLY_FULFILLED"})).await, (422, "required"));
        put("QUEUED").await;
        let job = until_copied(&officer, export).await;
        let file = job.uuid("file_id").unwrap();
        let bytes = fetched(&officer, file).await.unwrap();
        assert_eq!(job.int("record_count"), Some(i64::try_from(bytes.lines().count()).unwrap() - 2));
        assert!(bytes.lines().any(|line| line.starts_with(r#"{"type":"Patient","#) && line.contains("Asker")));
        // Whoever sees images and patients sees that there is a copy, and may not open it.
        let viewer = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewImaging, Permission::ViewPatient]);
        assert_eq!(fetched(&viewer, file).await.unwrap_err().code.status, 403);
        let done = record(run(&officer, "completeDsarRequest", Some(asked.id), json!({"decision": "FULFILLED"})).await.unwrap());
        assert_eq!((done.text("status"), done.uuid("decided_by")), (Some("COMPLETED"), officer.context.actor));
        let late = patch(&officer, &DSAR_REQUEST, asked.id, done.version, json!({"details": "later"})).await.unwrap_err();
        assert_eq!(late.code.code, "record.append_only");
    });
}

#[test]
fn a_copy_is_made_while_whoever_ordered_it_may_have_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (mut gone, patient) = (officer(&clinic).await, clinic.patient("Asker").await.unwrap().id);
        let asked = request(&gone, "ACCESS", patient).await;
        // Their session is none any more.
        gone.context.session = Some(Uuid::now_v7());
        let begun = record(run(&gone, "startDsarRequest", Some(asked.id), json!({"identity": "ID_DOCUMENT"})).await.unwrap());
        let job = until_ended(&officer(&clinic).await, begun.uuid("export_job_id").unwrap()).await;
        assert_eq!((job.text("status"), job.uuid("file_id")), (Some("FAILED"), None));
        assert_eq!(job.text("error_details"), Some("Whoever ordered the job may no longer do what it needs."));
    });
}

#[test]
fn an_erasure_the_law_forbids_gets_its_day() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (officer, patient) = (officer(&clinic).await, clinic.patient("Eraser").await.unwrap().id);
        let asked = request(&officer, "ERASURE", patient).await;
        run(&officer, "startDsarRequest", Some(asked.id), json!({"identity": "KNOWN_IN_PERSON"})).await.unwrap();
        let ground = json!({"decision_ground": "GDPR Art. 17(3)(b)"});
        assert_eq!(rule(&officer, "refuseDsarRequest", asked.id, ground).await, (422, "value"));
        assert_eq!(rule(&officer, "refuseDsarRequest", asked.id, json!({"scheduled_deletion_on": "2040-01-01"})).await, (422, "required"));
        let body = json!({"decision_ground": "GDPR Art. 17(3)(b)", "scheduled_deletion_on": "2040-01-01"});
        let refused = record(run(&officer, "refuseDsarRequest", Some(asked.id), body).await.unwrap());
        assert_eq!((refused.text("decision"), refused.text("scheduled_deletion_on")), (Some("REFUSED"), Some("2040-01-01")));
    });
}

#[test]
fn a_patient_asks_and_takes_it_back_and_sees_no_other() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (mine, theirs) = (clinic.patient("Mine").await.unwrap().id, clinic.patient("Theirs").await.unwrap().id);
        let login = world.patient_login(&[(clinic.id, mine)]).await;
        let me = world.caller(Plane::Patient, clinic.id, Some(login), &[Permission::ViewPatient, Permission::EditPatient]);
        let asked = request(&me, "RECTIFICATION", mine).await;
        assert_ne!(asked.text("received_at"), Some("2026-01-31T09:00:00.000000Z"), "a patient's request was received now");
        let withdrawn = record(run(&me, "withdrawDsarRequest", Some(asked.id), json!({})).await.unwrap());
        assert_eq!(withdrawn.text("status"), Some("WITHDRAWN"));
        assert_eq!(rule(&me, "withdrawDsarRequest", asked.id, json!({})).await.0, 409);
        let other = request(&clinic.staff(), "ACCESS", theirs).await;
        assert_eq!(rule(&me, "withdrawDsarRequest", other.id, json!({})).await, (404, "not_found"));
        assert_eq!(run(&me, "startDsarRequest", Some(asked.id), json!({"identity": "PORTAL_LOGIN"})).await.err().unwrap().code.status, 403);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(rule(&stranger, "withdrawDsarRequest", other.id, json!({})).await, (404, "not_found"));
    });
}

#[test]
fn a_hold_keeps_a_record_until_a_second_person_releases_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (first, second) = (officer(&clinic).await, officer(&clinic).await);
        let patient = clinic.patient("Held").await.unwrap();
        let hold = create(&first, &LEGAL_HOLD, json!({"name": "Case 7", "reason": "a suit is announced"})).await.unwrap();
        assert_eq!(hold.uuid("placed_by"), first.context.actor);
        let body = json!({"hold_id": hold.id, "resource_type": "Patient", "resource_id": patient.id});
        let item = create(&first, &LEGAL_HOLD_ITEM, body.clone()).await.unwrap();
        assert_eq!(item.patient, Some(patient.id));
        let kept = retire(&first, &PATIENT, patient.id, patient.version).await.unwrap_err();
        assert_eq!((kept.code.status, kept.detail.as_deref()), (409, Some("A legal hold keeps it: release the hold first.")));
        assert_eq!(rule(&first, "releaseLegalHold", hold.id, json!({"reason": "settled"})).await, (409, "second_person"));
        assert_eq!(rule(&second, "releaseLegalHold", hold.id, json!({})).await, (422, "required"));
        let released = record(run(&second, "releaseLegalHold", Some(hold.id), json!({"reason": "settled"})).await.unwrap());
        assert_eq!((released.text("status"), released.uuid("released_by")), (Some("RELEASED"), second.context.actor));
        assert_eq!(create(&first, &LEGAL_HOLD_ITEM, body).await.unwrap_err().code.code, "record.append_only");
        retire(&first, &PATIENT, patient.id, patient.version).await.unwrap();
    });
}
