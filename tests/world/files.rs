//! Rows of the file registry, without bytes behind them.

use super::tenants::Clinic;
use uuid::Uuid;

/// A file that is ready, of nobody.
pub async fn ready(clinic: &Clinic) -> Uuid {
    let id = Uuid::now_v7();
    clinic
        .world
        .truth()
        .await
        .execute(
            "insert into enamel.files (tenant_id, id, kind, file_name, file_type, file_size, storage_key, storage_region, status)
             values ($1, $2, 'PHOTO', 'film.png', 'image/png', 3, $1::uuid::text || '/none/none/' || $2::uuid::text, 'eu', 'READY')",
            &[&clinic.id, &id],
        )
        .await
        .unwrap();
    id
}
