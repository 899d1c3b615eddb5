//! One key takes another's place while servers serve: every data key that something else wrapped is wrapped anew. The data
//! keys stay as they are, so nothing that is sealed is touched and what servers have in memory holds. Each tenant is a
//! transaction of its own with its audit event; what was cut off goes on where it ended, for what is done is no longer due.

use super::provider::Of;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::Result;
use crate::kernel::{Kernel, audit_store};
use crate::sql;
use chrono::Utc;
use uuid::Uuid;

sql! {
    /// $1 name of the key that wraps now, $2 how many.
    DUE(TEXT, INT8) = "select sec.keys_to_rewrap($1, $2)";
    STAND() = "select wrapped_by, keys from sec.keys_wrapped()";
    /// $1 tenant, $2 name of the key that wraps now.
    OF_TENANT(UUID, TEXT) = "
        select id, purpose, wrapped_key, kms_key_ref from encryption_keys
         where tenant_id = $1 and status <> 'DESTROYED' and kms_key_ref <> $2";
    /// $1 tenant, $2 key, $3 as it was wrapped, $4 as it is now, $5 by what. Nothing when somebody else was quicker.
    WRAPPED(UUID, UUID, BYTEA, BYTEA, TEXT) = "
        update encryption_keys set wrapped_key = $4, kms_key_ref = $5 where tenant_id = $1 and id = $2 and wrapped_key = $3";
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    pub tenants: u64,
    pub keys: u64,
}

/// The next tenants, `most` of them. None are left when none were done.
pub async fn some(kernel: &Kernel, most: i64) -> Result<Done> {
    let name = kernel.keys.providers().current().name();
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let due = scope.once(&[((&DUE).into(), vec![&name, &most])]).await?;
    let mut done = Done::default();
    for row in due.iter().flatten() {
        done.keys += tenant(kernel, row.try_get(0)?).await?;
        done.tenants += 1;
    }
    Ok(done)
}

async fn tenant(kernel: &Kernel, tenant: Uuid) -> Result<u64> {
    let (providers, context) = (kernel.keys.providers(), Context::system(Plane::Jobs, Some(tenant)));
    let now = providers.current();
    let rows = kernel.door.open(&context).await?.once(&[((&OF_TENANT).into(), vec![&tenant, &now.name()])]).await?;
    let mut wrapped = Vec::new();
    // No connection is held while a key service is asked.
    for row in rows.iter().flatten() {
        let (id, purpose, was, by): (Uuid, &str, &[u8], &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let of = Of { tenant, purpose };
        let key = providers.unwrap(of, by, was).await?;
        wrapped.push((id, was, now.wrap(of, &key).await?));
    }
    let mut scope = kernel.door.open(&context).await?;
    let mut keys = 0;
    for (id, was, is) in &wrapped {
        keys += scope.exec(&WRAPPED, &[&tenant, id, was, is, &now.name()]).await?;
    }
    if keys > 0 {
        let mut event = audit_store::of(&context, "KEY_CHANGED", Action::Update, Outcome::Success, Utc::now());
        event.resource_type = Some("EncryptionKey".into());
        let count = i64::try_from(keys).unwrap_or(i64::MAX);
        event.metadata = Metadata::new().text("reason", "REWRAPPED").integer("count", count);
        scope.audit(event);
    }
    scope.commit().await?;
    Ok(keys)
}

/// How many data keys each key has wrapped.
pub async fn stand(kernel: &Kernel) -> Result<Vec<(String, i64)>> {
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let rows = scope.once(&[((&STAND).into(), vec![])]).await?;
    rows.iter().flatten().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
