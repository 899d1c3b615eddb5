//! What it costs to know who asks: a token on a warm server, a program's new token, and a storm of sign-ins beside the API.

use crate::house::{House, Serving};
use crate::load::{self, Load};
use crate::people::People;
use crate::proxy::Watch;
use crate::stand::{Limit, Stand, median};
use crate::{CONNECTIONS, Size};
use enamel::identity::token::{Kind, Token};
use enamel::identity::{self, Shown};
use enamel::kernel::context::Origin;
use enamel::server::limits::{Limits, cost};
use enamel::server::start;
use reqwest::header::RETRY_AFTER;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Sign-ins at the same time.
const STORM: usize = 500;
/// Requests in one block; the fastest quarter of the blocks counts.
const BLOCK: usize = 1_000;

static SECRET: LazyLock<String> = LazyLock::new(|| Token::new(Kind::ClientSecret).unwrap().expose().to_owned());

pub async fn measure(stand: &mut Stand, house: &House, people: &People, server: &Serving, watch: &Watch, size: Size) {
    let watched = watch.see(&Load::reads(&watch.server, &people.clinics[..1])).await;
    stand.judge("round trips to know a token, on a warm server", watched.round_trips - 1.0, "round trips", Limit::AtMost(0.0));
    let known_us = known(house, people, size).await;
    stand.judge("knowing a token and counting its request", known_us, "µs", Limit::AtMost(30.0));
    grants(stand, people, server, size).await;
    storm(stand, people, server, size).await;
}

/// From the text of a token to its caller, whose limits are asked and told.
async fn known(house: &House, people: &People, size: Size) -> f64 {
    let prepared = start::prepare(house.config("thousand")).await.unwrap();
    let kernel = prepared.kernel.clone();
    let limits = Limits::of(&kernel).unwrap().clone();
    let shown = Shown { token: people.clinics[0].tokens[0].clone(), proof: None, certificate: None };
    let origin = Arc::new(Origin::default());
    let mut blocks = Vec::new();
    let until = Instant::now() + Duration::from_secs_f64(size.seconds);
    while Instant::now() < until {
        let began = Instant::now();
        for _ in 0..BLOCK {
            let caller = identity::resolve(&kernel, &shown, Uuid::now_v7(), origin.clone()).await.unwrap();
            limits.admit(&caller.context, cost::Kind::Read).await.unwrap();
            assert!(limits.fields(&caller.context).is_some());
        }
        blocks.push(began.elapsed().as_secs_f64() * 1e6 / BLOCK as f64);
    }
    prepared.stop().await;
    blocks.sort_by(f64::total_cmp);
    blocks.truncate(blocks.len().div_ceil(4));
    median(blocks)
}

/// Tokens by client credentials; each is a session and an audit event, durable before the answer.
async fn grants(stand: &mut Stand, people: &People, server: &Serving, size: Size) {
    let hash = Sha256::digest(SECRET.as_bytes()).to_vec();
    people.truth.execute("update enamel.api_clients set client_secret_hash = $1", &[&hash]).await.unwrap();
    let grants = Load::grants(server, &people.clinics, &SECRET);
    load::run(&grants, CONNECTIONS, 1.0).await;
    let mut rates = Vec::new();
    for _ in 0..size.rounds {
        people.settle().await;
        rates.push(load::run(&grants, CONNECTIONS, size.seconds).await.rate);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rate = median(rates);
    stand.judge("tokens by client credentials, a core", rate / cores as f64, "/s", Limit::AtLeast(2_000.0));
    stand.note(format!("{rate:.0}/s on {cores} cores, which the load and PostgreSQL share"));
}

/// Reads of patients, while as many people as may sign in at once and come back when they are told to.
async fn storm(stand: &mut Stand, people: &People, server: &Serving, size: Size) {
    let reads = Load::reads(server, &people.clinics);
    load::run(&reads, CONNECTIONS, 1.0).await;
    let (mut ratios, mut answered) = (Vec::new(), 0);
    // One for all: each person's own would read its own trust store, and that storm is not the server's.
    let http = reqwest::Client::new();
    for round in 0..size.rounds {
        people.settle().await;
        let quiet = load::run(&reads, CONNECTIONS, size.seconds).await;
        let url = format!("http://{}/api/v1/sessions/sign-in", server.address);
        let storming: Vec<_> = (0..STORM).map(|n| tokio::spawn(sign_in(http.clone(), url.clone(), round * STORM + n))).collect();
        let stormy = load::run(&reads, CONNECTIONS, size.seconds).await;
        for one in storming {
            one.abort();
            answered += one.await.unwrap_or_default();
        }
        stand.note(format!("p99 of a read {:.2} ms in quiet, {:.2} ms in the storm", quiet.p99_ms, stormy.p99_ms));
        ratios.push(stormy.p99_ms / quiet.p99_ms);
    }
    stand.note(format!("{answered} of those who signed in had their answer before the storm was over"));
    stand.judge("p99 of a read while 500 sign in, of that in quiet", median(ratios), "×", Limit::AtMost(1.5));
}

/// Somebody nobody knows, whose password costs as much as anybody's. 1 when there was an answer about it.
async fn sign_in(http: reqwest::Client, url: String, who: usize) -> usize {
    let body = json!({"email": format!("storm-{who}@people.example"), "password": "a password nobody has"});
    loop {
        let answer = http.post(&url).json(&body).send().await.unwrap();
        if answer.status() != 429 {
            return 1;
        }
        let wait = answer.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
    }
}
