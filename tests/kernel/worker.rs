//! What has expired goes; what has not stays; and only jobs may sweep.

use crate::world;
use enamel::kernel::context::{Context, Plane};
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
