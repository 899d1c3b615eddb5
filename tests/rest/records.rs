//! Records over HTTP: created, read, changed, retired; and refused with every fault named.

use crate::world;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};

#[test]
fn a_record_lives_its_life_over_http() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let url = format!("{}/api/v1/patients", world.base_url);
        let made = world
            .http
            .post(&url)
            .bearer_auth(&token)
            .json(&json!({"first_name": "Ada", "last_name": "Quill", "dob": "1990-02-03"}))
            .send()
            .await
            .unwrap();
        assert_eq!(made.status(), StatusCode::CREATED);
        let etag = made.headers()["etag"].to_str().unwrap().to_owned();
        let body: Json = made.json().await.unwrap();
        assert_eq!((body["full_name"].as_str(), etag.as_str()), (Some("Ada Quill"), "W/\"1\""));

        let one = format!("{url}/{}", body["id"].as_str().unwrap());
        let read: Json = world.http.get(&one).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
        assert_eq!(read, body);
        let unguarded = world.http.patch(&one).bearer_auth(&token).json(&json!({"dob": null})).send().await.unwrap();
        assert_eq!(unguarded.status(), StatusCode::PRECONDITION_REQUIRED);
        let changed =
            world.http.patch(&one).bearer_auth(&token).header("if-match", &etag).json(&json!({"dob": null})).send().await.unwrap();
        assert_eq!(changed.status(), StatusCode::OK);
        let stale =
            world.http.patch(&one).bearer_auth(&token).header("if-match", &etag).json(&json!({"dob": "1990-02-03"})).send().await.unwrap();
        assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
        let gone = world.http.delete(&one).bearer_auth(&token).header("if-match", "W/\"2\"").send().await.unwrap();
        assert_eq!(gone.status(), StatusCode::NO_CONTENT);
        assert_eq!(world.http.get(&one).bearer_auth(&token).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_bad_body_is_told_every_fault_and_no_value() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let url = format!("{}/api/v1/patients", world.base_url);
        let bad = json!({"first_name": 7, "dob": "1990-13-01", "phone_mobile": "secret-phone", "status": "ACTIVE", "shoe_size": 43});
        let refused = world.http.post(&url).bearer_auth(&token).json(&bad).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let text = refused.text().await.unwrap();
        assert!(!text.contains("secret-phone") && !text.contains("1990-13"), "{text}");
        let problem: Json = serde_json::from_str(&text).unwrap();
        let mut fields: Vec<&str> = problem["errors"].as_array().unwrap().iter().filter_map(|fault| fault["field"].as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["dob", "first_name", "last_name", "phone_mobile", "shoe_size", "status"]);
    });
}
