//! A provider that errs in exactly one way at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use poem::http::StatusCode;
use poem::listener::TcpAcceptor;
use poem::middleware::AddData;
use poem::web::{Data, Form};
use poem::{EndpointExt, Response, Route, Server, get, handler, post};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use enamel::identity::oidc::Pending;

pub const ACCESS_TOKEN: &str = "an access token";

/// How the ID token is signed.
#[derive(Clone, Copy, PartialEq)]
pub enum Signed {
    Rightly,
    WithNothing,
    WithThePublicKey,
    WithTheClientSecret,
    ByAnotherKey,
    Tampered,
}

/// The sign-in that a code was given for.
#[derive(Clone)]
pub struct Given {
    client: String,
    challenge: String,
    nonce: String,
    subject: String,
}

/// How the provider behaves. Everything right by default.
pub struct Behaviour {
    pub claims: Value,
    pub signed: Signed,
    pub key_id: String,
    pub keys: Value,
    pub discovery: Box<dyn Fn(&mut Value) + Send>,
    pub redirects: bool,
    pub delay: Duration,
    pub token_status: StatusCode,
    /// What a code stands for. Others are taken for any.
    pub codes: HashMap<String, Given>,
    /// Whether it asks for the verifier of the sign-in (RFC 7636).
    pub asks_verifier: bool,
}

pub struct Hostile {
    pub url: String,
    pub public_key: Vec<u8>,
    pub behaviour: Mutex<Behaviour>,
    pub keys_asked: AtomicUsize,
    key: EncodingKey,
    other_key: EncodingKey,
    client_secret: String,
}

impl Hostile {
    pub async fn start(client_secret: &str) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (key, public_key) = new_key();
        let behaviour = Behaviour {
            claims: json!({}),
            signed: Signed::Rightly,
            key_id: "k1".into(),
            keys: jwks(&public_key, "k1"),
            discovery: Box::new(|_| {}),
            redirects: false,
            delay: Duration::ZERO,
            token_status: StatusCode::OK,
            codes: HashMap::new(),
            asks_verifier: true,
        };
        let hostile = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            public_key,
            behaviour: Mutex::new(behaviour),
            keys_asked: AtomicUsize::new(0),
            key,
            other_key: new_key().0,
            client_secret: client_secret.to_owned(),
        });
        let app = Route::new()
            .at("/.well-known/openid-configuration", get(discovery))
            .at("/jwks", get(keys))
            .at("/token", post(token))
            .with(AddData::new(hostile.clone()));
        tokio::spawn(Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(app));
        hostile
    }

    /// Sets the claims of the next ID token, `change` over right ones. `null` removes a claim.
    pub fn claim(&self, client_id: &str, nonce: &str, change: Value) {
        let now = chrono::Utc::now().timestamp();
        let mut claims = json!({
            "iss": self.url, "aud": client_id, "sub": "s-1", "iat": now, "exp": now + 300, "nonce": nonce,
            "email": "eve@example.org",
        });
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().shift_remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        self.set(|behaviour| behaviour.claims = claims);
    }

    /// A code for that sign-in, as this person's browser brings it back.
    pub fn give(&self, code: &str, pending: &Pending, subject: &str) {
        let url = reqwest::Url::parse(&pending.url).unwrap();
        let part = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        let (client, challenge, nonce) = (part("client_id"), part("code_challenge"), part("nonce"));
        let given = Given { client, challenge, nonce, subject: subject.to_owned() };
        self.set(|behaviour| drop(behaviour.codes.insert(code.to_owned(), given)));
    }

    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// Other words of its own, as an ID token of the same behaviour would be signed.
    pub fn sign(&self, claims: Value) -> String {
        let before = std::mem::replace(&mut self.behaviour.lock().unwrap().claims, claims);
        let signed = self.id_token();
        self.set(|behaviour| behaviour.claims = before);
        signed
    }

    fn id_token(&self) -> String {
        let behaviour = self.behaviour.lock().unwrap();
        let header = |algorithm| Header { kid: Some(behaviour.key_id.clone()), ..Header::new(algorithm) };
        let sign = |algorithm, key: &EncodingKey| jsonwebtoken::encode(&header(algorithm), &behaviour.claims, key).unwrap();
        match behaviour.signed {
            Signed::Rightly => sign(Algorithm::ES256, &self.key),
            Signed::ByAnotherKey => sign(Algorithm::ES256, &self.other_key),
            Signed::WithThePublicKey => sign(Algorithm::HS256, &EncodingKey::from_secret(&self.public_key)),
            Signed::WithTheClientSecret => sign(Algorithm::HS256, &EncodingKey::from_secret(self.client_secret.as_bytes())),
            Signed::WithNothing => {
                let part = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
                format!("{}.{}.", part(json!({"alg": "none"})), part(behaviour.claims.clone()))
            }
            Signed::Tampered => {
                let signed = sign(Algorithm::ES256, &self.key);
                let mut claims = behaviour.claims.clone();
                claims["sub"] = json!("s-2");
                let mut parts: Vec<_> = signed.split('.').map(str::to_owned).collect();
                parts[1] = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
                parts.join(".")
            }
        }
    }
}

/// ES256, and the public point.
pub fn new_key() -> (EncodingKey, Vec<u8>) {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap();
    (EncodingKey::from_ec_der(der.as_ref()), pair.public_key().as_ref().to_vec())
}

pub fn jwks(public_key: &[u8], key_id: &str) -> Value {
    let [x, y] = [&public_key[1..33], &public_key[33..]].map(|half| BASE64_URL_SAFE_NO_PAD.encode(half));
    json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key_id, "x": x, "y": y}]})
}

fn answer(value: &Value) -> Response {
    Response::builder().content_type("application/json").body(value.to_string())
}

#[handler]
async fn discovery(Data(hostile): Data<&Arc<Hostile>>) -> Response {
    let delay = hostile.behaviour.lock().unwrap().delay;
    tokio::time::sleep(delay).await;
    let behaviour = hostile.behaviour.lock().unwrap();
    if behaviour.redirects {
        let elsewhere = format!("{}/elsewhere", hostile.url);
        return Response::builder().status(StatusCode::FOUND).header("location", elsewhere).finish();
    }
    let mut document = json!({
        "issuer": hostile.url,
        "authorization_endpoint": format!("{}/authorize", hostile.url),
        "token_endpoint": format!("{}/token", hostile.url),
        "jwks_uri": format!("{}/jwks", hostile.url),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    });
    (behaviour.discovery)(&mut document);
    answer(&document)
}

#[handler]
fn keys(Data(hostile): Data<&Arc<Hostile>>) -> Response {
    hostile.keys_asked.fetch_add(1, Ordering::SeqCst);
    answer(&hostile.behaviour.lock().unwrap().keys)
}

#[handler]
fn token(Data(hostile): Data<&Arc<Hostile>>, Form(form): Form<HashMap<String, String>>) -> Response {
    let given = hostile.behaviour.lock().unwrap().codes.get(&form["code"]).cloned();
    if let Some(given) = given {
        let right = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"])) == given.challenge;
        if hostile.behaviour.lock().unwrap().asks_verifier && !right {
            let mut refusal = answer(&json!({"error": "invalid_grant"}));
            refusal.set_status(StatusCode::BAD_REQUEST);
            return refusal;
        }
        hostile.claim(&given.client, &given.nonce, json!({"sub": given.subject}));
    }
    let status = hostile.behaviour.lock().unwrap().token_status;
    let tokens = json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": hostile.id_token()});
    let mut response = answer(&tokens);
    response.set_status(status);
    response
}
