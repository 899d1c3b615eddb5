//! Passwords, sessions and accounts over REST.

use super::tokens::{ends, status};
use crate::world::people::{PASSWORD, text};
use crate::world::{self, World};
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn try_in(world: &World, email: &str, password: &str) -> (u16, Json) {
    world.post(None, "/sessions/sign-in", json!({"email": email, "password": password})).await
}

#[test]
fn a_password_opens_a_session_and_nothing_tells_whether_an_account_exists() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let admin = clinic.employee("TENANT_ADMIN").await;
        let (code, made) = try_in(world, &admin.email.to_uppercase(), PASSWORD).await;
        assert_eq!((code, &made["tenants"][0]["id"], &made["token_type"]), (200, &json!(clinic.id), &json!("Bearer")), "{made}");
        let token = text(&made, "access_token");
        let (code, me) = world.get(Some(&token), "/me").await;
        assert_eq!(
            (code, &me["user"]["email"], &me["roles"][0]["code"], &me["plane"]),
            (200, &json!(admin.email), &json!("TENANT_ADMIN"), &json!("staff")),
            "{me}"
        );

        let locked = clinic.employee("CLINICIAN").await;
        let gone = clinic.employee("CLINICIAN").await;
        let truth = world.truth().await;
        truth.execute("update enamel.users set locked_until = now() + interval '1 hour' where id = $1", &[&locked.id]).await.unwrap();
        truth.execute("update enamel.users set status = 'DISABLED' where id = $1", &[&gone.id]).await.unwrap();
        let mut answers = Vec::new();
        for (email, password) in [
            (admin.email.as_str(), "a wrong password of some length"),
            ("nobody@people.example", PASSWORD),
            (&locked.email, PASSWORD),
            (&gone.email, PASSWORD),
        ] {
            let (code, mut body) = try_in(world, email, password).await;
            body.as_object_mut().unwrap().remove("request_id");
            answers.push((code, body));
        }
        assert_eq!(answers[0].0, 401);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");

        let events = truth.query(
            "select event_type, outcome from enamel.audit_events where user_id = $1 and event_type like 'LOGIN%' order by occurred_at, id", &[&admin.id],
        ).await.unwrap();
        let events: Vec<(String, String)> = events.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(events, [("LOGIN_SUCCESS".to_owned(), "SUCCESS".to_owned()), ("LOGIN_FAILED".to_owned(), "DENIED".to_owned())]);
    });
}

#[test]
fn an_imported_hash_signs_in_once_and_is_ours_afterwards() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let bcrypt = bcrypt::hash(PASSWORD, 10).unwrap();
        let scrypt = {
            use base64::Engine;
            let params = scrypt::Params::new(14, 8, 1).unwrap();
            let (salt, mut tag) = (b"sixteen bytes !!", [0u8; 32]);
            scrypt::scrypt(PASSWORD.as_bytes(), salt, &params, &mut tag).unwrap();
            let text = |bytes: &[u8]| base64::prelude::BASE64_STANDARD_NO_PAD.encode(bytes);
            format!("$scrypt$ln=14,r=8,p=1${}${}", text(salt), text(&tag))
        };
        for (hash, algorithm) in [(bcrypt, "BCRYPT"), (scrypt, "SCRYPT")] {
            let person = clinic.employee("CLINICIAN").await;
            let truth = world.truth().await;
            truth.execute("delete from enamel.user_auth_identities where user_id = $1", &[&person.id]).await.unwrap();
            world.store_hash(person.id, &hash, algorithm).await;
            assert_eq!(try_in(world, &person.email, "not the password at all").await.0, 401);
            for _ in 0..2 {
                assert_eq!(try_in(world, &person.email, PASSWORD).await.0, 200, "{algorithm}");
            }
            let row = truth
                .query_one("select password_hash, password_algorithm from enamel.user_auth_identities where user_id = $1", &[&person.id])
                .await
                .unwrap();
            assert!(row.get::<_, &str>(0).starts_with("$argon2id$") && row.get::<_, &str>(1) == "ARGON2ID");
            let told = truth.query("select new_values::text from enamel.change_log where table_name = 'user_auth_identities' and user_id is null and new_values ->> 'user_id' = $1", &[&person.id.to_string()]).await.unwrap();
            assert!(told.iter().all(|row| !row.get::<_, &str>(0).contains("$argon2id$")), "a hash is not kept twice");
        }
    });
}

#[test]
fn ten_wrong_passwords_lock_and_an_administrator_unlocks() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        for _ in 0..10 {
            assert_eq!(try_in(world, &person.email, "wrong again and again").await.0, 401);
        }
        let truth = world.truth().await;
        let locked = async || {
            truth
                .query_one("select coalesce(locked_until > now(), false) from enamel.users where id = $1", &[&person.id])
                .await
                .unwrap()
                .get::<_, bool>(0)
        };
        while !locked().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(try_in(world, &person.email, PASSWORD).await.0, 401);
        let admin = clinic.token("TENANT_ADMIN").await;
        assert_eq!(world.post(Some(&admin), &format!("/users/{}/unlock", person.id), json!({})).await.0, 200);
        assert_eq!(try_in(world, &person.email, PASSWORD).await.0, 200);
        let elsewhere = world.tenant("SOLO_PRACTICE", None).await;
        let stranger = elsewhere.token("TENANT_ADMIN").await;
        assert_eq!(world.post(Some(&stranger), &format!("/users/{}/unlock", person.id), json!({})).await.0, 404);
        // Of two tenants neither may take away what protects the other.
        let joined = "insert into enamel.user_tenants (tenant_id, id, user_id, user_type, status) values ($1, gen_random_uuid(), $2, 'ADMIN', 'ACTIVE')";
        truth.execute(joined, &[&elsewhere.id, &person.id]).await.unwrap();
        for admin in [&admin, &stranger] {
            assert_eq!(world.post(Some(admin), &format!("/users/{}/unlock", person.id), json!({})).await.0, 403);
        }
    });
}

#[test]
fn a_refresh_token_is_good_once_and_its_second_use_ends_the_session() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let first = world.sign_in(&person, None).await;
        let renew = async |token: &str| world.post(None, "/sessions/refresh", json!({"refresh_token": token})).await;
        let (code, second) = renew(&text(&first, "refresh_token")).await;
        assert_eq!(code, 200, "{second}");
        let (code, again) = renew(&text(&first, "refresh_token")).await;
        assert_eq!(
            (code, &again["refresh_token"], &again["access_token"]),
            (200, &second["refresh_token"], &second["access_token"]),
            "the answer was lost"
        );
        let access = text(&second, "access_token");
        assert_eq!(status(world, &access, "/patients").await, 200);
        assert_eq!(renew(&text(&second, "refresh_token")).await.0, 200);
        // Now the first one can only be a thief's.
        assert_eq!(renew(&text(&first, "refresh_token")).await.0, 401);
        ends(world, &access, "/patients").await;
        let truth = world.truth().await;
        let session: Uuid = text(&first, "session_id").parse().unwrap();
        let row = truth.query_one("select revoke_reason from enamel.sessions where id = $1", &[&session]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "REUSE_DETECTED");
        let (code, third) = renew("en_rt_nonsense").await;
        assert_eq!(code, 401, "{third}");
    });
}

#[test]
fn a_session_works_in_one_tenant_at_a_time_and_only_where_one_belongs() {
    world::with(async |world| {
        let (north, south, oak) = (
            world.tenant("SOLO_PRACTICE", None).await,
            world.tenant("SOLO_PRACTICE", None).await,
            world.tenant("SOLO_PRACTICE", None).await,
        );
        let person = north.employee("CLINICIAN").await;
        south.give_membership(&person, "CLINIC_STAFF").await;
        let (patient_north, patient_south) = (north.patient("Nord").await.unwrap(), south.patient("Sued").await.unwrap());
        let made = world.sign_in(&person, Some(north.id)).await;
        assert_eq!(made["tenants"].as_array().unwrap().len(), 2);
        let token = text(&made, "access_token");
        assert_eq!(status(world, &token, &format!("/patients/{}", patient_north.id)).await, 200);
        assert_eq!(status(world, &token, &format!("/patients/{}", patient_south.id)).await, 404);
        let (code, moved) = world.post(Some(&token), "/sessions/switch-tenant", json!({"tenant_id": south.id})).await;
        assert_eq!(code, 200, "{moved}");
        let moved = text(&moved, "access_token");
        assert_eq!(status(world, &moved, &format!("/patients/{}", patient_south.id)).await, 200);
        assert_eq!(status(world, &moved, &format!("/patients/{}", patient_north.id)).await, 404);
        ends(world, &token, "/patients").await;
        assert_eq!(world.post(Some(&moved), "/sessions/switch-tenant", json!({"tenant_id": oak.id})).await.0, 404);
        let (code, _) = world.post(None, "/sessions/sign-in", json!({"email": person.email, "password": PASSWORD, "tenant": oak.id})).await;
        assert_eq!(code, 401);
        assert_eq!(world.post(Some(&moved), "/sessions/sign-out", json!({})).await.0, 204);
        assert_eq!(status(world, &moved, "/patients").await, 401, "at once on this server");
    });
}

#[test]
fn administrators_manage_their_own_people_and_one_of_them_stays() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (boss, desk) = (clinic.employee("TENANT_ADMIN").await, clinic.employee("CLINIC_STAFF").await);
        let admin = text(&world.sign_in(&boss, None).await, "access_token");
        let working = world.sign_in(&desk, None).await;
        let desk_token = text(&working, "access_token");
        let (code, body) = world.post(Some(&desk_token), &format!("/users/{}/disable", boss.id), json!({})).await;
        assert_eq!(code, 403, "{body}");
        let (code, body) = world.post(Some(&admin), &format!("/users/{}/disable", boss.id), json!({})).await;
        assert_eq!((code, &body["code"]), (409, &json!("state.last_administrator")), "{body}");
        // Somebody else's session, and a random one.
        let session = text(&working, "session_id");
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
        for id in [session.clone(), Uuid::now_v7().to_string()] {
            assert_eq!(world.post(Some(&stranger), &format!("/sessions/{id}/revoke"), json!({})).await.0, 404);
        }
        assert_eq!(world.post(Some(&admin), &format!("/sessions/{session}/revoke"), json!({})).await.0, 204);
        ends(world, &desk_token, "/patients").await;
        let desk_token = text(&world.sign_in(&desk, None).await, "access_token");
        let (code, body) = world.post(Some(&admin), &format!("/users/{}/disable", desk.id), json!({})).await;
        assert_eq!((code, &body["status"]), (200, &json!("DISABLED")), "{body}");
        ends(world, &desk_token, "/patients").await;
        assert_eq!(world.post(Some(&admin), &format!("/users/{}/enable", desk.id), json!({})).await.0, 200);
        let desk_token = text(&world.sign_in(&desk, None).await, "access_token");

        // Memberships and roles.
        let membership =
            async |user: Uuid| text(&world.get(Some(&admin), &format!("/user-tenants?user_id={user}")).await.1["items"][0], "id");
        let (code, body) = world.post(Some(&admin), &format!("/user-tenants/{}/remove", membership(boss.id).await), json!({})).await;
        assert_eq!(code, 409, "{body}");
        let (code, body) = world.post(Some(&admin), &format!("/user-tenants/{}/remove", membership(desk.id).await), json!({})).await;
        assert_eq!(code, 200, "{body}");
        ends(world, &desk_token, "/patients").await;
        assert_eq!(try_in(world, &desk.email, PASSWORD).await.0, 401);
    });
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let (here, there) =
            (text(&world.sign_in(&person, None).await, "access_token"), text(&world.sign_in(&person, None).await, "access_token"));
        let path = format!("/users/{}/change-password", person.id);
        let change =
            async |old: &str, new: &str| world.post(Some(&here), &path, json!({"current_password": old, "new_password": new})).await.0;
        assert_eq!(change("not it", "green lamps over the river 9").await, 401);
        assert_eq!(change(PASSWORD, "short").await, 422);
        assert_eq!(change(PASSWORD, "green lamps over the river 9").await, 204);
        ends(world, &there, "/patients").await;
        assert_eq!(status(world, &here, "/patients").await, 200);
        assert_eq!(try_in(world, &person.email, PASSWORD).await.0, 401);
        assert_eq!(try_in(world, &person.email, "green lamps over the river 9").await.0, 200);
        let other = clinic.employee("CLINICIAN").await;
        assert_eq!(
            world
                .post(Some(&here), &format!("/users/{}/change-password", other.id), json!({"current_password": "a", "new_password": "b"}))
                .await
                .0,
            404
        );
    });
}
