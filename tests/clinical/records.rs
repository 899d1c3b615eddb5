//! Narrative records with their files, and templates.

use super::Practice;
use crate::world;
use crate::world::operations::{create, patch, read, record, run};
use enamel::clinical::medical_record::MEDICAL_RECORD;
use enamel::clinical::medical_record_file::MEDICAL_RECORD_FILE;
use enamel::clinical::sterilisation_cycle::STERILISATION_CYCLE;
use enamel::clinical::template::TEMPLATE;
use enamel::kernel::operation::Answer;
use enamel::tenancy::location::LOCATION;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

async fn file(practice: &Practice) -> Uuid {
    let id = Uuid::now_v7();
    practice.clinic.world.truth().await.execute(
        "insert into enamel.files (tenant_id, id, patient_id, kind, file_name, file_type, file_size, storage_key, storage_region, status)
         values ($1, $2, $3, 'DOCUMENT', 'letter.pdf', 'application/pdf', 1, $1::uuid::text || '/none/none/' || $2::uuid::text, 'eu', 'READY')",
        &[&practice.clinic.id, &id, &practice.patient],
    ).await.unwrap();
    id
}

#[test]
fn a_sterilisers_log_has_each_cycle_once_and_releases_what_passed() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, who) = (clinic.staff(), clinic.member("CLINICIAN").await);
        let place = create(&staff, &LOCATION, json!({"name": "Site", "country": "DE", "time_zone": "Europe/Berlin"})).await.unwrap().id;
        let cycle = |number: i64, result: &str| {
            json!({"location_id": place, "steriliser": "Left", "cycle_no": number, "program": "134 B", "temperature_c": 134.6,
                "started_at": "2026-01-05T07:00:00Z", "ended_at": "2026-01-05T07:48:00Z", "result": result, "released_by": who})
        };
        assert_eq!(create(&staff, &STERILISATION_CYCLE, cycle(1, "FAILED")).await.unwrap_err().code.status, 422);
        let kept = create(&staff, &STERILISATION_CYCLE, cycle(1, "PASSED")).await.unwrap();
        assert_eq!(create(&staff, &STERILISATION_CYCLE, cycle(1, "PASSED")).await.unwrap_err().code.status, 409);
        assert_eq!(read(&staff, &STERILISATION_CYCLE, kept.id).await.unwrap().uuid("released_by"), Some(who));
    });
}

#[test]
fn a_signed_record_keeps_its_words_and_its_files() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let body = json!({"patient_id": practice.patient, "provider_id": practice.provider, "record_date": "2026-01-01",
            "diagnosis": "Pulpitis", "visibility": "STAFF"});
        let story = create(&practice.dentist, &MEDICAL_RECORD, body).await.unwrap();
        let attach = async |file: Uuid| {
            create(
                &practice.dentist,
                &MEDICAL_RECORD_FILE,
                json!({"medical_record_id": story.id, "patient_id": practice.patient, "file_id": file}),
            )
            .await
        };
        let (first, second) = (file(&practice).await, file(&practice).await);
        let part = attach(first).await.unwrap();
        assert!(!part.flag("is_patient_visible"), "a file of a record for staff is for staff");
        let raised = read(&practice.dentist, &MEDICAL_RECORD, story.id).await.unwrap();
        assert_eq!((raised.version, raised.get("attached_files")), (2, &json!([{"id": part.id, "file_id": first, "caption": null}])));
        let patient = practice.portal().await;
        assert_eq!(read(&patient, &MEDICAL_RECORD_FILE, part.id).await.unwrap_err().code.status, 404);
        let opened = patch(&practice.dentist, &MEDICAL_RECORD, story.id, 2, json!({"visibility": "PATIENT"})).await.unwrap();
        assert!(read(&patient, &MEDICAL_RECORD_FILE, part.id).await.is_ok(), "its files follow");
        assert_eq!(read(&patient, &MEDICAL_RECORD, story.id).await.unwrap_err().code.status, 404, "a draft is not theirs yet");
        let signed = record(run(&practice.dentist, "signMedicalRecord", Some(story.id), json!({})).await.unwrap());
        assert!(signed.text("status") == Some("FINAL") && !signed.get("signed_at").is_null() && signed.version > opened.version);
        assert_eq!(read(&patient, &MEDICAL_RECORD, story.id).await.unwrap().text("diagnosis"), Some("Pulpitis"));
        let refused = patch(&practice.dentist, &MEDICAL_RECORD, story.id, signed.version, json!({"diagnosis": "None"})).await.unwrap_err();
        assert_eq!(refused.code.code, "record.append_only");
        assert_eq!(attach(second).await.unwrap_err().code.code, "record.append_only");
        assert_eq!(run(&practice.dentist, "signMedicalRecord", Some(story.id), json!({})).await.err().unwrap().code.status, 409);
        assert_eq!(
            run(&practice.dentist, "markMedicalRecordInError", Some(story.id), json!({})).await.err().unwrap().faults[0].field,
            "reason"
        );
        let voided =
            run(&practice.dentist, "markMedicalRecordInError", Some(story.id), json!({"reason": "Another patient's"})).await.unwrap();
        assert_eq!(record(voided).text("status"), Some("ENTERED_IN_ERROR"));
    });
}

async fn rendered(practice: &Practice, id: Uuid, body: Json) -> Result<Map<String, Json>, u16> {
    match run(&practice.dentist, "renderTemplate", Some(id), body).await {
        Ok(Answer::Object(members)) => Ok(members),
        Ok(_) => panic!("no object"),
        Err(refusal) => Err(refusal.code.status),
    }
}

#[test]
fn a_template_is_filled_for_a_patient_and_a_visit() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let (_, other) = practice.colleague("Bo").await;
        let make = async |more: Json| {
            let mut body = json!({"template_name": "Letter", "template_type": "LETTER", "content": "Dear {{patient.full_name}}, {{provider.full_name}} {{moon}}"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            create(&practice.dentist, &TEMPLATE, body).await
        };
        assert_eq!(make(json!({})).await.unwrap_err().faults[0].field, "provider_id", "whose is it?");
        let letter = make(json!({"is_global": true})).await.unwrap();
        let visit = practice.visit(json!({})).await;
        let text = rendered(&practice, letter.id, json!({"patient_id": practice.patient, "encounter_id": visit.id})).await.unwrap();
        assert_eq!((text["content"].as_str(), &text["unfilled"]), (Some("Dear Test Molar, Dr. Ada {{moon}}"), &json!(["moon"])));
        let page = make(
            json!({"is_global": true, "content_format": "HTML", "content": "<p onclick=x>{{patient.last_name}}</p><script>1</script>"}),
        )
        .await
        .unwrap();
        let html = rendered(&practice, page.id, json!({"patient_id": practice.patient})).await.unwrap();
        assert_eq!(html["content"].as_str(), Some("<p>Molar</p>"));
        let stranger = practice.clinic.patient("Other").await.unwrap().id;
        assert_eq!(rendered(&practice, letter.id, json!({"patient_id": stranger, "encounter_id": visit.id})).await.err(), Some(422));
        assert_eq!(rendered(&practice, letter.id, json!({"patient_id": Uuid::now_v7()})).await.err(), Some(422));
        // A provider's own is for their own letters.
        let own = make(json!({"provider_id": practice.provider})).await.unwrap();
        let theirs = make(json!({"provider_id": other})).await.unwrap();
        assert!(rendered(&practice, own.id, json!({"patient_id": practice.patient})).await.is_ok());
        assert_eq!(rendered(&practice, theirs.id, json!({"patient_id": practice.patient})).await.err(), Some(404));
        let retired = make(json!({"is_global": true, "is_active": false})).await.unwrap();
        assert_eq!(rendered(&practice, retired.id, json!({"patient_id": practice.patient})).await.err(), Some(404));
        let elsewhere = Practice::open(world).await;
        assert_eq!(rendered(&elsewhere, letter.id, json!({"patient_id": elsewhere.patient})).await.err(), Some(404));
    });
}
