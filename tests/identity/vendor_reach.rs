//! What applications of vendors are told and may do beside their tokens: sign-outs, pages of other origins, keys at an address, and
//! how often they register.

use super::backend::{Key, Published, host};
use super::browser::Browser;
use super::sign_out::{Listener, enters, named};
use super::vendors::{App, Vendor, register};
use crate::faults::ground::Ground;
use crate::world::people::text;
use crate::world::{self, World};
use poem::listener::TcpAcceptor;
use poem::{Response, Route, Server, get, handler};
use reqwest::Method;
use serde_json::{Value as Json, json};
use std::sync::atomic::Ordering;
use uuid::Uuid;

#[test]
fn a_vendors_application_hears_of_a_sign_out_where_it_was_entered() {
    world::with(async |world| {
        let (vendor, listener) = (Vendor::approved(world).await, Listener::start().await);
        let at = |place: &str| json!({"software_id": place, "backchannel_logout_uri": format!("{}/{place}", listener.url)});
        let (told, ended) = (vendor.registers(at("told")).await, vendor.registers(at("ended")).await);
        let quiet = vendor.registers(json!({"software_id": "quiet"})).await;
        assert_eq!(vendor.states(json!({"backchannel_logout_uri": "http://app.example/out"})).await.0, 400, "no place in clear text");
        let (here, there) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let mut records = Vec::new();
        for app in [&told, &ended, &quiet] {
            records.push(app.admitted(&here, &["openid", "user/Patient.rs", "offline_access"]).await);
        }
        told.admitted(&there, &["openid", "user/Patient.rs", "offline_access"]).await;
        let scope = "openid user/Patient.rs offline_access";
        let (person, colleague, other) =
            (here.employee("CLINICIAN").await, here.employee("CLINICIAN").await, there.employee("CLINICIAN").await);
        let (mut browser, mut colleagues, mut others) = (Browser::new(), Browser::new(), Browser::new());
        let made = enters(world, &mut browser, &person, &told.client, scope).await;
        for app in [&ended, &quiet] {
            enters(world, &mut browser, &person, &app.client, scope).await;
        }
        enters(world, &mut colleagues, &colleague, &told.client, scope).await;
        let theirs = enters(world, &mut others, &other, &told.client, scope).await;
        // What the clinic has ended hears nothing more.
        let admin = here.token("TENANT_ADMIN").await;
        assert_eq!(world.post(Some(&admin), &format!("/api-clients/{}/disable", records[1]), json!({})).await.0, 200);
        let leave = async |browser: &mut Browser| {
            let page = browser.get(&format!("{}/signin", world.base_url)).await;
            assert_eq!(browser.submit(&page, &[]).await.status, 303);
        };
        for (count, (browser, made)) in [(&mut browser, &made), (&mut others, &theirs)].into_iter().enumerate() {
            leave(browser).await;
            let heard = listener.heard(count + 1).await;
            let places: Vec<&str> = heard.iter().map(|(place, _)| place.as_str()).collect();
            assert!(places.iter().all(|place| *place == "told") && places.len() == count + 1, "once for each who left: {places:?}");
            let claims = super::openid::read(world, &heard[count].1).await;
            assert_eq!((text(&claims, "sub"), text(&claims, "sid")), named(world, made).await, "{claims}");
            assert_eq!(claims["aud"], json!(told.client));
        }
    });
}

#[test]
fn pages_of_a_vendors_application_read_our_answers_where_it_is_admitted() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let with = async |name: &str, more: Json| {
            let origin = format!("https://{name}-{}.app.example", Uuid::now_v7());
            let mut says = json!({"software_id": name, "redirect_uris": [format!("{origin}/back")]});
            says.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            (vendor.registers(says).await, origin)
        };
        let (used, at_used) = with("used", json!({})).await;
        let (secret, at_secret) = with("secret", json!({"token_endpoint_auth_method": "client_secret_basic"})).await;
        let (_, at_unused) = with("unused", json!({})).await;
        let (suspended, at_suspended) = with("suspended", json!({})).await;
        let (disabled, at_disabled) = with("disabled", json!({})).await;
        let mut record = String::new();
        for app in [&used, &secret, &suspended, &disabled] {
            record = app.admitted(&clinic, &["user/Patient.rs"]).await;
        }
        let ended =
            world.post(Some(&vendor.token), &format!("/vendor-apps/{}/suspend", suspended.id), json!({"reason": "It leaks."})).await;
        assert_eq!(ended.0, 200, "{ended:?}");
        let admin = clinic.token("TENANT_ADMIN").await;
        assert_eq!(world.post(Some(&admin), &format!("/api-clients/{record}/disable"), json!({})).await.0, 200);
        let opened = async |method: Method, path: &str, origin: &str| {
            let request = world.http.request(method, format!("{}{path}", world.base_url)).header("origin", origin);
            let answer = request.send().await.unwrap();
            answer.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
        };
        for path in ["/fhir/r4/Patient", "/oauth2/userinfo"] {
            assert_eq!(opened(Method::GET, path, &at_used).await.as_ref(), Some(&at_used), "{path}");
            for (origin, why) in [
                (&at_secret, "it keeps a secret"),
                (&at_unused, "nobody has admitted it"),
                (&at_suspended, "it is suspended"),
                (&at_disabled, "its clinic has ended it"),
            ] {
                assert_eq!(opened(Method::GET, path, origin).await, None, "{path}: {why}");
            }
        }
        assert!(opened(Method::OPTIONS, "/oauth2/token", &at_used).await.is_some());
        assert_eq!(opened(Method::GET, "/signin", &at_used).await, None, "pages with cookies are nobody else's");
    });
}

fn publish(host: &Published, keys: &[Json]) {
    *host.keys.lock().unwrap() = json!({"keys": keys}).to_string().into_bytes();
}

#[handler]
fn elsewhere(poem::web::Data(to): poem::web::Data<&String>) -> Response {
    Response::builder().status(poem::http::StatusCode::FOUND).header("location", to).finish()
}

/// A place that only sends on to another.
async fn sends_on(to: &str) -> String {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", socket.local_addr().unwrap());
    let app = poem::EndpointExt::with(Route::new().at("/jwks", get(elsewhere)), poem::middleware::AddData::new(to.to_owned()));
    tokio::spawn(Server::new_with_acceptor(TcpAcceptor::from_tokio(socket).unwrap()).run(app));
    url
}

#[test]
fn a_vendors_keys_turn_over_where_it_publishes_them() {
    world::with(async |world| {
        let mut vendor = Vendor::approved(world).await;
        let (host, url) = host().await;
        publish(&host, &[vendor.key.public("one")]);
        let moved = async |vendor: &Vendor, url: &str| {
            let path = format!("/app-vendors/{}/set-keys", vendor.id);
            world.post(Some(&vendor.token), &path, json!({"jwks_uri": url})).await.0
        };
        assert_eq!(moved(&vendor, &url).await, 200);
        assert_eq!((vendor.states(json!({})).await.0, vendor.states(json!({})).await.0), (201, 201));
        assert_eq!(host.asked.load(Ordering::SeqCst), 1, "what is fresh is not asked for again");
        let kid = async |vendor: &Vendor, kid: &str| {
            let statement = vendor.key.sign(&json!({"alg": "ES384", "typ": "JWT", "kid": kid}), &vendor.claims(&json!({})));
            vendor.shows(&statement, json!({})).await
        };
        let old = std::mem::replace(&mut vendor.key, Key::ec());
        publish(&host, &[vendor.key.public("two")]);
        assert_eq!(kid(&vendor, "two").await.0, 201, "a new key is taken at once");
        let new = std::mem::replace(&mut vendor.key, old);
        assert_eq!(kid(&vendor, "one").await.1["error"], "invalid_software_statement", "and the old one is gone");
        vendor.key = new;
        assert_eq!(host.asked.load(Ordering::SeqCst), 2, "unknown names ask once a minute");
        host.down.store(true, Ordering::SeqCst);
        assert_eq!(kid(&vendor, "two").await.0, 201, "what is known serves while the host is away");

        // Neither is anybody asked whom the registered place only names, nor one inside our own network.
        let (stranger, theirs) = self::host().await;
        publish(&stranger, &[vendor.key.public("two")]);
        for place in [sends_on(&theirs).await, "https://169.254.169.254/jwks".to_owned(), "https://10.0.0.1/jwks".to_owned()] {
            assert_eq!(moved(&vendor, &place).await, 200);
            assert_eq!(kid(&vendor, "two").await.1["error"], "invalid_software_statement", "{place}");
        }
        assert_eq!(stranger.asked.load(Ordering::SeqCst), 0, "nobody asks there");
        assert_eq!(moved(&vendor, &theirs).await, 200);
        assert_eq!((kid(&vendor, "two").await.0, stranger.asked.load(Ordering::SeqCst)), (201, 1), "until it is the vendor's own place");
    });
}

#[test]
fn an_applications_keys_turn_over_where_its_vendor_says() {
    world::with(async |world| {
        let (vendor, clinic) = (Vendor::approved(world).await, world.tenant("SOLO_PRACTICE", None).await);
        let (host, url) = host().await;
        let says = |url: &str| {
            json!({"grant_types": ["client_credentials"], "redirect_uris": null, "scope": "system/*.rs",
                "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": url})
        };
        assert_eq!(vendor.states(says("http://app.example/jwks")).await.1["error"], "invalid_client_metadata", "no place in clear text");
        let app = vendor.registers(says(&url)).await;
        app.admitted(&clinic, &["system/Patient.rs"]).await;
        let (old, new) = (Key::ec(), Key::ec());
        publish(&host, &[old.public("one")]);
        assert_eq!((asks(&app, &old, "one", clinic.id).await, asks(&app, &new, "one", clinic.id).await), (200, 401));
        publish(&host, &[new.public("two")]);
        assert_eq!((asks(&app, &new, "two", clinic.id).await, asks(&app, &old, "one", clinic.id).await), (200, 401));
        let (stranger, theirs) = self::host().await;
        publish(&stranger, &[new.public("two")]);
        assert_eq!(vendor.states(says(&sends_on(&theirs).await)).await.0, 201);
        assert_eq!((asks(&app, &new, "two", clinic.id).await, stranger.asked.load(Ordering::SeqCst)), (401, 0), "nobody is sent on");
    });
}

/// By an assertion of that key.
async fn asks(app: &App, key: &Key, kid: &str, tenant: Uuid) -> u16 {
    let (world, now) = (app.world, chrono::Utc::now().timestamp());
    let claims = json!({"iss": app.client, "sub": app.client, "aud": format!("{}/oauth2/token", world.base_url), "exp": now + 120,
        "jti": Uuid::now_v7()});
    let assertion = key.sign(&json!({"alg": key.algorithm(), "typ": "JWT", "kid": kid}), &claims);
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "system/Patient.rs"),
        ("audience", &tenant.to_string()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ];
    world.exchange(None, &form).await.0
}

#[test]
fn registration_is_found_by_discovery() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        let smart = "/fhir/r4/.well-known/smart-configuration";
        for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", smart] {
            let told: Json = world.http.get(format!("{}{path}", world.base_url)).send().await.unwrap().json().await.unwrap();
            let at = text(&told, "registration_endpoint");
            assert_eq!(at, format!("{}/oauth2/register", world.base_url), "{path}");
            let statement = json!({"software_statement": vendor.sign(&vendor.claims(&json!({})))});
            assert_eq!(world.http.post(&at).json(&statement).send().await.unwrap().status(), 201);
            assert_eq!(world.http.post(&at).json(&json!({})).send().await.unwrap().status(), 400);
            assert_eq!(world.http.get(&at).send().await.unwrap().status(), 405);
        }
    });
}

async fn shown(world: &World, vendor: &Vendor) -> reqwest::Response {
    let body = json!({"software_statement": vendor.sign(&vendor.claims(&json!({})))});
    world.http.post(format!("{}/oauth2/register", world.base_url)).json(&body).send().await.unwrap()
}

#[test]
fn a_vendor_registers_so_often_and_its_neighbour_still() {
    world::with(async |world| {
        let (vendor, other) = (Vendor::approved(world).await, Vendor::approved(world).await);
        // What somebody else shows in its name does not count.
        for _ in 0..40 {
            let forged = Key::ec().sign(&json!({"alg": "ES384", "typ": "JWT", "kid": "one"}), &vendor.claims(&json!({})));
            assert_eq!(register(world, &json!({"software_statement": forged})).await.0, 400);
        }
        let mut made = 0;
        let refused = loop {
            let answer = shown(world, &vendor).await;
            if answer.status() != 201 {
                break answer;
            }
            made += 1;
            assert!(made < 100, "no limit");
        };
        assert!(made >= 30, "{made}");
        assert_eq!(refused.status(), 429);
        let wait: u32 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=3).contains(&wait), "{wait}");
        assert_eq!(refused.json::<Json>().await.unwrap()["error"], "temporarily_unavailable");
        assert_eq!(shown(world, &other).await.status(), 201);
    });
}

#[test]
fn an_address_registers_so_often_and_its_neighbour_still() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("registrations").await;
        let config = std::fs::read_to_string(&house.config).unwrap();
        std::fs::write(&house.config, config.replacen("[server]\n", "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n", 1)).unwrap();
        let (server, http) = (house.serve().await, reqwest::Client::new());
        let asks = async |from: String| {
            let request = http.post(format!("{}/oauth2/register", house.base_url)).header("x-forwarded-for", from);
            request.json(&json!({"client_name": "By hand"})).send().await.unwrap()
        };
        let mut told = Vec::new();
        let refused = loop {
            // One network is one address.
            let answer = asks(format!("2001:db8:1:2::{:x}", told.len() + 1)).await;
            if answer.status() == 429 {
                break answer;
            }
            told.push(answer.status().as_u16());
            assert!(told.len() < 1_000, "no limit");
        };
        assert!(told.len() >= 200 && told.iter().all(|status| *status == 400), "{}", told.len());
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(asks("2001:db8:1:3::1".to_owned()).await.status(), 400, "another address");
        let token = http.post(format!("{}/oauth2/token", house.base_url)).header("x-forwarded-for", "2001:db8:1:2::1");
        assert_eq!(token.form(&[("grant_type", "client_credentials")]).send().await.unwrap().status(), 401, "all else goes on");
        drop(server);
    });
}
