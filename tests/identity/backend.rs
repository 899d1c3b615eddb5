//! Programs that prove themselves by their own keys (SMART Backend Services): what passes, and everything that must not.

use super::tokens::status;
use crate::world::people::text;
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA384};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use poem::listener::TcpAcceptor;
use poem::{EndpointExt, Response, Route, Server, get, handler, web::Data};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn coded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of a client's own.
pub enum Key {
    Rsa(Box<aws_lc_rs::rsa::KeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

impl Key {
    pub fn rsa() -> Key {
        Key::Rsa(Box::new(aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap()))
    }
    pub fn ec() -> Key {
        Key::Ec(Box::new(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()))
    }
    pub fn algorithm(&self) -> &'static str {
        match self {
            Key::Rsa(_) => "RS384",
            Key::Ec(_) => "ES384",
        }
    }
    pub fn public(&self, kid: &str) -> Json {
        match self {
            Key::Rsa(pair) => {
                let key = pair.public_key();
                json!({"kty": "RSA", "kid": kid, "alg": "RS384", "use": "sig",
                    "n": coded(key.modulus().big_endian_without_leading_zero()), "e": coded(key.exponent().big_endian_without_leading_zero())})
            }
            Key::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-384", "kid": kid, "x": coded(&point[1..49]), "y": coded(&point[49..])})
            }
        }
    }
    /// The private half as PKCS#8, for programs of others.
    pub fn pkcs8(&self) -> String {
        let der = match self {
            Key::Rsa(pair) => AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&**pair).unwrap().as_ref().to_vec(),
            Key::Ec(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
        };
        let text = base64::prelude::BASE64_STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    }
    pub fn sign(&self, head: &Json, claims: &Json) -> String {
        let said = format!("{}.{}", coded(head.to_string()), coded(claims.to_string()));
        let signature = match self {
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA384, &SystemRandom::new(), said.as_bytes(), &mut signature).unwrap();
                signature
            }
            Key::Ec(pair) => pair.sign(&SystemRandom::new(), said.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{said}.{}", coded(signature))
    }
}

/// A program of that clinic which proves itself by a key.
pub struct Program {
    world: &'static World,
    pub id: String,
    key: Key,
}

impl Program {
    pub async fn register(clinic: &Clinic, key: Key, keys: Json) -> Program {
        let admin = clinic.token("TENANT_ADMIN").await;
        let mut body = json!({"name": "Pipeline", "client_type": "BACKEND", "scopes": ["system/*.rs"]});
        for (name, value) in keys.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (status, made) = clinic.world.post(Some(&admin), "/api-clients", body).await;
        assert_eq!((status, &made["client_secret"]), (201, &Json::Null), "{made}");
        Program { world: clinic.world, id: text(&made, "client_id"), key }
    }
    async fn with_key(clinic: &Clinic, key: Key) -> Program {
        let keys = json!({"jwks": {"keys": [key.public("one")]}});
        Program::register(clinic, key, keys).await
    }
    fn claims(&self) -> Json {
        let now = chrono::Utc::now().timestamp();
        json!({"iss": self.id, "sub": self.id, "aud": format!("{}/oauth2/token", self.world.base_url), "exp": now + 120, "iat": now,
            "jti": Uuid::now_v7()})
    }
    fn head(&self) -> Json {
        json!({"alg": self.key.algorithm(), "typ": "JWT", "kid": "one"})
    }
    async fn shows(&self, assertion: &str) -> (u16, Json) {
        self.asks(assertion, &[("scope", "system/Patient.rs")]).await
    }
    async fn asks(&self, assertion: &str, more: &[(&str, &str)]) -> (u16, Json) {
        let mut form = vec![("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", assertion)];
        form.extend_from_slice(more);
        self.world.exchange(None, &form).await
    }
    async fn signs(&self, head: Json, claims: Json) -> (u16, String) {
        let (status, body) = self.shows(&self.key.sign(&head, &claims)).await;
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    }
}

fn with(mut json: Json, name: &str, value: Json) -> Json {
    json[name] = value;
    json
}

fn without(mut json: Json, name: &str) -> Json {
    json.as_object_mut().unwrap().remove(name);
    json
}

#[test]
fn a_program_proves_itself_by_its_own_key() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Weber").await.unwrap();
        for key in [Key::rsa(), Key::ec()] {
            let program = Program::with_key(&clinic, key).await;
            let (answered, made) = program.shows(&program.key.sign(&program.head(), &program.claims())).await;
            assert_eq!((answered, &made["scope"]), (200, &json!("system/Patient.rs")), "{made}");
            assert!(made["expires_in"].as_i64().unwrap() <= 300 && made["refresh_token"].is_null(), "{made}");
            assert_eq!(status(world, &text(&made, "access_token"), &format!("/patients/{}", patient.id)).await, 200);
            let used = "select last_used_at > now() - interval '1 minute', version from enamel.api_clients where client_id = $1";
            let row = world.truth().await.query_one(used, &[&program.id]).await.unwrap();
            assert_eq!((row.get::<_, Option<bool>>(0), row.get::<_, i64>(1)), (Some(true), 1), "coming is no change");
        }
    });
}

#[test]
fn an_assertion_passes_once_and_a_stranger_never() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let program = Program::with_key(&clinic, Key::rsa()).await;
        let other = Program::with_key(&clinic, Key::rsa()).await;
        let assertion = program.key.sign(&program.head(), &program.claims());
        let both = futures_util::future::join_all((0..5).map(|_| program.shows(&assertion))).await;
        assert_eq!(both.iter().filter(|(status, _)| *status == 200).count(), 1, "five at once: {both:?}");
        assert_eq!(program.shows(&assertion).await.1["error"], "invalid_client");
        // What was shown is in the database: a server that starts anew knows it too.
        let kept: i64 = world.truth().await.query_one("select count(*) from enamel.shown_assertions", &[]).await.unwrap().get(0);
        assert!(kept >= 1);
        // The same jti is another client's own.
        let shared = json!(Uuid::now_v7());
        assert_eq!(program.signs(program.head(), with(program.claims(), "jti", shared.clone())).await.0, 200);
        assert_eq!(other.signs(other.head(), with(other.claims(), "jti", shared.clone())).await.0, 200);
        assert_eq!(program.signs(program.head(), with(program.claims(), "jti", shared)).await.0, 401);
        // Signed by somebody else's key, and a secret where a key is registered.
        let (status, body) = program.shows(&other.key.sign(&program.head(), &program.claims())).await;
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
        let secret = [("grant_type", "client_credentials"), ("client_id", program.id.as_str()), ("scope", "system/Patient.rs")];
        assert_eq!(world.exchange(None, &secret).await.0, 401);
        assert_eq!(world.exchange(Some((&program.id, "en_cs_x")), &secret[..1]).await.0, 401);
    });
}

#[test]
fn an_assertion_is_for_this_server_and_this_moment() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let program = Program::with_key(&clinic, Key::ec()).await;
        let now = chrono::Utc::now().timestamp();
        let (base, claims) = (&world.base_url, || program.claims());
        for wrong in [
            with(claims(), "aud", json!(format!("{base}/fhir/r4"))),
            with(claims(), "aud", json!("https://elsewhere.example")),
            with(claims(), "aud", json!(format!("{base}/oauth2/token/"))),
            with(claims(), "aud", json!([format!("{base}/oauth2/token"), "https://elsewhere.example/token"])),
            without(claims(), "aud"),
            with(claims(), "iss", json!("somebody")),
            with(claims(), "sub", json!("somebody")),
            with(claims(), "exp", json!(now - 1)),
            with(claims(), "exp", json!(now + 400)),
            without(claims(), "exp"),
            without(claims(), "jti"),
            with(claims(), "jti", json!("")),
            with(claims(), "jti", json!("x".repeat(300))),
            with(claims(), "nbf", json!(now + 100)),
            with(claims(), "iat", json!(now + 100)),
        ] {
            assert_eq!(program.signs(program.head(), wrong.clone()).await, (401, "invalid_client".into()), "{wrong}");
        }
        assert_eq!(program.signs(program.head(), with(claims(), "aud", json!([format!("{base}/oauth2/token")]))).await.0, 200);
        for wrong in [
            with(program.head(), "alg", json!("none")),
            with(program.head(), "alg", json!("HS384")),
            with(program.head(), "alg", json!("RS384")),
            with(program.head(), "kid", json!("two")),
            without(program.head(), "kid"),
            with(program.head(), "typ", json!("at+jwt")),
            with(program.head(), "jku", json!("https://evil.example/jwks")),
            with(program.head(), "crit", json!(["exp"])),
        ] {
            assert_eq!(program.signs(wrong.clone(), claims()).await, (401, "invalid_client".into()), "{wrong}");
        }
        // HS256 with the public key as its secret, and no signature at all.
        let said = format!("{}.{}", coded(with(program.head(), "alg", json!("none")).to_string()), coded(claims().to_string()));
        assert_eq!(program.shows(&format!("{said}.")).await.0, 401);
        assert_eq!(program.shows("a.b.c").await.0, 401);
        let good = program.key.sign(&program.head(), &claims());
        let last = good.len() - 8;
        let bent = format!("{}{}{}", &good[..last], if &good[last..=last] == "A" { "B" } else { "A" }, &good[last + 1..]);
        assert_eq!(program.shows(&bent).await.0, 401);
        assert_eq!(program.shows(&good).await.0, 200, "a bent copy spends nothing");
    });
}

#[test]
fn what_is_missing_or_too_much_is_told_in_the_words_of_oauth() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let program = Program::with_key(&clinic, Key::ec()).await;
        let assertion = || program.key.sign(&program.head(), &program.claims());
        let error = |(status, body): (u16, Json)| (status, body["error"].as_str().unwrap_or_default().to_owned());
        for scope in ["", "launch fhirUser", "system/Foo.rs", "system/Patient.xyz", "system/Patient.cud", "user/Patient.rs"] {
            assert_eq!(error(program.asks(&assertion(), &[("scope", scope)]).await), (400, "invalid_scope".into()), "{scope}");
        }
        assert_eq!(error(program.asks(&assertion(), &[]).await), (400, "invalid_scope".into()));
        let shown = assertion();
        let form = |changes: &[(&'static str, &'static str)]| {
            let mut form = vec![
                ("grant_type", "client_credentials"),
                ("scope", "system/Patient.rs"),
                ("client_assertion_type", TYPE),
                ("client_assertion", shown.as_str()),
            ];
            for (name, value) in changes {
                form.retain(|(known, _)| known != name);
                if !value.is_empty() {
                    form.push((name, value));
                }
            }
            form.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
        };
        for (changes, code, wanted) in [
            (&[("client_assertion_type", "")][..], 400, "invalid_request"),
            (&[("client_assertion_type", "urn:x")], 400, "invalid_request"),
            (&[("client_assertion", "")], 400, "invalid_request"),
            (&[("grant_type", "")], 400, "invalid_request"),
            (&[("client_secret", "x")], 400, "invalid_request"),
            (&[("client_id", "another")], 401, "invalid_client"),
        ] {
            let form = form(changes);
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(error(world.exchange(None, &form).await), (code, wanted.into()), "{changes:?}");
        }
        let json = world.http.post(format!("{}/oauth2/token", world.base_url)).json(&json!({"grant_type": "client_credentials"}));
        let answer = json.send().await.unwrap();
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.json::<Json>().await.unwrap()["error"], "invalid_request");
    });
}

/// A host of keys, counting who asks.
#[derive(Default)]
pub struct Published {
    pub keys: Mutex<Vec<u8>>,
    pub asked: AtomicUsize,
    pub down: std::sync::atomic::AtomicBool,
}

#[handler]
fn jwks(Data(host): Data<&Arc<Published>>) -> Response {
    host.asked.fetch_add(1, Ordering::SeqCst);
    if host.down.load(Ordering::SeqCst) {
        return Response::builder().status(poem::http::StatusCode::BAD_GATEWAY).finish();
    }
    Response::builder().content_type("application/json").body(host.keys.lock().unwrap().clone())
}

pub async fn host() -> (Arc<Published>, String) {
    let host = Arc::new(Published::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let app = Route::new().at("/jwks", get(jwks)).with(poem::middleware::AddData::new(host.clone()));
    tokio::spawn(Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(app));
    (host, url)
}

#[test]
fn published_keys_turn_over_and_their_host_may_rest() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (host, url) = host().await;
        let set = |keys: Vec<Json>| *host.keys.lock().unwrap() = json!({"keys": keys}).to_string().into_bytes();
        let (old, new) = (Key::ec(), Key::ec());
        set(vec![old.public("one")]);
        let mut program = Program::register(&clinic, old, json!({"jwks_uri": url})).await;
        let signs = async |program: &Program, kid: &str| program.signs(with(program.head(), "kid", json!(kid)), program.claims()).await.0;
        assert_eq!((signs(&program, "one").await, signs(&program, "one").await), (200, 200));
        assert_eq!(host.asked.load(Ordering::SeqCst), 1, "what is fresh is not asked for again");
        set(vec![new.public("two")]);
        program.key = new;
        assert_eq!(signs(&program, "two").await, 200, "a new key is taken at once");
        for _ in 0..5 {
            assert_eq!(signs(&program, "three").await, 401);
        }
        assert_eq!(host.asked.load(Ordering::SeqCst), 2, "unknown names ask once a minute");
        host.down.store(true, Ordering::SeqCst);
        assert_eq!(signs(&program, "two").await, 200, "what is known serves while the host is away");

        // A set too large to be one, and a place that only the assertion names.
        let (large, url) = self::host().await;
        *large.keys.lock().unwrap() = vec![b' '; 2 << 20];
        let hostile = Program::register(&clinic, Key::ec(), json!({"jwks_uri": url})).await;
        assert_eq!(signs(&hostile, "one").await, 401);
        let (stranger, url) = self::host().await;
        let head = with(program.head(), "jku", json!(url));
        assert_eq!(program.signs(head, program.claims()).await.0, 401);
        assert_eq!(stranger.asked.load(Ordering::SeqCst), 0, "nobody asks there");
        assert_eq!(world.get(None, "/me").await.0, 401);
    });
}

#[test]
fn keys_are_registered_public_and_replaced_by_those_who_manage() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let key = Key::ec();
        let body = |kind: &str, more: Json| {
            let scopes = if kind == "BACKEND" { json!(["system/Patient.rs"]) } else { json!(["user/Patient.rs"]) };
            let mut body = json!({"name": "x", "client_type": kind, "scopes": scopes});
            for (name, value) in more.as_object().unwrap() {
                body[name] = value.clone();
            }
            if kind != "BACKEND" {
                body["redirect_uris"] = json!(["https://app.example/back"]);
            }
            body
        };
        let set = json!({"keys": [key.public("one")]});
        for wrong in [
            body("BACKEND", json!({"jwks": {"keys": []}})),
            body("BACKEND", json!({"jwks": {"keys": [with(key.public("one"), "d", json!("AA"))]}})),
            body("BACKEND", json!({"jwks": set, "jwks_uri": "https://app.example/jwks"})),
            body("BACKEND", json!({"jwks_uri": "http://app.example/jwks"})),
            body("PUBLIC", json!({"jwks": set})),
        ] {
            let (status, told) = world.post(Some(&admin), "/api-clients", wrong.clone()).await;
            assert_eq!(status, 422, "{wrong} {told}");
        }
        assert_eq!(world.post(Some(&admin), "/api-clients", body("CONFIDENTIAL", json!({"jwks": set}))).await.0, 201);

        let mut program = Program::with_key(&clinic, Key::ec()).await;
        let sql = "select id from enamel.api_clients where client_id = $1";
        let id: Uuid = world.truth().await.query_one(sql, &[&program.id]).await.unwrap().get(0);
        let (_, made) = program.shows(&program.key.sign(&program.head(), &program.claims())).await;
        let path = format!("/api-clients/{id}/set-keys");
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
        assert_eq!(world.post(Some(&stranger), &path, json!({"jwks": set})).await.0, 404);
        assert_eq!(world.post(Some(&clinic.token("CLINICIAN").await), &path, json!({"jwks": set})).await.0, 403);
        assert_eq!(world.post(Some(&admin), &path, json!({})).await.0, 422);
        let (status, told) = world.post(Some(&admin), &path, json!({"jwks": set})).await;
        assert_eq!((status, &told["jwks"]["keys"][0]["kid"]), (200, &json!("one")), "{told}");
        super::tokens::ends(world, &text(&made, "access_token"), "/patients").await;
        assert_eq!(program.signs(program.head(), program.claims()).await.0, 401, "the old key is none any more");
        program.key = key;
        assert_eq!(program.signs(program.head(), program.claims()).await.0, 200);
        assert_eq!(world.post(Some(&admin), &format!("/api-clients/{id}/rotate-secret"), json!({})).await.0, 409);
        let told = "select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'KEY_CHANGED'";
        let told: i64 = world.truth().await.query_one(told, &[&clinic.id]).await.unwrap().get(0);
        assert_eq!(told, 1);
    });
}

#[test]
fn a_program_that_has_ended_is_none() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let program = Program::with_key(&clinic, Key::ec()).await;
        let (_, made) = program.shows(&program.key.sign(&program.head(), &program.claims())).await;
        let end = "update enamel.api_clients set expires_at = now() where client_id = $1";
        world.truth().await.execute(end, &[&program.id]).await.unwrap();
        super::tokens::ends(world, &text(&made, "access_token"), "/patients").await;
        assert_eq!(program.signs(program.head(), program.claims()).await.0, 401);
    });
}
