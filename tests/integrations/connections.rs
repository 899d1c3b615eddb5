//! A connection lives and dies with its credentials; exchanges are one at a time.

use crate::world::operations::{create, read, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::integrations::integration_credential::INTEGRATION_CREDENTIAL;
use enamel::integrations::sync_job::SYNC_JOB;
use enamel::integrations::tenant_integration::TENANT_INTEGRATION;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::table::Record;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn system(world: &World) -> Uuid {
    let id = Uuid::now_v7();
    let truth = world.truth().await;
    let sql = "insert into enamel.external_systems (id, code, name, system_type) values ($1, $1::uuid::text, 'System', 'PMS')";
    truth.execute(sql, &[&id]).await.unwrap();
    id
}

async fn connection(clinic: &Clinic, direction: &str) -> Uuid {
    let body = json!({"external_system_id": system(clinic.world).await, "system_type": "PMS", "display_name": "Desk",
        "sync_mode": "UNIDIRECTIONAL", "direction": direction});
    create(&clinic.staff(), &TENANT_INTEGRATION, body).await.unwrap().id
}

async fn credential(clinic: &Clinic, integration: Uuid) -> Record {
    let body = json!({"integration_id": integration, "kind": "API_KEY", "secret": "first secret"});
    create(&clinic.staff(), &INTEGRATION_CREDENTIAL, body).await.unwrap()
}

/// The code and status of the refusal.
async fn refused(clinic: &Clinic, name: &str, id: Uuid, body: Json) -> (u16, &'static str) {
    let refusal = run(&clinic.staff(), name, Some(id), body).await.err().unwrap_or_else(|| panic!("{name} was allowed"));
    (refusal.code.status, refusal.code.code)
}

async fn stored(world: &World, table: &'static str, column: &str, row: &Record) -> Option<String> {
    let truth = world.truth().await;
    let sql = format!("select {column}_enc from enamel.{table} where tenant_id = $1 and id = $2");
    let sealed: Option<Vec<u8>> = truth.query_one(&sql, &[&row.tenant, &row.id]).await.unwrap().get(0);
    let keys = world.kernel.keys.of(row.tenant).await.unwrap();
    sealed.map(|sealed| String::from_utf8(keys.open(table, column, row.id, &sealed).unwrap()).unwrap())
}

#[test]
fn a_connection_needs_a_credential_and_takes_it_along_when_it_ends() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let id = connection(&clinic, "INBOUND").await;
        assert_eq!(refused(&clinic, "activateTenantIntegration", id, json!({})).await, (409, "conflict"));
        let key = credential(&clinic, id).await;
        let active = record(run(&staff, "activateTenantIntegration", Some(id), json!({})).await.unwrap());
        assert_eq!(active.text("status"), Some("ACTIVE"));
        record(run(&staff, "pauseTenantIntegration", Some(id), json!({})).await.unwrap());
        assert_eq!(refused(&clinic, "pauseTenantIntegration", id, json!({})).await, (409, "state.move_refused"));
        // An expired credential is none.
        let truth = world.truth().await;
        let expire = "update enamel.integration_credentials set expires_at = now() - interval '1 hour' where tenant_id = $1";
        truth.execute(expire, &[&clinic.id]).await.unwrap();
        assert_eq!(refused(&clinic, "activateTenantIntegration", id, json!({})).await, (409, "conflict"));

        let ended = record(run(&staff, "disableTenantIntegration", Some(id), json!({})).await.unwrap());
        assert_eq!(ended.text("status"), Some("DISABLED"));
        assert_eq!(read(&staff, &INTEGRATION_CREDENTIAL, key.id).await.unwrap().text("status"), Some("REVOKED"));
        assert_eq!(refused(&clinic, "activateTenantIntegration", id, json!({})).await, (409, "state.move_refused"));
        let body = json!({"integration_id": id, "kind": "API_KEY", "secret": "late"});
        assert_eq!(create(&staff, &INTEGRATION_CREDENTIAL, body).await.unwrap_err().code.status, 409);
        let other = world.tenant("SOLO_PRACTICE", None).await;
        assert_eq!(refused(&other, "disableTenantIntegration", id, json!({})).await.0, 404);
    });
}

#[test]
fn a_secret_is_rotated_with_an_overlap_and_never_shown() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let key = credential(&clinic, connection(&clinic, "BOTH").await).await;
        let shown = |record: &Record| serde_json::to_string(&record.json).unwrap();
        assert!(!shown(&key).contains("secret\""), "{}", shown(&key));
        let body = json!({"secret": "second secret", "overlap_hours": 2});
        let turned = record(run(&staff, "rotateIntegrationCredential", Some(key.id), body).await.unwrap());
        assert!(turned.text("rotated_at").is_some() && turned.text("previous_secret_expires_at").is_some());
        assert!(!shown(&turned).contains("first secret") && !shown(&turned).contains("second secret"));
        let of = async |column| stored(world, "integration_credentials", column, &turned).await;
        assert_eq!(of("secret").await.as_deref(), Some("second secret"));
        assert_eq!(of("previous_secret").await.as_deref(), Some("first secret"));
        // The plane itself cannot read the sealed columns.
        let mut scope = world.kernel.door.open(&staff.context).await.unwrap();
        assert_eq!(scope.rows_once("select previous_secret_enc from integration_credentials", &[]).await.unwrap_err().code.status, 403);
        drop(scope);

        record(run(&staff, "revokeIntegrationCredential", Some(key.id), json!({})).await.unwrap());
        let again = json!({"secret": "third secret"});
        assert_eq!(refused(&clinic, "rotateIntegrationCredential", key.id, again).await, (409, "state.move_refused"));
        let other = world.tenant("SOLO_PRACTICE", None).await;
        assert_eq!(refused(&other, "rotateIntegrationCredential", key.id, json!({"secret": "x"})).await.0, 404);
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
        assert_eq!(run(&weak, "rotateIntegrationCredential", Some(key.id), json!({"secret": "x"})).await.err().unwrap().code.status, 403);
    });
}

/// An exchange as a connector will order it: nothing that is offered makes one yet.
#[test]
fn an_exchange_rests_with_its_connection_and_is_one_of_its_kind() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let id = connection(&clinic, "INBOUND").await;
        credential(&clinic, id).await;
        run(&staff, "activateTenantIntegration", Some(id), json!({})).await.unwrap();
        let order = async |kind: &str| {
            let body = json!({"integration_id": id, "job_type": kind, "direction": "INBOUND"});
            create(&staff, &SYNC_JOB, body).await
        };
        let (one, two) = tokio::join!(order("PATIENT_IMPORT"), order("PATIENT_IMPORT"));
        assert!(one.is_ok() != two.is_ok(), "a race has one winner");
        let job = one.or(two).unwrap();
        assert_eq!(order("PATIENT_IMPORT").await.unwrap_err().code.status, 409);
        order("FHIR_IMPORT").await.unwrap();

        assert_eq!(refused(&clinic, "resumeSyncJob", job.id, json!({})).await, (409, "state.move_refused"));
        let truth = world.truth().await;
        for status in ["RUNNING", "PARTIAL"] {
            let set = "update enamel.sync_jobs set status = $2, cursor = 'row 17', error_details = 'broken' where id = $1";
            truth.execute(set, &[&job.id, &status]).await.unwrap();
        }
        run(&staff, "pauseTenantIntegration", Some(id), json!({})).await.unwrap();
        assert_eq!(refused(&clinic, "resumeSyncJob", job.id, json!({})).await, (409, "conflict"), "its connection rests");
        run(&staff, "activateTenantIntegration", Some(id), json!({})).await.unwrap();
        let again = record(run(&staff, "resumeSyncJob", Some(job.id), json!({})).await.unwrap());
        assert_eq!((again.text("status"), again.text("cursor"), again.text("error_details")), (Some("QUEUED"), Some("row 17"), None));
        let gone = record(run(&staff, "cancelSyncJob", Some(job.id), json!({})).await.unwrap());
        assert!(gone.text("status") == Some("CANCELLED") && gone.text("completed_at").is_some());
        assert_eq!(refused(&clinic, "cancelSyncJob", job.id, json!({})).await, (409, "state.move_refused"));
    });
}
