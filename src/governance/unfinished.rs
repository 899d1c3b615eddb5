//! Exports whose server died with them. A running export holds a lock on a connection of its own, so that whether one still
//! runs is known for certain, on whichever server it does; one that holds it no longer and told no end was aborted.

use super::audit_event::AUDIT_EVENT;
use crate::kernel::Kernel;
use crate::kernel::audit::{Action, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::Result;
use crate::sql;
use uuid::Uuid;

sql! {
    UNFINISHED() = "select * from sec.unfinished_exports()";
    /// $1 tenant, $2 export: true for one caller, until whose commit others get false.
    MAY_END(UUID, UUID) = "select sec.export_is_dead($1, $2)";
}

/// Tells the end of every such export; how many.
pub async fn tell_aborted(kernel: &Kernel) -> Result<u64> {
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let answers = scope.once(&[((&UNFINISHED).into(), vec![])]).await?;
    let mut told = 0;
    for row in answers.iter().flatten() {
        let (tenant, export): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        let context = Context::system(Plane::Jobs, Some(tenant));
        let mut scope = kernel.door.open(&context).await?;
        if scope.one(&MAY_END, &[&tenant, &export]).await?.try_get(0)? {
            let mut event = audit_store::of(&context, "EXPORT_COMPLETED", Action::Execute, Outcome::Aborted, scope.now());
            event.resource_type = Some(AUDIT_EVENT.schema.into());
            event.resource_id = Some(export);
            scope.audit(event);
            told += 1;
        }
        scope.commit().await?;
    }
    Ok(told)
}
