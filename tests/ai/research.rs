//! Research data: who consented, nobody who stands alone, nothing that identifies; and every use is logged.

use crate::referrals::count;
use crate::world::operations::{create, patch, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::ai::deidentify::carry_on;
use enamel::ai::research_dataset::RESEARCH_DATASET;
use enamel::clinical::patient_condition::PATIENT_CONDITION;
use enamel::patients::patient::PATIENT;
use enamel::patients::patient_address::PATIENT_ADDRESS;
use serde_json::{Value as Json, json};
use std::time::Duration;
use uuid::Uuid;

/// A patient of that age and consent, with a condition that is dated.
async fn subject(clinic: &Clinic, name: &str, born: &str, consents: bool, code: &str) -> Uuid {
    let staff = clinic.staff();
    let body = json!({"first_name": "Secret", "last_name": name, "dob": born, "administrative_gender": "FEMALE", "contact_email": "secret@people.example"});
    let id = create(&staff, &PATIENT, body).await.unwrap().id;
    let home =
        json!({"patient_id": id, "line1": "1 Secret Street", "city": "Boulder", "region": "CO", "country": "US", "postal_code": "80301"});
    create(&staff, &PATIENT_ADDRESS, home).await.unwrap();
    let condition = json!({"patient_id": id, "code_system": "HOUSE", "code": code, "display": format!("of {name}"), "onset_date": "2024-05-17", "notes": "Secret"});
    create(&staff, &PATIENT_CONDITION, condition).await.unwrap();
    if consents {
        super::analyses::consent(clinic, id, "RESEARCH").await;
    }
    id
}

/// Until a row is like that, whoever carries the work out.
async fn until(clinic: &Clinic, table: &str, condition: &str) {
    for _ in 0..400 {
        carry_on(&clinic.world.kernel).await.unwrap();
        if count(clinic, table, condition).await == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{table} never {condition}");
}

async fn export(clinic: &Clinic, token: &str, set: Uuid) {
    let (status, ordered) =
        clinic.world.post(Some(token), &format!("/research-datasets/{set}/export"), json!({"purpose": "a study"})).await;
    assert_eq!(status, 200, "{ordered}");
    let job = ordered["job_id"].as_str().unwrap();
    until(clinic, "export_jobs", &format!("id = '{job}' and status = 'COMPLETED'")).await;
}

/// Name and text of each file, as a data scientist gets them.
async fn files(world: &World, token: &str, set: Uuid) -> Vec<(String, String)> {
    let (status, given) = world.post(Some(token), &format!("/research-datasets/{set}/download"), json!({"purpose": "a study"})).await;
    assert_eq!(status, 200, "{given}");
    let mut files = Vec::new();
    for file in given["files"].as_array().unwrap() {
        let text = world.http.get(file["url"].as_str().unwrap()).send().await.unwrap().text().await.unwrap();
        let hash = enamel::kernel::hex::hex(&<sha2::Sha256 as sha2::Digest>::digest(&text));
        assert_eq!(file["sha256"].as_str(), Some(hash.as_str()));
        files.push((file["name"].as_str().unwrap().to_owned(), text));
    }
    files
}

#[test]
fn a_data_set_holds_who_consented_and_tells_nobody_who_they_are() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let mut members = Vec::new();
        for nth in 0..3 {
            members.push(subject(&clinic, &format!("Member{nth}"), "1984-03-02", true, if nth == 0 { "R9" } else { "C1" }).await);
        }
        subject(&clinic, "Silent", "1984-03-02", false, "C1").await;
        subject(&clinic, "Alone", "1951-03-02", true, "C1").await;
        subject(&clinic, "Young", "2015-03-02", true, "C1").await;
        let body = json!({"name": "Enamel wear", "purpose": "to learn", "deidentification_method": "SAFE_HARBOR", "k_anonymity": 2,
            "inclusion_criteria": {"min_age": "18"}});
        let set = create(&staff, &RESEARCH_DATASET, body).await.unwrap();
        let untyped = run(&staff, "buildResearchDataset", Some(set.id), json!({})).await;
        assert_eq!(untyped.err().unwrap().faults[0].field, "inclusion_criteria");
        let criteria = json!({"inclusion_criteria": {"min_age": 18, "genders": ["FEMALE"], "condition_codes": ["C1", "R9"]}});
        patch(&staff, &RESEARCH_DATASET, set.id, set.version, criteria).await.unwrap();
        let building = record(run(&staff, "buildResearchDataset", Some(set.id), json!({})).await.unwrap());
        assert_eq!(building.text("status"), Some("BUILDING"));
        until(&clinic, "research_datasets", "member_count = 3").await;

        // Not before it is published, and not without the permission.
        let scientist = clinic.token("DATA_SCIENTIST").await;
        let path = |verb: &'static str| format!("/research-datasets/{}/{verb}", set.id);
        let purpose = json!({"purpose": "a study"});
        assert_eq!(world.post(Some(&scientist), &path("export"), purpose.clone()).await.0, 409);
        assert_eq!(world.post(Some(&scientist), &path("publish"), json!({})).await.0, 403);
        assert_eq!(record(run(&staff, "publishResearchDataset", Some(set.id), json!({})).await.unwrap()).text("status"), Some("PUBLISHED"));
        let clinician = clinic.token("CLINICIAN").await;
        assert_eq!(world.post(Some(&clinician), &path("export"), purpose.clone()).await.0, 403);
        assert_eq!(world.post(Some(&scientist), &path("download"), purpose.clone()).await.0, 409, "nothing is written yet");

        export(&clinic, &scientist, set.id).await;
        let given = files(world, &scientist, set.id).await;
        let names: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["members.csv", "conditions.csv", "procedures.csv", "probing.csv", "manifest.json"]);
        let all: String = given.iter().map(|(_, text)| text.as_str()).collect();
        for word in ["Secret", "secret@", "Member", "Alone", "Boulder", "80301", "1984", "2024-05-17", &members[0].to_string()] {
            assert!(!all.contains(word), "{word} is told");
        }
        assert!(given[..4].iter().all(|(_, text)| !text.contains("R9")));
        assert_eq!(given[0].1.lines().filter(|line| line.ends_with(",40-49,FEMALE,CO")).count(), 3);
        assert_eq!(given[1].1.lines().filter(|line| line.contains(",HOUSE,C1,ACTIVE,")).count(), 2, "R9 would stand alone");
        let manifest: Json = serde_json::from_str(&given[4].1).unwrap();
        assert_eq!((&manifest["k_anonymity"], manifest["files"].as_array().unwrap().len()), (&json!(2), 4));
        assert_eq!(count(&clinic, "research_access_logs", "action in ('EXPORT', 'DOWNLOAD') and purpose = 'a study'").await, 2);
        assert!(count(&clinic, "audit_events", "resource_type = 'ResearchDataset' and action = 'EXECUTE'").await >= 2);

        // Who takes the consent back is in no later export.
        let truth = world.truth().await;
        truth
            .execute("update enamel.consents set status = 'REVOKED', revoked_at = now() where patient_id = $1", &[&members[1]])
            .await
            .unwrap();
        export(&clinic, &scientist, set.id).await;
        assert_eq!(files(world, &scientist, set.id).await[0].1.lines().count(), 1 + 2);
        assert_eq!(world.get(Some(&scientist), "/patients").await.0, 403);
        assert_eq!(world.get(Some(&scientist), "/files").await.0, 403);
    });
}
