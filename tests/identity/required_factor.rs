//! A clinic that asks for a second factor: made at the sign-in, asked for afterwards, spared by a browser that is remembered.

use super::browser::{Browser, Page};
use super::hostile::Hostile;
use super::second_factor::{afresh, enrolled, shown};
use crate::world::people::{PASSWORD, Person, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use chrono::TimeDelta;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn strict(world: &'static World) -> Clinic {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let strict = "insert into enamel.tenant_settings (tenant_id, id, require_mfa) values ($1, gen_random_uuid(), true)
                  on conflict (tenant_id) do update set require_mfa = true";
    world.truth().await.execute(strict, &[&clinic.id]).await.unwrap();
    clinic
}

async fn by_password(world: &World, browser: &mut Browser, person: &Person) -> Page {
    // Whoever is signed in already is asked all the same on the way to that page.
    let page = browser.get(&format!("{}/signin?return_to=/signin/security", world.base_url)).await;
    browser.submit(&page, &[("email", &person.email), ("password", PASSWORD)]).await
}

/// The key that the page shows for typing.
fn secret(page: &Page) -> String {
    page.body.split("<code>").nth(1).unwrap_or_else(|| panic!("{}", page.body)).split('<').next().unwrap().to_owned()
}

async fn levels(world: &World, person: &Person) -> Vec<String> {
    let levels = "select mfa_level from enamel.sessions where user_id = $1 order by created_at, id";
    world.truth().await.query(levels, &[&person.id]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn who_has_none_makes_one_on_the_way_in() {
    world::with(async |world| {
        let clinic = strict(world).await;
        let person = clinic.employee("CLINICIAN").await;
        let (status, told) = world.post(None, "/sessions/sign-in", json!({"email": person.email, "password": PASSWORD})).await;
        assert_eq!((status, &told["code"]), (403, &json!("auth.enrolment")), "{told}");
        let (status, told) =
            world.post(None, "/sessions/sign-in", json!({"email": person.email, "password": "wrong and long enough"})).await;
        assert_eq!((status, &told["code"]), (401, &json!("auth.credentials")), "who does not know the password learns nothing: {told}");

        let mut browser = Browser::new();
        let page = by_password(world, &mut browser, &person).await;
        assert!(page.status == 200 && page.body.contains("Add a second factor") && page.body.contains("<svg"), "{}", page.body);
        assert!(browser.get(&format!("{}/signin", world.base_url)).await.body.contains("password"), "not in yet");
        let key = secret(&page);
        let wrong = browser.submit(&page, &[("code", &shown(&key, TimeDelta::hours(1)))]).await;
        assert!(
            wrong.status == 422 && wrong.body.contains(r#"role="alert""#) && secret(&wrong) == key,
            "the same key again: {}",
            wrong.body
        );
        let mut thief = Browser::new();
        thief.get(&format!("{}/signin", world.base_url)).await;
        assert_eq!(thief.submit(&wrong, &[("code", &shown(&key, TimeDelta::zero()))]).await.status, 403, "another browser's proof");
        let codes = browser.submit(&wrong, &[("code", &shown(&key, TimeDelta::zero()))]).await;
        assert!(codes.status == 200 && codes.body.contains("Your recovery codes"), "{} {}", codes.status, codes.body);
        assert!(browser.get(&format!("{}/signin", world.base_url)).await.body.contains("Signed in"));
        assert_eq!(levels(world, &person).await, ["TOTP"]);

        // The page of before makes no second one.
        let again = browser.submit(&wrong, &[("code", &shown(&key, TimeDelta::zero()))]).await;
        assert!(again.body.contains("One more step"), "{}", again.body);
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let free = clinic.employee("CLINICIAN").await;
        let page = by_password(world, &mut Browser::new(), &free).await;
        assert_eq!((page.status, page.location.as_deref()), (303, Some("/signin/security")), "a clinic that does not ask");
    });
}

#[test]
fn a_tenant_that_asks_is_not_entered_from_one_that_does_not() {
    world::with(async |world| {
        let (free, strict) = (world.tenant("SOLO_PRACTICE", None).await, strict(world).await);
        let person = free.employee("CLINICIAN").await;
        strict.give_membership(&person, "CLINICIAN").await;
        let token = text(&world.sign_in(&person, Some(free.id)).await, "access_token");
        let switch = async |token: &str| world.post(Some(token), "/sessions/switch-tenant", json!({"tenant_id": strict.id})).await;
        let refused = switch(&token).await;
        assert_eq!((refused.0, &refused.1["code"]), (403, &json!("auth.enrolment")), "{}", refused.1);
        let (_, key, recovery) = enrolled(world, &token).await;
        assert_eq!(switch(&token).await.0, 403, "the session is from before");
        afresh(world, &person).await;
        let body = json!({"email": person.email, "password": PASSWORD, "tenant": free.id, "code": recovery[0]});
        let (status, proved) = world.post(None, "/sessions/sign-in", body).await;
        assert_eq!(status, 200, "{proved} {key}");
        assert_eq!(switch(&text(&proved, "access_token")).await.0, 200);
    });
}

#[test]
fn a_browser_that_is_remembered_is_not_asked_until_it_is_taken_back() {
    world::with(async |world| {
        let clinic = strict(world).await;
        let person = clinic.employee("CLINICIAN").await;
        let free = world.tenant("SOLO_PRACTICE", None).await;
        free.give_membership(&person, "CLINICIAN").await;
        let token = text(&world.sign_in(&person, Some(free.id)).await, "access_token");
        let (_, key, recovery) = enrolled(world, &token).await;
        afresh(world, &person).await;
        let mut browser = Browser::new();
        let page = by_password(world, &mut browser, &person).await;
        let page = browser.submit(&page, &[("code", &shown(&key, TimeDelta::zero())), ("remember", "1")]).await;
        assert_eq!(page.status, 303, "{}", page.body);
        assert_eq!(by_password(world, &mut browser, &person).await.status, 303, "remembered");
        let other = clinic.employee("CLINICIAN").await;
        assert!(by_password(world, &mut browser, &other).await.body.contains("Add a second factor"), "for one person only");
        assert!(by_password(world, &mut Browser::new(), &person).await.body.contains("One more step"), "in one browser only");

        // Whoever tries passwords elsewhere does not lock this browser out.
        let truth = world.truth().await;
        truth.execute("update enamel.users set locked_until = now() + interval '1 hour' where id = $1", &[&person.id]).await.unwrap();
        assert_eq!(by_password(world, &mut Browser::new(), &person).await.status, 401);
        assert_eq!(by_password(world, &mut browser, &person).await.status, 303);
        afresh(world, &person).await;
        assert_eq!(levels(world, &person).await.iter().filter(|level| *level == "DEVICE").count(), 2);

        let page = browser.get(&format!("{}/signin/security", world.base_url)).await;
        assert!(page.body.contains("Browsers that are not asked for a second factor: 1"), "{}", page.body);
        let everywhere = page.with_form("/signin/security/everywhere");
        assert_eq!(browser.submit(&everywhere, &[]).await.location.as_deref(), Some("/signin"));
        assert!(browser.get(&format!("{}/signin", world.base_url)).await.body.contains("password"));
        super::tokens::ends(world, &token, "/patients").await;
        assert!(by_password(world, &mut browser, &person).await.body.contains("One more step"), "asked again");
        assert_eq!(recovery.len(), 10);
    });
}

#[test]
fn an_own_provider_that_has_not_asked_leaves_it_to_us() {
    world::with(async |world| {
        let clinic = strict(world).await;
        let person = clinic.employee("CLINICIAN").await;
        let hostile = Hostile::start(super::SECRET).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let provider = json!({"name": "Own", "kind": "OIDC", "issuer": hostile.url, "client_id": "enamel", "client_secret": super::SECRET});
        let (status, made) = world.post(Some(&admin), "/identity-providers", provider).await;
        assert_eq!(status, 201, "{made}");
        let link = "insert into enamel.user_auth_identities (id, user_id, kind, issuer, subject) values ($1, $2, 'OIDC', $3, 's-1')";
        world.truth().await.execute(link, &[&Uuid::now_v7(), &person.id, &hostile.url]).await.unwrap();
        let begin = format!("{}/signin/oidc/{}?tenant={}", world.base_url, text(&made, "id"), clinic.id);
        let enter = async |claims: Json| {
            let mut browser = Browser::new();
            let sent = reqwest::Url::parse(&browser.get(&begin).await.location.unwrap()).unwrap();
            let part = |name: &str| sent.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
            hostile.claim("enamel", &part("nonce"), claims);
            browser.get(&format!("{}/signin/callback?code=c&state={}", world.base_url, part("state"))).await
        };
        assert!(enter(json!({})).await.body.contains("Add a second factor"));
        assert!(enter(json!({"amr": ["pwd"]})).await.body.contains("Add a second factor"));
        let page = enter(json!({"amr": ["pwd", "mfa"]})).await;
        assert_eq!(page.status, 303, "{}", page.body);
        assert_eq!(levels(world, &person).await, ["PROVIDER"]);
    });
}
