//! P7: PostgreSQL dies or hangs; every request is answered within its deadline, and the server heals by itself.

use super::ground::Doomed;
use super::people::Staff;
use super::process::{family, postmaster, signal_all};
use crate::world;
use nix::sys::signal::Signal;
use reqwest::{Response, StatusCode};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

/// The request deadline of the test's configuration, and a moment for the answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Healing by itself includes replacing every broken connection.
const HEALED: Duration = Duration::from_secs(40);

#[test]
fn postgresql_killed_is_503_and_healed_when_it_is_back() {
    world::runtime().block_on(async {
        let Doomed { dir, cluster, house } = Doomed::new("gone").await;
        let _store = house.store().await;
        let server = house.serve().await;
        let staff = house.staff().await;
        let id = staff.patient("Before").await["id"].as_str().unwrap().to_owned();

        signal_all(&[postmaster(&dir).unwrap()], Signal::SIGKILL);
        tokio::time::timeout(Duration::from_secs(5), cluster.ended()).await.unwrap();
        refused_in_time(&staff, &id).await;
        assert_eq!(probe(&house.admin_url, "/livez").await.status(), StatusCode::OK);
        // A backend may outlive its postmaster for a moment.
        let began = Instant::now();
        let mut ready = probe(&house.admin_url, "/readyz").await;
        while ready.status() == StatusCode::OK && began.elapsed() < HEALED {
            tokio::time::sleep(Duration::from_millis(20)).await;
            ready = probe(&house.admin_url, "/readyz").await;
        }
        assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
        let ready: Json = ready.json().await.unwrap();
        assert!(ready["failing"].as_array().unwrap().contains(&json!("database")), "{ready}");

        drop(cluster);
        let _cluster = Doomed::start(&dir).await;
        healed(&staff, &id).await;
        drop(server);
    });
}

#[test]
fn postgresql_hanging_is_503_within_the_deadline() {
    world::runtime().block_on(async {
        let Doomed { dir, cluster: _cluster, house } = Doomed::new("hanging").await;
        let server = house.serve().await;
        let staff = house.staff().await;
        let id = staff.patient("Before").await["id"].as_str().unwrap().to_owned();
        let servers = family(postmaster(&dir).unwrap());
        signal_all(&servers, Signal::SIGSTOP);
        refused_in_time(&staff, &id).await;
        assert_eq!(probe(&house.admin_url, "/livez").await.status(), StatusCode::OK);
        assert_eq!(probe(&house.admin_url, "/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        signal_all(&servers, Signal::SIGCONT);
        healed(&staff, &id).await;
        drop(server);
    });
}

/// A read, a list and a change, all at once and more of them than there are connections.
async fn refused_in_time(staff: &Staff, id: &str) {
    let began = Instant::now();
    let asked = (0..12).map(|number| {
        let request = match number % 3 {
            0 => staff.get(&format!("/patients/{id}")),
            1 => staff.get("/patients"),
            _ => staff.post("/patients").json(&json!({"last_name": "Meanwhile"})),
        };
        async move { (request.timeout(DEADLINE * 2).send().await.unwrap(), began.elapsed()) }
    });
    for (answer, took) in futures_util::future::join_all(asked).await {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text().await.unwrap());
        assert!(took < DEADLINE, "the answer took {took:?}");
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

/// Reads and writes work again without anybody's help.
async fn healed(staff: &Staff, id: &str) {
    let began = Instant::now();
    loop {
        let read = staff.get(&format!("/patients/{id}")).send().await.unwrap();
        if read.status() == StatusCode::OK {
            break;
        }
        assert_eq!(read.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(began.elapsed() < HEALED, "not healed after {HEALED:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let healed = staff.patient("After").await;
    assert_eq!(healed["last_name"], "After");
}

async fn probe(admin_url: &str, path: &str) -> Response {
    reqwest::get(format!("{admin_url}{path}")).await.unwrap()
}
