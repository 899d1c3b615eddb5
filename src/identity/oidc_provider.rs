//! What is known of other people's OpenID providers: their discovery documents and keys, fetched through the
//! outbound guard and kept for a while.
//!
//! An hour fresh; up to a day when the provider cannot be reached. Keys are asked for again when a token names an
//! unknown one, at most once a minute for an issuer, so that forged key ids cannot make us hammer somebody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJsonWebKeySet,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, IssuerUrl, ProviderMetadata};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::outbound::Outbound;
use crate::kernel::{Error, Result};

/// RFC 9207 §3: whether authorization responses carry `iss`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ResponseIssuer {
    #[serde(default, rename = "authorization_response_iss_parameter_supported")]
    pub sent: bool,
}

impl AdditionalProviderMetadata for ResponseIssuer {}

pub type Metadata = ProviderMetadata<
    ResponseIssuer,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

const ISSUERS_MAX: usize = 1000;

/// How long what is known holds.
#[derive(Debug, Clone, Copy)]
pub struct Freshness {
    pub fresh: Duration,
    /// While the provider cannot be reached.
    pub stale_max: Duration,
    /// Between two questions for the keys of one issuer.
    pub keys_every: Duration,
    /// A provider that just failed is not asked again by everyone who waits.
    pub rest_after_failure: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(60 * 60),
            stale_max: Duration::from_secs(24 * 60 * 60),
            keys_every: Duration::from_secs(60),
            rest_after_failure: Duration::from_secs(2),
        }
    }
}

/// Providers by issuer. One fetch at a time for each.
pub struct Providers {
    outbound: Outbound,
    freshness: Freshness,
    entries: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Entry>>>>,
}

#[derive(Default)]
struct Entry {
    known: Option<Known>,
    failed_at: Option<Instant>,
    keys_asked_at: Option<Instant>,
}

struct Known {
    metadata: Arc<Metadata>,
    fetched_at: Instant,
}

impl Entry {
    fn keep(&mut self, metadata: Metadata) -> Arc<Metadata> {
        let metadata = Arc::new(metadata);
        self.known = Some(Known { metadata: metadata.clone(), fetched_at: Instant::now() });
        self.failed_at = None;
        metadata
    }
}

impl Providers {
    pub fn new(outbound: Outbound, freshness: Freshness) -> Self {
        Self { outbound, freshness, entries: Mutex::default() }
    }

    /// The discovery document of `issuer` with its keys. UNAVAILABLE.
    pub async fn discover(&self, issuer: &str) -> Result<Arc<Metadata>> {
        let entry = self.entry(issuer);
        let mut entry = entry.lock().await;
        if let Some(known) = entry.known.as_ref().filter(|known| known.fetched_at.elapsed() < self.freshness.fresh) {
            return Ok(known.metadata.clone());
        }
        let resting = entry.failed_at.is_some_and(|at| at.elapsed() < self.freshness.rest_after_failure);
        let error = match resting {
            true => Error::unavailable("the provider just failed"),
            false => match self.fetch(issuer).await {
                Ok(metadata) => return Ok(entry.keep(metadata)),
                Err(error) => {
                    entry.failed_at = Some(Instant::now());
                    error
                }
            },
        };
        let stale = entry.known.as_ref().filter(|known| known.fetched_at.elapsed() < self.freshness.stale_max);
        stale.map(|known| known.metadata.clone()).ok_or(error)
    }

    /// After a token named a key that `seen` does not hold: newer keys, or `None` when there are none to be had yet.
    pub async fn newer_keys(&self, issuer: &str, seen: &Arc<Metadata>) -> Option<Arc<Metadata>> {
        let entry = self.entry(issuer);
        let mut entry = entry.lock().await;
        let known = entry.known.as_ref()?;
        if !Arc::ptr_eq(&known.metadata, seen) {
            return Some(known.metadata.clone());
        }
        if entry.keys_asked_at.is_some_and(|at| at.elapsed() < self.freshness.keys_every) {
            return None;
        }
        entry.keys_asked_at = Some(Instant::now());
        let keys = CoreJsonWebKeySet::fetch_async(seen.jwks_uri(), &self.outbound).await.ok()?;
        let metadata = Arc::new(Metadata::clone(seen).set_jwks(keys));
        entry.known.as_mut()?.metadata = metadata.clone();
        Some(metadata)
    }

    async fn fetch(&self, issuer: &str) -> Result<Metadata> {
        let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| Error::unavailable("the issuer is not a URL"))?;
        // The error's own text may hold what the other side sent: only its kind goes to the log.
        Metadata::discover_async(issuer, &self.outbound).await.map_err(|error| match error {
            openidconnect::DiscoveryError::Request(outbound) => outbound.into(),
            openidconnect::DiscoveryError::Validation(_) => Error::unavailable("discovery names another issuer"),
            openidconnect::DiscoveryError::Response(..) => Error::unavailable("discovery answered with an error"),
            _ => Error::unavailable("discovery cannot be read"),
        })
    }

    fn entry(&self, issuer: &str) -> Arc<tokio::sync::Mutex<Entry>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(issuer) {
            return entry.clone();
        }
        if entries.len() >= ISSUERS_MAX
            && let Some(any) = entries.keys().next().cloned()
        {
            entries.remove(&any);
        }
        entries.entry(issuer.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use poem::listener::TcpAcceptor;
    use poem::web::{Data, Json};
    use poem::{EndpointExt, Response, Route, Server, get, handler};
    use serde_json::json;

    use super::*;
    use crate::identity::outbound::Policy;
    use crate::kernel::error::UNAVAILABLE;

    #[derive(Default)]
    struct Peer {
        url: Mutex<String>,
        down: AtomicBool,
        asked: AtomicUsize,
        keys_asked: AtomicUsize,
    }

    #[handler]
    fn discovery(Data(peer): Data<&Arc<Peer>>) -> Response {
        peer.asked.fetch_add(1, Ordering::SeqCst);
        if peer.down.load(Ordering::SeqCst) {
            return Response::builder().status(poem::http::StatusCode::BAD_GATEWAY).finish();
        }
        let url = peer.url.lock().unwrap().clone();
        poem::IntoResponse::into_response(Json(json!({
            "issuer": url, "authorization_endpoint": url, "jwks_uri": format!("{url}/jwks"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })))
    }

    #[handler]
    fn jwks(Data(peer): Data<&Arc<Peer>>) -> Json<serde_json::Value> {
        peer.keys_asked.fetch_add(1, Ordering::SeqCst);
        Json(json!({ "keys": [] }))
    }

    async fn peer(freshness: Freshness) -> (Arc<Peer>, Providers, String) {
        let peer = Arc::new(Peer::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        *peer.url.lock().unwrap() = url.clone();
        let app = Route::new().at("/.well-known/openid-configuration", get(discovery)).at("/jwks", get(jwks));
        let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap());
        tokio::spawn(server.run(app.with(poem::middleware::AddData::new(peer.clone()))));
        (peer, Providers::new(Outbound::new(Policy::with_loopback()).unwrap(), freshness), url)
    }

    #[tokio::test]
    async fn many_who_wait_cause_one_fetch() {
        let (peer, providers, url) = peer(Freshness::default()).await;
        let found = futures_util::future::join_all((0..50).map(|_| providers.discover(&url))).await;
        assert!(found.iter().all(Result::is_ok));
        assert_eq!(peer.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_is_known_bridges_an_outage_and_no_more() {
        let brief = Freshness { fresh: Duration::ZERO, rest_after_failure: Duration::ZERO, ..Freshness::default() };
        let (peer, mut providers, url) = peer(brief).await;
        providers.discover(&url).await.unwrap();
        peer.down.store(true, Ordering::SeqCst);
        providers.discover(&url).await.unwrap();
        assert_eq!(peer.asked.load(Ordering::SeqCst), 2, "it was asked all the same");
        providers.freshness.stale_max = Duration::ZERO;
        assert_eq!(providers.discover(&url).await.unwrap_err().code, &UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_provider_that_just_failed_is_left_alone() {
        let (peer, providers, url) = peer(Freshness::default()).await;
        peer.down.store(true, Ordering::SeqCst);
        for _ in 0..5 {
            assert_eq!(providers.discover(&url).await.unwrap_err().code, &UNAVAILABLE);
        }
        assert_eq!(peer.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn keys_are_asked_for_once_a_minute_whatever_tokens_say() {
        let (peer, providers, url) = peer(Freshness::default()).await;
        let seen = providers.discover(&url).await.unwrap();
        let newer = providers.newer_keys(&url, &seen).await.unwrap();
        for _ in 0..5 {
            assert!(providers.newer_keys(&url, &newer).await.is_none());
        }
        assert!(providers.newer_keys(&url, &seen).await.is_some(), "who still holds the old keys gets the new ones");
        assert_eq!(peer.keys_asked.load(Ordering::SeqCst), 2, "with discovery, and once more");
    }
}
