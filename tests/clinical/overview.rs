//! The medical history and the timeline of a patient: one answer each, of what the reader may see.

use super::Practice;
use crate::world;
use crate::world::operations::{create, run};
use enamel::clinical::patient_allergy::PATIENT_ALLERGY;
use enamel::clinical::patient_condition::PATIENT_CONDITION;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::operation::Answer;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn ask(caller: &Caller, name: &str, patient: Uuid, input: Json) -> Result<Json, u16> {
    match run(caller, name, Some(patient), input).await {
        Ok(Answer::Object(answer)) => Ok(Json::Object(answer)),
        Ok(_) => panic!("no object"),
        Err(refusal) => Err(refusal.code.status),
    }
}

#[test]
fn a_history_is_one_answer_and_a_stranger_gets_none() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let of = practice.patient;
        create(&practice.dentist, &PATIENT_CONDITION, json!({"patient_id": of, "code_system": "CUSTOM", "display": "Diabetes"}))
            .await
            .unwrap();
        create(&practice.dentist, &PATIENT_ALLERGY, json!({"patient_id": of, "category": "MATERIAL", "substance": "Latex"})).await.unwrap();
        let other = practice.clinic.patient("Other").await.unwrap().id;
        create(&practice.dentist, &PATIENT_ALLERGY, json!({"patient_id": other, "category": "MATERIAL", "substance": "Nickel"}))
            .await
            .unwrap();
        let shown = ask(&practice.dentist, "getPatientMedicalHistory", of, json!({})).await.unwrap();
        assert_eq!(
            (shown["conditions"][0]["display"].as_str(), shown["allergies"][0]["substance"].as_str()),
            (Some("Diabetes"), Some("Latex"))
        );
        let counts: Vec<_> = ["conditions", "allergies", "medications", "social_history", "incomplete"]
            .map(|part| shown[part].as_array().unwrap().len())
            .into();
        assert_eq!(counts, [1, 1, 0, 0, 0]);
        let mine = ask(&practice.portal().await, "getPatientMedicalHistory", of, json!({})).await.unwrap();
        assert_eq!(mine["allergies"][0]["substance"], "Latex");
        let desk = world.caller(Plane::Staff, practice.clinic.id, None, &[Permission::ViewPatient, Permission::ViewSchedule]);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        for name in ["getPatientMedicalHistory", "getPatientTimeline"] {
            assert_eq!(ask(&desk, name, of, json!({})).await, Err(403));
            for id in [of, Uuid::now_v7()] {
                assert_eq!(ask(&stranger, name, id, json!({})).await, Err(404));
            }
        }
    });
}

#[test]
fn a_timeline_pages_backwards_and_hides_what_the_reader_may_not_see() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let visit = practice.visit(json!({"scheduled_start_at": "2026-01-05T09:00:00Z"})).await;
        let draft = practice.note(visit.id, "Not yet theirs", json!({"title": "Draft"})).await;
        for turn in 0..4 {
            practice.visit(json!({"scheduled_start_at": format!("2026-02-0{}T09:00:00Z", turn + 1)})).await;
        }
        let staff = &practice.dentist;
        let (mut seen, mut cursor) = (Vec::new(), Json::Null);
        loop {
            let page = ask(staff, "getPatientTimeline", practice.patient, json!({"limit": 2, "cursor": cursor})).await.unwrap();
            seen.extend(page["items"].as_array().unwrap().clone());
            cursor = page["next"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert!(seen.is_sorted_by(|a, b| a["at"].as_str() > b["at"].as_str()) && seen.len() == 6, "newest first, none twice");
        assert!(seen.iter().any(|event| event["id"] == json!(draft.id) && event["title"] == "Draft"));
        let mine = ask(&practice.portal().await, "getPatientTimeline", practice.patient, json!({})).await.unwrap();
        let kinds: Vec<_> = mine["items"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
        assert_eq!(kinds, vec!["ENCOUNTER"; 5], "a draft is not theirs yet");
        let notes = ask(staff, "getPatientTimeline", practice.patient, json!({"kind": "NOTE"})).await.unwrap();
        assert_eq!(notes["items"].as_array().unwrap().len(), 1);
        let cursor = json!({"cursor": "AAAA"});
        assert_eq!(ask(staff, "getPatientTimeline", practice.patient, cursor).await, Err(400));
    });
}

#[test]
fn a_token_for_patients_alone_sees_no_more_than_patients() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Molar").await.unwrap().id;
        let (narrow, wide) = (clinic.client_token("system/Patient.rs").await, clinic.client_token("system/*.rs").await);
        for view in ["medical-history", "timeline", "chart"] {
            let path = format!("/patients/{patient}/{view}");
            assert_eq!(world.get(Some(&narrow), &path).await.0, 403, "{view}");
            assert_eq!(world.get(Some(&wide), &path).await.0, 200, "{view}");
        }
    });
}
