//! Signing out is heard: by the applications that somebody entered from a browser, and from the provider they signed in at
//! (OpenID Connect Back-Channel Logout 1.0).

use super::browser::{Browser, Page};
use super::federation::{link, register};
use super::hostile::{Hostile, Signed};
use super::oauth::{REDIRECT, authorize, part, redeem, through};
use super::openid::read;
use super::tokens::{ends, status};
use crate::world::people::{Person, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use poem::http::StatusCode;
use poem::listener::TcpAcceptor;
use poem::middleware::AddData;
use poem::web::{Data, Form};
use poem::{EndpointExt, Route, Server, handler, post};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Applications that are told: by their place's name, what they heard.
pub struct Listener {
    pub url: String,
    heard: Mutex<Vec<(String, String)>>,
    /// How many it refuses before it hears one.
    refuses: AtomicUsize,
}

#[handler]
fn hear(
    Data(listener): Data<&Arc<Listener>>,
    poem::web::Path(place): poem::web::Path<String>,
    Form(form): Form<BTreeMap<String, String>>,
) -> StatusCode {
    if listener.refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    listener.heard.lock().unwrap().push((place, form["logout_token"].clone()));
    StatusCode::OK
}

impl Listener {
    pub async fn start() -> Arc<Listener> {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let listener = Arc::new(Listener { url, heard: Mutex::default(), refuses: AtomicUsize::new(0) });
        let app = Route::new().at("/:place", post(hear)).with(AddData::new(listener.clone()));
        tokio::spawn(Server::new_with_acceptor(TcpAcceptor::from_tokio(socket).unwrap()).run(app));
        listener
    }

    /// All that was heard, once it is so much.
    pub async fn heard(&self, count: usize) -> Vec<(String, String)> {
        let begun = Instant::now();
        loop {
            let heard = self.heard.lock().unwrap().clone();
            if heard.len() >= count {
                return heard;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{} of {count} were told", heard.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A public application of the clinic, and its row.
async fn app(clinic: &Clinic, uri: Option<&str>) -> (String, Uuid) {
    let scopes = ["openid", "user/*.cruds", "offline_access", "online_access"];
    let body = json!({"name": "Chart <app>", "client_type": "PUBLIC", "scopes": scopes, "redirect_uris": [REDIRECT],
        "backchannel_logout_uri": uri});
    let (code, made) = clinic.world.post(Some(&clinic.token("TENANT_ADMIN").await), "/api-clients", body).await;
    assert_eq!(code, 201, "{made}");
    (text(&made, "client_id"), text(&made, "id").parse().unwrap())
}

pub async fn enters(world: &World, browser: &mut Browser, person: &Person, client: &str, scope: &str) -> Json {
    let landed = through(browser, person, &authorize(world, client, &[("scope", scope)]), &[("decision", "allow")]).await;
    let (status, made) = redeem(world, client, &part(&landed, "code"), &[]).await;
    assert_eq!(status, 200, "{made}");
    made
}

/// Of a token: who is signed out of what.
pub async fn named(world: &World, made: &Json) -> (String, String) {
    let claims = read(world, &text(made, "id_token")).await;
    (text(&claims, "sub"), text(&claims, "sid"))
}

#[test]
fn applications_hear_that_a_browsers_session_has_ended() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (person, colleague) = (clinic.employee("CLINICIAN").await, clinic.employee("CLINICIAN").await);
        let listener = Listener::start().await;
        let at = |place: &str| format!("{}/{place}", listener.url);
        let (online, _) = app(&clinic, Some(&at("online"))).await;
        let (offline, _) = app(&clinic, Some(&at("offline"))).await;
        let (other, _) = app(&clinic, Some(&at("other"))).await;
        let (deaf, _) = app(&clinic, None).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let wrong = json!({"name": "x", "client_type": "PUBLIC", "scopes": ["openid"], "redirect_uris": [REDIRECT],
            "backchannel_logout_uri": "http://app.example/out"});
        assert_eq!(world.post(Some(&admin), "/api-clients", wrong).await.0, 422, "no place in clear text");

        let mut browser = Browser::new();
        let one = enters(world, &mut browser, &person, &online, "openid user/Patient.rs online_access").await;
        let again = enters(world, &mut browser, &person, &online, "openid user/Patient.rs online_access").await;
        let two = enters(world, &mut browser, &person, &offline, "openid user/Patient.rs offline_access").await;
        let three = enters(world, &mut browser, &person, &deaf, "openid user/Patient.rs online_access").await;
        // Without openid the application knows of no session that could end.
        enters(world, &mut browser, &person, &other, "user/Patient.rs online_access").await;
        let (mut elsewhere, mut theirs) = (Browser::new(), Browser::new());
        let stays = enters(world, &mut elsewhere, &person, &other, "openid user/Patient.rs online_access").await;
        let colleagues = enters(world, &mut theirs, &colleague, &online, "openid user/Patient.rs online_access").await;
        let whose = named(world, &one).await;
        assert_eq!(named(world, &two).await, whose, "one browser is one session, whatever the application");
        assert_ne!(named(world, &stays).await.1, whose.1);

        // A code that was not redeemed by then is worth nothing.
        let url = authorize(world, &offline, &[("scope", "openid offline_access")]);
        let late = part(&through(&mut browser, &person, &url, &[("decision", "allow")]).await, "code");
        let page = browser.get(&format!("{}/signin", world.base_url)).await;
        assert_eq!(browser.submit(&page, &[]).await.status, 303);
        let mut heard = listener.heard(2).await;
        heard.sort();
        let places: Vec<&str> = heard.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["offline", "online"], "each once, and nobody else");
        assert_eq!(redeem(world, &offline, &late, &[]).await.1["error"], "invalid_grant");
        for ((_, token), client) in heard.iter().zip([&offline, &online]) {
            let head = jsonwebtoken::decode_header(token).unwrap();
            assert_eq!(head.typ.as_deref(), Some("logout+jwt"));
            let claims = read(world, token).await;
            assert_eq!((text(&claims, "sub"), text(&claims, "sid")), whose, "{claims}");
            assert_eq!((&claims["aud"], &claims["iss"], &claims["events"]), (&json!(client), &json!(world.base_url), &json!({EVENT: {}})));
            assert!(claims["jti"].is_string() && claims["nonce"].is_null(), "{claims}");
            assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
            let query = serde_urlencoded::to_string([("id_token_hint", token)]).unwrap();
            let asked = elsewhere.get(&format!("{}/oauth2/logout?{query}", world.base_url)).await;
            assert_eq!((asked.status, asked.location), (200, None), "it is no hint of who signs out");
        }

        // What is there while its person is ends; what may go on without them goes on.
        for made in [&one, &again, &three] {
            ends(world, &text(made, "access_token"), "/patients").await;
        }
        let renew = async |client: &str, made: &Json| {
            let form = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", &text(made, "refresh_token"))];
            world.exchange(None, &form).await
        };
        assert_eq!(renew(&online, &one).await.1["error"], "invalid_grant");
        let (code, two) = renew(&offline, &two).await;
        assert_eq!(code, 200, "{two}");
        for made in [&two, &stays, &colleagues] {
            assert_eq!(status(world, &text(made, "access_token"), "/patients").await, 200);
        }
        let told =
            "select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'LOGOUT_TOLD' and resource_id = $2::text::uuid";
        let told: i64 = world.truth().await.query_one(told, &[&clinic.id, &whose.1]).await.unwrap().get(0);
        assert_eq!(told, 2);
    });
}

#[test]
fn however_a_session_ends_its_applications_hear_of_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let listener = Listener::start().await;
        let (client, _) = app(&clinic, Some(&format!("{}/app", listener.url))).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let scope = "openid user/Patient.rs offline_access";
        for (place, way) in ["everywhere", "application", "administrator", "disabled", "password"].into_iter().enumerate() {
            let person = clinic.employee("CLINICIAN").await;
            let mut browser = Browser::new();
            let made = enters(world, &mut browser, &person, &client, scope).await;
            let (sub, sid) = named(world, &made).await;
            match way {
                "everywhere" => {
                    let page = browser.get(&format!("{}/signin/security", world.base_url)).await;
                    let everywhere = page.with_form("/signin/security/everywhere");
                    assert_eq!(browser.submit(&everywhere, &[]).await.status, 303);
                }
                "application" => {
                    let query = serde_urlencoded::to_string([("id_token_hint", text(&made, "id_token"))]).unwrap();
                    assert_eq!(browser.get(&format!("{}/oauth2/logout?{query}", world.base_url)).await.status, 303);
                }
                "administrator" => {
                    let stranger = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
                    let path = format!("/sessions/{sid}/revoke");
                    assert_eq!(world.post(Some(&stranger), &path, json!({})).await.0, 404);
                    assert_eq!(world.post(Some(&admin), &path, json!({})).await.0, 204);
                }
                "disabled" => {
                    assert_eq!(world.post(Some(&admin), &format!("/users/{}/disable", person.id), json!({})).await.0, 200);
                }
                _ => {
                    let own = text(&world.sign_in(&person, None).await, "access_token");
                    let words = json!({"current_password": crate::world::people::PASSWORD, "new_password": "four grey premolars in a box"});
                    assert_eq!(world.post(Some(&own), &format!("/users/{}/change-password", person.id), words).await.0, 204);
                }
            }
            let heard = listener.heard(place + 1).await;
            let claims = read(world, &heard[place].1).await;
            assert_eq!((text(&claims, "sub"), text(&claims, "sid")), (sub, sid), "{way}");
            // A person who leaves everywhere, or may not stay, leaves what goes on without them too.
            if ["everywhere", "disabled", "password"].contains(&way) {
                ends(world, &text(&made, "access_token"), "/patients").await;
            } else {
                assert_eq!(status(world, &text(&made, "access_token"), "/patients").await, 200, "{way}");
            }
        }
    });
}

#[test]
fn an_application_that_does_not_hear_is_told_again_and_not_for_ever() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let listener = Listener::start().await;
        let (client, row) = app(&clinic, Some(&format!("{}/app", listener.url))).await;
        let (gone, gone_row) = app(&clinic, Some("http://127.0.0.1:1/gone")).await;
        listener.refuses.store(2, Ordering::SeqCst);
        let mut browser = Browser::new();
        enters(world, &mut browser, &person, &client, "openid").await;
        enters(world, &mut browser, &person, &gone, "openid").await;
        let page = browser.get(&format!("{}/signin", world.base_url)).await;
        browser.submit(&page, &[]).await;
        let truth = world.truth().await;
        let of = async |row: &Uuid| {
            let held = "select status, attempts from enamel.logout_notices where tenant_id = $1 and api_client_id = $2";
            let held = truth.query_one(held, &[&clinic.id, row]).await.unwrap();
            (held.get::<_, String>(0), held.get::<_, i32>(1))
        };
        let begun = Instant::now();
        // Time is made to pass.
        let soon = "update enamel.logout_notices set due_at = now() where tenant_id = $1 and status = 'PENDING' and attempts > 0";
        while of(&gone_row).await.0 == "PENDING" || of(&row).await.0 == "PENDING" {
            truth.execute(soon, &[&clinic.id]).await.unwrap();
            enamel::identity::oauth::backchannel::carry_on(&world.kernel).await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(30));
        }
        assert_eq!((of(&row).await, of(&gone_row).await), (("DELIVERED".into(), 3), ("GIVEN_UP".into(), 6)));
        assert_eq!(listener.heard(1).await.len(), 1);
    });
}

/// Signs in at the provider, which calls its session `sid`; the page in the end.
async fn signs_in(world: &World, hostile: &Hostile, browser: &mut Browser, clinic: &Clinic, provider: &str, who: (&str, &str)) -> Page {
    let page = browser.get(&format!("{}/signin/oidc/{provider}?tenant={}", world.base_url, clinic.id)).await;
    let asked = reqwest::Url::parse(page.location.as_ref().expect("off to the provider")).unwrap();
    let asked = |name: &str| asked.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
    hostile.claim("enamel", &asked("nonce"), json!({"sub": who.0, "sid": who.1}));
    let back = serde_urlencoded::to_string([("code", "c"), ("state", &asked("state"))]).unwrap();
    let page = browser.get(&format!("{}/signin/callback?{back}", world.base_url)).await;
    browser.follow(page, "nowhere").await
}

#[test]
fn a_provider_ends_the_sessions_that_began_with_it() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (person, colleague) = (clinic.employee("CLINICIAN").await, clinic.employee("CLINICIAN").await);
        let hostile = Hostile::start(super::SECRET).await;
        let provider = register(&clinic, &hostile.url, "enamel", super::SECRET, json!({})).await;
        let foreign = register(&other, &hostile.url, "another", super::SECRET, json!({})).await;
        link(world, &person, &hostile.url, "s-1").await;
        link(world, &colleague, &hostile.url, "s-2").await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let (_, told) = world.post(Some(&admin), &format!("/identity-providers/{provider}/test"), json!({})).await;
        let ours = text(&told, "backchannel_logout_uri");
        let tell = async |url: &str, token: &str| {
            let answer = world.http.post(url).form(&[("logout_token", token)]).send().await.unwrap();
            answer.status().as_u16()
        };
        let stays = async |browser: &mut Browser| browser.get(&format!("{}/signin", world.base_url)).await.body.contains("Signed in");

        let (mut one, mut two, mut theirs, mut by_password) = (Browser::new(), Browser::new(), Browser::new(), Browser::new());
        for (browser, who) in [(&mut one, ("s-1", "b-1")), (&mut two, ("s-1", "b-2")), (&mut theirs, ("s-2", "b-3"))] {
            let page = signs_in(world, &hostile, browser, &clinic, &provider, who).await;
            assert!(page.body.contains("Signed in"), "{} {}", page.status, page.body);
        }
        // The same person, who has proved here who they are.
        let (client, _) = app(&clinic, None).await;
        enters(world, &mut by_password, &person, &client, "openid").await;
        let entered = enters(world, &mut one, &person, &client, "openid user/Patient.rs online_access").await;

        let now = chrono::Utc::now().timestamp();
        let said = |changes: Json| {
            let mut claims = json!({"iss": hostile.url, "aud": "enamel", "iat": now, "exp": now + 120, "jti": Uuid::new_v4(),
                "sub": "s-1", "sid": "b-1", "events": {EVENT: {}}});
            for (name, value) in changes.as_object().unwrap() {
                match value {
                    Json::Null => drop(claims.as_object_mut().unwrap().shift_remove(name)),
                    value => claims[name] = value.clone(),
                }
            }
            claims
        };
        for wrong in [
            json!({"iss": "https://other.example"}),
            json!({"aud": "another"}),
            json!({"exp": now - 120}),
            json!({"exp": null}),
            json!({"iat": now + 600}),
            json!({"nonce": "n"}),
            json!({"events": null}),
            json!({"jti": null}),
            json!({"sub": null, "sid": null}),
        ] {
            assert_eq!(tell(&ours, &hostile.sign(said(wrong.clone()))).await, 400, "{wrong}");
        }
        for signed in [Signed::WithNothing, Signed::WithThePublicKey, Signed::WithTheClientSecret, Signed::ByAnotherKey, Signed::Tampered] {
            hostile.set(|behaviour| behaviour.signed = signed);
            assert_eq!(tell(&ours, &hostile.sign(said(json!({})))).await, 400);
        }
        hostile.set(|behaviour| behaviour.signed = Signed::Rightly);
        let right = hostile.sign(said(json!({})));
        let elsewhere = format!("{}/oauth2/logged-out/{}/{foreign}", world.base_url, other.id);
        let nowhere = format!("{}/oauth2/logged-out/{}/{}", world.base_url, clinic.id, Uuid::now_v7());
        assert_eq!((tell(&elsewhere, &right).await, tell(&nowhere, &right).await), (400, 400));
        assert_eq!(tell(&ours, &hostile.sign(said(json!({"sid": "b-9"})))).await, 200, "of a session nobody has here");
        assert!(stays(&mut one).await && stays(&mut two).await, "none of it has ended anything");

        assert_eq!(tell(&ours, &right).await, 200);
        assert!(!stays(&mut one).await, "that session");
        assert!(stays(&mut two).await && stays(&mut theirs).await, "and no other");
        ends(world, &text(&entered, "access_token"), "/patients").await;
        assert_eq!(tell(&ours, &right).await, 400, "a token is shown once");
        assert_eq!(tell(&ours, &hostile.sign(said(json!({"sid": "b-3"})))).await, 200);
        assert!(stays(&mut theirs).await, "another person's session of that name");
        assert_eq!(tell(&ours, &hostile.sign(said(json!({"sid": null})))).await, 200);
        assert!(!stays(&mut two).await, "all of that person's");
        assert!(stays(&mut theirs).await && stays(&mut by_password).await);
        assert_eq!(tell(&ours, &hostile.sign(said(json!({"sub": null, "sid": "b-3"})))).await, 200);
        assert!(!stays(&mut theirs).await);
    });
}
