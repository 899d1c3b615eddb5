//! What a provider may not get away with. Each refusal stands beside the control that is taken.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use enamel::identity::oidc::{Callback, Claims, Pending, Provider, RelyingParty};
use enamel::identity::outbound::{Outbound, Policy};
use enamel::kernel::Error;
use enamel::kernel::error::{CREDENTIALS_WRONG, UNAVAILABLE};
use poem::http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::hostile::{ACCESS_TOKEN, Hostile, Signed, jwks, new_key};
use super::{REDIRECT_URI, SECRET, now, provider, relying_party};

const CLIENT: &str = "enamel";

struct World {
    hostile: Arc<Hostile>,
    party: RelyingParty,
    provider: Provider,
}

async fn world() -> World {
    let hostile = Hostile::start(SECRET).await;
    let provider = provider(&hostile.url, CLIENT, Some(SECRET));
    World { hostile, party: relying_party(), provider }
}

impl World {
    /// A sign-in whose ID token holds `change` over right claims.
    async fn sign_in(&self, change: Value) -> Result<Claims, Error> {
        let pending = self.party.begin(&self.provider, REDIRECT_URI, None).await?;
        self.hostile.claim(CLIENT, &pending.nonce, change);
        let answer = Callback { code: "c".into(), state: pending.state.clone(), iss: None };
        self.party.finish(&self.provider, &pending, &answer, now()).await
    }

    /// `wrong` is the one check that refuses, as the log tells it; `None` when the sign-in is to be taken.
    async fn check(&self, what: &str, change: Value, wrong: Option<&str>) {
        match (self.sign_in(change).await, wrong) {
            (Ok(claims), None) => assert_eq!(claims.subject, "s-1", "{what}"),
            (Err(error), Some(wrong)) => {
                assert_eq!(error.code, &CREDENTIALS_WRONG, "{what}: {error}");
                assert!(error.detail.is_none() && error.faults.is_empty(), "{what}: nothing is told outside");
                assert_eq!(error.cause.unwrap().to_string(), wrong, "{what}");
            }
            (other, _) => panic!("{what}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn every_claim_that_is_wrong_is_refused() {
    let world = world().await;
    let at = |seconds: i64| Utc::now().timestamp() + seconds;
    let at_hash = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(ACCESS_TOKEN)[..16]);
    for (what, change, wrong) in [
        ("all right", json!({}), None),
        ("another nonce", json!({"nonce": "n"}), Some("nonce")),
        ("no nonce", json!({"nonce": null}), Some("nonce")),
        ("another audience", json!({"aud": "other"}), Some("aud")),
        ("our audience in a list", json!({"aud": [CLIENT]}), None),
        ("an audience besides ours", json!({"aud": [CLIENT, "other"], "azp": CLIENT}), Some("aud")),
        ("issued to another party", json!({"azp": "other"}), Some("azp")),
        ("issued to us", json!({"azp": CLIENT}), None),
        ("another issuer", json!({"iss": "https://other.example"}), Some("iss")),
        ("our issuer with a slash", json!({"iss": format!("{}/", world.hostile.url)}), Some("iss")),
        ("expired", json!({"exp": at(-70)}), Some("exp or iat")),
        ("expired within the skew", json!({"exp": at(-30)}), None),
        ("issued tomorrow", json!({"iat": at(86_400), "exp": at(90_000)}), Some("exp or iat")),
        ("issued within the skew", json!({"iat": at(30)}), None),
        ("the access token's hash", json!({"at_hash": at_hash}), None),
        ("another access token's hash", json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), Some("at_hash")),
        ("a subject without end", json!({"sub": "s".repeat(256)}), Some("sub")),
        ("a subject with control characters", json!({"sub": "s\u{0}1"}), Some("sub")),
        ("an empty subject", json!({"sub": ""}), Some("sub")),
    ] {
        world.check(what, change, wrong).await;
    }
}

#[tokio::test]
async fn every_signature_that_is_not_the_providers_is_refused() {
    let world = world().await;
    for (what, signed, wrong) in [
        ("signed rightly", Signed::Rightly, None),
        ("alg none", Signed::WithNothing, Some("signature")),
        ("HS256 with the public key", Signed::WithThePublicKey, Some("alg")),
        ("HS256 with the client secret", Signed::WithTheClientSecret, Some("alg")),
        ("signed by another key", Signed::ByAnotherKey, Some("signature")),
        ("changed after signing", Signed::Tampered, Some("signature")),
        ("signed rightly again", Signed::Rightly, None),
    ] {
        world.hostile.set(|behaviour| behaviour.signed = signed);
        world.check(what, json!({}), wrong).await;
    }
}

#[tokio::test]
async fn words_that_would_not_store_are_left_out() {
    let world = world().await;
    let claims = world.sign_in(json!({"email": "a\u{0}@example.org", "email_verified": true, "name": "x".repeat(300)}));
    let claims = claims.await.unwrap();
    assert_eq!((claims.email, claims.email_verified, claims.name), (None, false, None));
}

#[tokio::test]
async fn a_key_turned_over_is_fetched_once_a_minute_at_most() {
    let world = world().await;
    world.check("the first key", json!({}), None).await;
    let asked = world.hostile.keys_asked.load(Ordering::SeqCst);

    let public_key = world.hostile.public_key.clone();
    world.hostile.set(|behaviour| (behaviour.key_id, behaviour.keys) = ("k2".into(), jwks(&public_key, "k2")));
    world.check("the key was turned over", json!({}), None).await;
    assert_eq!(world.hostile.keys_asked.load(Ordering::SeqCst), asked + 1);

    world.hostile.set(|behaviour| (behaviour.key_id, behaviour.keys) = ("k3".into(), jwks(&new_key().1, "k3")));
    for _ in 0..5 {
        world.check("made-up key ids", json!({}), Some("the token's key is unknown")).await;
    }
    assert_eq!(world.hostile.keys_asked.load(Ordering::SeqCst), asked + 1, "the minute is not over");
}

#[tokio::test]
async fn a_provider_that_answers_badly_is_unavailable() {
    for (what, spoil) in [
        ("redirects", (|world| world.hostile.set(|b| b.redirects = true)) as fn(&World)),
        ("names another issuer", |world| world.hostile.set(|b| b.discovery = Box::new(|d| d["issuer"] = json!("https://other.example")))),
        ("sends people to a script", |world| {
            world.hostile.set(|b| b.discovery = Box::new(|d| d["authorization_endpoint"] = json!("javascript:alert(1)")));
        }),
        ("keeps its keys in our network", |world| {
            world.hostile.set(|b| b.discovery = Box::new(|d| d["jwks_uri"] = json!("http://169.254.169.254/keys")));
        }),
        ("has keys without end", |world| {
            let keys: Vec<_> = (0..5_000).map(|n| json!({"kty": "oct", "kid": format!("{n:0100}"), "k": "AAAA"})).collect();
            world.hostile.set(|b| b.keys = json!({ "keys": keys }));
        }),
        ("fails at the token endpoint", |world| world.hostile.set(|b| b.token_status = StatusCode::BAD_GATEWAY)),
    ] {
        let world = world().await;
        spoil(&world);
        let begin = Instant::now();
        let error = world.sign_in(json!({})).await.unwrap_err();
        assert_eq!(error.code, &UNAVAILABLE, "{what}: {error}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
    }
}

#[tokio::test]
async fn a_slow_provider_costs_the_time_limit_and_no_more() {
    let world = world().await;
    world.hostile.set(|behaviour| behaviour.delay = Duration::from_secs(60));
    let policy = Policy { timeout: Duration::from_millis(300), ..Policy::with_loopback() };
    let party = RelyingParty::new(Outbound::new(policy).unwrap());
    let begin = Instant::now();
    let error = party.begin(&world.provider, REDIRECT_URI, None).await.unwrap_err();
    assert_eq!(error.code, &UNAVAILABLE);
    assert!((Duration::from_millis(300)..Duration::from_secs(20)).contains(&begin.elapsed()));
}

/// A server that takes every request and sends a byte a second for ever: of the head, or of the body behind a right head.
async fn dripping(head: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut next = head.as_bytes();
                while stream.write_all(next).await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    next = b" ";
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_provider_that_sends_a_byte_a_second_holds_nobody_else_up() {
    const LIMIT: Duration = Duration::from_millis(1_500);
    let body = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{";
    let party = RelyingParty::new(Outbound::new(Policy { timeout: LIMIT, ..Policy::with_loopback() }).unwrap());
    let honest = World { party, ..world().await };
    for head in ["HTTP/1.1 200", body] {
        let url = dripping(head).await;
        for endpoint in ["discovery", "jwks_uri", "token_endpoint"] {
            let slow = Hostile::start(SECRET).await;
            let place = format!("{url}/{endpoint}");
            slow.set(|b| b.discovery = Box::new(move |d| d[endpoint] = json!(place)));
            let issuer = if endpoint == "discovery" { &url } else { &slow.url };
            let provider = provider(issuer, CLIENT, Some(SECRET));
            let sign_in = async {
                let begun = Instant::now();
                let pending = honest.party.begin(&provider, REDIRECT_URI, None).await?;
                slow.claim(CLIENT, &pending.nonce, json!({}));
                let answer = Callback { code: "c".into(), state: pending.state.clone(), iss: None };
                let outcome = honest.party.finish(&provider, &pending, &answer, now()).await;
                assert!(begun.elapsed() < LIMIT * 2 + Duration::from_secs(5), "{endpoint}");
                outcome
            };
            let others = async {
                let begun = Instant::now();
                honest.check("meanwhile", json!({}), None).await;
                assert!(begun.elapsed() < LIMIT, "others waited {:?}", begun.elapsed());
            };
            let (slow, ()) = tokio::join!(sign_in, others);
            assert_eq!(slow.unwrap_err().code, &UNAVAILABLE, "{endpoint} {head:?}");
        }
    }
}

#[tokio::test]
async fn in_production_a_provider_on_our_own_machine_is_not_asked() {
    let world = world().await;
    let party = RelyingParty::new(Outbound::new(Policy::default()).unwrap());
    assert_eq!(party.discover(&world.hostile.url).await.unwrap_err().code, &UNAVAILABLE);
    assert!(world.party.discover(&world.hostile.url).await.is_ok(), "the twin that may");
}

#[tokio::test]
async fn a_promised_issuer_parameter_may_not_be_missing() {
    let world = world().await;
    world.hostile.set(|behaviour| {
        behaviour.discovery = Box::new(|document| document["authorization_response_iss_parameter_supported"] = json!(true));
    });
    world.check("promised and missing", json!({}), Some("iss is missing")).await;
}

/// RFC 9207 §1: an honest provider's code, handed to another one or taken for another's.
#[tokio::test]
async fn one_providers_answer_is_not_anothers() {
    let (one, other) = (world().await, world().await);
    let pending = one.party.begin(&one.provider, REDIRECT_URI, None).await.unwrap();
    one.hostile.claim(CLIENT, &pending.nonce, json!({}));
    other.hostile.claim(CLIENT, &pending.nonce, json!({}));
    let finish = async |provider: &Provider, iss: Option<&str>, state: &str| {
        let answer = Callback { code: "c".into(), state: state.to_owned(), iss: iss.map(str::to_owned) };
        one.party.finish(provider, &pending, &answer, now()).await.map_err(|error| error.cause.unwrap().to_string())
    };
    let mixed = finish(&one.provider, Some(&other.hostile.url), &pending.state).await;
    assert_eq!(mixed.unwrap_err(), "iss names another issuer");
    let begun = finish(&other.provider, None, &pending.state).await;
    assert_eq!(begun.unwrap_err(), "the sign-in was begun at another provider");
    assert_eq!(finish(&one.provider, None, "another state").await.unwrap_err(), "state");
    assert_eq!(finish(&one.provider, Some(&one.hostile.url), &pending.state).await.unwrap().subject, "s-1");
}

/// An attacker's own code in the victim's callback, and the victim's in the attacker's, at a provider that asks for the verifier
/// and at one that does not.
#[tokio::test]
async fn a_code_is_worth_something_in_its_own_sign_in_alone() {
    for asks_verifier in [true, false] {
        let world = world().await;
        world.hostile.set(|behaviour| behaviour.asks_verifier = asks_verifier);
        let begin = async || world.party.begin(&world.provider, REDIRECT_URI, None).await.unwrap();
        let (victim, attacker) = (begin().await, begin().await);
        world.hostile.give("victims", &victim, "victim");
        world.hostile.give("attackers", &attacker, "attacker");
        let finish = async |pending: &Pending, code: &str| {
            let answer = Callback { code: code.into(), state: pending.state.clone(), iss: None };
            world.party.finish(&world.provider, pending, &answer, now()).await
        };
        for (pending, code) in [(&victim, "attackers"), (&attacker, "victims")] {
            let refused = finish(pending, code).await.unwrap_err();
            assert_eq!(refused.code, &CREDENTIALS_WRONG, "{code}: {refused}");
            assert!(asks_verifier || refused.cause.unwrap().to_string() == "nonce");
        }
        assert_eq!(finish(&victim, "victims").await.unwrap().subject, "victim");
        assert_eq!(finish(&attacker, "attackers").await.unwrap().subject, "attacker");
    }
}
