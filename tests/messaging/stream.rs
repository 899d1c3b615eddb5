//! Server-sent events: one's own news at once and nobody else's, and an end with the session.

use crate::world::{self, World};
use enamel::messaging::hub::{Hub, News, STREAMS_PER_LOGIN_MAX};
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::Value as Json;
use uuid::Uuid;

async fn open(world: &World, token: &str) -> reqwest::Response {
    world.http.get(format!("{}/api/v1/notifications/stream", world.base_url)).bearer_auth(token).send().await.unwrap()
}

async fn notify(world: &World, tenant: Uuid, audience: &str, login: Option<Uuid>) -> Uuid {
    let id = Uuid::now_v7();
    let sql = "insert into enamel.notifications (tenant_id, id, audience, user_id, type, title, message)
               values ($1, $2, $3, $4, 'SYSTEM_MESSAGE', 'Told', 'in the record only')";
    world.truth().await.execute(sql, &[&tenant, &id, &audience, &login]).await.unwrap();
    id
}

/// The next event's data; what only keeps the line open is passed over.
async fn next(parts: &mut (impl StreamExt<Item = reqwest::Result<bytes::Bytes>> + Unpin)) -> Option<Json> {
    while let Some(Ok(part)) = parts.next().await {
        let text = String::from_utf8(part.to_vec()).unwrap();
        if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: ")) {
            assert!(!text.contains("in the record only"), "{text}");
            return Some(serde_json::from_str(data).unwrap());
        }
    }
    None
}

#[test]
fn news_come_to_those_they_are_for() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (me, colleague) = (clinic.member("CLINIC_STAFF").await, clinic.member("CLINIC_STAFF").await);
        let token = world.session(me, Some(clinic.id)).await;
        let answer = open(world, &token).await;
        assert_eq!((answer.status(), answer.headers()["content-type"].to_str().unwrap()), (StatusCode::OK, "text/event-stream"));
        let mut parts = Box::pin(answer.bytes_stream());
        // Whatever is not mine would come first.
        notify(world, clinic.id, "USER", Some(colleague)).await;
        notify(world, other.id, "TENANT", None).await;
        let mine = notify(world, clinic.id, "USER", Some(me)).await;
        let ours = notify(world, clinic.id, "TENANT", None).await;
        for expected in [mine, ours] {
            let event = next(&mut parts).await.unwrap();
            assert_eq!((event["id"].as_str(), event["type"].as_str()), (Some(expected.to_string().as_str()), Some("SYSTEM_MESSAGE")));
        }
    });
}

#[test]
fn a_stream_ends_with_its_session_and_a_login_has_few() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let me = clinic.member("CLINIC_STAFF").await;
        let token = world.session(me, Some(clinic.id)).await;
        let mut held = Vec::new();
        for _ in 0..STREAMS_PER_LOGIN_MAX {
            held.push(open(world, &token).await);
        }
        assert_eq!(open(world, &token).await.status(), StatusCode::TOO_MANY_REQUESTS);
        let mut parts = Box::pin(held.remove(0).bytes_stream());
        world.truth().await.execute("update enamel.sessions set revoked_at = now() where user_id = $1", &[&me]).await.unwrap();
        assert_eq!(next(&mut parts).await, None, "the line was closed, not silent");
    });
}

#[test]
fn who_goes_away_while_the_channel_is_opened_leaves_it_to_the_next() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let hub = Hub::start();
        let mut gone = Box::pin(hub.hear(&world.kernel));
        assert!(futures_util::poll!(&mut gone).is_pending());
        drop(gone);
        let mut news = hub.hear(&world.kernel).await.unwrap();
        let made = notify(world, clinic.id, "TENANT", None).await;
        while news.recv().await.unwrap() != (News::Made { tenant: clinic.id, notification: made, login: None }) {}
        hub.stop();
    });
}
