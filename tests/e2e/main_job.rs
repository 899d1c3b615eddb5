//! The main job on real input: a clinic's integration delivers, people read what is theirs and nothing else, and a
//! regulator proves what happened. `make demo` tells it line by line.

use super::house::House;
use super::people::Caller;
use crate::faults::ground::superuser;
use crate::faults::process::{command, run};
use crate::world;
use chrono::{SecondsFormat, TimeDelta, Timelike, Utc};
use reqwest::Method;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::Path;

const SYNTHEA: [&[u8]; 6] = [
    include_bytes!("../fixtures/synthea/5f66ecbb-b445-1290-4b55-9fc3ddfd569e.json.gz"),
    include_bytes!("../fixtures/synthea/6c8f3e83-c351-ed33-c38d-6be101c275d2.json.gz"),
    include_bytes!("../fixtures/synthea/8708d3e1-f718-96bb-03f0-f2a6564ae1cd.json.gz"),
    include_bytes!("../fixtures/synthea/8a4c9c04-1524-9f1c-d65b-9b17e4520fef.json.gz"),
    include_bytes!("../fixtures/synthea/9a174f9e-ed67-6617-0106-745fb1f9a344.json.gz"),
    include_bytes!("../fixtures/synthea/d1193889-ebd9-4e35-bf1b-8a73ecbfc00b.json.gz"),
];
const DICOM: &[u8] = include_bytes!("../fixtures/dicom/CT_small.dcm");

/// What the integration brought: patients as they were sent, by the id they got.
type Brought = BTreeMap<String, Json>;

#[test]
fn the_main_job() {
    world::runtime().block_on(async {
        let house = House::up().await;
        println!("\nEnamel is up: {}", house.base_url);
        super::week::is_read_by_all(&house).await;
        let integration = house.integration("bright-north").await;
        let brought = brings_six_patients(&house, &integration).await;
        let file = brings_an_image(&house, &integration, brought.keys().next().unwrap()).await;
        a_clinician_reads_them(&house, &brought, &file).await;
        others_see_nothing(&house, &brought, &file).await;
        the_group_sees_both_clinics(&house, &brought).await;
        a_patient_sees_herself(&house, &brought).await;
        a_regulator_proves_it(&house).await;
        house.down().await;
        println!("Everything stopped.");
    });
}

async fn brings_six_patients(house: &House, integration: &Caller<'_>) -> Brought {
    let (mut brought, mut refused, mut kept) = (Brought::new(), BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
    for packed in SYNTHEA {
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
        let mut bundle: Json = serde_json::from_str(&text).unwrap();
        // Synthea writes transactions; as a batch each entry stands for itself.
        bundle["type"] = json!("batch");
        let answer = integration.post("/fhir/r4", &bundle).await;
        assert_eq!(answer["type"], "batch-response");
        let (sent, got) = (bundle["entry"].as_array().unwrap(), answer["entry"].as_array().unwrap());
        assert_eq!(sent.len(), got.len());
        for (sent, got) in sent.iter().zip(got) {
            let kind = sent["resource"]["resourceType"].as_str().unwrap().to_owned();
            let status = got["response"]["status"].as_str().unwrap();
            if !status.starts_with("201") {
                assert!(status.starts_with('4') && got["response"]["outcome"]["resourceType"] == "OperationOutcome", "{kind}: {got}");
                *refused.entry(kind).or_default() += 1;
                continue;
            }
            let location = got["response"]["location"].as_str().unwrap().split("/_history").next().unwrap();
            let path = &location[location.find("/fhir/r4").unwrap()..];
            assert_eq!(bare(&integration.get(path).await), bare(&sent["resource"]), "{kind} is not read as it was sent");
            if kind == "Patient" {
                brought.insert(path.rsplit('/').next().unwrap().to_owned(), sent["resource"].clone());
            }
            *kept.entry(kind).or_default() += 1;
        }
    }
    assert_eq!(brought.len(), 6);
    // What was refused is nowhere: each stored resource is one that was acknowledged.
    let stored: i64 = superuser(&house.dir).await.query_one("select count(*) from enamel.fhir_extras", &[]).await.unwrap().get(0);
    assert_eq!(usize::try_from(stored).unwrap(), kept.values().sum::<usize>());
    let told =
        |counts: &BTreeMap<String, usize>| counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ");
    println!(
        "bright-north's integration posts six Synthea bundles: kept and read back as sent {}; refused one by one {} entries of {} types.",
        told(&kept),
        refused.values().sum::<usize>(),
        refused.len()
    );
    brought
}

/// Without what the server itself decides.
fn bare(resource: &Json) -> Json {
    let mut resource = resource.clone();
    let members = resource.as_object_mut().unwrap();
    members.remove("id");
    members.remove("meta");
    resource
}

async fn brings_an_image(house: &House, integration: &Caller<'_>, patient: &str) -> String {
    let sha256: String = Sha256::digest(DICOM).iter().map(|byte| format!("{byte:02x}")).collect();
    let announced = json!({
        "patient_id": patient, "kind": "DICOM", "file_name": "ct.dcm", "file_type": "application/dicom", "file_size": DICOM.len(), "sha256": sha256,
    });
    let ticket = integration.post("/api/v1/files", &announced).await;
    let uploaded = signed(house, &ticket).body(DICOM).send().await.unwrap();
    assert_eq!(uploaded.status(), 200, "{}", uploaded.text().await.unwrap());
    let id = ticket["file"]["id"].as_str().unwrap().to_owned();
    let file = integration.post(&format!("/api/v1/files/{id}/complete-upload"), &json!({})).await;
    assert_eq!(file["status"], "READY", "{file}");
    assert_eq!(download(house, integration, &id).await, DICOM);
    let studies = integration.list(&format!("/api/v1/imaging-studies?patient_id={patient}")).await;
    assert_eq!(studies.len(), 1);
    println!(
        "It uploads a DICOM file of {} bytes to a signed URL: verified, made a {} study, read back byte for byte.",
        DICOM.len(),
        studies[0]["modality"].as_str().unwrap()
    );
    id
}

fn signed(house: &House, ticket: &Json) -> reqwest::RequestBuilder {
    let mut request = house.http.request(ticket["method"].as_str().unwrap().parse().unwrap(), ticket["url"].as_str().unwrap());
    for (name, value) in ticket["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request
}

async fn download(house: &House, caller: &Caller<'_>, id: &str) -> Vec<u8> {
    let ticket = caller.post(&format!("/api/v1/files/{id}/download-link"), &json!({})).await;
    let answer = signed(house, &ticket).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    answer.bytes().await.unwrap().to_vec()
}

async fn a_clinician_reads_them(house: &House, brought: &Brought, file: &str) {
    let dentist = house.by_oidc("bright-north", "dentist@bright-north.example").await;
    for (id, sent) in brought {
        let row = dentist.get(&format!("/api/v1/patients/{id}")).await;
        assert_eq!(row["last_name"], sent["name"][0]["family"]);
        assert_eq!(row["dob"], sent["birthDate"]);
        assert_eq!(bare(&dentist.get(&format!("/fhir/r4/Patient/{id}")).await), bare(sent));
    }
    assert_eq!(download(house, &dentist, file).await, DICOM);
    println!("Elena Marsh, signed in at her clinic's OIDC provider, reads all six by REST and by FHIR, and the image.");
}

async fn others_see_nothing(house: &House, brought: &Brought, file: &str) {
    for (slug, email) in [("bright-south", "admin@bright-south.example"), ("oak-street", "admin@oak-street.example")] {
        let (person, program) = (house.by_password(slug, email).await, house.integration(slug).await);
        let seen: HashSet<String> = person.list("/api/v1/patients?limit=100").await.iter().map(id_of).collect();
        assert!(!seen.is_empty(), "{slug} has patients of its own");
        for (id, sent) in brought {
            assert!(!seen.contains(id));
            for caller in [&person, &program] {
                assert_eq!(caller.status(&format!("/api/v1/patients/{id}")).await, 404);
                assert_eq!(caller.status(&format!("/fhir/r4/Patient/{id}")).await, 404);
                let found = caller.get(&format!("/fhir/r4/Patient?family={}", sent["name"][0]["family"].as_str().unwrap())).await;
                assert!(
                    found["entry"].as_array().is_none_or(|entries| entries.iter().all(|entry| entry["resource"]["id"] != id.as_str())),
                    "{found}"
                );
            }
        }
        assert_eq!(person.status(&format!("/api/v1/files/{file}")).await, 404);
        let link = person.send(Method::POST, &format!("/api/v1/files/{file}/download-link"), Some(&json!({}))).await;
        assert_eq!(link.status(), 404);
    }
    println!("bright-south and oak-street, people and programs, find none of it under any id or name.");
}

fn id_of(record: &Json) -> String {
    record["id"].as_str().unwrap().to_owned()
}

async fn the_group_sees_both_clinics(house: &House, brought: &Brought) {
    let director = house.by_password("bright-smiles", "director@bright-smiles.example").await;
    let page = director.get("/api/v1/patients?limit=100").await;
    let rows = page["items"].as_array().unwrap();
    assert!(page["next"].is_null());
    let seen: HashSet<String> = rows.iter().map(id_of).collect();
    assert!(brought.keys().all(|id| seen.contains(id)), "the group misses a patient");
    let mut by_clinic: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *by_clinic.entry(row["tenant_id"].as_str().unwrap()).or_default() += 1;
    }
    let ids = ["bright-north", "bright-south"].map(|slug| house.tenant(slug)["id"].as_str().unwrap());
    assert_eq!(by_clinic.keys().copied().collect::<HashSet<_>>(), HashSet::from(ids), "other tenants than its own clinics");
    println!("The director of Bright Smiles sees {} of the north and {} of the south in one page.", by_clinic[ids[0]], by_clinic[ids[1]]);
}

async fn a_patient_sees_herself(house: &House, brought: &Brought) {
    let mara = house.by_password("bright-north", "mara@patients.example").await;
    let rows = mara.list("/api/v1/patients?limit=100").await;
    let seen: HashSet<String> = rows.iter().map(id_of).collect();
    let own: HashSet<String> = ["bright-north", "bright-south"]
        .into_iter()
        .map(|slug| {
            let patients = house.tenant(slug)["patients"].as_array().unwrap();
            id_of(patients.iter().find(|patient| patient["user_email"] == "mara@patients.example").unwrap())
        })
        .collect();
    assert_eq!((seen, own.len()), (own, 2));
    for id in brought.keys() {
        assert_eq!(mara.status(&format!("/api/v1/patients/{id}")).await, 404);
    }
    println!("Mara Lindqvist sees her own two charts, one in each clinic that knows her, and nobody else's.");
}

async fn a_regulator_proves_it(house: &House) {
    let inspector = house.by_password("regulator", "inspector@regulator.example").await;
    let now = Utc::now();
    let midnight = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let next_hour = now.date_naive().and_hms_opt(now.hour(), 0, 0).unwrap().and_utc() + TimeDelta::hours(1);
    let stamp = |at: chrono::DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let asked = json!({"tenant_id": house.tenant("bright-north")["id"], "from": stamp(midnight), "to": stamp(next_hour)});
    let package = inspector.send(Method::POST, "/api/v1/audit-events/export", Some(&asked)).await;
    assert_eq!(package.status(), 200, "{}", package.text().await.unwrap());
    let bytes = package.bytes().await.unwrap();
    let (whole, changed) = (house.dir.join("whole.ndjson.gz"), house.dir.join("changed.ndjson.gz"));
    std::fs::write(&whole, &bytes).unwrap();
    std::fs::write(&changed, tampered(&bytes)).unwrap();
    let keys = inspector.get("/api/v1/audit-keys").await;
    let keys: Vec<String> = ["sealing_key", "anchoring_key", "export_key"]
        .iter()
        .flat_map(|name| ["--key".to_owned(), keys[name].as_str().unwrap().to_owned()])
        .collect();
    let rust = rust_verifier(&keys, &whole, house).await;
    assert_eq!(rust.0, Some(0), "{}", rust.1);
    let python = python_verifier(&keys, &whole).await;
    assert_eq!(python.0, Some(0), "{}", python.1);
    for (code, said) in [rust_verifier(&keys, &changed, house).await, python_verifier(&keys, &changed).await] {
        assert_eq!(code, Some(1), "a changed package is taken for whole: {said}");
    }
    println!(
        "The regulator exports bright-north's audit of today ({} bytes); both verifiers say: {}",
        bytes.len(),
        python.1.lines().next().unwrap_or_default()
    );
}

/// One event reads differently.
fn tampered(package: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(package).read_to_string(&mut text).unwrap();
    assert!(text.contains("PATIENT_VIEWED"), "no patient was viewed");
    let changed = text.replacen("PATIENT_VIEWED", "PATIENT_UPDATED", 1);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, changed.as_bytes()).unwrap();
    packed.finish().unwrap()
}

async fn rust_verifier(keys: &[String], package: &Path, house: &House) -> (Option<i32>, String) {
    let mut verify = command(["audit", "verify"]);
    verify.args(keys).arg(package);
    let ended = run(verify, &house.dir.join(uuid::Uuid::new_v4().to_string())).await;
    (ended.status.code(), ended.said)
}

async fn python_verifier(keys: &[String], package: &Path) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/verify/verify.py");
    let output = tokio::process::Command::new("python3").arg(script).args(keys).arg(package).output().await.unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
