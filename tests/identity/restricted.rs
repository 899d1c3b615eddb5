//! A program that may come from its own networks only, and what its admin sees of it.

use crate::world;
use crate::world::people::text;
use serde_json::json;

#[test]
fn a_program_comes_from_its_networks_only_and_its_last_use_is_shown() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let body = |ranges: &[&str]| json!({"name": "Network", "client_type": "BACKEND", "scopes": ["system/Patient.rs"], "allowed_ip_ranges": ranges});
        for wrong in ["10.0.0.0/33", "everywhere", "10.0.0.0/8, 192.0.2.0/24"] {
            let (status, refused) = world.post(Some(&admin), "/api-clients", body(&[wrong])).await;
            assert_eq!((status, text(&refused["errors"][0], "rule")), (422, "format".to_owned()), "{wrong}: {refused}");
        }
        let (status, made) = world.post(Some(&admin), "/api-clients", body(&["192.0.2.0/24", "127.0.0.0/8"])).await;
        assert_eq!(status, 201, "{made}");
        let (id, client, secret) = (text(&made, "id"), text(&made, "client_id"), text(&made, "client_secret"));
        assert!(secret.starts_with("en_cs_"), "scanners know it");
        let record = format!("/api-clients/{id}");
        let shown = world.get(Some(&admin), &record).await.1;
        assert!(shown["last_used_at"].is_null() && !shown.to_string().contains(&secret), "{shown}");
        let grant = async || world.exchange(Some((&client, &secret)), &[("grant_type", "client_credentials")]).await;
        let (used, unused) = (text(&grant().await.1, "access_token"), text(&grant().await.1, "access_token"));
        assert_eq!(world.get(Some(&used), "/patients").await.0, 200);
        assert!(world.get(Some(&admin), &record).await.1["last_used_at"].is_string());

        let wrong = world.patch(&admin, &record, 1, json!({"allowed_ip_ranges": ["elsewhere"]})).await;
        assert_eq!(wrong.0, 422, "{}", wrong.1);
        let (status, moved) = world.patch(&admin, &record, 1, json!({"allowed_ip_ranges": ["192.0.2.0/24"]})).await;
        assert_eq!(status, 200, "{moved}");
        // No server has an older answer about this token.
        assert_eq!((world.get(Some(&unused), "/patients").await.0, grant().await.0), (401, 401));
        let (status, moved) = world.patch(&admin, &record, 2, json!({"allowed_ip_ranges": []})).await;
        assert_eq!((status, grant().await.0), (200, 200), "{moved}");
    });
}
