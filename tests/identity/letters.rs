//! What comes by mail: its keys are good once and shortly, and nothing tells whether an account exists but its own mailbox.

use super::browser::Browser;
use super::second_factor::enrolled;
use super::tokens::ends;
use crate::world::people::{PASSWORD, text};
use crate::world::{self, World};
use enamel::identity::mail::{self, Letter};
use serde_json::{Value as Json, json};
use uuid::Uuid;

const NEW: &str = "eleven quiet lamps by the river";

/// The letters to that address, oldest first.
async fn letters(world: &World, to: &str) -> Vec<Letter> {
    let written = "select letter_enc from enamel.letters where letter_enc is not null order by created_at, id";
    let rows = world.truth().await.query(written, &[]).await.unwrap();
    let read = rows.iter().filter_map(|row| mail::read(&world.kernel, row.get(0)).ok());
    read.filter(|letter| letter.to == to).collect()
}

/// The newest of so many letters, which is written behind its answer.
async fn letter(world: &World, to: &str, count: usize) -> Letter {
    loop {
        let mut found = letters(world, to).await;
        if found.len() >= count {
            return found.pop().unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn link(letter: &Letter) -> String {
    letter.text.lines().find(|line| line.starts_with("http")).unwrap().to_owned()
}

fn key(letter: &Letter) -> String {
    link(letter).split_once("token=").unwrap().1.to_owned()
}

async fn reset(world: &World, key: &str, password: &str) -> (u16, Json) {
    world.post(None, "/users/reset-password", json!({"token": key, "new_password": password})).await
}

#[test]
fn a_forgotten_password_is_replaced_once_and_the_second_factor_stays() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (person, gone) = (clinic.employee("CLINICIAN").await, clinic.employee("CLINICIAN").await);
        let token = text(&world.sign_in(&person, None).await, "access_token");
        let (_, _, recovery) = enrolled(world, &token).await;
        let truth = world.truth().await;
        truth.execute("update enamel.users set status = 'DISABLED' where id = $1", &[&gone.id]).await.unwrap();
        for email in [person.email.to_uppercase(), gone.email.clone(), "nobody@people.example".to_owned()] {
            let (status, told) = world.post(None, "/users/request-password-reset", json!({"email": email})).await;
            assert_eq!((status, told), (204, Json::Null), "the same for everybody");
        }
        let first = key(&letter(world, &person.email, 1).await);
        world.post(None, "/users/request-password-reset", json!({"email": person.email})).await;
        let second = key(&letter(world, &person.email, 2).await);
        assert!(letters(world, &gone.email).await.is_empty() && letters(world, "nobody@people.example").await.is_empty());
        let stored: String = truth
            .query_one("select string_agg(encode(letter_enc, 'escape') || l::text, ' ') from enamel.letters l", &[])
            .await
            .unwrap()
            .get(0);
        assert!(!stored.contains(&person.email) && !stored.contains(&second), "sealed");

        assert_eq!(reset(world, &first, NEW).await.0, 401, "a newer letter voids it");
        assert_eq!(reset(world, "en_ml_nonsense", NEW).await.0, 401);
        let weak = reset(world, &second, "short").await;
        assert_eq!((weak.0, &weak.1["code"]), (422, &json!("field.invalid")), "{}", weak.1);
        assert_eq!(reset(world, &second, NEW).await.0, 204, "a weak one did not spend the key");
        assert_eq!(reset(world, &second, NEW).await.0, 401, "once");
        ends(world, &token, "/patients").await;
        let try_in = async |password: &str, code: Option<&str>| {
            world.post(None, "/sessions/sign-in", json!({"email": person.email, "password": password, "code": code})).await
        };
        assert_eq!(try_in(PASSWORD, Some(&recovery[0])).await.0, 401);
        assert_eq!(try_in(NEW, None).await.1["code"], "auth.second_factor");
        assert_eq!(try_in(NEW, Some(&recovery[0])).await.0, 200);

        world.post(None, "/users/request-password-reset", json!({"email": person.email})).await;
        let late = key(&letter(world, &person.email, 3).await);
        let lives = "select extract(epoch from max(expires_at - created_at))::int8 from enamel.user_tokens where user_id = $1 and purpose = 'PASSWORD_RESET'";
        assert_eq!(truth.query_one(lives, &[&person.id]).await.unwrap().get::<_, i64>(0), 900);
        truth.execute("update enamel.user_tokens set expires_at = now() where user_id = $1", &[&person.id]).await.unwrap();
        assert_eq!(reset(world, &late, NEW).await.0, 401, "too late");
        let told = "select metadata ->> 'operation' from enamel.audit_events where user_id = $1 and event_type = 'CONFIG_CHANGED' and metadata ->> 'operation' like 're%' order by occurred_at, id";
        let told: Vec<String> = truth.query(told, &[&person.id]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(told.iter().filter(|word| *word == "reset-password").count(), 1, "{told:?}");
    });
}

#[test]
fn a_mailbox_is_not_filled_by_strangers() {
    world::with(async |world| {
        let person = world.tenant("SOLO_PRACTICE", None).await.employee("CLINICIAN").await;
        for email in [person.email.as_str(), "nobody-at-all@people.example"] {
            let mut answers = Vec::new();
            for _ in 0..6 {
                answers.push(world.post(None, "/users/request-password-reset", json!({"email": email})).await.0);
            }
            assert_eq!(answers, [204, 204, 204, 204, 204, 429], "whether there is an account or not");
        }
    });
}

#[test]
fn the_pages_lead_from_a_forgotten_password_to_a_new_one() {
    world::with(async |world| {
        let person = world.tenant("SOLO_PRACTICE", None).await.employee("CLINICIAN").await;
        let mut browser = Browser::new();
        let sign_in = browser.get(&format!("{}/signin", world.base_url)).await;
        let forgotten = sign_in.link_to("/signin/forgotten").unwrap();
        let page = browser.get(&format!("{}{forgotten}", world.base_url)).await;
        let mut bodies = Vec::new();
        for email in [person.email.as_str(), "nobody-here@people.example"] {
            let answer = browser.submit(&page, &[("email", email)]).await;
            bodies.push((answer.status, answer.body));
        }
        assert_eq!(bodies[0], bodies[1]);
        assert_eq!(browser.submit(&page, &[("csrf", "0"), ("email", "a@b.example")]).await.status, 403);
        let link = link(&letter(world, &person.email, 1).await);
        // A program that looks into letters opens the link; it is still good.
        assert_eq!(world.http.get(&link).send().await.unwrap().status().as_u16(), 200);
        let page = browser.get(&link).await;
        let weak = browser.submit(&page, &[("password", "short")]).await;
        assert!(weak.status == 422 && weak.body.contains(r#"role="alert""#), "{}", weak.body);
        let done = browser.submit(&weak, &[("password", NEW)]).await;
        assert!(done.status == 200 && done.body.contains("Your password is set"), "{} {}", done.status, done.body);
        assert_eq!(browser.submit(&weak, &[("password", NEW)]).await.status, 401, "once");
        assert_eq!(world.post(None, "/sessions/sign-in", json!({"email": person.email, "password": NEW})).await.0, 200);
    });
}

#[test]
fn an_address_is_confirmed_by_its_own_mailbox() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let token = text(&world.sign_in(&person, None).await, "access_token");
        assert_eq!(world.post(None, "/users/request-email-verification", json!({})).await.0, 401);
        assert_eq!(world.post(Some(&token), "/users/request-email-verification", json!({})).await.0, 204);
        let key = key(&letter(world, &person.email, 1).await);
        assert_eq!(reset(world, &key, NEW).await.0, 401, "a key for one thing does nothing else");
        let verified = async || {
            let row =
                world.truth().await.query_one("select email_verified_at is not null from enamel.users where id = $1", &[&person.id]).await;
            row.unwrap().get::<_, bool>(0)
        };
        assert!(!verified().await);
        assert_eq!(world.post(None, "/users/verify-email", json!({"token": key})).await.0, 204);
        assert!(verified().await);
        assert_eq!(world.post(None, "/users/verify-email", json!({"token": key})).await.0, 401, "once");
    });
}

#[test]
fn somebody_without_an_account_joins_by_their_letter() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (admin, stranger) = (clinic.token("TENANT_ADMIN").await, other.token("TENANT_ADMIN").await);
        let email = format!("new-{}@people.example", Uuid::now_v7().simple());
        let invite = async |email: &str| {
            let (status, made) = world.post(Some(&admin), "/member-invitations", json!({"email": email, "user_type": "DENTIST"})).await;
            assert_eq!(status, 201, "{made}");
            text(&made, "id")
        };
        let id = invite(&email).await;
        let send = format!("/member-invitations/{id}/send");
        for path in [send.clone(), format!("/member-invitations/{}/send", Uuid::now_v7())] {
            assert_eq!(world.post(Some(&stranger), &path, json!({})).await.0, 404);
        }
        assert_eq!(world.post(Some(&clinic.token("CLINICIAN").await), &send, json!({})).await.0, 403);
        assert_eq!(world.post(Some(&admin), &send, json!({})).await.0, 204);
        let link = link(&letter(world, &email, 1).await);

        let mut browser = Browser::new();
        let page = browser.get(&link).await;
        assert!(page.status == 200 && page.body.contains("Your name"), "{}", page.body);
        let weak = browser.submit(&page, &[("full_name", "Nora New"), ("password", "short")]).await;
        assert_eq!(weak.status, 422, "{}", weak.body);
        let inside = browser.submit(&weak, &[("full_name", "Nora New"), ("password", NEW)]).await;
        assert_eq!((inside.status, inside.location.as_deref()), (303, Some("/signin")), "{}", inside.body);
        assert!(browser.get(&format!("{}/signin", world.base_url)).await.body.contains("Signed in"));
        let (status, session) = world.post(None, "/sessions/sign-in", json!({"email": email, "password": NEW})).await;
        assert_eq!((status, &session["tenant_id"]), (200, &json!(clinic.id)), "{session}");
        assert_eq!(Browser::new().get(&link).await.status, 401, "once");
        let bent = format!("{}AAAA", &link[..link.len() - 4]);
        assert_eq!(Browser::new().get(&bent).await.status, 401);

        // Who has an account is asked to use it; a letter of one that was taken back opens nothing.
        let known = other.employee("CLINICIAN").await;
        let id = invite(&known.email).await;
        world.post(Some(&admin), &format!("/member-invitations/{id}/send"), json!({})).await;
        let link = link_of(world, &known.email).await;
        let page = Browser::new().get(&link).await;
        assert!(page.status == 200 && page.body.contains("You have an account already") && page.form_action().is_none(), "{}", page.body);
        assert_eq!(world.delete(&admin, &format!("/member-invitations/{id}"), 1).await, 204);
        assert_eq!(Browser::new().get(&link).await.status, 401);
    });
}

async fn link_of(world: &World, email: &str) -> String {
    link(&letter(world, email, 1).await)
}
