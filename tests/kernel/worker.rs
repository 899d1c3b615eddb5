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
