//! Batches: a vendor's whole record.

use super::{bare, patient};
use crate::world;
use poem::http::Method;
use serde_json::{Value, json};
use std::io::Read;

const PATIENTS: [&[u8]; 6] = [
    include_bytes!("../fixtures/synthea/5f66ecbb-b445-1290-4b55-9fc3ddfd569e.json.gz"),
    include_bytes!("../fixtures/synthea/6c8f3e83-c351-ed33-c38d-6be101c275d2.json.gz"),
    include_bytes!("../fixtures/synthea/8708d3e1-f718-96bb-03f0-f2a6564ae1cd.json.gz"),
    include_bytes!("../fixtures/synthea/8a4c9c04-1524-9f1c-d65b-9b17e4520fef.json.gz"),
    include_bytes!("../fixtures/synthea/9a174f9e-ed67-6617-0106-745fb1f9a344.json.gz"),
    include_bytes!("../fixtures/synthea/d1193889-ebd9-4e35-bf1b-8a73ecbfc00b.json.gz"),
];

#[test]
fn the_records_of_synthea_are_stored_whole() {
    world::with(async |world| {
        let fhir = world.tenant("GROUP_PRACTICE", None).await.fhir();
        for packed in PATIENTS {
            let mut text = String::new();
            flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
            let mut bundle: Value = serde_json::from_str(&text).unwrap();
            bundle["type"] = json!("batch");
            let answer = fhir.post("/", &bundle).await;
            assert_eq!((answer.status.as_u16(), &answer.body["type"]), (200, &json!("batch-response")));
            let (sent, got) = (bundle["entry"].as_array().unwrap(), answer.body["entry"].as_array().unwrap());
            assert_eq!(sent.len(), got.len());
            for (sent, got) in sent.iter().zip(got) {
                let status = got["response"]["status"].as_str().unwrap();
                assert!(status.starts_with("201"), "{got}");
                assert_eq!(bare(&got["resource"]), bare(&sent["resource"]));
                let path = got["response"]["location"].as_str().unwrap().split_once("/fhir/r4").unwrap().1;
                let read = fhir.get(path.split("/_history").next().unwrap()).await.body;
                assert_eq!(bare(&read), bare(&sent["resource"]));
            }
        }
        assert_eq!(fhir.ids("/Patient").await.len(), 6);
    });
}

#[test]
fn each_entry_stands_alone() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let made = fhir.made(patient("Byron")).await;
        let own = format!("Patient/{}", super::id(&made));
        let mut changed = made.clone();
        changed["gender"] = json!("female");
        let entries = json!([
            {"request": {"method": "POST", "url": "Patient"}, "resource": patient("New")},
            {"request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Patient", "birthDate": "x"}},
            {"request": {"method": "PUT", "url": own, "ifMatch": "W/\"7\""}, "resource": changed},
            {"request": {"method": "PUT", "url": own, "ifMatch": "W/\"1\""}, "resource": changed},
            {"request": {"method": "GET", "url": own}},
            {"request": {"method": "GET", "url": "Patient?gender=female"}},
            {"request": {"method": "DELETE", "url": own}},
            {"request": {"method": "GET", "url": own}},
        ]);
        let answer = fhir.post("/", &json!({"resourceType": "Bundle", "type": "batch", "entry": entries})).await;
        let statuses: Vec<&str> =
            answer.body["entry"].as_array().unwrap().iter().map(|entry| &entry["response"]["status"].as_str().unwrap()[..3]).collect();
        assert_eq!(statuses, ["201", "422", "412", "200", "200", "200", "204", "410"], "{}", answer.body);
        assert_eq!(answer.body["entry"][5]["resource"]["entry"][0]["resource"]["id"], made["id"]);
    });
}

#[test]
fn a_batch_is_bounded() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let entries = vec![json!({"request": {"method": "GET", "url": "Foo/1"}}); 2_001];
        let answer = fhir.post("/", &json!({"resourceType": "Bundle", "type": "batch", "entry": entries})).await;
        assert_eq!(answer.status, 400);
        let huge = format!("{{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"x\":\"{}\"}}", "a".repeat(21 << 20));
        assert_eq!(fhir.send(Method::POST, "/", &[super::JSON], huge.into_bytes()).await.status, 413);
    });
}
