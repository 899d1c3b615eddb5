//! A copy of a record: all of it, one patient's, as far as whoever asks may see it, and never unnoticed.

use crate::world;
use crate::world::operations::{create, run};
use crate::world::people::text;
use enamel::clinical::patient_allergy::PATIENT_ALLERGY;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Result;
use enamel::kernel::operation::Answer;
use futures_util::TryStreamExt;
use reqwest::Method;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The lines between the first and the last, and the last: told whole, with its own hash.
async fn copy(caller: &Caller, patient: Uuid) -> Result<(Vec<Json>, Json)> {
    let Answer::Bytes(parts) = run(caller, "getPatientExport", Some(patient), json!({})).await? else { panic!("no stream") };
    let bytes = parts.try_collect::<Vec<_>>().await.unwrap().concat();
    let body = String::from_utf8(bytes).unwrap();
    let mut lines: Vec<&str> = body.split_inclusive('\n').collect();
    let last: Json = serde_json::from_str(lines.pop().unwrap()).unwrap();
    assert_eq!(last["type"], "PatientExportEnd");
    assert_eq!(last["record"]["sha256"], enamel::kernel::hex::hex(&Sha256::digest(lines.concat())));
    let mut lines: Vec<Json> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = lines.remove(0);
    assert_eq!((&first["type"], text(&first["record"], "patient_id")), (&json!("PatientExport"), patient.to_string()));
    for (kind, count) in last["record"]["counts"].as_object().unwrap() {
        assert_eq!(lines.iter().filter(|line| line["type"] == json!(kind)).count(), usize::try_from(count.as_u64().unwrap()).unwrap());
    }
    Ok((lines, last["record"].clone()))
}

fn of<'a>(lines: &'a [Json], kind: &str) -> Vec<&'a Json> {
    lines.iter().filter(|line| line["type"] == json!(kind)).collect()
}

#[test]
fn a_copy_holds_one_patient_and_all_of_them() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (mine, theirs) = (clinic.patient("Mine").await.unwrap().id, clinic.patient("Theirs").await.unwrap().id);
        let staff = clinic.staff();
        // More than a page of one kind.
        for place in 0..60 {
            let whose = if place % 20 == 19 { theirs } else { mine };
            let body = json!({"patient_id": whose, "substance": format!("Substance {place}"), "category": "OTHER", "criticality": "LOW"});
            create(&staff, &PATIENT_ALLERGY, body).await.unwrap();
        }
        let login = world.patient_login(&[(clinic.id, mine)]).await;
        let own = world.caller(Plane::Patient, clinic.id, Some(login), &[Permission::ViewPatient, Permission::ViewClinical]);
        for caller in [&staff, &own] {
            let (lines, end) = copy(caller, mine).await.unwrap();
            assert_eq!(of(&lines, "Patient").len(), 1);
            assert_eq!(of(&lines, "PatientAllergy").len(), 57);
            assert!(!lines.iter().any(|line| line.to_string().contains(&theirs.to_string())));
            assert!(end["left_out"]["audit_events"].is_string());
            let asked = [theirs, Uuid::now_v7()];
            if caller.context.plane == Plane::Patient {
                for patient in asked {
                    assert_eq!(copy(caller, patient).await.unwrap_err().code.status, 404);
                }
            }
        }
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(copy(&stranger, mine).await.unwrap_err().code.status, 404);
        let seen =
            "select count(*) from enamel.audit_events where tenant_id = $1 and patient_id = $2 and event_type = $3 and outcome = 'SUCCESS'";
        for kind in ["RECORD_EXPORT_STARTED", "RECORD_EXPORT_ENDED"] {
            let told: i64 = world.truth().await.query_one(seen, &[&clinic.id, &mine, &kind]).await.unwrap().get(0);
            assert_eq!(told, 2);
        }
    });
}

#[test]
fn what_the_caller_may_not_read_is_not_in_it_and_named() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Quiet").await.unwrap().id;
        create(&clinic.staff(), &PATIENT_ALLERGY, json!({"patient_id": patient, "substance": "Latex", "category": "MATERIAL"}))
            .await
            .unwrap();
        let desk = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewPatient, Permission::ViewSchedule]);
        let (lines, end) = copy(&desk, patient).await.unwrap();
        assert!(of(&lines, "PatientAllergy").is_empty() && of(&lines, "Patient").len() == 1);
        assert!(end["not_shown"].as_array().unwrap().contains(&json!("PatientAllergy")));
        let nobody = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewSchedule]);
        assert_eq!(copy(&nobody, patient).await.unwrap_err().code.status, 403);
    });
}

#[test]
fn an_application_copies_what_its_scopes_name_and_what_it_sent() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let wide = clinic.client_token("system/*.cruds").await;
        let name = json!({"resourceType": "Patient", "name": [{"family": "Kept", "given": ["Ana"]}]});
        let (status, patient) = world.ask(&wide, Method::POST, "/fhir/r4/Patient", Some(&name)).await;
        assert_eq!(status, 201, "{patient}");
        let about = format!("Patient/{}", text(&patient, "id"));
        let list = json!({"resourceType": "Basic", "code": {"text": "a note of its own"}, "subject": {"reference": about}});
        assert_eq!(world.ask(&wide, Method::POST, "/fhir/r4/Basic", Some(&list)).await.0, 201);
        let path = format!("/api/v1/patients/{}/export", text(&patient, "id"));
        let lines = async |token: &str| {
            let answer = reqwest::Client::new().get(format!("{}{path}", world.base_url)).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
            let body = answer.text().await.unwrap();
            body.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Json>>()
        };
        let all = lines(&wide).await;
        assert_eq!(of(&all, "KeptResource")[0]["fhir"]["Basic"]["code"]["text"], "a note of its own");
        let narrow = lines(&clinic.client_token("system/Patient.rs").await).await;
        assert!(of(&narrow, "Patient").len() == 1 && of(&narrow, "KeptResource").is_empty());
        assert!(narrow.last().unwrap()["record"]["not_shown"].as_array().unwrap().contains(&json!("PatientAllergy")));
    });
}
