//! The keys of clients and vendors: registered with them, or fetched from where they are published, through the outbound guard.
//!
//! What was fetched is fresh for as long as its host says, an hour at most, and serves for a day while the host cannot be
//! reached. A key id that is not known asks again at once, but once a minute at most for an address.

use super::jwt;
use crate::identity::outbound::Outbound;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const FRESH_MAX: Duration = Duration::from_secs(60 * 60);
const FRESH: Duration = Duration::from_secs(5 * 60);
const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const UNKNOWN_EVERY: Duration = Duration::from_secs(60);
const FAILED_EVERY: Duration = Duration::from_secs(2);
const ADDRESSES_MAX: usize = 10_000;

pub struct ClientKeys {
    outbound: Outbound,
    known: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Published>>>>,
}

/// What is known of one address. One question at a time.
#[derive(Default)]
struct Published {
    keys: Option<(JwkSet, Instant, Duration)>,
    failed: Option<Instant>,
    unknown_asked: Option<Instant>,
}

fn within(at: Option<Instant>, time: Duration) -> bool {
    at.is_some_and(|at| at.elapsed() < time)
}

impl ClientKeys {
    pub fn new(outbound: Outbound) -> ClientKeys {
        ClientKeys { outbound, known: Mutex::default() }
    }

    /// `here`: as they are registered; `at`: where they are published.
    pub async fn find(&self, here: Option<&JwkSet>, at: Option<&str>, kid: &str, algorithm: Algorithm) -> Option<Jwk> {
        if let Some(keys) = here {
            return jwt::chosen(keys, kid, algorithm).cloned();
        }
        let url = at?;
        let entry = self.entry(url);
        let mut published = entry.lock().await;
        let fresh = published.keys.as_ref().is_some_and(|(_, at, time)| at.elapsed() < *time);
        if !fresh && !within(published.failed, FAILED_EVERY) {
            self.ask(url, &mut published).await;
        }
        if let Some(key) = published.chosen(kid, algorithm) {
            return Some(key);
        }
        if !fresh || within(published.unknown_asked, UNKNOWN_EVERY) {
            return None;
        }
        published.unknown_asked = Some(Instant::now());
        self.ask(url, &mut published).await;
        published.chosen(kid, algorithm)
    }

    async fn ask(&self, url: &str, published: &mut Published) {
        let asked = async {
            let request = http::Request::get(url).header(http::header::ACCEPT, "application/json").body(Vec::new()).ok()?;
            let answer = self.outbound.send(request).await.ok().filter(|answer| answer.status() == http::StatusCode::OK)?;
            let time = max_age(answer.headers()).unwrap_or(FRESH).min(FRESH_MAX);
            jwt::keys(answer.body()).ok().map(|keys| (keys, Instant::now(), time))
        };
        match asked.await {
            Some(keys) => (published.keys, published.failed) = (Some(keys), None),
            None => published.failed = Some(Instant::now()),
        }
    }

    fn entry(&self, url: &str) -> Arc<tokio::sync::Mutex<Published>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ADDRESSES_MAX && !known.contains_key(url) {
            known.clear();
        }
        known.entry(url.to_owned()).or_default().clone()
    }
}

impl Published {
    fn chosen(&self, kid: &str, algorithm: Algorithm) -> Option<Jwk> {
        let (keys, at, _) = self.keys.as_ref()?;
        jwt::chosen(keys, kid, algorithm).filter(|_| at.elapsed() < STALE_MAX).cloned()
    }
}

/// `Cache-Control: max-age`; what must not be kept is kept for no time.
fn max_age(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::CACHE_CONTROL)?.to_str().ok()?.to_ascii_lowercase();
    let mut words = text.split(',').map(str::trim);
    if words.clone().any(|word| word == "no-store" || word == "no-cache") {
        return Some(Duration::ZERO);
    }
    words.find_map(|word| word.strip_prefix("max-age=")).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs)
}
