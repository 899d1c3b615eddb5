//! FHIR as programs use it, in one clinic of the installation: against pgbench sending the same statements, and in requests a
//! second against three times (reads 1.3, transactions 2.3 times) what the fastest public server was seen to do on two cores
//! with 16 connections, without authentication, row-level security and audit.

use crate::baseline;
use crate::house::{House, Serving};
use crate::load::{self, Load};
use crate::peer::Peer;
use crate::people::{Clinic, People, patient_id};
use crate::proxy::Watch;
use crate::stand::{Limit, Stand, median};
use crate::{CONNECTIONS, Size};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Read;
use std::slice::from_ref;
use std::time::Instant;

/// What is searched: so many patients of the clinic have so many Observations each.
pub const PATIENTS: u64 = 2_000;
pub const OBSERVATIONS: u64 = 10;
const CODES: [&str; 5] = ["2339-0", "4548-4", "2093-3", "718-7", "2160-0"];
/// Records that move in at the same time.
pub const STREAMS: usize = 6;

pub struct Search {
    pub name: &'static str,
    pub path: &'static str,
    /// Of the time of the bare statements by pgbench.
    most: f64,
    /// Requests a second.
    pub least: Option<f64>,
}

pub const SEARCHES: &[Search] = &[
    Search {
        name: "token and date",
        path: "Observation?code=http://loinc.org%7C4548-4&date=ge2025-06-01&_count=20",
        most: 3.0,
        least: Some(1_530.0),
    },
    Search { name: "name, sorted", path: "Patient?family=m&_sort=family&_count=20", most: 3.0, least: Some(1_080.0) },
    Search { name: "chained", path: "Observation?patient.family=neumann&code=http://loinc.org%7C4548-4&_count=20", most: 4.0, least: None },
    Search {
        name: "with _include",
        path: "Observation?code=http://loinc.org%7C4548-4&_include=Observation:subject&_count=20",
        most: 4.0,
        least: None,
    },
];

const SYNTHEA: [&[u8]; 6] = [
    include_bytes!("../fixtures/synthea/5f66ecbb-b445-1290-4b55-9fc3ddfd569e.json.gz"),
    include_bytes!("../fixtures/synthea/6c8f3e83-c351-ed33-c38d-6be101c275d2.json.gz"),
    include_bytes!("../fixtures/synthea/8708d3e1-f718-96bb-03f0-f2a6564ae1cd.json.gz"),
    include_bytes!("../fixtures/synthea/8a4c9c04-1524-9f1c-d65b-9b17e4520fef.json.gz"),
    include_bytes!("../fixtures/synthea/9a174f9e-ed67-6617-0106-745fb1f9a344.json.gz"),
    include_bytes!("../fixtures/synthea/d1193889-ebd9-4e35-bf1b-8a73ecbfc00b.json.gz"),
];

pub async fn measure(stand: &mut Stand, house: &House, people: &People, server: &Serving, watch: &Watch, size: Size) {
    let clinic = people.clinics.iter().max_by_key(|clinic| clinic.patients).unwrap();
    observe(stand, server, clinic).await;
    people.truth.batch_execute("vacuum (analyze)").await.unwrap();
    for search in SEARCHES {
        searches(stand, house, people, server, watch, clinic, search, size).await;
    }
    changes(stand, house, people, server, watch, clinic, size).await;
    transactions(stand, people, server, clinic, size).await;
    if let Some(peer) = Peer::named() {
        peer.measure(stand, people, server, clinic, size).await;
    }
}

pub fn patient(family: &str) -> Value {
    json!({"resourceType": "Patient", "name": [{"family": family, "given": ["Nora"]}], "birthDate": "1984-05-06", "gender": "female",
        "telecom": [{"system": "phone", "use": "mobile", "value": "+4915112345678"}]})
}

pub fn observation(patient: &str, n: u64) -> Value {
    let day = format!("202{}-{:02}-{:02}", 3 + n % 4, 1 + n % 12, 1 + n % 28);
    json!({"resourceType": "Observation", "status": "final", "subject": {"reference": format!("Patient/{patient}")},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": CODES[(n % 5) as usize]}]}, "effectiveDateTime": day,
        "valueQuantity": {"value": 80 + n % 40, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}})
}

/// The clinic's Observations, by transactions of 500.
async fn observe(stand: &Stand, server: &Serving, clinic: &Clinic) {
    let patients = PATIENTS.min(clinic.patients);
    let all: Vec<Value> = (0..patients * OBSERVATIONS)
        .map(|n| json!({"request": {"method": "POST", "url": "Observation"}, "resource": observation(&patient_id(clinic.first + n % patients), n / patients + n)}))
        .collect();
    let began = Instant::now();
    for part in all.chunks(500) {
        post(server, clinic, &json!({"resourceType": "Bundle", "type": "transaction", "entry": part})).await;
    }
    let took = began.elapsed().as_secs_f64();
    stand.note(format!(
        "{} Observations of {patients} patients by one stream of transactions: {:.0}/s",
        all.len(),
        all.len() as f64 / took
    ));
}

async fn post(server: &Serving, clinic: &Clinic, body: &Value) -> Value {
    let url = format!(
        "http://{}/fhir/r4{}",
        server.address,
        body["resourceType"].as_str().filter(|name| *name != "Bundle").map_or(String::new(), |name| format!("/{name}"))
    );
    let answer = reqwest::Client::new().post(url).bearer_auth(&clinic.tokens[0]).json(body).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{text}");
    serde_json::from_str(&text).unwrap()
}

#[allow(clippy::too_many_arguments, reason = "a measurement takes what it compares")]
async fn searches(
    stand: &mut Stand,
    house: &House,
    people: &People,
    server: &Serving,
    watch: &Watch,
    clinic: &Clinic,
    search: &Search,
    size: Size,
) {
    let path = format!("/fhir/r4/{}", search.path);
    let watched = watch.see(&Load::page(&watch.server, clinic, &path)).await;
    let (page, script) = (Load::page(server, clinic, &path), baseline::list(&watched));
    load::run(&page, 1, 0.5).await;
    let (mut ratios, mut rates, mut last) = (Vec::new(), Vec::new(), (0.0, 0.0));
    for _ in 0..size.rounds {
        let ours = load::run(&page, 1, size.seconds / 4.0).await.mean_ms;
        let theirs = 1_000.0 / baseline::tps(house, people, &script, 1, size.seconds / 4.0).await;
        ratios.push(ours / theirs);
        last = (ours, theirs);
        rates.push(load::run(&page, CONNECTIONS, size.seconds / 2.0).await.rate);
    }
    stand.judge(&format!("search by {}, of pgbench", search.name), median(ratios), "×", Limit::AtMost(search.most));
    stand.note(format!("{:.2} ms against {:.2} ms", last.0, last.1));
    stand.judge(&format!("round trips for a search by {}", search.name), watched.round_trips, "round trips", Limit::AtMost(1.0));
    match search.least {
        Some(least) => stand.judge(&format!("search by {}", search.name), median(rates), "/s", Limit::AtLeast(least)),
        None => stand.note(format!("{:.0}/s of {CONNECTIONS} connections", median(rates))),
    }
}

async fn changes(stand: &mut Stand, house: &House, people: &People, server: &Serving, watch: &Watch, clinic: &Clinic, size: Size) {
    let patient = patient("Neumann");
    type Make<'m> = &'m dyn Fn(&Serving) -> Load;
    let own = from_ref(clinic);
    let all: [(&str, Make<'_>, f64); 3] = [
        ("creates of a Patient", &|to| Load::posts(to, own, "/fhir/r4/Patient", vec![patient.to_string()]), 1_530.0),
        (
            "creates of an Observation",
            &|to| Load::posts(to, own, "/fhir/r4/Observation", vec![observation("PATIENT_ID", 3).to_string()]),
            1_530.0,
        ),
        ("updates of a Patient", &|to| Load::updates(to, own), 810.0),
    ];
    for (what, make, least) in all {
        let watched = watch.see(&make(&watch.server)).await;
        let (load, script) = (make(server), baseline::change(&watched));
        load::run(&load, CONNECTIONS, 1.0).await;
        let (mut ratios, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..size.rounds {
            people.settle().await;
            let ours = load::run(&load, CONNECTIONS, size.seconds / 2.0).await.rate;
            rates.push(ours);
            if what.starts_with("creates") {
                ratios.push(ours / baseline::tps(house, people, &script, CONNECTIONS, size.seconds / 2.0).await);
            }
        }
        if !ratios.is_empty() {
            stand.judge(&format!("{what} by FHIR, of pgbench"), median(ratios), "×", Limit::AtLeast(0.35));
        }
        stand.judge(&format!("{what} by FHIR"), median(rates), "/s", Limit::AtLeast(least));
        stand.note(format!("{} round trips", watched.round_trips));
    }
}

/// Whole records of patients, and how many resources each of them is.
pub struct Records {
    pub bodies: Vec<String>,
    pub each: f64,
    /// Whom they name by an identifier, who must be there before.
    pub named: Vec<Value>,
}

pub fn records() -> Records {
    let (mut bodies, mut entries, mut named) = (Vec::new(), 0, BTreeSet::new());
    for packed in SYNTHEA {
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
        let mut bundle: Value = serde_json::from_str(&text).unwrap();
        // A patient has their identifiers once in a clinic.
        for entry in bundle["entry"].as_array_mut().unwrap().iter_mut().filter(|entry| entry["resource"]["resourceType"] == "Patient") {
            entry["resource"].as_object_mut().unwrap().remove("identifier");
        }
        entries += bundle["entry"].as_array().unwrap().len();
        named.extend(enamel::fhir::link::conditional(&bundle));
        bodies.push(bundle.to_string());
    }
    let each = entries as f64 / bodies.len() as f64;
    let one = |condition: &String| {
        let (name, identifier) = condition.split_once("?identifier=").unwrap();
        let (system, value) = identifier.split_once('|').unwrap();
        let name_of = if name == "Practitioner" { json!([{"family": "Molar"}]) } else { json!("Somewhere") };
        let mut one = json!({"resourceType": name, "identifier": [{"system": system, "value": value}], "name": name_of});
        if name == "Location" {
            one["address"] = json!({"line": ["1 Main St"], "city": "Amherst", "state": "MA", "postalCode": "01002"});
        }
        one
    };
    Records { bodies, each, named: named.iter().map(one).collect() }
}

/// They move in again and again under new ids.
async fn transactions(stand: &mut Stand, people: &People, server: &Serving, clinic: &Clinic, size: Size) {
    let Records { bodies, each, named } = records();
    for one in &named {
        post(server, clinic, one).await;
    }
    let load = Load::posts(server, from_ref(clinic), "/fhir/r4", bodies);
    load::run(&load, STREAMS, 2.0).await;
    let mut rates = Vec::new();
    for _ in 0..size.rounds {
        people.settle().await;
        rates.push(load::run(&load, STREAMS, size.seconds * 2.0).await.rate * each);
    }
    stand.judge("resources by transactions of whole records", median(rates), "resources/s", Limit::AtLeast(2_000.0));
    stand.note(format!("{STREAMS} streams, {each:.0} resources a transaction"));
}
