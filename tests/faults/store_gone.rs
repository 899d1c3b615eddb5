//! P7: without the object store everything that needs no file works on.

use super::ground::Ground;
use crate::world;
use reqwest::StatusCode;
use serde_json::Value as Json;
use std::time::{Duration, Instant};

#[test]
fn without_the_object_store_the_rest_works_on() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("storeless").await;
        let server = house.serve().await;
        let staff = house.staff().await;
        let ready = async || reqwest::get(format!("{}/readyz", house.admin_url)).await.unwrap().json::<Json>().await.unwrap();
        assert_eq!(ready().await["failing"], serde_json::json!(["object_store"]));
        let made = staff.patient("Fileless").await;
        let read = staff.get(&format!("/patients/{}", made["id"].as_str().unwrap())).send().await.unwrap();
        assert_eq!(read.status(), StatusCode::OK);

        let store = house.store().await;
        ready_within(&house.admin_url, Duration::from_secs(10)).await;
        store.stop().await;
        assert_eq!(ready().await["failing"], serde_json::json!(["object_store"]));
        drop(server);
    });
}

async fn ready_within(admin_url: &str, patience: Duration) {
    let began = Instant::now();
    while reqwest::get(format!("{admin_url}/readyz")).await.unwrap().status() != StatusCode::OK {
        assert!(began.elapsed() < patience, "not ready after {patience:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
