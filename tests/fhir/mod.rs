//! FHIR as its clients see it: the contract without the sign-in before it, called with callers made by hand.

mod asked;
mod batch;
mod bulk;
mod bulk_jobs;
mod change;
mod clients;
mod comparison;
mod condition;
mod differential;
mod directory;
mod document;
mod everything;
mod examples;
mod forms;
mod hostile;
mod import;
mod indexed;
mod kept;
mod linked;
mod mapped;
mod meaning;
mod moves;
mod operations;
mod past;
mod patch;
mod planes;
mod profiles;
mod provenance;
mod scopes;
mod search;
mod seek;
mod stale;
mod system;
mod transaction;
mod words;

use crate::world::World;
pub use crate::world::tenants::Clinic;
use enamel::fhir::{DOCUMENT, xml};
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::server::{self, Contract, fhir, guard};
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderMap, Method, StatusCode};
use poem::{Endpoint, EndpointExt, Request, Route};
use serde_json::{Value, json};
use std::sync::OnceLock;
use uuid::Uuid;

pub struct Client {
    world: &'static World,
    pub caller: Caller,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Clinic {
    pub fn fhir(&self) -> Client {
        Client { world: self.world, caller: self.staff() }
    }
}

impl World {
    /// A patient who signed in to each of these charts.
    pub async fn portal(&'static self, charts: &[(Uuid, Uuid)]) -> Client {
        let user = self.patient_login(charts).await;
        let mut caller = self.caller(Plane::Patient, Uuid::nil(), Some(user), Permission::ALL);
        caller.context.tenant = None;
        self.fhir(caller)
    }
    pub fn fhir(&'static self, caller: Caller) -> Client {
        Client { world: self, caller }
    }
}

/// Built once, for that takes longer than answering a request; who asks comes with the request.
fn app(world: &'static World) -> &'static BoxEndpoint<'static> {
    static APP: OnceLock<BoxEndpoint<'static>> = OnceLock::new();
    APP.get_or_init(|| {
        let server = &world.kernel.config.server;
        let routes = Route::new().nest(fhir::PATH, fhir::routes(&world.kernel));
        guard(routes, server::app::describe(Contract::new(server)), server).boxed()
    })
}

impl Client {
    /// The bytes of an answer, whatever they are.
    pub async fn raw(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::builder().method(method).uri_str(format!("/fhir/r4{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body);
        request.extensions_mut().insert(self.caller.clone());
        let response = app(self.world).call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.into_vec().await.unwrap())
    }
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let (status, headers, bytes) = self.raw(method, path, headers, body).await;
        let is_xml = headers.get("content-type").is_some_and(|kind| kind.to_str().unwrap().contains("xml"));
        let body = match (bytes.is_empty(), is_xml) {
            (true, _) => Value::Null,
            (false, true) => xml::read(&bytes, DOCUMENT).unwrap(),
            (false, false) => serde_json::from_slice(&bytes).unwrap(),
        };
        Answer { status, headers, body }
    }
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Vec::new()).await
    }
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[JSON], body.to_string().into_bytes()).await
    }
    pub async fn put(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let headers: Vec<_> = [JSON].iter().chain(headers).copied().collect();
        self.send(Method::PUT, path, &headers, body.to_string().into_bytes()).await
    }
    /// Creates a resource and gives it as stored.
    pub async fn made(&self, body: Value) -> Value {
        let name = body["resourceType"].as_str().unwrap().to_owned();
        let answer = self.post(&format!("/{name}"), &body).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.body);
        answer.body
    }
    /// All pages of a search, a history or an operation.
    pub async fn pages(&self, first: &str) -> Vec<Value> {
        let (mut pages, mut next) = (Vec::new(), Some(first.to_owned()));
        while let Some(path) = next {
            let page = self.get(&path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            next = self::next(&page.body);
            pages.push(page.body);
        }
        pages
    }
    /// Ids of a search, page by page.
    pub async fn paged(&self, first: &str) -> Vec<String> {
        self.pages(first).await.iter().flat_map(ids).collect()
    }
    /// Ids of a search, in order.
    pub async fn ids(&self, path: &str) -> Vec<String> {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        ids(&answer.body)
    }
}

pub const JSON: (&str, &str) = ("content-type", "application/fhir+json");

pub fn ids(bundle: &Value) -> Vec<String> {
    bundle["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["search"]["mode"] == "match")
        .map(|entry| id(&entry["resource"]))
        .collect()
}

/// The path of the page behind this one.
pub fn next(page: &Value) -> Option<String> {
    let next = page["link"].as_array()?.iter().find(|link| link["relation"] == "next")?;
    Some(next["url"].as_str()?.split_once("/fhir/r4")?.1.to_owned())
}

pub fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}

pub fn patient(family: &str) -> Value {
    json!({"resourceType": "Patient", "name": [{"family": family, "given": ["Ada"]}]})
}

/// Without what the server decides, and without an empty meta.
pub fn bare(resource: &Value) -> Value {
    let mut resource = resource.clone();
    let map = resource.as_object_mut().unwrap();
    map.shift_remove("id");
    if let Some(meta) = map.get_mut("meta").and_then(Value::as_object_mut) {
        meta.shift_remove("versionId");
        meta.shift_remove("lastUpdated");
        if meta.is_empty() {
            map.shift_remove("meta");
        }
    }
    resource
}
