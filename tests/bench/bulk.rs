//! Bulk: what a clinic holds exported by one program, and as much imported into another clinic, as its clients see it: from the
//! kick-off to the finished job.

use crate::house::{House, Serving};
use crate::people::{Clinic, People};
use crate::stand::{Limit, Stand};
use enamel::kernel::hex::hex;
use enamel::server::start;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Clinics with all of the patients among them: each has enough to be exported for some seconds.
const CLINICS: u32 = 10;
const PATIENTS_IMPORTED: usize = 10_000;
/// Of each of these patients, in two files.
const FINDINGS: usize = 4;

struct Program<'a> {
    http: reqwest::Client,
    base: String,
    token: &'a str,
}

pub async fn measure(stand: &mut Stand, house: &House, patients: u64) {
    let people = People::make(house, "bulk", CLINICS, patients / 3, false).await;
    let prepared = start::prepare(house.config("bulk")).await.unwrap();
    prepared.kernel.storage.ensure_bucket().await.unwrap();
    prepared.stop().await;
    let server = Serving::start(house, "bulk").await;
    let mut clinics: Vec<&Clinic> = people.clinics.iter().collect();
    clinics.sort_by_key(|clinic| std::cmp::Reverse(clinic.patients));
    exports(stand, &Program::of(&server, clinics[0])).await;
    imports(stand, &Program::of(&server, clinics[1])).await;
    stand.judge("RSS of the server under bulk jobs", server.peak_rss_mib(), "MiB", Limit::Below(300.0));
    server.stop().await;
}

async fn exports(stand: &mut Stand, program: &Program<'_>) {
    let began = Instant::now();
    let done = program.done(program.ask(reqwest::Method::GET, "/fhir/r4/$export").header("prefer", "respond-async")).await;
    let took = began.elapsed().as_secs_f64();
    let files = done["output"].as_array().unwrap();
    let count: u64 = files.iter().map(|file| file["count"].as_u64().unwrap()).sum();
    stand.judge("export of a clinic", count as f64 / took, "resources/s", Limit::AtLeast(15_000.0));
    let (began, mut bytes) = (Instant::now(), 0);
    for file in files {
        let path = format!("/fhir/r4{}", file["url"].as_str().unwrap().split_once("/fhir/r4").unwrap().1);
        let mut answer = program.ask(reqwest::Method::GET, &path).send().await.unwrap();
        while let Some(chunk) = answer.chunk().await.unwrap() {
            bytes += chunk.len();
        }
    }
    let fetched = bytes as f64 / f64::from(1 << 20) / began.elapsed().as_secs_f64();
    stand.note(format!("{count} resources in {took:.1} s, {} files; fetched at {fetched:.0} MiB/s", files.len()));
}

async fn imports(stand: &mut Stand, program: &Program<'_>) {
    let (mut people, mut findings, mut flags) = (String::new(), String::new(), String::new());
    for n in 0..PATIENTS_IMPORTED {
        let subject = json!({"reference": format!("Patient/p{n}")});
        let patient = json!({"resourceType": "Patient", "id": format!("p{n}"), "birthDate": "1984-05-06", "gender": "female",
            "name": [{"family": format!("Family{n}"), "given": ["Nora"]}]});
        writeln!(people, "{patient}").unwrap();
        for value in 0..FINDINGS {
            let finding = json!({"resourceType": "Observation", "status": "final", "subject": subject, "effectiveDateTime": "2026-02-03",
                "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0"}]}, "valueQuantity": {"value": 80 + value, "unit": "mg/dL",
                "system": "http://unitsofmeasure.org", "code": "mg/dL"}});
            writeln!(findings, "{finding}").unwrap();
            let flag = json!({"resourceType": "Flag", "status": "active", "subject": subject, "code": {"text": format!("note {value}")}});
            writeln!(flags, "{flag}").unwrap();
        }
    }
    let mut parameters = vec![json!({"name": "inputSource", "valueUri": "https://elsewhere.example/fhir"})];
    for (kind, text) in [("Patient", people), ("Observation", findings), ("Flag", flags)] {
        let url = format!("Binary/{}", program.upload(text).await);
        parameters.push(json!({"name": "input", "part": [{"name": "type", "valueCode": kind}, {"name": "url", "valueUri": url}]}));
    }
    let body = json!({"resourceType": "Parameters", "parameter": parameters}).to_string();
    let order = program.ask(reqwest::Method::POST, "/fhir/r4/$import").header("prefer", "respond-async");
    let began = Instant::now();
    let done = program.done(order.header("content-type", "application/fhir+json").body(body)).await;
    let took = began.elapsed().as_secs_f64();
    let count: u64 = done["output"].as_array().unwrap().iter().map(|file| file["count"].as_u64().unwrap()).sum();
    assert_eq!(count as usize, PATIENTS_IMPORTED * (1 + 2 * FINDINGS), "{}", done["error"]);
    stand.judge("import of a clinic", count as f64 / took, "resources/s", Limit::AtLeast(5_000.0));
    stand.note(format!("{count} resources in {took:.1} s"));
}

impl<'a> Program<'a> {
    fn of(server: &Serving, clinic: &'a Clinic) -> Program<'a> {
        Program { http: reqwest::Client::new(), base: format!("http://{}", server.address), token: &clinic.tokens[0] }
    }

    fn ask(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(self.token)
    }

    /// The manifest of a job, when it is done. Its own URLs may name another address than the one we reach it by.
    async fn done(&self, kick_off: reqwest::RequestBuilder) -> Value {
        let kicked = kick_off.send().await.unwrap();
        assert_eq!(kicked.status(), 202);
        let place = kicked.headers()["content-location"].to_str().unwrap();
        let place = format!("/fhir/r4{}", place.split_once("/fhir/r4").unwrap().1);
        loop {
            let answer = self.ask(reqwest::Method::GET, &place).send().await.unwrap();
            // Whoever asks too often waits as long as the answer says.
            if answer.status() == 429 {
                let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                continue;
            }
            if answer.status() != 202 {
                let (status, text) = (answer.status(), answer.text().await.unwrap());
                assert_eq!(status, 200, "{text}");
                return serde_json::from_str(&text).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn upload(&self, text: String) -> String {
        let sum = hex(&Sha256::digest(&text));
        let file = json!({"kind": "OTHER", "file_name": "lines.ndjson", "file_type": "application/fhir+ndjson", "file_size": text.len(), "sha256": sum});
        let ticket: Value = self.ask(reqwest::Method::POST, "/api/v1/files").json(&file).send().await.unwrap().json().await.unwrap();
        let mut put = self.http.put(ticket["url"].as_str().unwrap()).body(text);
        for (name, value) in ticket["headers"].as_object().unwrap() {
            put = put.header(name, value.as_str().unwrap());
        }
        assert!(put.send().await.unwrap().status().is_success());
        let id = ticket["file"]["id"].as_str().unwrap().to_owned();
        let done = self.ask(reqwest::Method::POST, &format!("/api/v1/files/{id}/complete-upload")).json(&json!({})).send().await.unwrap();
        assert_eq!(done.status(), 200);
        id
    }
}
