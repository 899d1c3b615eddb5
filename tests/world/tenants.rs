//! Tenants of one test, made as the platform makes them.

use super::World;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Result;
use enamel::kernel::table::{Draft, Record, store};
use serde_json::json;
use uuid::Uuid;

/// A clinic with its own staff.
pub struct Clinic {
    pub id: Uuid,
    pub world: &'static World,
}

impl World {
    /// A tenant of that type below `parent`, with a name nobody else has.
    pub async fn tenant(&'static self, kind: &str, parent: Option<Uuid>) -> Clinic {
        let id = Uuid::now_v7();
        let slug = format!("t-{}", id.simple());
        let truth = self.truth().await;
        truth.execute(
            "insert into enamel.tenants (id, name, slug, type, parent_tenant_id, root_tenant_id, jurisdiction, default_currency, time_zone)
             values ($1, $2, $2, $3, $4, $1, 'DE', 'EUR', 'Europe/Berlin')",
            &[&id, &slug, &kind, &parent],
        ).await.unwrap();
        Clinic { id, world: self }
    }
}

impl Clinic {
    pub fn staff(&self) -> enamel::kernel::Caller {
        self.world.caller(Plane::Staff, self.id, None, Permission::ALL)
    }
    pub async fn patient(&self, last_name: &str) -> Result<Record> {
        let body = json!({"first_name": "Test", "last_name": last_name});
        let draft = Draft::create(&enamel::patients::patient::PATIENT, body.as_object().unwrap())?;
        let caller = self.staff();
        let mut scope = caller.write(Permission::EditPatient).await?;
        let record = store::insert(&mut scope, &enamel::patients::patient::PATIENT, &draft, &self.world.kernel.keys).await?;
        scope.commit().await?;
        Ok(record)
    }
}
