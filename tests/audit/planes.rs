//! No role of the request path can write, change, remove or silence the audit log.

use super::house::{House, event};
use crate::world;
use enamel::kernel::audit_store;
use enamel::kernel::context::{Caps, Context, Permission, Plane};
use enamel::kernel::error;
use enamel::server::start::ROLES;
use uuid::Uuid;

const TABLES: [&str; 4] = ["audit_events", "audit_seals", "audit_digests", "audit_anchors"];

/// The SQLSTATE the statement is refused with.
async fn refused(client: &tokio_postgres::Client, sql: &str) -> String {
    match client.batch_execute(sql).await {
        Ok(()) => panic!("not refused: {sql}"),
        Err(failure) => failure.code().map(|code| code.code().to_owned()).unwrap_or_default(),
    }
}

#[test]
fn no_role_can_change_remove_or_silence_the_log() {
    world::with(async |world| {
        let house = House::new(world, "audit_planes").await;
        house.record(Uuid::now_v7(), 2).await;
        house.settle(chrono::Utc::now()).await;
        for role in ROLES {
            let client = house.kernel.door.pools.connector(role).unwrap().connect().await.unwrap();
            client.batch_execute("set default_transaction_read_only = off").await.unwrap();
            for table in TABLES {
                let columns = if table == "audit_events" { "tenant_id, id" } else { "id" };
                let values = columns.split(", ").map(|_| "gen_random_uuid()").collect::<Vec<_>>().join(", ");
                let mut attacks = vec![
                    format!("update enamel.{table} set created_by = null"),
                    format!("delete from enamel.{table}"),
                    format!("truncate enamel.{table}"),
                    format!("alter table enamel.{table} disable trigger all"),
                    format!("drop table enamel.{table}"),
                    format!("create policy mine on enamel.{table} using (true)"),
                ];
                if role != "sealer" || table == "audit_events" {
                    attacks.push(format!("insert into enamel.{table} ({columns}) values ({values})"));
                }
                for attack in attacks {
                    assert_eq!(refused(&client, &attack).await, "42501", "{role}: {attack}");
                }
            }
            assert_eq!(refused(&client, "set session_replication_role = replica").await, "42501", "{role}");
            assert_eq!(refused(&client, "update sec_priv.audit_epoch set epoch = 7").await, "42501", "{role}");
            if role != "sealer" {
                assert_eq!(refused(&client, "select sec.open_audit_epoch(7)").await, "42501", "{role}");
                assert_eq!(refused(&client, "select sec.audit_horizon()").await, "42501", "{role}");
            }
        }
    });
}

#[test]
fn a_caller_may_only_speak_for_itself_and_its_tenants() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let mut context = Context::system(Plane::Staff, Some(clinic.id));
        context.caps = Caps::ALL;
        let mut foreign = event(Uuid::now_v7());
        let mut as_other = event(clinic.id);
        as_other.user_id = Some(Uuid::now_v7());
        foreign.user_id = None;
        for lie in [foreign, as_other] {
            let mut scope = world.kernel.door.open(&context).await.unwrap();
            scope.audit(lie);
            // What cannot be audited does not happen; to the caller that is a part that is not reachable.
            assert_eq!(scope.commit().await.unwrap_err().code, &error::UNAVAILABLE);
        }
        let mut scope = world.kernel.door.open(&context).await.unwrap();
        scope.audit(event(clinic.id));
        scope.commit().await.unwrap();
        // Only the log role, without a context, is taken at its word; a plane without one is not.
        let bare = world.kernel.door.pools.connector("staff").unwrap().connect().await.unwrap();
        let rows = audit_store::rows(&[event(clinic.id)]).unwrap();
        let failure = bare.execute("select sec.audit_append($1)", &[&rows]).await.unwrap_err();
        assert_eq!(failure.code().map(|code| code.code()), Some("42501"));
    });
}

#[test]
fn what_cannot_be_recorded_is_not_shown() {
    world::with(async |world| {
        let house = House::new(world, "audit_silenced").await;
        let mut caller = world.caller(Plane::Staff, Uuid::now_v7(), None, &[Permission::ViewAudit]);
        caller.kernel = house.kernel.clone();
        let range = serde_json::json!({"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"});
        use enamel::governance::requests::{EXPORT, SUMMARY};
        super::mandates::call(&SUMMARY, caller.clone(), None, &range).await.unwrap();
        house.truth.batch_execute("revoke execute on function sec.audit_append(jsonb) from enamel_log").await.unwrap();
        for operation in [&SUMMARY, &EXPORT] {
            let failure = super::mandates::call(operation, caller.clone(), None, &range).await.err().unwrap();
            assert_eq!((failure.code, failure.code.status), (&error::UNAVAILABLE, 503), "{}", operation.id);
        }
    });
}
