//! Consents keep the words they were given to, and what was built on one stops with it.

use super::rule;
use crate::world::operations::{create, read, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self};
use enamel::governance::consent::CONSENT;
use enamel::governance::consent_text::CONSENT_TEXT;
use enamel::governance::record_share::RECORD_SHARE;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::operation::Answer;
use enamel::kernel::table::Record;
use serde_json::{Value as Json, json};
use uuid::Uuid;

const WORDS: &str = "I agree that my data are kept and shown to my chosen clinic.";

async fn wording(staff: &Caller, from: &str) -> Uuid {
    let body = json!({"code": Uuid::now_v7().to_string(), "version_no": 3, "locale": "de-CH", "body": WORDS,
        "consent_types": ["DATA_STORAGE", "TREATMENT_PLANNING"], "effective_from": from});
    create(staff, &CONSENT_TEXT, body).await.unwrap().id
}

async fn tick(caller: &Caller, patient: Uuid, wording: Uuid, more: Json) -> Result<Vec<Record>, (u16, String)> {
    let mut body = json!({"patient_id": patient, "consent_text_id": wording, "ticked": true});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    match run(caller, "giveConsent", None, body).await {
        Ok(Answer::Page(records, None)) => Ok(records),
        Ok(_) => panic!("no page"),
        Err(refusal) => Err((refusal.code.status, refusal.faults.first().map_or_else(|| refusal.to_string(), |fault| fault.field.clone()))),
    }
}

fn person(clinic: &Clinic, login: Uuid) -> Caller {
    clinic.world.caller(Plane::Patient, clinic.id, Some(login), &[Permission::ViewPatient, Permission::EditPatient])
}

#[test]
fn one_tick_makes_a_row_for_each_purpose_and_keeps_the_words() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, patient) = (clinic.staff(), clinic.patient("Ticker").await.unwrap().id);
        let words = wording(&staff, "2026-01-01T00:00:00Z").await;
        let login = world.patient_login(&[(clinic.id, patient)]).await;
        let mine = person(&clinic, login);
        let given = tick(&mine, patient, words, json!({"recipient_tenant_id": clinic.id})).await.unwrap();
        let purposes: Vec<_> = given.iter().map(|row| (row.text("consent_type").unwrap(), row.uuid("recipient_tenant_id"))).collect();
        assert_eq!(purposes, [("DATA_STORAGE", None), ("TREATMENT_PLANNING", Some(clinic.id))]);
        for row in &given {
            assert_eq!(
                (row.text("text_snapshot"), row.int("text_version"), row.text("text_locale")),
                (Some(WORDS), Some(3), Some("de-CH"))
            );
            assert_eq!((row.text("source"), row.uuid("granted_by")), (Some("PORTAL"), Some(login)));
        }
        // Nobody can put other words into somebody's mouth, not even with SQL.
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        let changed = scope.rows_once(&format!("update consents set text_snapshot = 'all of it' where id = '{}'", given[0].id), &[]).await;
        assert_eq!(changed.unwrap_err().code.code, "record.append_only");
        drop(scope);
        // An empty box is no consent; a wording of tomorrow is none today; another's chart is not mine.
        let body = json!({"patient_id": patient, "consent_text_id": words, "ticked": false});
        assert_eq!(run(&mine, "giveConsent", None, body).await.err().unwrap().faults[0].field, "ticked");
        let tomorrow = wording(&staff, "2999-01-01T00:00:00Z").await;
        assert_eq!(tick(&mine, patient, tomorrow, json!({})).await.unwrap_err(), (422, "consent_text_id".into()));
        assert_eq!(tick(&mine, patient, Uuid::now_v7(), json!({})).await.unwrap_err(), (422, "consent_text_id".into()));
        let other = clinic.patient("Other").await.unwrap().id;
        let body = json!({"patient_id": other, "consent_text_id": words, "ticked": true});
        assert_eq!(run(&mine, "giveConsent", None, body).await.err().unwrap().code.status, 403);
        // A purpose the wording does not name.
        let body = json!({"subject_type": "PATIENT", "subject_id": patient, "consent_type": "MARKETING", "consent_text_id": words, "source": "IN_CLINIC"});
        assert_eq!(create(&staff, &CONSENT, body).await.unwrap_err().faults[0].field, "consent_text_id");
    });
}

#[test]
fn a_patient_revokes_and_what_was_built_on_it_stops() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (staff, patient) = (clinic.staff(), clinic.patient("Sharer").await.unwrap().id);
        let words = wording(&staff, "2026-01-01T00:00:00Z").await;
        let given = tick(&staff, patient, words, json!({"expires_at": "2999-01-01T00:00:00Z"})).await.unwrap();
        let sharing = given.iter().find(|row| row.text("consent_type") == Some("TREATMENT_PLANNING")).unwrap();
        let body = |permissions: Json, consent: Uuid| {
            json!({"patient_id": patient, "grantee_tenant_id": other.id, "permissions": permissions, "consent_id": consent,
                "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2099-01-01T00:00:00Z"})
        };
        let share = create(&staff, &RECORD_SHARE, body(json!(["view_clinical"]), sharing.id)).await.unwrap();
        let wrong = create(&staff, &RECORD_SHARE, body(json!(["edit_clinical"]), sharing.id)).await.unwrap_err();
        assert_eq!((wrong.code.status, wrong.faults[0].field.as_str()), (422, "permissions"));
        let storage = given.iter().find(|row| row.text("consent_type") == Some("DATA_STORAGE")).unwrap();
        let wrong = create(&staff, &RECORD_SHARE, body(json!(["view_clinical"]), storage.id)).await.unwrap_err();
        assert_eq!((wrong.code.status, wrong.faults[0].field.as_str()), (422, "consent_id"));

        // Renewed: the share goes on and now hangs on the new row.
        let next = record(run(&staff, "renewConsent", Some(sharing.id), json!({"expires_at": "2999-06-01T00:00:00Z"})).await.unwrap());
        assert_eq!((next.uuid("renewed_from_id"), next.text("text_snapshot")), (Some(sharing.id), Some(WORDS)));
        assert_eq!(read(&staff, &CONSENT, sharing.id).await.unwrap().text("status"), Some("EXPIRED"));
        assert!(read(&staff, &RECORD_SHARE, share.id).await.unwrap().text("revoked_at").is_none());
        assert_eq!(rule(&staff, "renewConsent", sharing.id, json!({"expires_at": "2999-06-01T00:00:00Z"})).await, (409, "unique"));
        assert_eq!(rule(&staff, "renewConsent", next.id, json!({"expires_at": "2020-06-01T00:00:00Z"})).await, (422, "range"));

        let login = world.patient_login(&[(clinic.id, patient)]).await;
        let mine = person(&clinic, login);
        let revoked = record(run(&mine, "revokeConsent", Some(next.id), json!({})).await.unwrap());
        assert_eq!((revoked.text("status"), revoked.text("revoked_at").is_some()), (Some("REVOKED"), true));
        assert!(read(&staff, &RECORD_SHARE, share.id).await.unwrap().text("revoked_at").is_some());
        assert_eq!(rule(&mine, "revokeConsent", next.id, json!({})).await, (409, "state"));
        assert_eq!(rule(&staff, "renewConsent", next.id, json!({"expires_at": "2999-06-01T00:00:00Z"})).await, (409, "state"));
        assert_eq!(rule(&staff, "revokeRecordShare", share.id, json!({})).await, (409, "state"));
        let kinds =
            world.truth().await.query("select event_type from enamel.audit_events where resource_id = $1", &[&next.id]).await.unwrap();
        let kinds: Vec<String> = kinds.iter().map(|row| row.get(0)).collect();
        assert!(kinds.contains(&"CONSENT_GRANTED".to_owned()) && kinds.contains(&"CONSENT_REVOKED".to_owned()), "{kinds:?}");
        // Another patient's consent is as unknown as a random one.
        let stranger = clinic.patient("Stranger").await.unwrap().id;
        let theirs = person(&clinic, world.patient_login(&[(clinic.id, stranger)]).await);
        assert_eq!(rule(&theirs, "revokeConsent", storage.id, json!({})).await, (404, "not_found"));
    });
}

#[test]
fn a_share_is_revoked_once_and_then_frozen() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (staff, patient) = (clinic.staff(), clinic.patient("Sharer").await.unwrap().id);
        let body = json!({"patient_id": patient, "grantee_tenant_id": other.id, "permissions": ["view_imaging"],
            "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2099-01-01T00:00:00Z"});
        let share = create(&staff, &RECORD_SHARE, body).await.unwrap();
        let mine = person(&clinic, world.patient_login(&[(clinic.id, patient)]).await);
        let ended = record(run(&mine, "revokeRecordShare", Some(share.id), json!({})).await.unwrap());
        assert!(ended.text("revoked_at").is_some());
        let again =
            world::operations::patch(&staff, &RECORD_SHARE, share.id, ended.version, json!({"valid_until": "2100-01-01T00:00:00Z"})).await;
        assert_eq!(again.unwrap_err().code.code, "record.append_only");
    });
}

#[test]
fn what_has_an_end_ends() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, patient) = (clinic.staff(), clinic.patient("Lapsing").await.unwrap().id);
        let body = json!({"subject_type": "PATIENT", "subject_id": patient, "consent_type": "RESEARCH", "text_snapshot": "Yes", "text_version": 1,
            "text_locale": "en", "granted_at": "2020-01-01T00:00:00Z", "expires_at": "2021-01-01T00:00:00Z", "source": "PAPER_SCAN"});
        let consent = create(&staff, &CONSENT, body).await.unwrap();
        enamel::server::worker::sweep(&world.kernel).await.unwrap();
        assert_eq!(read(&staff, &CONSENT, consent.id).await.unwrap().text("status"), Some("EXPIRED"));
    });
}
