//! Passkeys, made and used by a real browser with its own authenticator, over REST and on the pages.

use super::chromium::{Chromium, ENTER, TAB, told};
use super::pages::is_understood;
use crate::identity::second_factor::afresh;
use crate::world::people::{PASSWORD, Person, text};
use crate::world::{self, World};
use enamel::server::start::{self, Server};
use serde_json::{Value as Json, json};

/// The world's server once more, reached by a name: a number has no passkeys.
struct Named {
    url: String,
    http: reqwest::Client,
    _server: Server,
}

impl Named {
    async fn start(world: &World) -> Named {
        let mut config = world.config.clone();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        config.server.listen = format!("127.0.0.1:{port}").parse().unwrap();
        config.server.public_url = format!("http://localhost:{port}");
        let url = config.server.public_url.clone();
        let server = Server::start(config, start::recorder().unwrap()).await.unwrap();
        Named { url, http: reqwest::Client::builder().no_proxy().build().unwrap(), _server: server }
    }

    async fn post(&self, token: Option<&str>, path: &str, body: Json) -> (u16, Json) {
        let mut request = self.http.post(format!("{}/api/v1{path}", self.url)).json(&body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A question for an authenticator.
    async fn asked(&self, token: Option<&str>, path: &str) -> (Json, String) {
        let (status, asked) = self.post(token, path, json!({})).await;
        assert_eq!(status, 200, "{asked}");
        (asked["options"].clone(), text(&asked, "ceremony"))
    }

    async fn enter(&self, ceremony: &str, credential: &Json) -> (u16, Json) {
        self.post(None, "/sessions/sign-in-with-passkey", json!({"ceremony": ceremony, "credential": credential})).await
    }

    /// Somebody's passkey, on the browser's authenticator: its id.
    async fn made(&self, browser: &Chromium, token: &str) -> String {
        let (options, ceremony) = self.asked(Some(token), "/user-mfa-factors/passkey-options").await;
        let credential = make(browser, &options).await;
        let kept = json!({"ceremony": ceremony, "credential": credential, "label": "My laptop"});
        let (status, added) = self.post(Some(token), "/user-mfa-factors/passkeys", kept.clone()).await;
        assert_eq!((status, added["recovery_codes"].as_array().map(Vec::len)), (201, Some(10)), "{added}");
        let again = self.post(Some(token), "/user-mfa-factors/passkeys", kept).await;
        assert_eq!((again.0, &again.1["errors"][0]["field"]), (422, &json!("credential")), "a question is answered once: {}", again.1);
        text(&added, "id")
    }
}

async fn make(browser: &Chromium, options: &Json) -> Json {
    let script = "navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(arguments[0])})
                  .then(made => done(made.toJSON()), refused => done(refused.name))";
    browser.run(script, json!([options])).await
}

async fn answer(browser: &Chromium, options: &Json) -> Json {
    let script = "navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(arguments[0])})
                  .then(made => done(made.toJSON()), refused => done(refused.name))";
    browser.run(script, json!([options])).await
}

fn refused(answer: &(u16, Json)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

async fn level(world: &World, person: &Person) -> (String, String) {
    let last = "select auth_method, mfa_level from enamel.sessions where user_id = $1 order by created_at desc, id desc limit 1";
    let row = world.truth().await.query_one(last, &[&person.id]).await.unwrap();
    (row.get(0), row.get(1))
}

#[test]
fn a_passkey_opens_its_own_account_and_each_answer_counts_once() {
    world::with(async |world| {
        let (named, clinic) = (Named::start(world).await, world.tenant("SOLO_PRACTICE", None).await);
        let (person, other) = (clinic.employee("CLINICIAN").await, clinic.employee("CLINICIAN").await);
        let token = text(&world.sign_in(&person, None).await, "access_token");
        let stranger = text(&world.sign_in(&other, None).await, "access_token");
        told(async |browser| {
            browser.open(&format!("{}/signin", named.url)).await;
            browser.authenticator().await;
            // What was asked of one person another cannot keep.
            let (options, ceremony) = named.asked(Some(&token), "/user-mfa-factors/passkey-options").await;
            let theirs = json!({"ceremony": ceremony, "credential": make(browser, &options).await});
            assert_eq!(named.post(Some(&stranger), "/user-mfa-factors/passkeys", theirs).await.0, 422);
            let factor = named.made(browser, &token).await;
            let (options, _) = named.asked(Some(&token), "/user-mfa-factors/passkey-options").await;
            assert_eq!(make(browser, &options).await, json!("InvalidStateError"), "the authenticator has one already");
            let plain = json!({"email": person.email, "password": PASSWORD});
            assert_eq!(refused(&named.post(None, "/sessions/sign-in", plain).await), (401, "auth.second_factor"));

            let (options, ceremony) = named.asked(None, "/sessions/passkey-options").await;
            let credential = answer(browser, &options).await;
            let (status, entered) = named.enter(&ceremony, &credential).await;
            assert_eq!((status, &entered["tenants"][0]["id"]), (200, &json!(clinic.id)), "{entered}");
            assert_eq!(level(world, &person).await, ("PASSKEY".to_owned(), "WEBAUTHN".to_owned()));
            assert_eq!(refused(&named.enter(&ceremony, &credential).await), (401, "auth.credentials"), "spent");

            let (options, fresh) = named.asked(None, "/sessions/passkey-options").await;
            assert_eq!(refused(&named.enter(&fresh, &credential).await), (401, "auth.credentials"), "an answer to another question");
            let mut bent = answer(browser, &options).await;
            let signature = bent["response"]["signature"].as_str().unwrap().to_owned();
            let at = signature.len() / 2;
            let letter = if signature.as_bytes()[at] == b'A' { "B" } else { "A" };
            bent["response"]["signature"] = json!(format!("{}{letter}{}", &signature[..at], &signature[at + 1..]));
            let (_, third) = named.asked(None, "/sessions/passkey-options").await;
            for (ceremony, credential) in [(&third, &bent), (&third, &json!({"id": "x"})), (&"AAAA".to_owned(), &bent)] {
                assert_eq!(refused(&named.enter(ceremony, credential).await), (401, "auth.credentials"));
            }

            // Strangers who try passwords lock nobody out of a passkey.
            let truth = world.truth().await;
            truth.execute("update enamel.users set locked_until = now() + interval '1 hour' where id = $1", &[&person.id]).await.unwrap();
            let (options, ceremony) = named.asked(None, "/sessions/passkey-options").await;
            assert_eq!(named.enter(&ceremony, &answer(browser, &options).await).await.0, 200);
            afresh(world, &person).await;

            let told = "select event_type, outcome from enamel.audit_events where metadata ->> 'method' = 'PASSKEY' and user_id = $1";
            assert_eq!(truth.query(told, &[&person.id]).await.unwrap().len(), 2, "each of them is on record");

            // A copy of the authenticator shows by its counter.
            let copied = "update enamel.user_mfa_factors set public_key = convert_to(jsonb_set(convert_from(public_key, 'UTF8')::jsonb,
                          '{cred,counter}', '1000000')::text, 'UTF8') where id = $1::text::uuid";
            truth.execute(copied, &[&factor]).await.unwrap();
            let (options, ceremony) = named.asked(None, "/sessions/passkey-options").await;
            assert_eq!(refused(&named.enter(&ceremony, &answer(browser, &options).await).await), (401, "auth.credentials"));
            let mended = copied.replace("1000000", "0");
            truth.execute(&mended, &[&factor]).await.unwrap();

            let (status, gone) = named.post(Some(&token), &format!("/user-mfa-factors/{factor}/revoke"), json!({})).await;
            assert_eq!(status, 200, "{gone}");
            let (options, ceremony) = named.asked(None, "/sessions/passkey-options").await;
            assert_eq!(refused(&named.enter(&ceremony, &answer(browser, &options).await).await), (401, "auth.credentials"), "given up");
        })
        .await;
    });
}

#[test]
fn a_passkey_proves_again_who_one_is_and_only_its_own_person() {
    world::with(async |world| {
        let (named, clinic) = (Named::start(world).await, world.tenant("SOLO_PRACTICE", None).await);
        let (person, other) = (clinic.employee("CLINICIAN").await, clinic.employee("CLINICIAN").await);
        let token = text(&world.sign_in(&person, None).await, "access_token");
        let stranger = text(&world.sign_in(&other, None).await, "access_token");
        told(async |browser| {
            browser.open(&format!("{}/signin", named.url)).await;
            browser.authenticator().await;
            named.made(browser, &token).await;
            let long_ago = "update enamel.sessions set proved_at = now() - interval '11 minutes' where user_id = any ($1)";
            world.truth().await.execute(long_ago, &[&vec![person.id, other.id]]).await.unwrap();
            assert_eq!(refused(&named.post(Some(&token), "/user-mfa-factors/enrol", json!({})).await), (403, "auth.step_up"));
            let step = async |token: &str| {
                let (options, ceremony) = named.asked(None, "/sessions/passkey-options").await;
                let body = json!({"ceremony": ceremony, "credential": answer(browser, &options).await});
                named.post(Some(token), "/sessions/step-up", body).await
            };
            assert_eq!(refused(&step(&stranger).await), (401, "auth.credentials"), "somebody else's passkey");
            let wrong = named.post(Some(&stranger), "/sessions/step-up", json!({"password": "not the password"})).await;
            assert_eq!(refused(&wrong), (401, "auth.credentials"));
            let (status, stepped) = step(&token).await;
            assert_eq!(status, 200, "{stepped}");
            let newer = text(&stepped, "access_token");
            assert_eq!(named.post(Some(&newer), "/user-mfa-factors/enrol", json!({})).await.0, 201);
            assert_eq!(named.post(Some(&token), "/sessions/sign-out", json!({})).await.0, 401, "the token is a new one");
            let (status, stepped) = named.post(Some(&stranger), "/sessions/step-up", json!({"password": PASSWORD})).await;
            assert_eq!(status, 200, "a password does it too: {stepped}");
            assert_eq!(named.post(Some(&text(&stepped, "access_token")), "/user-mfa-factors/enrol", json!({})).await.0, 201);
        })
        .await;
    });
}

#[test]
fn a_passkey_is_made_and_used_on_the_pages() {
    world::with(async |world| {
        let (named, clinic) = (Named::start(world).await, world.tenant("SOLO_PRACTICE", None).await);
        let person = clinic.employee("CLINICIAN").await;
        told(async |browser| {
            browser.open(&format!("{}/signin", named.url)).await;
            browser.authenticator().await;
            is_understood(browser).await;
            browser.press(&format!("{}{TAB}{PASSWORD}{ENTER}", person.email)).await;
            browser.shows("//h1[.='Signed in']").await;
            browser.click("//a[.='Your sign-in']").await;
            browser.shows("//h1[.='Your sign-in']").await;
            is_understood(browser).await;
            browser.click("//button[.='Make a passkey']").await;
            browser.shows("//h1[.='Your recovery codes']").await;
            is_understood(browser).await;
            assert_eq!(browser.judge("document.querySelectorAll('.codes code').length").await, json!(10));
            browser.click("//a[.='Continue']").await;
            browser.shows("//td[.='Passkey']").await;
            is_understood(browser).await;
            browser.click("//button[.='Sign out everywhere']").await;
            browser.shows("//h1[.='Sign in']").await;
            assert_eq!(browser.console().await, Vec::<String>::new());

            browser.click("//button[.='Sign in with a passkey']").await;
            browser.shows("//h1[.='Signed in']").await;
            assert_eq!(level(world, &person).await, ("PASSKEY".to_owned(), "WEBAUTHN".to_owned()));
            browser.press(&format!("{TAB}{ENTER}")).await;
            browser.shows("//h1[.='Sign in']").await;

            // Beside the password it is the second factor.
            browser.press(&format!("{}{TAB}{PASSWORD}{ENTER}", person.email)).await;
            browser.shows("//h1[.='One more step']").await;
            is_understood(browser).await;
            browser.click("//button[.='Use a passkey']").await;
            browser.shows("//h1[.='Signed in']").await;
            assert_eq!(level(world, &person).await, ("PASSWORD".to_owned(), "WEBAUTHN".to_owned()));
            assert_eq!(browser.console().await, Vec::<String>::new());
        })
        .await;
    });
}
