//! OpenID Connect from outside, and what goes with it: what is published, who is named, requests pushed before, signing out,
//! keys that turn over, tokens bound to a key.

use super::browser::{Browser, Page};
use super::oauth::{REDIRECT, app, authorize, part, redeem, through};
use super::smart::entered;
use super::tokens::status;
use crate::world::people::{Person, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn fetch(world: &World, path: &str) -> Json {
    let answer = world.http.get(format!("{}{path}", world.base_url)).header("accept", "text/html").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (200, "application/json"), "{path}");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    answer.json().await.unwrap()
}

/// The claims of a token that a published key has signed.
pub async fn read(world: &World, token: &str) -> Json {
    let head = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(head.alg, jsonwebtoken::Algorithm::RS256);
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(fetch(world, "/oauth2/jwks").await).unwrap();
    let key = keys.find(&head.kid.unwrap()).expect("a published key");
    let mut rules = jsonwebtoken::Validation::new(head.alg);
    rules.validate_aud = false;
    jsonwebtoken::decode::<Json>(token, &jsonwebtoken::DecodingKey::from_jwk(key).unwrap(), &rules).unwrap().claims
}

#[test]
fn what_this_server_is_can_be_read_by_anybody() {
    world::with(async |world| {
        for path in
            ["/fhir/r4/.well-known/smart-configuration", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
        {
            let told = fetch(world, path).await;
            assert_eq!(told["issuer"], json!(world.base_url), "{path}");
            for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri", "introspection_endpoint", "revocation_endpoint"] {
                assert!(told[endpoint].as_str().unwrap().starts_with(&format!("{}/oauth2/", world.base_url)), "{endpoint}");
            }
            assert_eq!(told["code_challenge_methods_supported"], json!(["S256"]));
            for grant in ["authorization_code", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"] {
                assert!(told["grant_types_supported"].as_array().unwrap().contains(&json!(grant)));
            }
        }
        let smart = fetch(world, "/fhir/r4/.well-known/smart-configuration").await;
        let has = |name: &str| smart["capabilities"].as_array().unwrap().contains(&json!(name));
        assert!(has("launch-ehr") && has("client-confidential-asymmetric") && has("permission-v2") && has("sso-openid-connect"));
        let openid = fetch(world, "/.well-known/openid-configuration").await;
        assert_eq!(openid["id_token_signing_alg_values_supported"], json!(["RS256"]));
        for promise in ["backchannel_logout_supported", "backchannel_logout_session_supported"] {
            assert_eq!(openid[promise], json!(true), "{promise}");
        }
        for key in fetch(world, "/oauth2/jwks").await["keys"].as_array().unwrap() {
            assert!(key["kid"].is_string() && ["d", "p", "q"].iter().all(|part| key.get(part).is_none()), "{key}");
        }
    });
}

#[test]
fn an_id_token_names_who_signed_in() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let provider = Uuid::now_v7();
        world
            .truth()
            .await
            .execute(
                "insert into enamel.providers (tenant_id, id, user_id, full_name, specialty) values ($1, $2, $3, 'Dr Test', 'GENERAL')",
                &[&clinic.id, &provider, &person.id],
            )
            .await
            .unwrap();
        let (client, _) = app(&clinic, "PUBLIC").await;
        let scope = "openid fhirUser profile online_access user/Patient.rs";
        let made = entered(world, &person, &client, &[("scope", scope), ("nonce", "n-1")], &[("decision", "allow")]).await;
        let claims = read(world, &text(&made, "id_token")).await;
        let fhir_user = format!("{}/fhir/r4/Practitioner/{provider}", world.base_url);
        assert_eq!(
            (&claims["iss"], &claims["aud"], &claims["sub"], &claims["nonce"], &claims["fhirUser"], &claims["name"]),
            (&json!(world.base_url), &json!(client), &json!(person.id), &json!("n-1"), &json!(fhir_user), &json!("Test Person")),
            "{claims}"
        );
        assert!(claims["auth_time"].is_i64() && claims["exp"].as_i64() > claims["iat"].as_i64(), "{claims}");
        assert!(claims["email"].is_null(), "what was not asked for is not told");

        let access = text(&made, "access_token");
        let info = async |token: &str| {
            let answer = world.http.get(format!("{}/oauth2/userinfo", world.base_url)).bearer_auth(token).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Json>().await.unwrap())
        };
        let (answered, told) = info(&access).await;
        assert_eq!((answered, &told["sub"], &told["fhirUser"]), (200, &claims["sub"], &claims["fhirUser"]), "{told}");
        let plain = entered(world, &person, &client, &[], &[("decision", "allow")]).await;
        assert!(plain["id_token"].is_null());
        assert_eq!(info(&text(&plain, "access_token")).await.0, 403);
        assert_eq!(info("en_at_nonsense").await.0, 401);
        assert_eq!(info(&clinic.token("CLINICIAN").await).await.0, 401, "a person's own session is no application's");

        // A narrower token for a while, never a wider one.
        let renew = async |refresh: &str, scope: Option<&str>| {
            let mut form = vec![("grant_type", "refresh_token"), ("client_id", client.as_str()), ("refresh_token", refresh)];
            form.extend(scope.map(|scope| ("scope", scope)));
            world.exchange(None, &form).await
        };
        let wider = renew(&text(&made, "refresh_token"), Some("openid user/Location.rs")).await;
        assert_eq!((wider.0, &wider.1["error"]), (400, &json!("invalid_scope")), "and nothing is spent");
        let (answered, narrow) = renew(&text(&made, "refresh_token"), Some("openid")).await;
        assert_eq!((answered, &narrow["scope"]), (200, &json!("openid")), "{narrow}");
        assert_eq!(status(world, &text(&narrow, "access_token"), "/patients").await, 403);
        let (answered, whole) = renew(&text(&narrow, "refresh_token"), None).await;
        assert_eq!((answered, &whole["scope"]), (200, &made["scope"]), "{whole}");
        assert_eq!(status(world, &text(&whole, "access_token"), "/patients").await, 200);
        let told = "select array_agg(distinct event_type) from enamel.audit_events where tenant_id = $1 and api_client_id is not null";
        let told: Vec<String> = world.truth().await.query_one(told, &[&clinic.id]).await.unwrap().get(0);
        for event in ["CONSENT_GRANTED", "LOGIN_SUCCESS", "TOKEN_REFRESHED"] {
            assert!(told.iter().any(|known| known == event), "{event} is not in {told:?}");
        }
    });
}

#[test]
fn a_request_may_be_pushed_before() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let (client, secret) = app(&clinic, "CONFIDENTIAL").await;
        let (another, _) = app(&clinic, "PUBLIC").await;
        let secret = secret.unwrap();
        let whole = reqwest::Url::parse(&authorize(world, &client, &[])).unwrap();
        let form: Vec<(String, String)> = whole.query_pairs().into_owned().collect();
        let push = async |secret: &str, form: &[(String, String)]| {
            let request = world.http.post(format!("{}/oauth2/par", world.base_url)).basic_auth(&client, Some(secret)).form(form);
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Json>().await.unwrap())
        };
        assert_eq!(push("wrong", &form).await.0, 401);
        let mut bad = form.clone();
        bad.retain(|(name, _)| name != "code_challenge");
        assert_eq!(push(&secret, &bad).await.1["error"], "invalid_request");
        let (status, pushed) = push(&secret, &form).await;
        assert_eq!(status, 201, "{pushed}");
        let uri = text(&pushed, "request_uri");
        let url = |client: &str| {
            let query = serde_urlencoded::to_string([("client_id", client), ("request_uri", uri.as_str())]).unwrap();
            format!("{}/oauth2/authorize?{query}", world.base_url)
        };
        let mut browser = Browser::new();
        let foreign = browser.get(&url(&another)).await;
        assert_eq!((foreign.status, foreign.location), (400, None), "another application's");
        let landed = through(&mut browser, &person, &url(&client), &[("decision", "allow")]).await;
        assert_eq!(part(&landed, "state"), "s & 1");
        assert_eq!(redeem(world, &client, &part(&landed, "code"), &[("client_secret", &secret)]).await.0, 200);
        let again: Page = browser.get(&url(&client)).await;
        assert_eq!((again.status, again.location), (400, None), "good once");
        assert!(landed.location.unwrap().starts_with(REDIRECT));
    });
}

#[test]
fn an_app_signs_its_person_out() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (person, other) = (clinic.employee("CLINICIAN").await, clinic.employee("CLINICIAN").await);
        let (client, _) = app(&clinic, "PUBLIC").await;
        let gone = "http://127.0.0.1:8976/gone";
        let set = "update enamel.api_clients set logout_uris = array[$2] where client_id = $1";
        world.truth().await.execute(set, &[&client, &gone]).await.unwrap();
        let signs_in = async |browser: &mut Browser, person: &Person| {
            let url = authorize(world, &client, &[("scope", "openid")]);
            let landed = through(browser, person, &url, &[("decision", "allow")]).await;
            text(&redeem(world, &client, &part(&landed, "code"), &[]).await.1, "id_token")
        };
        let (mut browser, mut elsewhere) = (Browser::new(), Browser::new());
        let hint = signs_in(&mut browser, &person).await;
        let foreign = signs_in(&mut elsewhere, &other).await;
        let out = |hint: &str, to: &str| {
            let query = serde_urlencoded::to_string([("id_token_hint", hint), ("post_logout_redirect_uri", to), ("state", "bye")]).unwrap();
            format!("{}/oauth2/logout?{query}", world.base_url)
        };
        // Somebody else's token signs nobody out without asking.
        let asked = browser.get(&out(&foreign, gone)).await;
        assert_eq!((asked.status, &asked.location), (200, &None), "{}", asked.body);
        let silent = authorize(world, &client, &[("scope", "openid"), ("prompt", "none")]);
        assert!(browser.get(&silent).await.location.unwrap().contains("code="), "still signed in");
        let left = browser.get(&out(&hint, gone)).await;
        assert_eq!(left.location.as_deref(), Some("http://127.0.0.1:8976/gone?state=bye"));
        assert_eq!(part(&browser.get(&silent).await, "error"), "login_required");
        let unregistered = elsewhere.get(&out(&foreign, "https://evil.example/")).await;
        assert_eq!(unregistered.location.as_deref(), Some("/signin"));
    });
}

#[test]
fn keys_that_sign_turn_over_and_the_old_ones_stay_published() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let (client, _) = app(&clinic, "PUBLIC").await;
        let made = entered(world, &person, &client, &[("scope", "openid")], &[("decision", "allow")]).await;
        let before = text(&made, "id_token");
        let count = async || fetch(world, "/oauth2/jwks").await["keys"].as_array().unwrap().len();
        let held = count().await;
        assert_eq!(world.post(Some(&clinic.token("TENANT_ADMIN").await), "/signing-keys/rotate", json!({})).await.0, 403);
        let platform = Clinic { id: enamel::kernel::context::PLATFORM_TENANT, world }.token("PLATFORM_ADMIN").await;
        let (status, made) = world.post(Some(&platform), "/signing-keys/rotate", json!({})).await;
        assert_eq!(status, 200, "{made}");
        let id: Uuid = text(&made, "kid").parse().unwrap();
        assert_eq!(count().await, held + 1);
        // It is known before it signs.
        let after = entered(world, &person, &client, &[("scope", "openid")], &[("decision", "allow")]).await;
        let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        assert_eq!(kid(&text(&after, "id_token")), kid(&before));
        read(world, &before).await;
        let told = "select count(*) from enamel.audit_events where event_type = 'KEY_CHANGED' and resource_id = $1";
        let told: i64 = world.truth().await.query_one(told, &[&id]).await.unwrap().get(0);
        assert_eq!(told, 1);
        assert!(BASE64_URL_SAFE_NO_PAD.decode(before.split('.').nth(2).unwrap()).unwrap().len() == 256);
    });
}

#[test]
fn pages_of_registered_apps_read_our_answers_and_no_others() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        app(&clinic, "PUBLIC").await;
        let answer = async |method: reqwest::Method, path: &str, origin: &str| {
            let request = world.http.request(method, format!("{}{path}", world.base_url)).header("origin", origin);
            let answer = request.send().await.unwrap();
            let text = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            (text("access-control-allow-origin"), text("access-control-allow-methods"), text("access-control-allow-credentials"))
        };
        use reqwest::Method;
        let ours = "http://127.0.0.1:8976";
        for path in ["/fhir/r4/Patient", "/api/v1/me", "/oauth2/userinfo"] {
            let (origin, _, credentials) = answer(Method::GET, path, ours).await;
            assert_eq!((origin.as_deref(), credentials), (Some(ours), None), "{path}: a refusal can be read too");
            for stranger in ["https://evil.example", "null", "http://127.0.0.1:8977", "http://127.0.0.1:8976.evil.example"] {
                assert_eq!(answer(Method::GET, path, stranger).await.0, None, "{path} {stranger}");
            }
        }
        let (origin, methods, _) = answer(Method::OPTIONS, "/fhir/r4/Patient", ours).await;
        assert!(
            origin.is_some() && methods.as_ref().is_some_and(|methods| methods.contains("POST") && !methods.contains("TRACE")),
            "{methods:?}"
        );
        assert!(answer(Method::OPTIONS, "/oauth2/token", ours).await.1.is_some_and(|methods| methods.contains("POST")));
        assert_eq!(answer(Method::GET, "/signin", ours).await.0, None, "pages with cookies are nobody else's");
        assert_eq!(answer(Method::GET, "/fhir/r4/.well-known/smart-configuration", "https://evil.example").await.0.as_deref(), Some("*"));
    });
}

/// A proof for one request, by the key of a client.
pub fn proof(key: &super::backend::Key, changes: &[(&str, Json)]) -> String {
    let mut claims = json!({"iat": chrono::Utc::now().timestamp(), "jti": Uuid::now_v7()});
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    let mut public = key.public("one");
    public.as_object_mut().unwrap().remove("kid");
    key.sign(&json!({"alg": key.algorithm(), "typ": "dpop+jwt", "jwk": public}), &claims)
}

#[test]
fn a_token_with_a_key_is_nothing_without_it() {
    world::with(async |world| {
        use super::backend::Key;
        use sha2::{Digest, Sha256};
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (id, secret) = clinic.client("system/Patient.rs").await;
        let (key, other) = (Key::ec(), Key::ec());
        let token_url = json!(format!("{}/oauth2/token", world.base_url));
        let grant = async |proof: &str| {
            let request = world.http.post(token_url.as_str().unwrap()).basic_auth(&id, Some(&secret)).header("dpop", proof);
            let answer = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Json>().await.unwrap())
        };
        let good = [("htm", json!("POST")), ("htu", token_url.clone())];
        for wrong in [
            vec![good[0].clone(), ("htu", json!("https://elsewhere.example/token"))],
            vec![("htm", json!("GET")), good[1].clone()],
            vec![good[0].clone(), good[1].clone(), ("iat", json!(chrono::Utc::now().timestamp() - 300))],
        ] {
            let (answered, told) = grant(&proof(&key, &wrong)).await;
            assert_eq!((answered, &told["error"]), (400, &json!("invalid_dpop_proof")), "{wrong:?}");
        }
        let shown = proof(&key, &good);
        let (answered, made) = grant(&shown).await;
        assert_eq!((answered, &made["token_type"]), (200, &json!("DPoP")), "{made}");
        assert_eq!(grant(&shown).await.1["error"], "invalid_dpop_proof", "a proof is shown once");
        let token = text(&made, "access_token");
        let path = "/api/v1/patients";
        let asks = async |scheme: &str, proofs: &[String]| {
            let mut request = world.http.get(format!("{}{path}", world.base_url)).header("authorization", format!("{scheme} {token}"));
            for proof in proofs {
                request = request.header("dpop", proof);
            }
            request.send().await.unwrap().status().as_u16()
        };
        let hash = json!(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&token)));
        let url = json!(format!("{}{path}", world.base_url));
        let right = [("htm", json!("GET")), ("htu", url.clone()), ("ath", hash.clone())];
        let fresh = || proof(&key, &right);
        assert_eq!(asks("DPoP", &[fresh()]).await, 200);
        assert_eq!(asks("Bearer", &[]).await, 401, "stolen");
        assert_eq!(asks("DPoP", &[]).await, 401);
        assert_eq!(asks("DPoP", &[fresh(), fresh()]).await, 401);
        assert_eq!(asks("DPoP", &[proof(&other, &right)]).await, 401, "another's key");
        assert_eq!(asks("DPoP", &[proof(&key, &right[..2])]).await, 401, "for no token");
        assert_eq!(asks("DPoP", &[proof(&key, &[right[0].clone(), ("htu", token_url.clone()), right[2].clone()])]).await, 401);
        let once = fresh();
        assert_eq!((asks("DPoP", std::slice::from_ref(&once)).await, asks("DPoP", &[once]).await), (200, 401));
        // A proof makes nothing of a token that has no key.
        let plain = clinic.client_token("system/Patient.rs").await;
        let request = world.http.get(format!("{}{path}", world.base_url)).header("authorization", format!("DPoP {plain}"));
        assert_eq!(request.header("dpop", fresh()).send().await.unwrap().status(), 401);
    });
}
