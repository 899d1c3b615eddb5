//! P7: without the object store everything that needs no file works on, and no file is believed to be there.

use super::ground::Ground;
use super::people::Staff;
use crate::world;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

const TEXT: &[u8] = b"%PDF-1.7\na letter of 36 words\n%%EOF\n";

#[test]
fn without_the_object_store_the_rest_works_on() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("storeless").await;
        let server = house.serve().await;
        let staff = house.staff().await;
        let store = house.store().await;
        ready_within(&house.admin_url, Duration::from_secs(40)).await;
        let patient = staff.patient("Fileless").await["id"].as_str().unwrap().to_owned();
        let ticket = announced(&staff, &patient).await;
        let file = format!("/files/{}", ticket["file"]["id"].as_str().unwrap());

        store.stop().await;
        let probed: Json = reqwest::get(format!("{}/readyz", house.admin_url)).await.unwrap().json().await.unwrap();
        assert_eq!(probed["failing"], json!(["object_store"]));
        let completed = staff.post(&format!("{file}/complete-upload")).json(&json!({})).send().await.unwrap();
        assert_eq!(completed.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(completed.headers().contains_key("retry-after"));
        assert_eq!(status(&staff, &file).await, "PENDING");
        assert_eq!(staff.get(&format!("/patients/{patient}")).send().await.unwrap().status(), StatusCode::OK);
        staff.patient("Meanwhile").await;

        let store = house.store().await;
        ready_within(&house.admin_url, Duration::from_secs(40)).await;
        let early = staff.post(&format!("{file}/complete-upload")).json(&json!({})).send().await.unwrap();
        assert_eq!(early.status(), StatusCode::CONFLICT, "nothing was uploaded yet");
        assert_eq!(signed(&staff, &ticket).body(TEXT).send().await.unwrap().status(), StatusCode::OK);
        let completed = staff.post(&format!("{file}/complete-upload")).json(&json!({})).send().await.unwrap();
        assert_eq!(completed.status(), StatusCode::OK, "{}", completed.text().await.unwrap());
        assert_eq!(status(&staff, &file).await, "READY");
        let link: Json = staff.post(&format!("{file}/download-link")).json(&json!({})).send().await.unwrap().json().await.unwrap();
        assert_eq!(signed(&staff, &link).send().await.unwrap().bytes().await.unwrap(), TEXT);
        drop((server, store));
    });
}

async fn announced(staff: &Staff, patient: &str) -> Json {
    let sha256: String = Sha256::digest(TEXT).iter().map(|byte| format!("{byte:02x}")).collect();
    let body = json!({
        "patient_id": patient, "kind": "DOCUMENT", "file_name": "letter.pdf", "file_type": "application/pdf", "file_size": TEXT.len(), "sha256": sha256,
    });
    let answer = staff.post("/files").json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

fn signed(staff: &Staff, ticket: &Json) -> RequestBuilder {
    let method: Method = ticket["method"].as_str().unwrap().parse().unwrap();
    let request = staff.http.request(method, ticket["url"].as_str().unwrap());
    ticket["headers"].as_object().unwrap().iter().fold(request, |request, (name, value)| request.header(name, value.as_str().unwrap()))
}

async fn status(staff: &Staff, file: &str) -> String {
    let record: Json = staff.get(file).send().await.unwrap().json().await.unwrap();
    record["status"].as_str().unwrap().to_owned()
}

async fn ready_within(admin_url: &str, patience: Duration) {
    let began = Instant::now();
    loop {
        let answer = reqwest::get(format!("{admin_url}/readyz")).await.unwrap();
        if answer.status() == StatusCode::OK {
            return;
        }
        assert!(began.elapsed() < patience, "not ready after {patience:?}: {}", answer.text().await.unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
