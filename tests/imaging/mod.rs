//! Files and images: announced, uploaded over real HTTP, verified, read back through signed URLs.
mod annotations;
mod dicom_files;
pub mod documents;
mod downloads;
mod headers;
mod receiving;
mod uploads;

use crate::world::World;
use crate::world::tenants::Clinic;
use aws_sdk_s3::config::{Credentials, Region};
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Result;
use enamel::kernel::hex::hex;
use enamel::kernel::operation::{Answer, Call, Run, checked};
use enamel::kernel::table::Record;
use secrecy::ExposeSecret;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use uuid::Uuid;

pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and a few bytes more";

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub fn fixture_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dicom").join(name)
}

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixture_path(name)).unwrap()
}

/// Calls an operation as its contract does, below HTTP.
pub async fn call(caller: &Caller, operation: &str, id: Option<Uuid>, body: Json) -> Result<Answer> {
    let operation = enamel::imaging::OPERATIONS.iter().find(|known| known.id == operation).unwrap();
    caller.on(operation.planes)?;
    caller.needs(operation.permission)?;
    let body = body.as_object().unwrap().clone();
    let input = checked(operation, &body)?;
    let call = Call { operation, caller: caller.clone(), id, input, body, version: None };
    match operation.run {
        Run::Apart(run) => run(call).await,
        Run::Inside(run) => {
            let mut scope = caller.kernel.door.open(&caller.context).await?;
            let answer = run(&mut scope, &call).await?;
            scope.commit().await?;
            Ok(answer)
        }
    }
}

pub async fn object(caller: &Caller, operation: &str, id: Option<Uuid>, body: Json) -> Result<Map<String, Json>> {
    match call(caller, operation, id, body).await? {
        Answer::Object(members) | Answer::Made(_, members) => Ok(members),
        _ => panic!("{operation} gave no object"),
    }
}

pub async fn record(caller: &Caller, operation: &str, id: Uuid, body: Json) -> Result<Record> {
    match call(caller, operation, Some(id), body).await? {
        Answer::Record(record) => Ok(record),
        _ => panic!("{operation} gave no record"),
    }
}

pub fn refusal<T>(result: Result<T>) -> &'static str {
    result.err().map_or("nothing was refused", |refusal| refusal.code.code)
}

/// What is announced for these bytes.
pub fn announcement(patient: Option<Uuid>, media_type: &str, bytes: &[u8]) -> Json {
    let mut body = json!({
        "kind": "PHOTO", "file_name": "Röntgen 36.png", "file_type": media_type, "file_size": bytes.len(), "sha256": sha256(bytes),
    });
    if let Some(patient) = patient {
        body["patient_id"] = json!(patient);
    }
    body
}

pub fn id_of(ticket: &Map<String, Json>) -> Uuid {
    ticket["file"]["id"].as_str().unwrap().parse().unwrap()
}

/// Sends a signed request exactly as it was handed out; changed headers and bodies are the test's.
pub async fn send(world: &World, ticket: &Map<String, Json>, body: Vec<u8>) -> reqwest::Response {
    let mut request = world.http.request(ticket["method"].as_str().unwrap().parse().unwrap(), ticket["url"].as_str().unwrap());
    for (name, value) in ticket["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.body(body).send().await.unwrap()
}

/// Announced and uploaded, not completed.
pub async fn uploaded(caller: &Caller, world: &World, patient: Option<Uuid>, media_type: &str, bytes: &[u8]) -> Uuid {
    let ticket = object(caller, "createFile", None, announcement(patient, media_type, bytes)).await.unwrap();
    let answer = send(world, &ticket, bytes.to_vec()).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    id_of(&ticket)
}

pub async fn complete(caller: &Caller, id: Uuid) -> Result<Record> {
    record(caller, "completeFileUpload", id, json!({})).await
}

/// Counts what is really there.
pub async fn count(world: &World, sql: &str, tenant: Uuid) -> i64 {
    world.truth().await.query_one(sql, &[&tenant]).await.unwrap().get(0)
}

/// The key of an object, for tests that play a store that checks nothing.
pub async fn object_key(world: &World, id: Uuid) -> String {
    world.truth().await.query_one("select storage_key from enamel.files where id = $1", &[&id]).await.unwrap().get(0)
}

/// How many objects of a tenant lie in the store.
pub async fn objects(world: &World, tenant: Uuid) -> usize {
    let storage = &world.config.storage;
    let keys = Credentials::new(&storage.access_key, storage.secret_key.expose_secret(), None, None, "test");
    let config = aws_sdk_s3::config::Builder::new().behavior_version_latest().region(Region::new(storage.region.clone()));
    let config = config.endpoint_url(storage.endpoint.clone()).force_path_style(true).credentials_provider(keys).build();
    let listed = aws_sdk_s3::Client::from_conf(config).list_objects_v2().bucket(&storage.bucket).prefix(format!("{tenant}/")).send();
    listed.await.unwrap().contents().len()
}

pub async fn clinic(world: &'static World) -> Clinic {
    world.tenant("GROUP_PRACTICE", None).await
}

/// A patient's own login, with its portal account at that clinic.
pub async fn login(world: &'static World, clinic: &Clinic, patient: Uuid) -> Caller {
    let user = world.patient_login(&[(clinic.id, patient)]).await;
    let mut caller = world.caller(Plane::Patient, clinic.id, Some(user), Permission::ALL);
    caller.context.tenant = None;
    caller
}
