//! A token leads to its caller, and to nobody once it is ended.

use crate::world::{self, World};
use std::time::{Duration, Instant};

pub async fn status(world: &World, token: &str, path: &str) -> u16 {
    world.http.get(format!("{}/api/v1{path}", world.base_url)).bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// Revocation is felt within five seconds.
pub async fn ends(world: &World, token: &str, path: &str) {
    let begun = Instant::now();
    while status(world, token, path).await != 401 {
        assert!(begun.elapsed() < Duration::from_secs(5), "the token still works");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn roles_decide_what_a_token_may_do() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Ohlsson").await.unwrap();
        let (clinician, developer, admin) =
            (clinic.token("CLINICIAN").await, clinic.token("DEVELOPER").await, clinic.token("TENANT_ADMIN").await);
        let path = format!("/patients/{}", patient.id);
        assert_eq!(status(world, &clinician, &path).await, 200);
        assert_eq!(status(world, &admin, &path).await, 200);
        assert_eq!(status(world, &developer, &path).await, 403);
        assert_eq!(status(world, &developer, "/api-clients").await, 200);
        let (_, own) = world.patient_token(&[(clinic.id, patient.id)]).await;
        assert_eq!(status(world, &own, &path).await, 200);
        let other = clinic.patient("Berg").await.unwrap();
        assert_eq!(status(world, &own, &format!("/patients/{}", other.id)).await, 404);
        assert_eq!(status(world, "en_at_nonsense", &path).await, 401);
    });
}

#[test]
fn what_ends_a_token_is_felt_within_five_seconds() {
    world::with(async |world| {
        let ends_by = [
            "update enamel.sessions set revoked_at = now() where active_tenant_id = $1",
            "update enamel.user_tenants set status = 'DISABLED' where tenant_id = $1",
            "update enamel.users set status = 'DISABLED' where id in (select user_id from enamel.user_tenants where tenant_id = $1)",
            "update enamel.tenants set status = 'SUSPENDED' where id = $1",
            "update enamel.sessions set last_activity_at = now() - interval '1 day' where active_tenant_id = $1",
            "update enamel.sessions set token_expires_at = now() where active_tenant_id = $1",
        ];
        let tries = ends_by.map(|by| async move {
            let clinic = world.tenant("SOLO_PRACTICE", None).await;
            let token = clinic.token("TENANT_ADMIN").await;
            assert_eq!(status(world, &token, "/patients").await, 200);
            assert_eq!(world.truth().await.execute(by, &[&clinic.id]).await.unwrap(), 1, "{by}");
            ends(world, &token, "/patients").await;
        });
        futures_util::future::join_all(tries).await;
    });
}
