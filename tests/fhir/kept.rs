//! Every official example of every type comes back as it was sent, be it a record of ours or kept whole.

use super::{Client, Clinic, bare, id, patient};
use crate::world::{self, World};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use poem::http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read;

const OFFICIAL: &[u8] = include_bytes!("../fixtures/fhir/official-r4.ndjson.gz");
const US_CORE: &[u8] = include_bytes!("../fixtures/fhir/us-core-9-examples.ndjson.gz");
const DENTAL: &[u8] = include_bytes!("../fixtures/fhir/dental-data-exchange-examples.ndjson.gz");
/// These go in by `examples.rs`, where they refer to one another.
const TOGETHER: &[u8] = include_bytes!("../fixtures/fhir/examples.ndjson.gz");
/// What only the server says, and what has a way of its own into it.
const NOT_CREATED: &[&str] = &["AuditEvent", "Binary", "CompartmentDefinition", "OperationOutcome", "Parameters", "Subscription"];

fn lines(packed: &[u8]) -> Vec<Value> {
    let mut lines = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut lines).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn title(resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap_or("?"))
}

pub fn examples() -> Vec<Value> {
    let together: HashSet<String> = lines(TOGETHER).iter().map(title).collect();
    let mut all: Vec<Value> = lines(OFFICIAL).into_iter().chain(lines(US_CORE)).chain(lines(DENTAL)).collect();
    all.retain(|one| !together.contains(&title(one)) && !NOT_CREATED.contains(&one["resourceType"].as_str().unwrap()));
    all
}

/// What points to a patient points to the one of this clinic.
pub fn joined(value: &mut Value, patient: &str) {
    match value {
        Value::Object(map) => {
            if map.get("reference").and_then(Value::as_str).is_some_and(|text| text.starts_with("Patient/")) {
                map.insert("reference".into(), json!(format!("Patient/{patient}")));
            }
            map.values_mut().for_each(|value| joined(value, patient));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| joined(value, patient)),
        _ => {}
    }
}

/// What our records are joined by points to records of this clinic.
fn refer(example: &mut Value, known: &BTreeMap<String, String>) {
    let paths: &[(&str, &str)] = match example["resourceType"].as_str().unwrap() {
        "Coverage" => &[("/payor/0/reference", "Organization")],
        "PractitionerRole" => &[("/practitioner/reference", "Practitioner"), ("/location/0/reference", "Location")],
        _ => &[],
    };
    for (path, name) in paths {
        if let Some(reference) =
            example.pointer_mut(path).filter(|it| it.as_str().is_some_and(|text| text.starts_with(&format!("{name}/"))))
        {
            *reference = json!(format!("{name}/{}", known[*name]));
        }
    }
}

/// Examples that break R4's own rules (items without linkId, narratives that show nothing, references to types that may not
/// stand there), and one longer than a body may be.
const BROKEN: &[&str] = &[
    "ActivityDefinition/blood-tubes-supply",
    "ActivityDefinition/heart-valve-replacement",
    "DeviceMetric/example",
    "DeviceUseStatement/example",
    "DiagnosticReport/cbc",
    "DocumentReference/polst",
    "EventDefinition/example",
    "MedicationRequest/medrx0301",
    "Observation/clinical-gender",
    "Questionnaire/qs1",
    "Questionnaire/zika-virus-exposure-assessment",
];

/// Bytes that came inside a document are a file, which the document names: put back in their place.
async fn with_bytes(world: &World, fhir: &Client, mut document: Value) -> Value {
    let attachment = document.pointer_mut("/content/0/attachment").filter(|of| of.get("size").is_some() && of.get("data").is_none());
    let url = attachment.as_ref().and_then(|of| of.get("url")?.as_str().filter(|url| url.starts_with("Binary/")).map(str::to_owned));
    let (Some(attachment), Some(url)) = (attachment, url) else { return document };
    let place = fhir.send(Method::GET, &format!("/{url}"), &[("accept", "application/pdf")], Vec::new()).await;
    let bytes = world.http.get(place.headers["location"].to_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
    let attachment = attachment.as_object_mut().unwrap();
    assert_eq!(attachment.shift_remove("size"), Some(json!(bytes.len())));
    attachment.shift_remove("url");
    attachment.insert("data".into(), json!(BASE64_STANDARD.encode(bytes)));
    document
}

/// The examples that break no rule, as they may be sent to a clinic which has nothing yet: each with its title.
async fn sendable(fhir: &Client) -> Vec<(String, Value)> {
    let ours = id(&fhir.made(patient("Doe")).await);
    let mut known = BTreeMap::new();
    for made in [
        json!({"resourceType": "Organization", "name": "Payer", "type": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": "pay"}]}]}),
        json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}]}),
        json!({"resourceType": "Location", "name": "Main"}),
    ] {
        let made = fhir.made(made).await;
        known.insert(made["resourceType"].as_str().unwrap().to_owned(), id(&made));
    }
    let mut all = Vec::new();
    for mut sent in examples() {
        let name = sent["resourceType"].as_str().unwrap().to_owned();
        let title = title(&sent);
        if BROKEN.contains(&title.as_str()) {
            continue;
        }
        joined(&mut sent, &ours);
        if name == "PractitionerRole" {
            // Somebody has one role at a place.
            let place = fhir.made(json!({"resourceType": "Location", "name": title})).await;
            known.insert("Location".to_owned(), id(&place));
        }
        refer(&mut sent, &known);
        if sent.pointer("/identifier/0").is_some() && name == "Patient" {
            // Two of them share an identifier, which is one patient's alone.
            sent["identifier"][0]["value"] = json!(title);
        }
        all.push((title, sent));
    }
    all
}

/// Everything a clinic has that was sent the examples of every type.
pub async fn stored(fhir: &Client) -> Vec<Value> {
    let mut types = BTreeSet::new();
    for (_, sent) in sendable(fhir).await {
        types.insert(fhir.made(sent).await["resourceType"].as_str().unwrap().to_owned());
    }
    let mut all = Vec::new();
    for name in types {
        for page in fhir.pages(&format!("/{name}?_count=200")).await {
            all.extend(page["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()));
        }
    }
    all
}

#[test]
fn every_example_of_every_type_is_kept_and_found() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let (mut seen, mut wrong) = (BTreeMap::new(), Vec::new());
        for (title, sent) in sendable(&fhir).await {
            let name = sent["resourceType"].as_str().unwrap().to_owned();
            let answer = fhir.post(&format!("/{name}"), &sent).await;
            if answer.status != 201 {
                wrong.push(format!("{title}: {} {}", answer.status, answer.body["issue"]));
                continue;
            }
            let read = fhir.get(&format!("/{name}/{}", id(&answer.body))).await;
            let back = with_bytes(world, &fhir, bare(&read.body)).await;
            if back != bare(&sent) {
                wrong.push(format!("{title}: came back as {back}"));
                continue;
            }
            // And in again as it came out.
            let again = fhir.put(&format!("/{name}/{}", id(&answer.body)), &read.body, &[]).await;
            if again.status != 200 || bare(&again.body) != bare(&read.body) {
                wrong.push(format!("{title}: put again {} {}", again.status, again.body));
                continue;
            }
            *seen.entry(name).or_insert(0) += 1;
        }
        println!("{} types", seen.len());
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert!(seen.len() >= 118, "{seen:?}");
    });
}

#[test]
fn what_is_about_nobody_we_know_is_refused() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (fhir, foreign) = (clinic.fhir(), id(&other.fhir().made(patient("Doe")).await));
        let mut told = Vec::new();
        for who in ["example", "0192f0c4-0000-7000-8000-000000000001", foreign.as_str()] {
            let subject = json!({"reference": format!("Patient/{who}")});
            for sent in [
                json!({"resourceType": "Basic", "code": {"text": "a note"}, "subject": subject}),
                json!({"resourceType": "Observation", "status": "final", "code": {"text": "a measure"}, "subject": subject}),
            ] {
                let name = sent["resourceType"].as_str().unwrap();
                let answer = fhir.post(&format!("/{name}"), &sent).await;
                assert_eq!(answer.status.as_u16() / 100, 4, "{name} of {who}: {}", answer.body);
                assert_eq!(answer.body["issue"][0]["expression"][0], format!("{name}.subject"), "{}", answer.body);
                told.push((name.to_owned(), answer.body));
            }
        }
        let first: Vec<_> = told.drain(..2).collect();
        assert!(told.chunks(2).all(|pair| pair == first), "{first:?} {told:?}");
        assert_eq!(fhir.get("/Basic?_total=accurate").await.body["total"], 0);
    });
}

/// A Communication is the record of one (R4 Communication, scope and usage); who wants something said asks by a CommunicationRequest.
#[test]
fn what_was_said_elsewhere_is_not_said_again() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = format!("Patient/{}", id(&fhir.made(patient("Lovelace")).await));
        let molar = fhir.made(json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}]})).await;
        for status in ["completed", "in-progress"] {
            let sent = json!({"resourceType": "Communication", "status": status, "subject": {"reference": ada}, "recipient": [{"reference": ada}],
                "sender": {"reference": format!("Practitioner/{}", id(&molar))}, "sent": "2019-03-02T09:00:00Z",
                "payload": [{"contentString": "The crown has come."}]});
            assert_eq!(bare(&fhir.made(sent.clone()).await), sent);
        }
        assert_eq!(fhir.ids(&format!("/Communication?subject={ada}")).await.len(), 2);
        for table in ["conversations", "messages", "notifications"] {
            let count = format!("select count(*) from enamel.{table} where tenant_id = $1");
            let rows: i64 = world.truth().await.query_one(&count, &[&clinic.id]).await.unwrap().get(0);
            assert_eq!(rows, 0, "{table}");
        }
    });
}
