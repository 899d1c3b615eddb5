mod access_report;
mod contract;
mod identifiers;
mod merge;
mod pages;
mod proxies;

use crate::world::World;
use uuid::Uuid;

/// A login with an active portal account of that patient.
pub async fn portal_login(world: &World, tenant: Uuid, patient: Uuid) -> Uuid {
    let login = Uuid::now_v7();
    let truth = world.truth().await;
    truth.execute("insert into enamel.users (id, email, full_name, status) values ($1, $1::uuid::text || '@patients.example', 'Pat Portal', 'ACTIVE')", &[&login]).await.unwrap();
    truth.execute("insert into enamel.patient_portal_accounts (tenant_id, id, patient_id, user_id, status) values ($1, gen_random_uuid(), $2, $3, 'ACTIVE')",
        &[&tenant, &patient, &login]).await.unwrap();
    login
}
