//! Notifications are read by each reader for themselves.

use super::{colleague, portal, refused};
use crate::world;
use crate::world::operations::{read, record, run};
use enamel::kernel::operation::Answer;
use enamel::messaging::notification::NOTIFICATION;
use serde_json::json;
use uuid::Uuid;

#[test]
fn each_audience_reads_for_itself() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (admin, clerk) = (colleague(&clinic, "TENANT_ADMIN").await, colleague(&clinic, "CLINIC_STAFF").await);
        let patient = clinic.patient("Told").await.unwrap().id;
        let me = portal(&clinic, patient).await;
        let truth = world.truth().await;
        let tell = async |audience: &str, user: Option<Uuid>, role: Option<&str>, patient: Option<Uuid>| {
            let id = Uuid::now_v7();
            truth
                .execute(
                    "insert into enamel.notifications (tenant_id, id, audience, user_id, role_code, patient_id, type, title, message)
                values ($1, $2, $3, $4, $5, $6, 'SYSTEM_MESSAGE', 'A', 'B')",
                    &[&clinic.id, &id, &audience, &user, &role, &patient],
                )
                .await
                .unwrap();
            id
        };
        let all = tell("TENANT", None, None, None).await;
        let role = tell("ROLE", None, Some("TENANT_ADMIN"), None).await;
        let one = tell("USER", clerk.context.actor, None, None).await;
        let mine = tell("PATIENT", me.context.actor, None, Some(patient)).await;

        assert!(record(run(&admin, "markNotificationRead", Some(all), json!({})).await.unwrap()).flag("is_read"));
        assert!(!read(&clerk, &NOTIFICATION, all).await.unwrap().flag("is_read"), "another has read it");
        assert!(record(run(&admin, "markNotificationRead", Some(all), json!({})).await.unwrap()).flag("is_read"), "again is the same");
        assert_eq!(refused(&clerk, "markNotificationRead", Some(role), json!({})).await.code.status, 404);
        assert_eq!(refused(&admin, "markNotificationRead", Some(one), json!({})).await.code.status, 404);
        assert_eq!(refused(&clerk, "markNotificationRead", Some(mine), json!({})).await.code.status, 404);
        assert_eq!(refused(&me, "markNotificationRead", Some(all), json!({})).await.code.status, 404);
        let read_all = async |caller| match run(caller, "markAllNotificationsRead", None, json!({})).await.unwrap() {
            Answer::Object(members) => members["read"].as_i64().unwrap(),
            _ => panic!("no object"),
        };
        assert_eq!((read_all(&admin).await, read_all(&admin).await), (1, 0), "the one of the role");
        assert_eq!(read_all(&clerk).await, 2);
        assert_eq!(read_all(&me).await, 1);
        assert!(read(&me, &NOTIFICATION, mine).await.unwrap().flag("is_read"));
    });
}

#[test]
fn the_list_can_be_asked_for_what_is_unread() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        world
            .truth()
            .await
            .execute(
                "insert into enamel.notifications (tenant_id, id, audience, type, title, message)
            values ($1, gen_random_uuid(), 'TENANT', 'SYSTEM_MESSAGE', 'A', 'B')",
                &[&clinic.id],
            )
            .await
            .unwrap();
        let unread = async || world.get(Some(&token), "/notifications?is_read=false").await.1["items"].as_array().map(Vec::len);
        assert_eq!(unread().await, Some(1));
        let (status, body) = world.post(Some(&token), "/notifications/mark-all-read", json!({})).await;
        assert_eq!((status, &body["read"]), (200, &json!(1)));
        assert_eq!(unread().await, Some(0));
    });
}

/// Patients, and those who act for them, see what is addressed to them over HTTP, as long as they have the chart.
#[test]
fn patients_and_proxies_see_what_is_for_them() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (patient, other) = (clinic.patient("Told").await.unwrap().id, clinic.patient("Other").await.unwrap().id);
        let (user, token) = world.patient_token(&[(clinic.id, patient)]).await;
        // The proxy has a chart of their own in the clinic too.
        let (proxy, proxy_token) = world.patient_token(&[(clinic.id, other)]).await;
        let truth = world.truth().await;
        truth
            .execute(
                "insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, scopes, status, granted_by, valid_from)
                 values ($1, gen_random_uuid(), $2, $3, 'OTHER', '{appointments}', 'ACTIVE', 'PATIENT', now() - interval '1 day')",
                &[&clinic.id, &patient, &proxy],
            )
            .await
            .unwrap();
        let tell = async |audience: &str, user: Option<Uuid>, about: Option<Uuid>| {
            let id = Uuid::now_v7();
            let sql = "insert into enamel.notifications (tenant_id, id, audience, user_id, patient_id, type, title, message)
                       values ($1, $2, $3, $4, $5, 'SYSTEM_MESSAGE', 'A', 'B')";
            truth.execute(sql, &[&clinic.id, &id, &audience, &user, &about]).await.unwrap();
            id
        };
        let mine = tell("PATIENT", Some(user), Some(patient)).await;
        let plain = tell("USER", Some(user), None).await;
        let theirs = tell("PATIENT", Some(proxy), Some(patient)).await;
        let staffs = tell("TENANT", None, Some(patient)).await;
        let seen = async |token: &str| {
            let (status, page) = world.get(Some(token), "/notifications").await;
            assert_eq!(status, 200, "{page}");
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().parse().unwrap()).collect::<Vec<Uuid>>()
        };
        assert_eq!(seen(&token).await, [mine, plain]);
        assert_eq!(seen(&proxy_token).await, [theirs], "not what was said to the patient");
        let mark = async |token: &str, id: Uuid| world.post(Some(token), &format!("/notifications/{id}/mark-read"), json!({})).await;
        assert_eq!(mark(&token, mine).await.1["is_read"], json!(true));
        assert_eq!(mark(&token, theirs).await.0, 404);
        assert_eq!(mark(&token, staffs).await.0, 404);
        assert_eq!(mark(&proxy_token, theirs).await.1["is_read"], json!(true));
        let ended = "update enamel.patient_proxies set valid_until = now() where user_id = $1";
        truth.execute(ended, &[&proxy]).await.unwrap();
        assert_eq!(seen(&proxy_token).await, Vec::<Uuid>::new(), "what was said about a chart goes with the grant");
        assert_eq!(mark(&proxy_token, theirs).await.0, 404);
        // Staff read what is for all of them, and nobody's own mail.
        let admin = clinic.token("TENANT_ADMIN").await;
        assert_eq!(seen(&admin).await, [staffs]);
        assert_eq!(seen(&clinic.token("DATA_SCIENTIST").await).await, Vec::<Uuid>::new(), "it is about a patient");
    });
}
