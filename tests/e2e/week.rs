//! The demo world's week, read back by each kind of people.

use super::house::House;
use super::people::Caller;
use reqwest::Method;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashSet};

fn patient_of(house: &House, slug: &str, email: &str) -> String {
    let patients = house.tenant(slug)["patients"].as_array().unwrap();
    patients.iter().find(|patient| patient["user_email"] == email).unwrap()["id"].as_str().unwrap().to_owned()
}

fn counted(rows: &[Json], by: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row[by].as_str().unwrap_or("none").to_owned()).or_default() += 1;
    }
    counts
}

async fn first(caller: &Caller<'_>, path: &str) -> Json {
    caller.get(path).await["items"][0].clone()
}

pub async fn is_read_by_all(house: &House) {
    let mara = patient_of(house, "bright-north", "mara@patients.example");
    a_clinician(house, &mara).await;
    the_desk(house).await;
    the_patient(house).await;
    the_group_and_a_stranger(house).await;
}

async fn a_clinician(house: &House, mara: &str) {
    let dentist = house.by_password("bright-north", "dentist@bright-north.example").await;
    let days: HashSet<String> = dentist.list("/api/v1/appointments?limit=100").await.iter().map(day).collect();
    assert_eq!(days.len(), 7, "a week: {days:?}");
    let chart = dentist.get(&format!("/api/v1/patients/{mara}/chart")).await;
    let tooth = chart["teeth"].as_array().unwrap().iter().find(|tooth| tooth["fdi_tooth"] == "36").unwrap();
    assert_eq!((&tooth["conditions"][0]["finding_display"], &tooth["restorations"][0]["source"]), (&json!("Caries"), &json!("PROCEDURE")));
    let exam = first(&dentist, &format!("/api/v1/perio-exams?patient_id={mara}")).await;
    assert_eq!((&exam["status"], exam["bop_percent"].as_f64().unwrap() > 0.0), (&json!("SIGNED"), true));
    assert_eq!(dentist.list(&format!("/api/v1/perio-measurements?patient_id={mara}&limit=100")).await.len(), 168);
    let found = first(&dentist, &format!("/api/v1/ai-predictions?patient_id={mara}")).await;
    assert_eq!((&found["review_status"], &found["fdi_tooth"]), (&json!("CONFIRMED"), &json!("36")));
    let region = dentist.get(&format!("/api/v1/image-annotations/{}", found["roi_ref"].as_str().unwrap())).await;
    assert_eq!((&region["source_type"], &region["annotation_type"]), (&json!("AI"), &json!("BOUNDING_BOX")));
    let notes = dentist.list("/api/v1/clinical-notes").await;
    assert_eq!(counted(&notes, "status"), BTreeMap::from([("DRAFT".into(), 1), ("SIGNED".into(), 4)]));
    for (kind, mark, place) in [("application/dicom", b"DICM".as_slice(), 128), ("image/png", b"\x89PNG", 0)] {
        let file = first(&dentist, &format!("/api/v1/files?patient_id={mara}&file_type={kind}")).await;
        let link = dentist.post(&format!("/api/v1/files/{}/download-link", file["id"].as_str().unwrap()), &json!({})).await;
        let bytes = house.http.get(link["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(&bytes[place..place + 4], mark);
    }
    println!("Elena Marsh finds her week: visits on {} days, charts, probing, notes, pictures and what software saw in them.", days.len());
}

fn day(appointment: &Json) -> String {
    appointment["local_start"].as_str().unwrap()[..10].to_owned()
}

async fn the_desk(house: &House) {
    let desk = house.by_password("bright-north", "desk@bright-north.example").await;
    assert!(counted(&desk.list("/api/v1/appointments?limit=100").await, "status")["COMPLETED"] == 5);
    assert_eq!(desk.status("/api/v1/clinical-notes").await, 403);
    let claims = counted(&desk.list("/api/v1/claims").await, "status");
    assert_eq!(claims, BTreeMap::from([("ACCEPTED".into(), 1), ("PAID".into(), 1), ("SUBMITTED".into(), 1)]));
    assert_eq!(first(&desk, "/api/v1/remittances").await["status"], "POSTED");
    let methods = counted(&desk.list("/api/v1/payments").await, "method");
    assert!(methods["CHECK"] == 2 && methods["CASH"] == 1 && methods["INSURANCE"] == 1, "{methods:?}");
    let tasks = counted(&desk.list("/api/v1/tasks").await, "status");
    assert_eq!(tasks, BTreeMap::from([("DONE".into(), 1), ("OPEN".into(), 4)]));
    println!("Tomas Reyes at the desk finds visits, claims, payments and tasks, and no clinical note.");
}

async fn the_patient(house: &House) {
    let own = ["bright-north", "bright-south"].map(|slug| patient_of(house, slug, "mara@patients.example"));
    let mara = house.by_password("bright-north", "mara@patients.example").await;
    for path in ["appointments", "treatment-plans", "claims", "chart-entries", "consents", "files"] {
        let rows = mara.list(&format!("/api/v1/{path}?limit=100")).await;
        assert!(!rows.is_empty(), "{path}");
        assert!(rows.iter().all(|row| own.contains(&row["patient_id"].as_str().unwrap().to_owned())), "{path} of somebody else");
    }
    let plans = mara.list("/api/v1/treatment-plans").await;
    assert!(plans.iter().all(|plan| plan["status"] == "PRESENTED"), "she thinks about it");
    let said = mara.list("/api/v1/messages").await;
    assert_eq!(counted(&said, "sender_type"), BTreeMap::from([("PATIENT".into(), 1), ("USER".into(), 1)]));
    println!("Mara Lindqvist finds her plan, her pictures and the clinic's answer.");
}

async fn the_group_and_a_stranger(house: &House) {
    let director = house.by_password("bright-smiles", "director@bright-smiles.example").await;
    let clinics = counted(&director.list("/api/v1/appointments?limit=100").await, "tenant_id");
    let both: HashSet<&str> = ["bright-north", "bright-south"].map(|slug| house.tenant(slug)["id"].as_str().unwrap()).into();
    assert_eq!(clinics.keys().map(String::as_str).collect::<HashSet<_>>(), both);
    let south = house.by_password("bright-south", "dentist@bright-south.example").await;
    let taken = first(&south, "/api/v1/referrals?referral_type=INCOMING").await;
    assert_eq!((&taken["status"], &taken["source"]), (&json!("ACCEPTED"), &json!("PLATFORM")));
    let oak = house.by_password("oak-street", "admin@oak-street.example").await;
    let asked = oak.list("/api/v1/referrals").await;
    assert_eq!((asked.len(), &asked[0]["status"]), (1, &json!("SENT")));
    let yes = oak.send(Method::POST, &format!("/api/v1/referrals/{}/accept", asked[0]["id"].as_str().unwrap()), Some(&json!({}))).await;
    assert_eq!(yes.status(), 200);
    let north = house.by_password("bright-north", "dentist@bright-north.example").await;
    let sent = counted(&north.list("/api/v1/referrals").await, "status");
    assert_eq!(sent, BTreeMap::from([("ACCEPTED".into(), 2)]));
    let analyst = house.by_password("bright-smiles", "analyst@bright-smiles.example").await;
    assert_eq!(analyst.status("/api/v1/appointments").await, 403);
    println!(
        "The director sees {} visits of both clinics; Oak Street sees its own and the referral it got.",
        clinics.values().sum::<usize>()
    );
}
