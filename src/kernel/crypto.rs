//! Envelope encryption of columns: a tenant's data keys, wrapped by the installation's master key.
//!
//! Ciphertext: version byte, 16 bytes of key id, 12 bytes of nonce, AES-256-GCM-SIV (RFC 8452). The place a value stands
//! in (table, column, row) is authenticated with it, so a ciphertext moved elsewhere does not open.

use crate::kernel::context::{Context, Plane};
use crate::kernel::db::SharedDoor;
use crate::kernel::error::{Error, Result};
use crate::sql;
use aes_gcm_siv::aead::{Aead, Payload};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use uuid::Uuid;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const HEAD: usize = 1 + 16 + 12;
/// Tenants whose keys stay in memory; beyond it the cache starts over.
const TENANTS_MAX: usize = 4_096;

/// One AEAD key. Used for tenants' data keys, the master key and what the server seals for itself (cursors, answers).
#[derive(Clone)]
pub struct Cipher {
    id: Uuid,
    aead: Aes256GcmSiv,
}

impl Cipher {
    pub fn new(id: Uuid, key: &[u8; 32]) -> Result<Cipher> {
        Ok(Cipher { id, aead: Aes256GcmSiv::new_from_slice(key).map_err(|_| Error::internal("key length"))? })
    }
    /// `place` names where the value stands.
    pub fn seal(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let random = Uuid::new_v4();
        let nonce: [u8; 12] = random.as_bytes()[..12].try_into().map_err(Error::internal)?;
        let body =
            self.aead.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: place }).map_err(|_| Error::internal("sealing failed"))?;
        let mut out = Vec::with_capacity(HEAD + body.len());
        out.push(VERSION);
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&body);
        Ok(out)
    }
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let wrong = || Error::internal("a sealed value does not open");
        if sealed.len() < HEAD || sealed[0] != VERSION || sealed[1..17] != self.id.as_bytes()[..] {
            return Err(wrong());
        }
        let nonce: [u8; 12] = sealed[17..HEAD].try_into().map_err(Error::internal)?;
        self.aead.decrypt(&Nonce::from(nonce), Payload { msg: &sealed[HEAD..], aad: place }).map_err(|_| wrong())
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cipher({})", self.id)
    }
}

/// The keys of one tenant.
pub struct TenantKeys {
    tenant: Uuid,
    columns: Vec<Cipher>,
    blind: Zeroizing<Vec<u8>>,
}

impl TenantKeys {
    fn place(&self, table: &str, column: &str, row: Uuid) -> Vec<u8> {
        [self.tenant.as_bytes().as_slice(), table.as_bytes(), b".", column.as_bytes(), row.as_bytes()].concat()
    }
    pub fn seal(&self, table: &str, column: &str, row: Uuid, plain: &[u8]) -> Result<Vec<u8>> {
        let newest = self.columns.first().ok_or_else(|| Error::internal("a tenant without a column key"))?;
        newest.seal(&self.place(table, column, row), plain)
    }
    pub fn open(&self, table: &str, column: &str, row: Uuid, sealed: &[u8]) -> Result<Vec<u8>> {
        let id = sealed.get(1..17).unwrap_or_default();
        let cipher = self.columns.iter().find(|cipher| cipher.id.as_bytes() == id);
        let cipher = cipher.ok_or_else(|| Error::internal("a value sealed under a key that is gone"))?;
        cipher.open(&self.place(table, column, row), sealed)
    }
    /// The keyed hash a sealed value is found by. Blanks, hyphens and case do not count.
    pub fn blind(&self, table: &str, column: &str, value: &str) -> Result<Vec<u8>> {
        let folded: String = value.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_uppercase).collect();
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.blind).map_err(Error::internal)?;
        mac.update(format!("{table}.{column}\0{folded}").as_bytes());
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

sql! {
    /// $1 tenant.
    KEYS_OF_TENANT(UUID) = "
        select id, purpose, wrapped_key from encryption_keys
         where tenant_id = $1 and status <> 'DESTROYED' and patient_id is null and purpose in ('COLUMN', 'BLIND_INDEX')
         order by activated_at desc, id desc";
    /// $1 tenant, $2 id, $3 purpose, $4 wrapped key, $5 id of the master key.
    KEY_ADD(UUID, UUID, TEXT, BYTEA, TEXT) = "
        insert into encryption_keys (tenant_id, id, purpose, wrapped_key, kms_key_ref, algorithm, activated_at)
        values ($1, $2, $3, $4, $5, 'AES-256-GCM-SIV', now()) on conflict do nothing";
}

/// Every tenant's keys, unwrapped on first use.
pub struct Keyring {
    master: Cipher,
    door: SharedDoor,
    known: RwLock<HashMap<Uuid, Arc<TenantKeys>>>,
}

/// The master key has no row; its id is fixed so that wrapped keys say what wrapped them.
const MASTER: Uuid = Uuid::from_u128(0x656e_616d_656c_0000_8000_6d61_7374_6572);

impl Keyring {
    pub fn new(master: &[u8; 32], door: SharedDoor) -> Result<Keyring> {
        Ok(Keyring { master: Cipher::new(MASTER, master)?, door, known: RwLock::default() })
    }
    /// For what the server seals and opens itself.
    pub fn own(&self) -> &Cipher {
        &self.master
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
            let (id, purpose, wrapped): (Uuid, String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let key = Zeroizing::new(self.master.open(&wrapping(tenant, &purpose), &wrapped)?);
            match purpose.as_str() {
                "COLUMN" => columns.push(Cipher::new(id, key.as_slice().try_into().map_err(Error::internal)?)?),
                _ => blind = blind.or(Some(key)),
            }
        }
        Ok(blind.filter(|_| !columns.is_empty()).map(|blind| TenantKeys { tenant, columns, blind }))
    }

    /// Two servers may do this at once: the first row of each purpose stays.
    async fn make(&self, tenant: Uuid) -> Result<()> {
        let mut scope = self.door.open_from("keys", &Context::system(Plane::Jobs, Some(tenant))).await?;
        for purpose in ["COLUMN", "BLIND_INDEX"] {
            let mut key = Zeroizing::new([0u8; 32]);
            aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| Error::internal("no random numbers"))?;
            let wrapped = self.master.seal(&wrapping(tenant, purpose), key.as_slice())?;
            let id = scope.new_id();
            scope.exec(&KEY_ADD, &[&tenant, &id, &purpose, &wrapped, &"local"]).await?;
        }
        scope.commit().await
    }
}

fn wrapping(tenant: Uuid, purpose: &str) -> Vec<u8> {
    [b"enamel data key ".as_slice(), tenant.as_bytes(), purpose.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_where_it_stands() {
        let cipher = Cipher::new(Uuid::from_u128(9), &[3; 32]).unwrap();
        let sealed = cipher.seal(b"here", b"plain").unwrap();
        assert_eq!(cipher.open(b"here", &sealed).unwrap(), b"plain");
        assert!(cipher.open(b"there", &sealed).is_err());
        let mut bent = sealed.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert!(cipher.open(b"here", &bent).is_err() && cipher.open(b"here", &sealed[..20]).is_err());
    }
}
