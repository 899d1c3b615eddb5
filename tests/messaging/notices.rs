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
