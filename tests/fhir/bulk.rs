//! Bulk exports as their clients see them.

use super::{Answer, Client, Clinic, id, patient};
use crate::world;
use enamel::kernel::context::Permission;
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

const ASYNC: (&str, &str) = ("prefer", "respond-async");

/// What an export wrote: resources by type, removals, remarks.
pub struct Taken {
    pub manifest: Value,
    pub resources: BTreeMap<String, Vec<Value>>,
    pub removed: Vec<String>,
    pub remarks: Vec<Value>,
}

impl Taken {
    pub fn ids(&self, type_name: &str) -> Vec<String> {
        let mut ids: Vec<String> = self.resources.get(type_name).into_iter().flatten().map(id).collect();
        ids.sort();
        ids
    }
    fn all_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.resources.values().flatten().map(id).collect();
        ids.sort();
        ids
    }
}

fn local(url: &str) -> String {
    url.split_once("/fhir/r4").unwrap().1.to_owned()
}

impl Client {
    pub async fn kick(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[ASYNC], Vec::new()).await
    }
    pub async fn kick_with(&self, path: &str, parameters: Value) -> Answer {
        let body = json!({"resourceType": "Parameters", "parameter": parameters});
        self.send(Method::POST, path, &[ASYNC, super::JSON], body.to_string().into_bytes()).await
    }
    /// Asks until the job is no more under way.
    pub async fn ended(&self, place: &str) -> Answer {
        for _ in 0..6_000 {
            let answer = self.get(place).await;
            if answer.status != StatusCode::ACCEPTED {
                return answer;
            }
            assert!(answer.headers.contains_key("retry-after") && answer.headers.contains_key("x-progress"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the job never ended");
    }
    pub async fn lines(&self, url: &str) -> Vec<Value> {
        let (status, headers, bytes) = self.raw(Method::GET, &local(url), &[], Vec::new()).await;
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (StatusCode::OK, "application/fhir+ndjson"));
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    /// All that a finished job has for us.
    async fn taken(&self, manifest: Value) -> Taken {
        let mut taken = Taken { manifest: manifest.clone(), resources: BTreeMap::new(), removed: Vec::new(), remarks: Vec::new() };
        for (key, files) in ["output", "deleted", "error"].map(|key| (key, manifest[key].as_array().unwrap())) {
            for file in files {
                let lines = self.lines(file["url"].as_str().unwrap()).await;
                assert_eq!(file["count"], lines.len());
                assert!(lines.iter().all(|line| line["resourceType"] == file["type"]), "one type a file");
                match key {
                    "output" => taken.resources.entry(file["type"].as_str().unwrap().to_owned()).or_default().extend(lines),
                    "error" => taken.remarks.extend(lines),
                    _ => taken.removed.extend(lines.iter().flat_map(|bundle| bundle["entry"].as_array().unwrap()).map(|entry| {
                        assert_eq!(entry["request"]["method"], "DELETE");
                        entry["request"]["url"].as_str().unwrap().to_owned()
                    })),
                }
            }
        }
        taken.removed.sort();
        taken
    }
    pub async fn place(&self, kicked: Answer) -> String {
        assert_eq!(kicked.status, StatusCode::ACCEPTED, "{}", kicked.body);
        local(kicked.headers["content-location"].to_str().unwrap())
    }
    async fn took(&self, kicked: Answer) -> Taken {
        let ended = self.ended(&self.place(kicked).await).await;
        assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
        self.taken(ended.body).await
    }
    pub async fn export(&self, path: &str) -> Taken {
        self.took(self.kick(path).await).await
    }
}

/// A patient with a few resources; their ids.
async fn chart(clinic: &Client, family: &str) -> (String, Vec<String>) {
    let who = id(&clinic.made(patient(family)).await);
    let subject = json!({"reference": format!("Patient/{who}")});
    let mut all = vec![who.clone()];
    for made in [
        json!({"resourceType": "Flag", "status": "active", "code": {"text": "a"}, "subject": subject}),
        json!({"resourceType": "Flag", "status": "inactive", "code": {"text": "b"}, "subject": subject}),
        json!({"resourceType": "RelatedPerson", "patient": subject, "name": [{"family": "Kin"}]}),
    ] {
        all.push(id(&clinic.made(made).await));
    }
    all.sort();
    (who, all)
}

#[test]
fn what_is_exported_is_what_single_reads_give() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let (_, mut all) = chart(&fhir, "One").await;
        all.extend(chart(&fhir, "Two").await.1);
        chart(&world.tenant("SOLO_PRACTICE", None).await.fhir(), "Foreign").await;
        let basic = id(&fhir.made(json!({"resourceType": "Basic", "code": {"text": "of nobody"}})).await);
        let taken = fhir.export("/$export").await;
        let given = &taken.manifest;
        assert_eq!(given["requiresAccessToken"], true);
        assert!(given["request"].as_str().unwrap().ends_with("/fhir/r4/$export"));
        for made in all.iter().chain([&basic]) {
            assert!(taken.all_ids().contains(made), "{made} is missing");
        }
        for (type_name, resources) in &taken.resources {
            for resource in resources {
                let read = fhir.get(&format!("/{type_name}/{}", id(resource))).await;
                assert_eq!((read.status, &read.body), (StatusCode::OK, resource));
            }
        }
        assert_eq!(taken.ids("Patient").len(), 2);
        assert!(taken.remarks.is_empty() && taken.removed.is_empty());

        let of_patients = fhir.export("/Patient/$export").await;
        all.sort();
        assert_eq!(of_patients.all_ids(), all, "the compartments and nothing else");
    });
}
