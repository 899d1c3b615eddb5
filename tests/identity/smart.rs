//! SMART App Launch and OpenID Connect from outside: what is published, who is named, launches, patients, narrowed scopes.

use super::browser::{Browser, Page};
use super::oauth::{REDIRECT, app, authorize, part, redeem, through};
use super::tokens::{ends, status};
use crate::world::people::{Person, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use poem::http::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn fetch(world: &World, path: &str) -> Json {
    let answer = world.http.get(format!("{}{path}", world.base_url)).header("accept", "text/html").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (200, "application/json"), "{path}");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    answer.json().await.unwrap()
}

/// The claims of an ID token that a published key has signed.
async fn read(world: &World, token: &str) -> Json {
    let head = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(head.alg, jsonwebtoken::Algorithm::RS256);
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(fetch(world, "/oauth2/jwks").await).unwrap();
    let key = keys.find(&head.kid.unwrap()).expect("a published key");
    let mut rules = jsonwebtoken::Validation::new(head.alg);
    rules.validate_aud = false;
    jsonwebtoken::decode::<Json>(token, &jsonwebtoken::DecodingKey::from_jwk(key).unwrap(), &rules).unwrap().claims
}

/// Ends with a token for an app, by the pages.
async fn entered(world: &World, person: &Person, client: &str, changes: &[(&str, &str)], decision: &[(&str, &str)]) -> Json {
    let landed = through(&mut Browser::new(), person, &authorize(world, client, changes), decision).await;
    let (status, made) = redeem(world, client, &part(&landed, "code"), &[]).await;
    assert_eq!(status, 200, "{made}");
    made
}

async fn ask(world: &'static World, token: &str, path: &str) -> (u16, Json) {
    world.ask(token, Method::GET, path, None).await
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
            for grant in ["authorization_code", "client_credentials"] {
                assert!(told["grant_types_supported"].as_array().unwrap().contains(&json!(grant)));
            }
        }
        let smart = fetch(world, "/fhir/r4/.well-known/smart-configuration").await;
        let has = |name: &str| smart["capabilities"].as_array().unwrap().contains(&json!(name));
        assert!(has("launch-ehr") && has("client-confidential-asymmetric") && has("permission-v2") && has("sso-openid-connect"));
        let openid = fetch(world, "/.well-known/openid-configuration").await;
        assert_eq!(openid["id_token_signing_alg_values_supported"], json!(["RS256"]));
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
    });
}

/// A clinic with two patients, one diagnosis each, and somebody who treats them.
struct Practice {
    clinic: Clinic,
    person: Person,
    client: String,
    ours: Uuid,
    other: Uuid,
    conditions: [String; 2],
}

fn condition(patient: Uuid, code: &str, category: &str) -> Json {
    json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{patient}")},
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": category}]}],
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]}})
}

async fn practice(world: &'static World) -> Practice {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let person = clinic.employee("CLINICIAN").await;
    let (ours, other) = (clinic.patient("Launched").await.unwrap().id, clinic.patient("Left").await.unwrap().id);
    let made = async |patient| text(&clinic.fhir().made(condition(patient, "80967001", "problem-list-item")).await, "id");
    let conditions = [made(ours).await, made(other).await];
    let (client, _) = app(&clinic, "PUBLIC").await;
    Practice { clinic, person, client, ours, other, conditions }
}

impl Practice {
    /// A token of an application sees the one patient over both contracts and nobody else.
    async fn sees_only_ours(&self, world: &'static World, token: &str) {
        let Practice { ours, other, conditions, .. } = self;
        for (path, wanted) in [
            (format!("/fhir/r4/Patient/{ours}"), 200),
            (format!("/fhir/r4/Patient/{other}"), 404),
            (format!("/fhir/r4/Condition/{}", conditions[0]), 200),
            (format!("/fhir/r4/Condition/{}", conditions[1]), 404),
            (format!("/api/v1/patients/{ours}"), 200),
            (format!("/api/v1/patients/{other}"), 404),
        ] {
            let (status, told) = ask(world, token, &path).await;
            assert_eq!(status, wanted, "{path}: {told}");
        }
        for path in ["Patient", "Condition", &format!("Condition?patient={other}"), "Appointment", "Observation", "DocumentReference"] {
            let (status, told) = ask(world, token, &format!("/fhir/r4/{path}")).await;
            assert_eq!(status, 200, "{path}: {told}");
            let text = told.to_string();
            assert!(!text.contains(&format!("\"{other}")) && !text.contains(&format!("/{other}\"}}")), "{path}: {told}");
            assert!(told["entry"].as_array().into_iter().flatten().all(|entry| {
                let subject = &entry["resource"]["subject"]["reference"];
                subject.is_null() || *subject == json!(format!("Patient/{ours}"))
            }));
        }
        let (_, told) = ask(world, token, "/api/v1/patients").await;
        let ids: Vec<&Json> = told["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
        assert_eq!(ids, [&json!(ours)]);
        let (_, told) = ask(world, token, "/fhir/r4/Condition").await;
        assert_eq!(told["entry"].as_array().unwrap().len(), 1, "{told}");
    }
}

#[test]
fn an_app_is_launched_for_the_patient_somebody_looks_at() {
    world::with(async |world| {
        let practice = practice(world).await;
        let Practice { clinic, person, client, ours, other, .. } = &practice;
        let own = text(&world.sign_in(person, None).await, "access_token");
        let launch = async |token: &str, body: Json| world.post(Some(token), "/smart-launches", body).await;
        let (answered, made) = launch(&own, json!({"client_id": client, "patient_id": ours})).await;
        assert_eq!(answered, 200, "{made}");
        let handle = text(&made, "launch");
        let base = format!("{}/fhir/r4", world.base_url);
        let url = |handle: &str, scope: &str| authorize(world, client, &[("launch", handle), ("aud", &base), ("scope", scope)]);
        let scope = "launch patient/*.rs openid fhirUser";

        // Somebody else's launch, and one that nobody made.
        let colleague = clinic.employee("CLINICIAN").await;
        let stolen = through(&mut Browser::new(), &colleague, &url(&handle, scope), &[("decision", "allow")]).await;
        assert_eq!(part(&stolen, "error"), "invalid_request");
        let mut browser = Browser::new();
        let nobody = through(&mut browser, person, &url("en_la_nonsense", scope), &[("decision", "allow")]).await;
        assert_eq!(part(&nobody, "error"), "invalid_request");
        let (another, _) = app(clinic, "PUBLIC").await;
        let elsewhere = authorize(world, &another, &[("launch", &handle), ("aud", &base), ("scope", scope)]);
        assert_eq!(part(&through(&mut browser, person, &elsewhere, &[("decision", "allow")]).await, "error"), "invalid_request");

        let landed = through(&mut browser, person, &url(&handle, scope), &[("decision", "allow"), ("patient", &other.to_string())]).await;
        let (answered, made) = redeem(world, client, &part(&landed, "code"), &[]).await;
        assert_eq!((answered, &made["patient"]), (200, &json!(ours)), "the launch decides, not the form: {made}");
        practice.sees_only_ours(world, &text(&made, "access_token")).await;
        let again = through(&mut browser, person, &url(&handle, scope), &[("decision", "allow")]).await;
        assert_eq!(part(&again, "error"), "invalid_request", "a handle is good once");

        // Who may not see the patient launches nothing for them, nor for a random one.
        let developer = clinic.token("DEVELOPER").await;
        assert_eq!(launch(&developer, json!({"client_id": client, "patient_id": ours})).await.0, 403);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("CLINICIAN").await;
        let told = |(status, mut body): (u16, Json)| {
            body.as_object_mut().unwrap().remove("request_id");
            (status, body)
        };
        let foreign = told(launch(&stranger, json!({"client_id": client, "patient_id": ours})).await);
        assert_eq!(foreign, told(launch(&stranger, json!({"client_id": client, "patient_id": Uuid::now_v7()})).await));
        assert_eq!(launch(&stranger, json!({"client_id": client})).await.0, foreign.0);
        assert_eq!(launch(&text(&made, "access_token"), json!({"client_id": client})).await.0, 403, "an application launches nothing");
    });
}

#[test]
fn somebody_of_the_staff_picks_a_patient_for_an_app() {
    world::with(async |world| {
        let practice = practice(world).await;
        let Practice { person, client, ours, other, .. } = &practice;
        let scope = "launch/patient patient/*.rs";
        let url = authorize(world, client, &[("scope", scope)]);
        let mut browser = Browser::new();
        let page = through(&mut browser, person, &url, &[("decision", "find"), ("q", "laun")]).await;
        assert_eq!((page.status, &page.location), (200, &None));
        assert!(page.body.contains(&ours.to_string()) && !page.body.contains(&other.to_string()), "{}", page.body);
        assert!(page.policy.as_ref().unwrap().contains("default-src 'none'"));
        // A patient of another clinic is none of theirs.
        let foreign = world.tenant("SOLO_PRACTICE", None).await.patient("Foreign").await.unwrap().id.to_string();
        let refused = browser.submit(&page, &[("decision", "allow"), ("patient", &foreign)]).await;
        assert_eq!(part(&refused, "error"), "access_denied");
        let landed = browser.submit(&page, &[("decision", "allow"), ("patient", &ours.to_string())]).await;
        let (answered, made) = redeem(world, client, &part(&landed, "code"), &[]).await;
        assert_eq!((answered, &made["patient"]), (200, &json!(ours)), "{made}");
        practice.sees_only_ours(world, &text(&made, "access_token")).await;
        let seen = "select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'RECORD_SEARCHED' and metadata::text like '%' || $2 || '%'";
        let seen: i64 = world.truth().await.query_one(seen, &[&practice.clinic.id, &ours.to_string()]).await.unwrap().get(0);
        assert!(seen >= 1, "who was shown a name is on record");
        // Without a patient nobody speaks for one, whatever a row says.
        let lost = "update enamel.sessions set patient_id = null where active_tenant_id = $1 and api_client_id is not null";
        world.truth().await.execute(lost, &[&practice.clinic.id]).await.unwrap();
        ends(world, &text(&made, "access_token"), "/patients").await;
    });
}

#[test]
fn a_person_keeps_some_scopes_back() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let (client, _) = app(&clinic, "PUBLIC").await;
        let url = authorize(world, &client, &[("scope", "user/Patient.rs user/Condition.rs user/Practitioner.rs")]);
        let mut browser = Browser::new();
        let page = through(&mut browser, &person, &url, &[("decision", "find")]).await;
        let boxes: Vec<String> = page.hidden_fields().into_iter().filter(|(name, _)| name.starts_with("keep-")).map(|(_, word)| word).collect();
        assert_eq!(boxes, ["user/Patient.rs", "user/Condition.rs", "user/Practitioner.rs"]);
        let landed = browser.submit(&page, &[("decision", "allow"), ("keep-1", "")]).await;
        let (_, made) = redeem(world, &client, &part(&landed, "code"), &[]).await;
        assert_eq!(made["scope"], "user/Patient.rs user/Practitioner.rs", "{made}");
        let token = text(&made, "access_token");
        let asks = async |name: &str| ask(world, &token, &format!("/fhir/r4/{name}")).await.0;
        assert_eq!((asks("Patient").await, asks("Condition").await), (200, 403));
        // Nothing that was not asked for comes in by a box, and nothing at all is no grant.
        let forged = browser.submit(&page, &[("decision", "allow"), ("keep-0", "user/*.cruds"), ("keep-1", ""), ("keep-2", "")]).await;
        assert_eq!(part(&forged, "error"), "access_denied");
        // A silent request is granted as much as was allowed before, and no more.
        let silent = |scope: &str| authorize(world, &client, &[("scope", scope), ("prompt", "none")]);
        let again = browser.get(&silent("user/Patient.rs")).await;
        assert_eq!(redeem(world, &client, &part(&again, "code"), &[]).await.0, 200);
        assert_eq!(part(&browser.get(&silent("user/Condition.rs")).await, "error"), "consent_required");
    });
}

#[test]
fn a_scope_shows_what_its_search_finds_and_nothing_else() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Weber").await.unwrap().id;
        let made = async |code: &str| text(&clinic.fhir().made(condition(patient, code, "problem-list-item")).await, "id");
        let (caries, other) = (made("80967001").await, made("66383009").await);
        let scope = "system/Condition.rs?code=http://snomed.info/sct|80967001 system/Patient.rs";
        let token = clinic.client_token(scope).await;
        let ids = async |path: &str| {
            let (status, told) = ask(world, &token, path).await;
            assert_eq!(status, 200, "{path}: {told}");
            let entries = told["entry"].as_array().cloned().unwrap_or_default();
            entries.iter().map(|entry| text(&entry["resource"], "id")).collect::<Vec<_>>()
        };
        for path in ["Condition", &format!("Condition?patient={patient}"), &format!("Condition?_id={caries},{other}"), &format!("Patient/{patient}/Condition")] {
            assert_eq!(ids(&format!("/fhir/r4/{path}")).await, [caries.clone()], "{path}");
        }
        assert_eq!(ids("/fhir/r4/Condition?code=66383009").await, Vec::<String>::new());
        let beside = ids(&format!("/fhir/r4/Patient?_id={patient}&_revinclude=Condition:patient")).await;
        assert!(beside.contains(&caries) && !beside.contains(&other), "{beside:?}");
        let status = async |path: &str| ask(world, &token, path).await.0;
        assert_eq!(status(&format!("/fhir/r4/Condition/{caries}")).await, 200);
        let random = Uuid::now_v7();
        assert_eq!((status(&format!("/fhir/r4/Condition/{other}")).await, status(&format!("/fhir/r4/Condition/{random}")).await), (404, 404));
        // Where records come another way, such a scope is not enough.
        for path in [
            format!("/fhir/r4/Condition/{caries}/_history"),
            format!("/fhir/r4/Condition/{caries}/_history/1"),
            "/fhir/r4/Patient?_has:Condition:patient:code=66383009".to_owned(),
            "/api/v1/patient-conditions".to_owned(),
            format!("/api/v1/patient-conditions/{caries}"),
        ] {
            assert!([400, 403].contains(&status(&path).await), "{path}");
        }
        let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
            {"request": {"method": "GET", "url": format!("Condition/{other}")}},
            {"request": {"method": "GET", "url": format!("Condition/{caries}")}},
            {"request": {"method": "GET", "url": "Condition"}}]});
        let (_, answer) = world.ask(&token, Method::POST, "/fhir/r4/", Some(&batch)).await;
        let statuses: Vec<&str> = answer["entry"].as_array().unwrap().iter().map(|entry| &entry["response"]["status"].as_str().unwrap()[..3]).collect();
        assert_eq!(statuses, ["404", "200", "200"], "{answer}");
        assert_eq!(answer["entry"][2]["resource"]["entry"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_request_for_another_server_or_without_a_launch_brings_no_code() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let (client, _) = app(&clinic, "PUBLIC").await;
        let mut browser = Browser::new();
        for changes in [
            &[("aud", "https://elsewhere.example/fhir")][..],
            &[("resource", "https://elsewhere.example/fhir")],
            &[("launch", "en_la_x")],
        ] {
            let landed = through(&mut browser, &person, &authorize(world, &client, changes), &[("decision", "allow")]).await;
            assert_eq!(part(&landed, "error"), "invalid_request", "{changes:?}");
        }
        let base = format!("{}/fhir/r4", world.base_url);
        let landed = through(&mut browser, &person, &authorize(world, &client, &[("aud", &base)]), &[("decision", "allow")]).await;
        assert_eq!(redeem(world, &client, &part(&landed, "code"), &[]).await.0, 200);
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
fn a_token_is_described_as_it_was_issued() {
    world::with(async |world| {
        let practice = practice(world).await;
        let Practice { clinic, person, client, ours, .. } = &practice;
        let id = ours.to_string();
        let own = text(&world.sign_in(person, None).await, "access_token");
        let (_, launch) = world.post(Some(&own), "/smart-launches", json!({"client_id": client, "patient_id": ours})).await;
        let (handle, base) = (text(&launch, "launch"), format!("{}/fhir/r4", world.base_url));
        let changes = [("launch", handle.as_str()), ("aud", base.as_str()), ("scope", "launch patient/Patient.rs")];
        let made = entered(world, person, client, &changes, &[("decision", "allow")]).await;
        let (asker, secret) = clinic.client("system/Patient.rs").await;
        let request = world
            .http
            .post(format!("{}/oauth2/introspect", world.base_url))
            .basic_auth(&asker, Some(&secret))
            .form(&[("token", text(&made, "access_token"))]);
        let told: Json = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&told["active"], &told["client_id"], &told["patient"], &told["scope"], &told["sub"]),
            (&json!(true), &json!(client), &json!(id), &made["scope"], &json!(person.id)),
            "{told}"
        );
        assert!(told["exp"].is_i64());
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

/// A proof for one request, by the key of a client.
fn proof(key: &super::backend::Key, changes: &[(&str, Json)]) -> String {
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
        assert_eq!((asks("DPoP", &[once.clone()]).await, asks("DPoP", &[once]).await), (200, 401));
        // A proof makes nothing of a token that has no key.
        let plain = clinic.client_token("system/Patient.rs").await;
        let request = world.http.get(format!("{}{path}", world.base_url)).header("authorization", format!("DPoP {plain}"));
        assert_eq!(request.header("dpop", fresh()).send().await.unwrap().status(), 401);
    });
}
