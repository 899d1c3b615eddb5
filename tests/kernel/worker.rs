//! What has expired goes; what has not stays; and only jobs may sweep.

use crate::world;
use enamel::kernel::context::{Context, Plane};
use serde_json::json;
use uuid::Uuid;

#[test]
fn expired_answers_are_swept_and_living_ones_stay() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let truth = world.truth().await;
        for (key, age) in [("old", "-1 hour"), ("young", "1 hour")] {
            truth
                .execute(
                    "insert into enamel.idempotency_keys (tenant_id, id, caller_id, route, idempotency_key, body_hash, state, expires_at)
                     values ($1, $2, $2, 'POST /x', $3, '', 'DONE', now() + $4::text::interval)",
                    &[&clinic.id, &Uuid::now_v7(), &key, &age],
                )
                .await
                .unwrap();
        }
        assert!(enamel::server::worker::sweep(&world.kernel).await.unwrap() >= 1);
        let left = truth.query("select idempotency_key from enamel.idempotency_keys where tenant_id = $1", &[&clinic.id]).await.unwrap();
        assert_eq!(left.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["young"]);

        let mut staff = world.kernel.door.open(&Context::system(Plane::Staff, Some(clinic.id))).await.unwrap();
        assert!(staff.rows_once("select sec.sweep('1 day')", &[]).await.is_err(), "staff may not sweep");
    });
}

/// What has an end is said to be over when it is, and not before.
#[test]
fn what_is_over_is_said_to_be() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Ended").await.unwrap().id;
        let truth = world.truth().await;
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        let tenant = clinic.id;
        for (end, last_day, cover) in
            [("now() - interval '1 hour'", "current_date - 1", "CANCELLED"), ("now() + interval '1 day'", "current_date", "ACTIVE")]
        {
            let rows = format!(
                "insert into enamel.quotes (tenant_id, id, patient_id, clinic_tenant_id, currency, expires_at)
                 values ('{tenant}', gen_random_uuid(), '{patient}', '{tenant}', 'EUR', {end});
                 insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, granted_by, status, valid_from, valid_until)
                 values ('{tenant}', gen_random_uuid(), '{patient}', gen_random_uuid(), 'PARENT', 'CLINIC', 'ACTIVE', now() - interval '1 year', {end});
                 insert into enamel.processor_agreements (tenant_id, id, processor_name, kind, purpose, region, status, signed_on, expires_on)
                 values ('{tenant}', gen_random_uuid(), 'Lab', 'DPA', 'crowns', 'eu', 'SIGNED', '2020-01-01', {last_day});
                 insert into enamel.integration_credentials (tenant_id, id, integration_id, kind, secret_enc, expires_at)
                 values ('{tenant}', gen_random_uuid(), gen_random_uuid(), 'API_KEY', '', {end});
                 insert into enamel.tenant_subscriptions (tenant_id, id, plan_id, start_at, end_at, status)
                 values ('{tenant}', gen_random_uuid(), gen_random_uuid(), now() - interval '1 year', {end}, '{cover}')"
            );
            truth.batch_execute(&rows).await.unwrap();
        }
        enamel::server::worker::sweep(&world.kernel).await.unwrap();
        for table in ["quotes", "patient_proxies", "processor_agreements", "integration_credentials", "tenant_subscriptions"] {
            let sql = format!("select count(*), count(*) filter (where status = 'EXPIRED') from enamel.{table} where tenant_id = $1");
            let row = truth.query_one(&sql, &[&tenant]).await.unwrap();
            assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2, 1), "{table}");
        }
    });
}

/// Uploads nobody ended go with their objects after a day, in every tenant, also when two servers come at once.
#[test]
fn uploads_that_never_ended_are_closed_and_their_objects_removed() {
    world::with(async |world| {
        let truth = world.truth().await;
        let (one, two) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let mut files = Vec::new();
        for (clinic, age) in [(&one, "25 hours"), (&two, "25 hours"), (&two, "23 hours")] {
            let body =
                json!({"kind": "PHOTO", "file_name": "left.png", "file_type": "image/png", "file_size": 4, "sha256": "00".repeat(32)});
            let answer = crate::world::operations::run(&clinic.staff(), "createFile", None, body).await.unwrap();
            let enamel::kernel::operation::Answer::Made(id, _) = answer else { panic!("no file") };
            let sql = "update enamel.files set created_at = now() - $2::text::interval where id = $1 returning storage_key";
            let mut client = world.truth().await;
            let change = client.transaction().await.unwrap();
            change.batch_execute("set local session_replication_role = replica").await.unwrap();
            let key: String = change.query_one(sql, &[&id, &age]).await.unwrap().get(0);
            change.commit().await.unwrap();
            world.kernel.storage.put(&key, "image/png", bytes::Bytes::from_static(b"half")).await.unwrap();
            files.push((id, key));
        }
        let now = chrono::Utc::now();
        let round = || enamel::server::worker::round(&world.kernel, now);
        tokio::join!(round(), round());
        for (place, (id, key)) in files.iter().enumerate() {
            let status: String = truth.query_one("select status from enamel.files where id = $1", &[id]).await.unwrap().get(0);
            let there = world.kernel.storage.head(key).await.is_ok();
            assert_eq!((status.as_str(), there), if place < 2 { ("DELETED", false) } else { ("PENDING", true) });
        }
    });
}

/// Sessions that are long over go; living ones, those that something names, and the last of a person in a tenant stay.
#[test]
fn sessions_that_are_long_over_go() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (truth, tenant) = (world.truth().await, clinic.id);
        let (user, client) = (Uuid::now_v7(), Uuid::now_v7());
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        let add = async |method: &str, began: &str, ended: &str| {
            let (id, text) = (Uuid::now_v7(), "insert into enamel.sessions (id, user_id, active_tenant_id, last_activity_at, token_hash, auth_method, expires_at, created_at)
                values ($1, $2, $3, now(), uuid_send($1), $4, now() - $5::text::interval, now() - $6::text::interval)");
            truth.execute(text, &[&id, &user, &tenant, &method, &ended, &began]).await.unwrap();
            id
        };
        let gone = [
            add("API_CLIENT", "8 days", "8 days").await,
            add("PASSWORD", "100 days", "99 days").await,
            add("OAUTH", "100 days", "95 days").await,
        ];
        let named = [
            add("API_CLIENT", "9 days", "8 days").await,
            add("OAUTH", "99 days", "95 days").await,
            add("PASSWORD", "99 days", "95 days").await,
        ];
        let stay = [
            add("API_CLIENT", "7 days", "6 days").await,
            add("PASSWORD", "89 days", "89 days").await,
            add("API_CLIENT", "1 hour", "-1 hour").await,
        ];
        let kept_by = format!(
            "insert into enamel.sessions (id, user_id, active_tenant_id, last_activity_at, token_hash, auth_method, expires_at, parent_session_id)
             values (gen_random_uuid(), gen_random_uuid(), '{tenant}', now(), uuid_send(gen_random_uuid()), 'OAUTH', now(), '{}');
             insert into enamel.refresh_tokens (id, session_id, user_id, token_hash, family_id, expires_at)
             values (gen_random_uuid(), '{}', '{user}', uuid_send(gen_random_uuid()), gen_random_uuid(), now());
             insert into enamel.oauth_authorizations (tenant_id, id, user_id, api_client_id, scopes, granted_at, sign_in_session_id, session_id, code_expires_at)
             values ('{tenant}', gen_random_uuid(), '{user}', '{client}', '{{}}', now(), '{}', '{}', now() - interval '8 days'),
                    ('{tenant}', '{user}', '{user}', '{client}', '{{}}', now(), null, null, now() - interval '8 days'),
                    ('{tenant}', '{tenant}', '{user}', '{client}', '{{}}', now(), null, null, now() - interval '6 days')",
            named[0], named[1], named[2], stay[0]
        );
        truth.batch_execute(&kept_by).await.unwrap();
        enamel::server::worker::sweep(&world.kernel).await.unwrap();
        let left = truth.query("select id from enamel.sessions where user_id = $1", &[&user]).await.unwrap();
        let left: Vec<Uuid> = left.iter().map(|row| row.get(0)).collect();
        assert!(gone.iter().all(|id| !left.contains(id)), "what is long over goes");
        assert!(named.iter().chain(&stay).all(|id| left.contains(id)), "what is named or young stays");
        // With what names it gone, it goes; the last of the person stays for good.
        let unnamed = format!(
            "delete from enamel.sessions where parent_session_id = '{}'; update enamel.sessions set expires_at = now() - interval '300 days' where id = '{}'",
            named[0], stay[1]
        );
        truth.batch_execute(&unnamed).await.unwrap();
        enamel::server::worker::sweep(&world.kernel).await.unwrap();
        let left = truth.query("select id from enamel.sessions where user_id = $1", &[&user]).await.unwrap();
        let left: Vec<Uuid> = left.iter().map(|row| row.get(0)).collect();
        assert!(!left.contains(&named[0]) && left.contains(&named[1]) && left.contains(&stay[2]));
        let codes = truth
            .query("select id from enamel.oauth_authorizations where tenant_id = $1 and session_id is null", &[&tenant])
            .await
            .unwrap();
        assert_eq!(codes.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(), [tenant], "codes that nobody redeemed go as well");

        let mut auth = world.kernel.door.open(&Context::system(Plane::Auth, None)).await.unwrap();
        assert!(auth.rows_once("select sec.sweep_sessions('1 day', '1 day', 1)", &[]).await.is_err(), "only jobs sweep");
    });
}
