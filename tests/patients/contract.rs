//! The REST contract of a record: versions, retiring, idempotency keys. Called with a caller at hand instead of a token.

use crate::world::{self, tenants::Clinic};
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::server::rest;
use poem::http::{Method, StatusCode};
use poem::{Endpoint, EndpointExt, Request, Response};
use serde_json::{Value as Json, json};
use uuid::Uuid;

struct Answer {
    status: StatusCode,
    etag: Option<String>,
    replayed: bool,
    body: Json,
}

async fn send(caller: &Caller, method: Method, path: &str, headers: &[(&'static str, &str)], body: Option<Json>) -> Answer {
    let app = poem::Route::new().nest("/api/v1", rest::service()).data(caller.clone());
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}").parse().unwrap());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = match body {
        Some(body) => request.content_type("application/json").body(body.to_string()),
        None => request.finish(),
    };
    let answer: Response = app.get_response(request).await;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, etag, replayed) = (answer.status(), header("etag"), header("idempotency-replayed").is_some());
    let bytes = answer.into_body().into_vec().await.unwrap();
    Answer { status, etag, replayed, body: serde_json::from_slice(&bytes).unwrap_or(Json::Null) }
}

/// Idempotency keys belong to a login.
fn somebody(clinic: &Clinic) -> Caller {
    clinic.world.caller(Plane::Staff, clinic.id, Some(Uuid::now_v7()), Permission::ALL)
}

#[test]
fn a_change_names_the_version_it_was_made_from() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = somebody(&clinic);
        let made = send(&staff, Method::POST, "/patients", &[], Some(json!({"last_name": "Versioned"}))).await;
        assert_eq!((made.status, made.etag.as_deref()), (StatusCode::CREATED, Some("W/\"1\"")));
        let one = format!("/patients/{}", made.body["id"].as_str().unwrap());
        let patch = async |headers: &[(&'static str, &str)]| {
            send(&staff, Method::PATCH, &one, headers, Some(json!({"first_name": "X"}))).await.status
        };
        assert_eq!(patch(&[]).await, StatusCode::PRECONDITION_REQUIRED);
        assert_eq!(patch(&[("if-match", "W/\"2\"")]).await, StatusCode::PRECONDITION_FAILED);
        assert_eq!(patch(&[("if-match", "\"other\"")]).await, StatusCode::PRECONDITION_FAILED);
        let both = tokio::join!(patch(&[("if-match", "W/\"1\"")]), patch(&[("if-match", "W/\"1\"")]));
        assert!(
            matches!(both, (StatusCode::OK, StatusCode::PRECONDITION_FAILED) | (StatusCode::PRECONDITION_FAILED, StatusCode::OK)),
            "{both:?}"
        );
        assert_eq!(send(&staff, Method::DELETE, &one, &[], None).await.status, StatusCode::PRECONDITION_REQUIRED);
        assert_eq!(send(&staff, Method::DELETE, &one, &[("if-match", "W/\"1\"")], None).await.status, StatusCode::PRECONDITION_FAILED);
    });
}

#[test]
fn a_retired_record_leaves_the_lists_and_is_still_there() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = somebody(&clinic);
        let patient = clinic.patient("Leaver").await.unwrap();
        let one = format!("/patients/{}", patient.id);
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewPatient, Permission::EditPatient]);
        assert_eq!(send(&weak, Method::DELETE, &one, &[("if-match", "W/\"1\"")], None).await.status, StatusCode::FORBIDDEN);
        let gone = send(&staff, Method::DELETE, &format!("{one}?reason=moved%20away"), &[("if-match", "W/\"1\"")], None).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        assert_eq!(send(&staff, Method::GET, &one, &[], None).await.status, StatusCode::NOT_FOUND);
        let there = send(&staff, Method::GET, &format!("{one}?include_deleted=true"), &[], None).await;
        assert_eq!((there.status, there.body["delete_reason"].as_str()), (StatusCode::OK, Some("moved away")));
        for (query, rows) in [("", 0), ("?include_deleted=true", 1)] {
            let list = send(&staff, Method::GET, &format!("/patients{query}"), &[], None).await;
            assert_eq!(list.body["items"].as_array().unwrap().len(), rows);
        }
        assert_eq!(
            send(&staff, Method::PATCH, &one, &[("if-match", "W/\"2\"")], Some(json!({"first_name": "X"}))).await.status,
            StatusCode::NOT_FOUND
        );
    });
}

#[test]
fn one_key_has_one_effect() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, other) = (somebody(&clinic), somebody(&clinic));
        let post = async |caller: &Caller, key: &str, name: &str| {
            send(caller, Method::POST, "/patients", &[("idempotency-key", key)], Some(json!({"last_name": name}))).await
        };
        let first = post(&staff, "k1", "Once").await;
        let again = post(&staff, "k1", "Once").await;
        assert_eq!((first.status, again.status, first.replayed, again.replayed), (StatusCode::CREATED, StatusCode::CREATED, false, true));
        assert_eq!((&first.body, &first.etag), (&again.body, &again.etag));
        let changed = post(&staff, "k1", "Twice").await;
        assert_eq!((changed.status, changed.body["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("idempotency.reused")));
        assert_eq!(post(&other, "k1", "Another").await.status, StatusCode::CREATED, "a key is its caller's");
        // A failure keeps no answer: the key is free for the corrected call.
        assert_eq!(post(&staff, "k2", "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(post(&staff, "k2", "Better").await.status, StatusCode::CREATED);
        let twins = futures_util::future::join_all((0..6).map(|_| post(&staff, "k3", "Twin"))).await;
        assert!(
            twins.iter().all(|twin| twin.status == StatusCode::CREATED),
            "{:?}",
            twins.iter().map(|twin| (twin.status, &twin.body)).collect::<Vec<_>>()
        );
        assert_eq!(twins.iter().filter(|twin| !twin.replayed).count(), 1);
        let stored: i64 = world
            .truth()
            .await
            .query_one(
                "select count(*) from enamel.patients where tenant_id = $1 and last_name in ('Once', 'Twice', 'Twin')",
                &[&clinic.id],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(stored, 2);
        let clear: i64 = world
            .truth()
            .await
            .query_one(
                "select count(*) from enamel.idempotency_keys k where k.tenant_id = $1 and position('Twin'::bytea in k.response_enc) > 0",
                &[&clinic.id],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(clear, 0, "kept answers are sealed");
    });
}
