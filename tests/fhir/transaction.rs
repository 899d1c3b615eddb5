//! Transactions: whole or not at all, in whatever order their entries stand.

use super::{bare, id, patient};
use crate::world;
use serde_json::{Value, json};
use std::io::Read;

const SYNTHEA: [&[u8]; 2] = [
    include_bytes!("../fixtures/synthea/8a4c9c04-1524-9f1c-d65b-9b17e4520fef.json.gz"),
    include_bytes!("../fixtures/synthea/9a174f9e-ed67-6617-0106-745fb1f9a344.json.gz"),
];

fn entry(method: &str, url: &str, name: &str, resource: Value) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if !name.is_empty() {
        entry["fullUrl"] = json!(name);
    }
    if !resource.is_null() {
        entry["resource"] = resource;
    }
    entry
}

fn transaction(entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

/// Whom the record names by an identifier: they were here before.
async fn known_before(fhir: &super::Client, bundle: &Value) {
    for condition in enamel::fhir::link::conditional(bundle) {
        if !fhir.ids(&format!("/{}", condition.replace('|', "%7C"))).await.is_empty() {
            continue;
        }
        let (name, identifier) = condition.split_once("?identifier=").unwrap();
        let (system, value) = identifier.split_once('|').unwrap();
        let mut one = json!({"resourceType": name, "identifier": [{"system": system, "value": value}]});
        match name {
            "Practitioner" => one["name"] = json!([{"family": "Molar"}]),
            _ => one["name"] = json!("Somewhere"),
        }
        if name == "Location" {
            one["address"] = json!({"line": ["1 Main St"], "city": "Amherst", "state": "MA", "postalCode": "01002"});
        }
        fhir.made(one).await;
    }
}

#[test]
fn a_record_of_synthea_comes_in_whole_and_backwards() {
    world::with(async |world| {
        let fhir = world.tenant("GROUP_PRACTICE", None).await.fhir();
        for packed in SYNTHEA {
            let mut text = String::new();
            flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
            let mut bundle: Value = serde_json::from_str(&text).unwrap();
            known_before(&fhir, &bundle).await;
            bundle["entry"].as_array_mut().unwrap().reverse();
            let answer = fhir.post("/", &bundle).await;
            assert_eq!((answer.status.as_u16(), &answer.body["type"]), (200, &json!("transaction-response")), "{}", answer.body);
            let (sent, got) = (bundle["entry"].as_array().unwrap(), answer.body["entry"].as_array().unwrap());
            assert_eq!(sent.len(), got.len());
            let patient = sent.iter().position(|entry| entry["resource"]["resourceType"] == "Patient").unwrap();
            let ours = format!("Patient/{}", id(&got[patient]["resource"]));
            for (sent, got) in sent.iter().zip(got) {
                assert_eq!(got["response"]["status"], "201 Created");
                let (sent, got) = (&sent["resource"], &got["resource"]);
                assert_eq!(got["resourceType"], sent["resourceType"]);
                let told = got.to_string();
                assert!(!told.contains("\"reference\":\"urn:uuid:") && !told.contains("?identifier="), "{got}");
                let subject = [&got["subject"], &got["patient"]].into_iter().find(|reference| reference.is_object());
                if let Some(subject) = subject {
                    assert_eq!(subject["reference"], json!(ours), "{got}");
                }
                let read = fhir.get(&format!("/{}/{}", got["resourceType"].as_str().unwrap(), id(got))).await.body;
                assert_eq!(bare(&read), bare(got));
            }
            let observations = sent.iter().filter(|entry| entry["resource"]["resourceType"] == "Observation").count();
            let found = fhir.get(&format!("/Observation?patient={ours}&_count=200")).await.body;
            assert_eq!(super::ids(&found).len(), observations);
        }
    });
}

#[test]
fn entries_name_each_other_in_any_order_and_in_rings() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let list = |title: &str, to: &str| json!({"resourceType": "List", "status": "current", "mode": "working", "title": title, "entry": [{"item": {"reference": to}}]});
        let condition = json!({"resourceType": "Condition", "code": {"text": "Caries"}, "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000003"}});
        let bundle = transaction(&[
            entry(
                "POST",
                "List",
                "urn:uuid:00000000-0000-4000-8000-000000000001",
                list("one", "urn:uuid:00000000-0000-4000-8000-000000000002"),
            ),
            entry(
                "POST",
                "List",
                "urn:uuid:00000000-0000-4000-8000-000000000002",
                list("two", "urn:uuid:00000000-0000-4000-8000-000000000001"),
            ),
            entry("POST", "Condition", "urn:uuid:00000000-0000-4000-8000-000000000004", condition),
            entry("POST", "Patient", "urn:uuid:00000000-0000-4000-8000-000000000003", patient("Ring")),
        ]);
        let answer = fhir.post("/", &bundle).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let got = |place: usize| answer.body["entry"][place]["resource"].clone();
        assert_eq!(got(0)["entry"][0]["item"]["reference"], json!(format!("List/{}", id(&got(1)))));
        assert_eq!(got(1)["entry"][0]["item"]["reference"], json!(format!("List/{}", id(&got(0)))));
        assert_eq!(fhir.ids(&format!("/Condition?patient={}", id(&got(3)))).await, [id(&got(2))]);
        assert_eq!(fhir.get(&format!("/List/{}", id(&got(1)))).await.body["entry"], got(1)["entry"]);
    });
}

#[test]
fn one_bad_entry_and_nothing_is_stored() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let fhir = clinic.fhir();
        let foreign = other.fhir().made(patient("Foreign")).await;
        let good = entry("POST", "Patient", "urn:uuid:00000000-0000-4000-8000-00000000000a", patient("Good"));
        let condition = |to: &str| json!({"resourceType": "Condition", "subject": {"reference": to}});
        let random = uuid::Uuid::new_v4();
        let mut told = Vec::new();
        for (bad, status, at) in [
            (entry("POST", "Patient", "", json!({"resourceType": "Patient", "birthDate": "x"})), 422, "Bundle.entry[1].resource.birthDate"),
            (entry("POST", "Condition", "", condition(&format!("Patient/{}", id(&foreign)))), 422, "Bundle.entry[1].resource.subject"),
            (entry("POST", "Condition", "", condition(&format!("Patient/{random}"))), 422, "Bundle.entry[1].resource.subject"),
            (entry("PUT", "Patient/no-uuid", "", json!({"resourceType": "Patient", "id": "no-uuid"})), 405, "Bundle.entry[1]"),
            (entry("DELETE", &format!("Patient/{}", id(&foreign)), "", Value::Null), 404, "Bundle.entry[1]"),
            (entry("POST", "Nothing", "", json!({"resourceType": "Nothing"})), 404, "Bundle.entry[1]"),
            (entry("POST", "Condition", "", condition("Practitioner?identifier=http://e.test|1")), 422, "reference"),
            (entry("POST", "Patient", "urn:uuid:00000000-0000-4000-8000-00000000000a", patient("Twice")), 422, "Bundle.entry[1]"),
            (entry("GET", "Patient?name:above=a", "", Value::Null), 400, ""),
        ] {
            let answer = fhir.post("/", &transaction(&[good.clone(), bad.clone()])).await;
            assert_eq!(answer.status.as_u16(), status, "{bad}: {}", answer.body);
            let where_to = answer.body["issue"][0]["expression"][0].as_str().unwrap_or_default().to_owned();
            assert_eq!(where_to, at, "{}", answer.body);
            told.push(answer.body["issue"][0]["diagnostics"].clone());
            assert_eq!(fhir.ids("/Patient").await.len(), 0);
        }
        assert_eq!(told[1], told[2], "a foreign id is like a random one");
    });
}

#[test]
fn a_transaction_makes_what_it_puts_and_finds_what_it_made() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let fhir = clinic.fhir();
        let before = fhir.made(patient("Before")).await;
        let foreign = id(&other.fhir().made(patient("Foreign")).await);
        let (new, flag) = (foreign, uuid::Uuid::now_v7().to_string());
        let mut ada = patient("Lovelace");
        ada["id"] = json!(new);
        let about = json!({"resourceType": "Flag", "id": flag, "status": "active", "code": {"text": "careful"}, "subject": {"reference": format!("Patient/{new}")}});
        let bundle = transaction(&[
            entry("GET", "Patient?family=lovelace&_revinclude=Flag:subject", "", Value::Null),
            entry("PUT", &format!("Flag/{flag}"), "", about),
            entry("PUT", &format!("Patient/{new}"), "", ada),
            entry("GET", "Patient?_sort=family,birthdate&_summary=count", "", Value::Null),
        ]);
        let answer = fhir.post("/", &bundle).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let got = &answer.body["entry"];
        let found: Vec<&Value> = got[0]["resource"]["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]["id"]).collect();
        assert_eq!(found, [&json!(new), &json!(flag)]);
        assert_eq!((&got[1]["response"]["status"], &got[2]["response"]["status"]), (&json!("201 Created"), &json!("201 Created")));
        assert_eq!(got[3]["resource"]["total"], 2);
        let again = fhir.post("/", &bundle).await.body;
        assert_eq!(
            (&again["entry"][1]["response"]["status"], &again["entry"][2]["response"]["status"]),
            (&json!("200 OK"), &json!("200 OK"))
        );
        assert_eq!(fhir.ids("/Patient?_sort=family").await, [id(&before), new.clone()]);
        // What the other clinic has under that id is as it was.
        assert_eq!(other.fhir().get(&format!("/Patient/{new}")).await.body["name"][0]["family"], "Foreign");
    });
}

#[test]
fn a_transaction_changes_removes_and_reads_in_that_order() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let (one, two) = (fhir.made(patient("One")).await, fhir.made(patient("Two")).await);
        let practitioner = json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}],
            "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]});
        let practitioner = fhir.made(practitioner).await;
        let mut changed = one.clone();
        changed["gender"] = json!("female");
        let path = |resource: &Value| format!("Patient/{}", id(resource));
        let led = json!({"resourceType": "CareTeam", "participant": [{"member": {"reference": "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|1234567893"}}]});
        let bundle = transaction(&[
            entry("GET", &path(&one), "", Value::Null),
            entry("PUT", &path(&one), "", changed),
            entry("DELETE", &path(&two), "", Value::Null),
            entry("POST", "CareTeam", "", led),
            entry("GET", &format!("{}/_history", path(&one)), "", Value::Null),
            entry("GET", &format!("{}/_history/1", path(&one)), "", Value::Null),
            entry("GET", "CareTeam/_history", "", Value::Null),
            entry("GET", "CodeSystem/administrative-gender", "", Value::Null),
        ]);
        let answer = fhir.post("/", &bundle).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let got = &answer.body["entry"];
        assert_eq!((&got[0]["resource"]["gender"], &got[0]["response"]["status"]), (&json!("female"), &json!("200 OK")));
        assert_eq!((&got[1]["response"]["status"], &got[2]["response"]["status"]), (&json!("200 OK"), &json!("204 No Content")));
        let member = &got[3]["resource"]["participant"][0]["member"]["reference"];
        assert_eq!(member, &json!(format!("Practitioner/{}", id(&practitioner))));
        let past: Vec<&Value> = got[4]["resource"]["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]).collect();
        assert_eq!(past, [&got[1]["resource"], &one], "with what the transaction made of it");
        assert_eq!(got[5]["resource"], one);
        assert_eq!(got[6]["resource"]["entry"][0]["resource"], got[3]["resource"]);
        assert_eq!(got[7]["resource"]["id"], "administrative-gender");
        assert_eq!(fhir.ids("/CareTeam").await.len(), 1);
        assert_eq!(fhir.get(&format!("/{}", path(&two))).await.status, 410);
    });
}
