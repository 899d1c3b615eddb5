//! What was sent comes back: the official, US Core and Synthea examples of every type.

use super::{bare, id, patient};
use crate::world;
use serde_json::{Value, json};
use std::io::Read;

fn examples() -> Vec<Value> {
    let packed = include_bytes!("../fixtures/fhir/examples.ndjson.gz");
    let mut lines = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut lines).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The references our records are joined by point to records of this clinic.
fn joined(mut example: Value, ids: &Value) -> Value {
    let to = |name: &str| json!(format!("{name}/{}", ids[name].as_str().unwrap()));
    match example["resourceType"].as_str().unwrap() {
        "RelatedPerson" => example["patient"]["reference"] = to("Patient"),
        "Coverage" => {
            example["beneficiary"]["reference"] = to("Patient");
            if example["payor"][0]["reference"].as_str().is_some_and(|text| text.starts_with("Organization/")) {
                example["payor"][0]["reference"] = to("Organization");
            }
        }
        "PractitionerRole" => {
            example["practitioner"]["reference"] = to("Practitioner");
            example["location"][0]["reference"] = to("Location");
        }
        _ => {}
    }
    example
}

#[test]
fn every_example_comes_back_as_it_was_sent() {
    world::with(async |world| {
        let mut seen = std::collections::BTreeMap::new();
        for example in examples() {
            // A clinic for each: two examples may carry one identifier.
            let clinic = world.tenant("SOLO_PRACTICE", None).await.fhir();
            let mut ids = json!({});
            for made in [
                patient("Doe"),
                json!({"resourceType": "Organization", "name": "Payer", "type": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": "pay"}]}]}),
                json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}]}),
                json!({"resourceType": "Location", "name": "Main"}),
            ] {
                let made = clinic.made(made).await;
                ids[made["resourceType"].as_str().unwrap()] = made["id"].clone();
            }
            let name = example["resourceType"].as_str().unwrap().to_owned();
            let sent = joined(example, &ids);
            let made = clinic.made(sent.clone()).await;
            assert_eq!(bare(&made), bare(&sent), "{name} {}", sent["id"]);
            let read = clinic.get(&format!("/{name}/{}", id(&made))).await;
            assert_eq!(read.status, 200);
            assert_eq!(read.body, made, "{name} {}", sent["id"]);
            let found = clinic.get(&format!("/{name}?_id={}", id(&made))).await;
            assert_eq!(found.body["entry"][0]["resource"], made);
            // A second update with the same words changes the version alone.
            let again = clinic.put(&format!("/{name}/{}", id(&made)), &made, &[("if-match", read.headers["etag"].to_str().unwrap())]).await;
            assert_eq!(again.status, 200, "{name}: {}", again.body);
            assert_eq!(bare(&again.body), bare(&sent), "{name} {}", sent["id"]);
            assert_ne!(again.body["meta"]["versionId"], made["meta"]["versionId"]);
            *seen.entry(name).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 7, "{seen:?}");
    });
}
