//! The keys of all tenants, each unwrapped once and kept in memory.

use super::provider::{Of, Providers, Ring, ring};
use super::{Cipher, DataKey, TenantKeys};
use crate::kernel::config::SecretsConfig;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::SharedDoor;
use crate::kernel::error::{Error, Result};
use crate::sql;
use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use uuid::Uuid;

/// Tenants whose keys stay in memory; beyond it the cache starts over.
const TENANTS_MAX: usize = 4_096;

sql! {
    /// $1 tenant.
    KEYS_OF_TENANT(UUID) = "
        select id, purpose, wrapped_key, kms_key_ref from encryption_keys
         where tenant_id = $1 and status <> 'DESTROYED' and patient_id is null and purpose in ('COLUMN', 'BLIND_INDEX')
         order by activated_at desc, id desc";
    /// $1 tenant, $2 id, $3 purpose, $4 wrapped key, $5 what wrapped it.
    KEY_ADD(UUID, UUID, TEXT, BYTEA, TEXT) = "
        insert into encryption_keys (tenant_id, id, purpose, wrapped_key, kms_key_ref, algorithm, activated_at)
        values ($1, $2, $3, $4, $5, 'AES-256-GCM-SIV', now()) on conflict do nothing";
}

/// Every tenant's keys, unwrapped on first use.
pub struct Keyring {
    own: Ring,
    providers: Providers,
    door: SharedDoor,
    known: RwLock<HashMap<Uuid, Arc<TenantKeys>>>,
}

impl Keyring {
    pub fn new(secrets: &SecretsConfig, door: SharedDoor) -> Result<Keyring> {
        Ok(Keyring { own: ring(secrets)?, providers: Providers::configured(secrets)?, door, known: RwLock::default() })
    }
    /// For what the server seals and opens itself.
    pub fn own(&self) -> &Ring {
        &self.own
    }
    pub(super) fn providers(&self) -> &Providers {
        &self.providers
    }

    pub async fn of(&self, tenant: Uuid) -> Result<Arc<TenantKeys>> {
        let known = self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&tenant).cloned();
        if let Some(keys) = known {
            return Ok(keys);
        }
        let keys = match self.load(tenant).await? {
            Some(keys) => keys,
            None => {
                self.make(tenant).await?;
                self.load(tenant).await?.ok_or_else(|| Error::internal("a tenant's keys were not kept"))?
            }
        };
        let keys = Arc::new(keys);
        let mut known = self.known.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if known.len() >= TENANTS_MAX {
            known.clear();
        }
        known.insert(tenant, keys.clone());
        Ok(keys)
    }

    async fn load(&self, tenant: Uuid) -> Result<Option<TenantKeys>> {
        let scope = self.door.open_from("keys", &Context::system(Plane::Jobs, Some(tenant))).await?;
        let answers = scope.once(&[((&KEYS_OF_TENANT).into(), vec![&tenant])]).await?;
        let (mut columns, mut blind) = (Vec::new(), None);
        for row in answers.iter().flatten() {
            let (id, purpose, wrapped): (Uuid, &str, &[u8]) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let key = self.providers.unwrap(Of { tenant, purpose }, row.try_get(3)?, wrapped).await?;
            match purpose {
                "COLUMN" => columns.push(Cipher::new(id, &key)?),
                _ => blind = blind.or(Some(key)),
            }
        }
        Ok(blind.filter(|_| !columns.is_empty()).map(|blind| TenantKeys { tenant, columns, blind }))
    }

    /// Two servers may do this at once: the first row of each purpose stays.
    async fn make(&self, tenant: Uuid) -> Result<()> {
        let (provider, mut wrapped) = (self.providers.current(), Vec::new());
        for purpose in ["COLUMN", "BLIND_INDEX"] {
            let mut key = DataKey::default();
            aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| Error::internal("no random numbers"))?;
            wrapped.push((purpose, provider.wrap(Of { tenant, purpose }, &key).await?));
        }
        let mut scope = self.door.open_from("keys", &Context::system(Plane::Jobs, Some(tenant))).await?;
        for (purpose, wrapped) in &wrapped {
            let id = scope.new_id();
            scope.exec(&KEY_ADD, &[&tenant, &id, purpose, wrapped, &provider.name()]).await?;
        }
        scope.commit().await
    }
}
