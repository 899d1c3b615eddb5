//! One-time codes: begun, proven, asked for over REST and on the page, good once, and given up.

use super::browser::Browser;
use crate::world::people::{PASSWORD, Person, text};
use crate::world::{self, World};
use chrono::{TimeDelta, Utc};
use serde_json::{Value as Json, json};
use totp_rs::{Builder, Secret};
use uuid::Uuid;

/// What an authenticator with this secret shows now, or then.
pub fn shown(secret: &str, ago: TimeDelta) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let at = u64::try_from((Utc::now() - ago).timestamp()).unwrap();
    Builder::new().with_secret(secret).build_noncompliant().generate(at).to_string()
}

async fn try_in(world: &World, person: &Person, code: Option<&str>) -> (u16, Json) {
    world.post(None, "/sessions/sign-in", json!({"email": person.email, "password": PASSWORD, "code": code})).await
}

fn refused(answer: &(u16, Json)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

/// As if no code had been used yet and nobody had tried in vain.
pub async fn afresh(world: &World, person: &Person) {
    let truth = world.truth().await;
    truth.execute("update enamel.user_mfa_factors set sign_count = 0 where user_id = $1 and kind = 'TOTP'", &[&person.id]).await.unwrap();
    truth.execute("update enamel.users set failed_login_count = 0, locked_until = null where id = $1", &[&person.id]).await.unwrap();
}

/// A proven factor: its id, its secret and the recovery codes.
pub async fn enrolled(world: &World, token: &str) -> (String, String, Vec<String>) {
    let (status, begun) = world.post(Some(token), "/user-mfa-factors/enrol", json!({"label": "My telephone"})).await;
    assert_eq!(status, 201, "{begun}");
    let (id, secret) = (text(&begun, "id"), text(&begun, "secret"));
    assert!(begun["provisioning_uri"].as_str().unwrap().starts_with("otpauth://totp/Enamel:"), "{begun}");
    let confirm = format!("/user-mfa-factors/{id}/confirm");
    let wrong = world.post(Some(token), &confirm, json!({"code": shown(&secret, TimeDelta::hours(1))})).await;
    assert_eq!((wrong.0, &wrong.1["errors"][0]["field"]), (422, &json!("code")), "{}", wrong.1);
    let (status, proven) = world.post(Some(token), &confirm, json!({"code": shown(&secret, TimeDelta::zero())})).await;
    assert_eq!(status, 200, "{proven}");
    let codes: Vec<String> = serde_json::from_value(proven["recovery_codes"].clone()).unwrap();
    assert_eq!((codes.len(), codes[0].len()), (10, 19));
    (id, secret, codes)
}

#[test]
fn a_code_is_asked_for_and_good_once() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (person, other) = (clinic.employee("CLINICIAN").await, clinic.employee("CLINICIAN").await);
        let token = text(&world.sign_in(&person, None).await, "access_token");
        let (id, secret, recovery) = enrolled(world, &token).await;

        assert_eq!(refused(&try_in(world, &person, None).await), (401, "auth.second_factor"));
        let wrong_password =
            world.post(None, "/sessions/sign-in", json!({"email": person.email, "password": "wrong and long", "code": "1"})).await;
        assert_eq!(refused(&wrong_password), (401, "auth.credentials"), "who does not know the password learns nothing of a second factor");
        afresh(world, &person).await;
        let code = shown(&secret, TimeDelta::zero());
        let (status, session) = try_in(world, &person, Some(&code)).await;
        assert_eq!(status, 200, "{session}");
        assert_eq!(refused(&try_in(world, &person, Some(&code)).await), (401, "auth.credentials"), "used");
        assert_eq!(try_in(world, &person, Some(&recovery[0].to_uppercase())).await.0, 200);
        assert_eq!(refused(&try_in(world, &person, Some(&recovery[0])).await), (401, "auth.credentials"), "used");
        assert_eq!(refused(&try_in(world, &person, Some(&shown(&secret, TimeDelta::hours(1)))).await), (401, "auth.credentials"));

        let levels = "select mfa_level from enamel.sessions where user_id = $1 order by created_at, id";
        let levels: Vec<String> = world.truth().await.query(levels, &[&person.id]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(levels, ["NONE", "TOTP", "RECOVERY"]);
        let held =
            "select concat_ws(' ', f.totp_secret_enc::text, (select string_agg(c.code_hash::text, ' ') from enamel.user_recovery_codes c))
                      from enamel.user_mfa_factors f where f.user_id = $1";
        let held: String = world.truth().await.query_one(held, &[&person.id]).await.unwrap().get(0);
        assert!(!held.contains(&secret) && !held.contains(&recovery[1]), "nothing is stored as it is");

        // Nobody else's, and a foreign id is answered like a random one.
        let stranger = text(&world.sign_in(&other, None).await, "access_token");
        for id in [id.clone(), Uuid::now_v7().to_string()] {
            for step in ["confirm", "revoke"] {
                let answer = world.post(Some(&stranger), &format!("/user-mfa-factors/{id}/{step}"), json!({"code": code})).await;
                assert_eq!(refused(&answer).0, if step == "confirm" { 404 } else { 422 }, "{step}: {}", answer.1);
            }
            assert_eq!(world.post(Some(&stranger), &format!("/user-mfa-factors/{id}/revoke"), json!({})).await.0, 404);
        }
    });
}

#[test]
fn factors_change_behind_a_recent_sign_in_only() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let token = text(&world.sign_in(&person, None).await, "access_token");
        let (id, secret, _) = enrolled(world, &token).await;
        let truth = world.truth().await;
        truth
            .execute("update enamel.sessions set proved_at = now() - interval '11 minutes' where user_id = $1", &[&person.id])
            .await
            .unwrap();
        let revoke = format!("/user-mfa-factors/{id}/revoke");
        assert_eq!(refused(&world.post(Some(&token), &revoke, json!({})).await), (403, "auth.step_up"));
        assert_eq!(refused(&world.post(Some(&token), "/user-mfa-factors/enrol", json!({})).await), (403, "auth.step_up"));

        afresh(world, &person).await;
        let (_, again) = try_in(world, &person, Some(&shown(&secret, TimeDelta::zero()))).await;
        let token = text(&again, "access_token");
        // Begun twice: what was shown first is void.
        let (_, first) = world.post(Some(&token), "/user-mfa-factors/enrol", json!({})).await;
        assert_eq!(world.post(Some(&token), "/user-mfa-factors/enrol", json!({})).await.0, 201);
        let late = shown(&text(&first, "secret"), TimeDelta::zero());
        let late = world.post(Some(&token), &format!("/user-mfa-factors/{}/confirm", text(&first, "id")), json!({"code": late})).await;
        assert_eq!(refused(&late), (409, "state.move_refused"));

        let (status, revoked) = world.post(Some(&token), &revoke, json!({})).await;
        assert_eq!((status, &revoked["status"]), (200, &json!("REVOKED")), "{revoked}");
        assert_eq!(try_in(world, &person, None).await.0, 200, "a password is enough again");
        let left: i64 = truth
            .query_one("select count(*) from enamel.user_recovery_codes where user_id = $1 and used_at is null", &[&person.id])
            .await
            .unwrap()
            .get(0);
        assert_eq!(left, 0);
    });
}

#[test]
fn the_page_asks_for_the_code_and_its_proof_is_this_browsers() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let token = text(&world.sign_in(&person, None).await, "access_token");
        let (_, secret, recovery) = enrolled(world, &token).await;
        let mut browser = Browser::new();
        let page = browser.get(&format!("{}/signin", world.base_url)).await;
        let asked = browser.submit(&page, &[("email", &person.email), ("password", PASSWORD)]).await;
        assert!(asked.status == 200 && asked.body.contains("One more step") && asked.policy.is_some(), "{}", asked.body);
        let wrong = browser.submit(&asked, &[("code", "000 000")]).await;
        assert!(wrong.status == 401 && wrong.body.contains(r#"role="alert""#), "{}", wrong.body);

        // Another browser has the page and not the cookie.
        let mut thief = Browser::new();
        thief.get(&format!("{}/signin", world.base_url)).await;
        assert_eq!(thief.submit(&asked, &[("code", &recovery[0])]).await.status, 403);
        let bent = asked.hidden_fields().into_iter().find(|(name, _)| name == "proof").unwrap().1.replacen(
            &person.id.to_string(),
            &Uuid::now_v7().to_string(),
            1,
        );
        assert_eq!(browser.submit(&asked, &[("proof", &bent), ("code", &recovery[0])]).await.status, 403);

        afresh(world, &person).await;
        let inside = browser.submit(&wrong, &[("code", &shown(&secret, TimeDelta::zero()))]).await;
        assert_eq!((inside.status, inside.location.as_deref()), (303, Some("/signin")), "{}", inside.body);
        let home = browser.follow(inside, "http").await;
        assert!(home.body.contains("Signed in"), "{}", home.body);
    });
}
