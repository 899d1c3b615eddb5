//! The HTTP matrix, made from the OpenAPI document: a route added later is inside by construction. Nobody passes without a
//! token, no documented path takes an undocumented method, and on every path with an id a foreign id is answered like one
//! that never was.

use crate::world::{self, World};
use enamel::server::domains;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Path below the base, method, operation.
fn routes() -> Vec<(String, Method, Json)> {
    let document: Json = enamel::server::rest::document();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            routes.push((path.clone(), method.to_uppercase().parse().unwrap(), operation.clone()));
        }
    }
    assert!(routes.len() > 200, "the document is there");
    routes
}

/// What a caller can tell apart: status, body without the request's own id, and headers that are not of the moment.
async fn answer(world: &World, method: &Method, url: &str, token: &str) -> (StatusCode, Json, Vec<String>) {
    let mut request = world.http.request(method.clone(), url).bearer_auth(token);
    if method != Method::GET {
        request = request.header("if-match", "W/\"1\"").json(&json!({}));
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    let mut headers: Vec<String> = response.headers().keys().map(|name| name.to_string()).collect();
    headers.sort();
    let mut body: Json = response.json().await.unwrap_or(Json::Null);
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    (status, body, headers)
}

#[test]
fn nobody_passes_without_a_token() {
    world::with(async |world| {
        for (path, method, operation) in routes() {
            let url = format!("{}{}", world.base_url, path.replace("{id}", &Uuid::now_v7().to_string()));
            let public = operation["security"].as_array().is_none_or(Vec::is_empty);
            for token in [None, Some("en_at_0000000000000000000000000000000000000000000000000"), Some("garbage")] {
                let mut request = world.http.request(method.clone(), &url);
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                if method != Method::GET {
                    request = request.json(&json!({}));
                }
                let status = request.send().await.unwrap().status();
                if token.is_some() || !public {
                    assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} with {token:?}");
                } else {
                    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{method} {path}");
                }
            }
        }
    });
}

/// Paths of the FHIR contract, as an integration finds them in the capability statement: each with what it takes.
fn fhir_routes(statement: &Json) -> Vec<(String, Vec<Method>)> {
    let whole: Vec<&str> = statement["rest"][0]["interaction"].as_array().unwrap().iter().filter_map(|one| one["code"].as_str()).collect();
    let of_system = [("search-system", Method::GET), ("transaction", Method::POST)];
    let of_system = of_system.into_iter().filter(|(code, _)| whole.contains(code)).map(|(_, method)| method).collect();
    let mut routes = vec![("/fhir/r4".to_owned(), of_system), ("/fhir/r4/metadata".to_owned(), vec![Method::GET])];
    for resource in statement["rest"][0]["resource"].as_array().unwrap() {
        let name = resource["type"].as_str().unwrap();
        // Of a type that nothing is kept of there are operations alone.
        let Some(interactions) = resource["interaction"].as_array() else { continue };
        let codes: Vec<&str> = interactions.iter().filter_map(|one| one["code"].as_str()).collect();
        let take = |pairs: &[(&str, Method)]| {
            pairs.iter().filter(|(code, _)| codes.contains(code)).map(|(_, method)| method.clone()).collect::<Vec<_>>()
        };
        // Under a condition a change is asked of the type.
        let of_type = [("search-type", Method::GET), ("create", Method::POST), ("update", Method::PUT)];
        let of_type = [&of_type[..], &[("patch", Method::PATCH), ("delete", Method::DELETE)]].concat();
        routes.push((format!("/fhir/r4/{name}"), take(&of_type)));
        routes.push((format!("/fhir/r4/{name}/_search"), take(&[("search-type", Method::POST)])));
        routes.push((format!("/fhir/r4/{name}/_history"), take(&[("history-type", Method::GET)])));
        let change = [("update", Method::PUT), ("patch", Method::PATCH), ("delete", Method::DELETE)];
        routes.push((format!("/fhir/r4/{name}/{{id}}"), take(&[&[("read", Method::GET)], &change[..]].concat())));
        routes.push((format!("/fhir/r4/{name}/{{id}}/_history"), take(&[("history-instance", Method::GET)])));
        routes.push((format!("/fhir/r4/{name}/{{id}}/_history/1"), take(&[("vread", Method::GET)])));
    }
    routes
}

#[test]
fn a_method_that_is_not_documented_is_refused_with_those_that_are() {
    world::with(async |world| {
        let token = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
        let mut documented: BTreeMap<String, Vec<Method>> = BTreeMap::new();
        for (path, method, _) in routes() {
            documented.entry(path).or_default().push(method);
        }
        let statement = world.http.get(format!("{}/fhir/r4/metadata", world.base_url)).send().await.unwrap().json().await.unwrap();
        let fhir = fhir_routes(&statement);
        assert!(fhir.len() > 20, "{fhir:?}");
        documented.extend(fhir);
        let (mut asked, mut wrong) = (0, Vec::new());
        for (path, methods) in &documented {
            let url = format!("{}{}", world.base_url, path.replace("{id}", &Uuid::now_v7().to_string()));
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                if methods.contains(&method) {
                    continue;
                }
                let response = world.http.request(method.clone(), &url).bearer_auth(&token).send().await.unwrap();
                let allow = response.headers().get("allow").and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
                let mut allowed: Vec<&str> = allow.split(", ").filter(|word| !["HEAD", "OPTIONS"].contains(word)).collect();
                allowed.sort_unstable();
                let mut expected: Vec<&str> = methods.iter().map(Method::as_str).collect();
                expected.sort_unstable();
                if response.status() != StatusCode::METHOD_NOT_ALLOWED || allowed != expected {
                    wrong.push(format!("{method} {path}: {} Allow {allow}, documented {expected:?}", response.status()));
                }
                asked += 1;
            }
        }
        assert!(asked > 500, "{asked}");
        assert!(wrong.is_empty(), "{asked} asked, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// The rows of a clinic by table, through its own admin: what it can list it owns.
async fn own_ids(world: &World, token: &str) -> Map<String, Json> {
    let mut ids = Map::new();
    for (path, method, _) in routes() {
        if method != Method::GET || path.contains("{id}") || path.matches('/').count() != 3 {
            continue;
        }
        let page: Json = world
            .http
            .get(format!("{}{path}?limit=1", world.base_url))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap_or(Json::Null);
        if let Some(id) = page["items"][0]["id"].as_str() {
            ids.insert(path, json!(id));
        }
    }
    ids
}

#[test]
fn a_foreign_id_is_answered_like_one_that_never_was() {
    world::with(async |world| {
        let (ours, theirs) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (our_token, their_token) = (ours.token("TENANT_ADMIN").await, theirs.token("TENANT_ADMIN").await);
        let patient = theirs.patient("Foreign").await.unwrap();
        let api = format!("{}/api/v1", world.base_url);
        for (path, body) in [
            ("locations", json!({"name": "Site", "country": "DE", "time_zone": "Europe/Berlin"})),
            ("teams", json!({"name": "Team", "kind": "HYGIENE"})),
            ("providers", json!({"full_name": "Dr. Foreign", "specialty": "General"})),
            ("contacts", json!({"name": "A", "specialty": "B", "phone": "1", "email": "a@b.example"})),
            ("patient-identifiers", json!({"patient_id": patient.id, "system": "MRN", "value": "F-1"})),
            ("patient-addresses", json!({"patient_id": patient.id, "line1": "Street 1"})),
            ("external-contacts", json!({"patient_id": patient.id, "full_name": "Robin"})),
            ("payers", json!({"name": "Payer"})),
        ] {
            let made = world.http.post(format!("{api}/{path}")).bearer_auth(&their_token).json(&body).send().await.unwrap();
            assert_eq!(made.status(), StatusCode::CREATED, "{path}: {}", made.text().await.unwrap());
        }
        let (ids, our_ids) = (own_ids(world, &their_token).await, own_ids(world, &our_token).await);
        assert!(ids.len() >= 12, "{:?}", ids.keys().collect::<Vec<_>>());
        let mut asked = 0;
        for (path, method, _) in routes().into_iter().filter(|(path, ..)| path.contains("{id}")) {
            let collection = path.split("/{id}").next().unwrap_or_default().to_owned();
            // A projection shows the rows of its table.
            let projection = domains::projections().find(|projection| collection.ends_with(projection.path));
            let collection = projection.map_or(collection, |projection| format!("/api/v1{}", projection.table.path));
            // Paths of which their clinic has no row yet are asked with its patient's id: foreign all the same.
            let foreign = ids.get(&collection).and_then(Json::as_str).map_or_else(|| patient.id.to_string(), str::to_owned);
            let shared = ids.get(&collection).is_some_and(|id| our_ids.get(&collection) == Some(id));
            if shared {
                continue; // everybody's rows: there is no foreign one
            }
            let url = |id: &str| format!("{}{}", world.base_url, path.replace("{id}", id));
            if let (true, Some(_), &Method::GET) = (path == format!("{collection}/{{id}}"), ids.get(&collection), &method) {
                let (status, ..) = answer(world, &method, &url(&foreign), &their_token).await;
                assert_eq!(status, StatusCode::OK, "the owner of {path}");
            }
            let (to_foreign, to_random) = (
                answer(world, &method, &url(&foreign), &our_token).await,
                answer(world, &method, &url(&Uuid::now_v7().to_string()), &our_token).await,
            );
            assert_eq!(to_foreign, to_random, "{method} {path}");
            assert!(to_foreign.0.is_client_error(), "{method} {path}: {}", to_foreign.0);
            asked += 1;
        }
        assert!(asked > 100, "{asked}");
    });
}
