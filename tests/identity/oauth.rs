//! OAuth 2.0 from outside: programs by themselves, people through the page, and everything that must be refused.

use super::browser::{Browser, Page};
use super::tokens::{ends, status};
use crate::world::people::{PASSWORD, Person, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub const REDIRECT: &str = "http://127.0.0.1:8976/callback?from=enamel";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// An app of that clinic: public id, and the secret when it keeps one.
pub async fn app(clinic: &Clinic, kind: &str) -> (String, Option<String>) {
    let admin = clinic.token("TENANT_ADMIN").await;
    let scopes = "user/*.cruds patient/*.rs launch launch/patient offline_access online_access openid fhirUser profile";
    let scopes: Vec<&str> = scopes.split(' ').collect();
    let body = json!({"name": "Chart <app>", "client_type": kind, "scopes": scopes, "redirect_uris": [REDIRECT]});
    let (code, made) = clinic.world.post(Some(&admin), "/api-clients", body).await;
    assert_eq!(code, 201, "{made}");
    (text(&made, "client_id"), made["client_secret"].as_str().map(str::to_owned))
}

pub fn authorize(world: &World, client: &str, changes: &[(&str, &str)]) -> String {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", REDIRECT),
        ("scope", "user/Patient.rs user/Practitioner.rs"),
        ("state", "s & 1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    format!("{}/oauth2/authorize?{}", world.base_url, serde_urlencoded::to_string(pairs).unwrap())
}

/// Through the sign-in page and the consent page; what the browser would bring to the app.
pub async fn through(browser: &mut Browser, person: &Person, url: &str, decision: &[(&str, &str)]) -> Page {
    let mut page = browser.get(url).await;
    page = browser.follow(page, "http://127.0.0.1:8976/").await;
    if page.body.contains("password") {
        assert_eq!(page.status, 200, "{}", page.body);
        page = browser.submit(&page, &[("email", &person.email), ("password", PASSWORD)]).await;
        page = browser.follow(page, "http://127.0.0.1:8976/").await;
    }
    if page.location.is_some() || !page.body.contains("Allow") {
        return page;
    }
    assert!(page.body.contains("Chart &#60;app&#62;"), "{}", page.body);
    browser.submit(&page, decision).await
}

fn query(page: &Page) -> Vec<(String, String)> {
    let location = page.location.as_ref().unwrap_or_else(|| panic!("{} {}", page.status, page.body));
    assert!(location.starts_with("http://127.0.0.1:8976/callback?from=enamel&"), "{location}");
    reqwest::Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

pub fn part(page: &Page, name: &str) -> String {
    let query = query(page);
    query.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name} in {query:?}")).1.clone()
}

pub async fn redeem(world: &World, client: &str, code: &str, changes: &[(&str, &str)]) -> (u16, Json) {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in changes {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    world.exchange(None, &form).await
}

#[test]
fn a_program_acts_by_itself_within_its_scopes() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let patient = clinic.patient("Weber").await.unwrap();
        let path = format!("/patients/{}", patient.id);
        let token = clinic.client_token("system/*.cruds").await;
        assert_eq!(status(world, &token, &path).await, 200);
        assert_eq!(status(world, &clinic.client_token("system/Location.rs").await, &path).await, 403);
        assert_eq!(status(world, &other.client_token("system/*.cruds").await, &path).await, 404);

        let (id, secret) = clinic.client("system/Patient.rs").await;
        let ask = async |pair: Option<(&str, &str)>, form: &[(&str, &str)]| {
            let (code, body) = world.exchange(pair, form).await;
            (code, body["error"].as_str().unwrap_or_default().to_owned())
        };
        let grant = ("grant_type", "client_credentials");
        let unknown = ask(Some(("nobody", &secret)), &[grant]).await;
        assert_eq!(unknown, (401, "invalid_client".into()));
        assert_eq!(ask(Some((&id, "en_cs_wrong")), &[grant]).await, unknown, "a wrong secret and an unknown client are one answer");
        assert_eq!(ask(None, &[grant, ("client_id", &id)]).await, unknown);
        assert_eq!(ask(None, &[grant, ("client_id", &id), ("client_secret", &secret)]).await, (200, String::new()));
        assert_eq!(ask(Some((&id, &secret)), &[grant, ("client_secret", &secret)]).await, (400, "invalid_request".into()));
        assert_eq!(ask(Some((&id, &secret)), &[grant, ("scope", "system/Coverage.rs")]).await, (400, "invalid_scope".into()));
        assert_eq!(ask(Some((&id, &secret)), &[("grant_type", "password")]).await, (400, "unsupported_grant_type".into()));
        assert_eq!(ask(Some((&id, &secret)), &[("grant_type", "authorization_code")]).await, (400, "unauthorized_client".into()));
        assert_eq!(ask(Some((&id, &secret)), &[grant, grant]).await, (400, "invalid_request".into()));
        assert_eq!(ask(Some((&id, &secret)), &[]).await, (400, "invalid_request".into()));
    });
}

#[test]
fn secrets_turn_over_and_a_disabled_program_ends() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let (id, secret) = clinic.client("system/Patient.rs").await;
        let record = world
            .truth()
            .await
            .query_one("select id from enamel.api_clients where client_id = $1", &[&id])
            .await
            .unwrap()
            .get::<_, Uuid>(0);
        let works = async |secret: &str| world.exchange(Some((&id, secret)), &[("grant_type", "client_credentials")]).await;
        let (code, second) = world.post(Some(&admin), &format!("/api-clients/{record}/rotate-secret"), json!({})).await;
        assert_eq!(code, 200, "{second}");
        let second = text(&second, "client_secret");
        assert_eq!((works(&secret).await.0, works(&second).await.0), (200, 200), "two live secrets");
        let (_, third) = world.post(Some(&admin), &format!("/api-clients/{record}/rotate-secret"), json!({"overlap_hours": 0})).await;
        assert_eq!((works(&secret).await.0, works(&second).await.0, works(&text(&third, "client_secret")).await.0), (401, 401, 200));
        let token = text(&works(&text(&third, "client_secret")).await.1, "access_token");
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
        assert_eq!(world.post(Some(&stranger), &format!("/api-clients/{record}/disable"), json!({})).await.0, 404);
        assert_eq!(world.post(Some(&admin), &format!("/api-clients/{record}/disable"), json!({})).await.0, 200);
        ends(world, &token, "/patients").await;
        assert_eq!(works(&text(&third, "client_secret")).await.0, 401);

        // Nobody gives a program more than they have.
        let developer = clinic.token("DEVELOPER").await;
        let body = |scopes: &[&str]| json!({"name": "x", "client_type": "BACKEND", "scopes": scopes});
        assert_eq!(world.post(Some(&developer), "/api-clients", body(&["system/Patient.rs"])).await.0, 403);
        assert_eq!(world.post(Some(&developer), "/api-clients", body(&["system/PractitionerRole.rs"])).await.0, 201);
        assert_eq!(world.post(Some(&admin), "/api-clients", body(&["user/Patient.rs"])).await.0, 422);
        assert_eq!(world.post(Some(&admin), "/api-clients", body(&["system/Patient.rs?x=y"])).await.0, 422);
    });
}

#[test]
fn a_person_lets_an_app_in_through_our_own_pages() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Weber").await.unwrap();
        let person = clinic.employee("CLINICIAN").await;
        let (client, _) = app(&clinic, "PUBLIC").await;
        let mut browser = Browser::new();
        let landed = through(
            &mut browser,
            &person,
            &authorize(world, &client, &[("scope", "user/Patient.rs offline_access system/*.rs")]),
            &[("decision", "allow")],
        )
        .await;
        assert_eq!((part(&landed, "state"), part(&landed, "iss")), ("s & 1".to_owned(), world.base_url.clone()));
        let (code, made) = redeem(world, &client, &part(&landed, "code"), &[]).await;
        assert_eq!((code, &made["scope"]), (200, &json!("user/Patient.rs offline_access")), "{made}");
        let token = text(&made, "access_token");
        assert_eq!(status(world, &token, &format!("/patients/{}", patient.id)).await, 200);
        assert_eq!(status(world, &token, "/locations").await, 403, "the person may, the app may not");
        assert_eq!(world.post(Some(&token), "/sessions/switch-tenant", json!({"tenant_id": clinic.id})).await.0, 403);

        let renew = async |client: &str, token: &str| {
            world.exchange(None, &[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)]).await
        };
        let (stranger, _) = app(&clinic, "PUBLIC").await;
        assert_eq!(renew(&stranger, &text(&made, "refresh_token")).await.1["error"], "invalid_grant");
        let (code, next) = renew(&client, &text(&made, "refresh_token")).await;
        assert_eq!((code, &next["scope"]), (200, &made["scope"]), "{next}");

        // Signed in already: the second time asks for consent only, and may be denied.
        let denied = through(&mut browser, &person, &authorize(world, &client, &[]), &[("decision", "deny")]).await;
        assert_eq!(part(&denied, "error"), "access_denied");

        // RFC 7009: the app gives its tokens back.
        let revoke = world
            .http
            .post(format!("{}/oauth2/revoke", world.base_url))
            .form(&[("client_id", client.as_str()), ("token", &text(&next, "refresh_token"))]);
        assert_eq!(revoke.send().await.unwrap().status(), 200);
        ends(world, &text(&next, "access_token"), "/patients").await;
    });
}

#[test]
fn a_code_is_good_once_for_its_own_app_address_and_verifier() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let ((client, _), (other, _), (keeper, secret)) =
            (app(&clinic, "PUBLIC").await, app(&clinic, "PUBLIC").await, app(&clinic, "CONFIDENTIAL").await);
        let mut browser = Browser::new();
        let code_for = async |browser: &mut Browser, client: &str| {
            part(&through(browser, &person, &authorize(world, client, &[]), &[("decision", "allow")]).await, "code")
        };

        for changes in [
            &[("code_verifier", "x".repeat(43))][..],
            &[("redirect_uri", "http://127.0.0.1:8976/callback".to_owned())],
            &[("client_id", other.clone())],
        ] {
            let code = code_for(&mut browser, &client).await;
            let changes: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (status, body) = redeem(world, &client, &code, &changes).await;
            assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")), "{changes:?}");
        }
        let code = code_for(&mut browser, &client).await;
        let (_, made) = redeem(world, &client, &code, &[]).await;
        let token = text(&made, "access_token");
        assert_eq!(status(world, &token, "/patients").await, 200);
        assert_eq!(redeem(world, &client, &code, &[]).await.1["error"], "invalid_grant");
        ends(world, &token, "/patients").await;

        let code = code_for(&mut browser, &client).await;
        world
            .truth()
            .await
            .execute(
                "update enamel.oauth_authorizations set code_expires_at = now() - interval '1 second' where tenant_id = $1",
                &[&clinic.id],
            )
            .await
            .unwrap();
        assert_eq!(redeem(world, &client, &code, &[]).await.1["error"], "invalid_grant");

        // An app with a secret has to show it.
        let code = code_for(&mut browser, &keeper).await;
        assert_eq!(redeem(world, &keeper, &code, &[]).await.1["error"], "invalid_client");
        assert_eq!(redeem(world, &keeper, &code, &[("client_secret", &secret.unwrap())]).await.0, 200);
    });
}

#[test]
fn nobody_is_sent_where_the_app_has_not_registered() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (client, _) = app(&clinic, "PUBLIC").await;
        let mut browser = Browser::new();
        for changes in [
            &[("redirect_uri", "http://127.0.0.1:8976/callback")][..],
            &[("redirect_uri", "https://evil.example/")],
            &[("client_id", "nobody")],
            &[("client_id", "")],
        ] {
            let page = browser.get(&authorize(world, &client, changes)).await;
            assert_eq!((page.status, page.location.as_deref()), (400, None), "{changes:?}");
        }
        for (changes, error) in [
            (&[("code_challenge", "")][..], "invalid_request"),
            (&[("code_challenge_method", "plain")], "invalid_request"),
            (&[("response_type", "token")], "unsupported_response_type"),
            (&[("prompt", "none")], "login_required"),
        ] {
            let page = browser.get(&authorize(world, &client, changes)).await;
            assert_eq!(part(&page, "error"), error, "{changes:?}");
        }
    });
}

#[test]
fn a_form_of_another_site_a_foreign_person_and_a_wrong_password_go_nowhere() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (person, stranger) = (clinic.employee("CLINICIAN").await, other.employee("CLINICIAN").await);
        let (client, _) = app(&clinic, "PUBLIC").await;
        let mut browser = Browser::new();
        let page = browser.get(&authorize(world, &client, &[])).await;
        let page = browser.follow(page, REDIRECT).await;
        let typed = [("email", person.email.as_str()), ("password", PASSWORD)];
        let forged = browser.submit(&page, &[typed[0], typed[1], ("csrf", "0000")]).await;
        assert_eq!(forged.status, 403);
        let mut elsewhere = Browser::new();
        assert_eq!(elsewhere.submit(&page, &typed).await.status, 403, "the form is tied to the browser it was sent to");
        let wrong = browser.submit(&page, &[typed[0], ("password", "some other words")]).await;
        assert_eq!(wrong.status, 401);
        assert!(wrong.body.contains(r#"role="alert""#) && wrong.body.contains(&person.email));
        let foreign = browser.submit(&page, &[("email", &stranger.email), typed[1]]).await;
        assert_eq!(foreign.status, 401, "somebody of another tenant");
        let consent = browser.submit(&page, &typed).await;
        let consent = browser.follow(consent, REDIRECT).await;
        assert_eq!(browser.submit(&consent, &[("decision", "allow"), ("csrf", "0000")]).await.status, 403);

        // A session of one tenant is none at an app of another.
        let (foreign_app, _) = app(&other, "PUBLIC").await;
        let page = browser.get(&authorize(world, &foreign_app, &[])).await;
        assert!(page.location.unwrap().starts_with("/signin?"));
    });
}

#[test]
fn a_patient_lets_an_app_see_one_of_their_charts() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (own, child, other) =
            (clinic.patient("Own").await.unwrap(), clinic.patient("Child").await.unwrap(), clinic.patient("Other").await.unwrap());
        let (user, _) = world.patient_token(&[(clinic.id, own.id)]).await;
        let truth = world.truth().await;
        truth
            .execute(
                "insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, status, granted_by, valid_from)
             values ($1, $2, $3, $4, 'PARENT', 'ACTIVE', 'CLINIC', now())",
                &[&clinic.id, &Uuid::now_v7(), &child.id, &user],
            )
            .await
            .unwrap();
        world.give_password(user).await;
        let email: String = truth.query_one("select email from enamel.users where id = $1", &[&user]).await.unwrap().get(0);
        let person = Person { id: user, email };
        let (client, _) = app(&clinic, "PUBLIC").await;
        let mut browser = Browser::new();
        let url = authorize(world, &client, &[("scope", "launch/patient patient/Patient.rs")]);
        let stolen = through(&mut browser, &person, &url, &[("decision", "allow"), ("patient", &other.id.to_string())]).await;
        assert_eq!(part(&stolen, "error"), "access_denied");
        let landed = through(&mut browser, &person, &url, &[("decision", "allow"), ("patient", &child.id.to_string())]).await;
        let (code, made) = redeem(world, &client, &part(&landed, "code"), &[]).await;
        assert_eq!((code, &made["patient"], &made["refresh_token"]), (200, &json!(child.id), &Json::Null), "{made}");
        let token = text(&made, "access_token");
        assert_eq!(status(world, &token, &format!("/patients/{}", child.id)).await, 200);
        assert_eq!(status(world, &token, &format!("/patients/{}", own.id)).await, 404, "the launch was for the child");
    });
}

#[test]
fn a_token_is_described_to_clients_of_its_own_tenant_only() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let token = clinic.client_token("system/Patient.rs").await;
        let ask = async |client: &(String, String), token: &str| {
            let request = world
                .http
                .post(format!("{}/oauth2/introspect", world.base_url))
                .basic_auth(&client.0, Some(&client.1))
                .form(&[("token", token)]);
            request.send().await.unwrap().json::<Json>().await.unwrap()
        };
        let (near, far) = (clinic.client("system/Patient.rs").await, other.client("system/Patient.rs").await);
        let told = ask(&near, &token).await;
        assert_eq!((&told["active"], &told["scope"]), (&json!(true), &json!("system/Patient.rs")));
        assert_eq!(ask(&far, &token).await, json!({"active": false}));
        assert_eq!(ask(&near, "en_at_nonsense").await, json!({"active": false}));
    });
}

#[test]
fn a_person_takes_back_what_they_allowed_an_app() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (person, other) = (clinic.employee("CLINICIAN").await, clinic.employee("CLINICIAN").await);
        let (client, _) = app(&clinic, "PUBLIC").await;
        let url = authorize(world, &client, &[("scope", "user/Patient.rs offline_access")]);
        let mut browser = Browser::new();
        let landed = through(&mut browser, &person, &url, &[("decision", "allow")]).await;
        let (code, made) = redeem(world, &client, &part(&landed, "code"), &[]).await;
        assert_eq!(code, 200, "{made}");
        let (access, refresh) = (text(&made, "access_token"), text(&made, "refresh_token"));
        assert_eq!(status(world, &access, "/patients").await, 200);
        let own = text(&world.sign_in(&person, None).await, "access_token");
        let (_, grants) = world.get(Some(&own), "/oauth-authorizations").await;
        let path = format!("/oauth-authorizations/{}/revoke", text(&grants["items"][0], "id"));
        // Somebody else's grant is none, and an application does not decide about its own.
        let stranger = text(&world.sign_in(&other, None).await, "access_token");
        let random = format!("/oauth-authorizations/{}/revoke", Uuid::now_v7());
        let told = |(status, mut body): (u16, Json)| {
            body.as_object_mut().unwrap().remove("request_id");
            (status, body)
        };
        let foreign = told(world.post(Some(&stranger), &path, json!({})).await);
        assert_eq!(foreign, told(world.post(Some(&stranger), &random, json!({})).await));
        assert_eq!(foreign.0, 404);
        assert_eq!(world.post(Some(&access), &path, json!({})).await.0, 403);
        assert_eq!(status(world, &access, "/patients").await, 200);
        let (code, revoked) = world.post(Some(&own), &path, json!({})).await;
        assert!(code == 200 && revoked["revoked_at"].is_string(), "{code} {revoked}");
        ends(world, &access, "/patients").await;
        let renewal = [("grant_type", "refresh_token"), ("client_id", client.as_str()), ("refresh_token", &refresh)];
        assert_eq!(world.exchange(None, &renewal).await.0, 400);
        assert_eq!(world.post(Some(&own), &path, json!({})).await.1["revoked_at"], revoked["revoked_at"], "once is enough");
        // A code that was not redeemed yet is worth nothing afterwards.
        let landed = through(&mut browser, &person, &url, &[("decision", "allow")]).await;
        let (_, grants) = world.get(Some(&own), "/oauth-authorizations").await;
        let open = grants["items"].as_array().unwrap().iter().find(|grant| grant["revoked_at"].is_null()).unwrap();
        assert_eq!(world.post(Some(&own), &format!("/oauth-authorizations/{}/revoke", text(open, "id")), json!({})).await.0, 200);
        assert_eq!(redeem(world, &client, &part(&landed, "code"), &[]).await.0, 400);
        assert_eq!(status(world, &own, "/patients").await, 200, "the person's own session stays");
    });
}

#[test]
fn wrong_secrets_are_on_record_and_do_not_fill_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (id, _) = clinic.client("system/Patient.rs").await;
        for _ in 0..20 {
            let (code, refusal) = world.exchange(Some((&id, "wrong")), &[("grant_type", "client_credentials")]).await;
            assert_eq!((code, &refusal["error"]), (401, &json!("invalid_client")));
        }
        let told = "select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'LOGIN_FAILED' and outcome = 'DENIED'";
        let told: i64 = world.truth().await.query_one(told, &[&clinic.id]).await.unwrap().get(0);
        // A slow machine may begin a second minute.
        assert!((1..=4).contains(&told), "{told}");
    });
}
