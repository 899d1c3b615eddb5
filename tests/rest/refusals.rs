//! Nobody learns by trying, and whoever tries is remembered: by whatever door they came.

use crate::world;
use serde_json::{Value as Json, json};
use uuid::Uuid;

#[test]
fn what_is_refused_is_remembered_whichever_way_it_was_asked() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let foreign = other.patient("Foreign").await.unwrap().id;
        let user = clinic.member("CLINIC_STAFF").await;
        let token = world.session(user, Some(clinic.id)).await;
        let path = format!("/patients/{foreign}");
        let patch = json!({"method": "PATCH", "path": path, "if_match": 1, "body": {"last_name": "Mine"}});
        let team = json!({"method": "POST", "path": "/teams", "body": {"name": "Mine", "kind": "HYGIENE"}});
        let batch = |atomic: bool, steps: Vec<&Json>| json!({"atomic": atomic, "operations": steps});
        let denied = ("ACCESS_DENIED", "Team", "CREATE", None);
        let failed = |what: &'static str, action: &'static str| ("RECORD_READ", what, action, Some(foreign));
        assert_eq!(world.get(Some(&token), &path).await.0, 404);
        assert_eq!(world.get(Some(&token), &format!("{path}/history")).await.0, 404);
        assert_eq!(world.patch(&token, &path, 1, json!({"last_name": "Mine"})).await.0, 404);
        assert_eq!(world.post(Some(&token), &format!("{path}/deactivate"), json!({})).await.0, 404);
        assert_eq!(world.post(Some(&token), &format!("/received-documents/{foreign}/download-link"), json!({})).await.0, 403);
        assert_eq!(world.post(Some(&token), "/batch", batch(false, vec![&patch, &team, &team])).await.0, 200);
        assert_eq!(world.post(Some(&token), "/batch", batch(true, vec![&team, &patch])).await.0, 403);
        let expected = [
            failed("Patient", "READ"),
            failed("Patient", "READ"),
            failed("Patient", "UPDATE"),
            failed("Patient", "EXECUTE"),
            ("ACCESS_DENIED", "ReceivedDocument", "EXECUTE", Some(foreign)),
            failed("Patient", "UPDATE"),
            denied,
            denied,
            denied,
        ];
        let sql = "select event_type, resource_type, action, resource_id from enamel.audit_events
              where user_id = $1 and outcome in ('DENIED', 'FAILED') order by occurred_at, id";
        let rows = world.truth().await.query(sql, &[&user]).await.unwrap();
        let told: Vec<(&str, &str, &str, Option<Uuid>)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
        assert_eq!(told, expected);
    });
}
