//! Envelope encryption of columns: a tenant's data keys, wrapped by a key of the installation.
//!
//! Ciphertext: version byte, 16 bytes of key id, 12 bytes of nonce, AES-256-GCM-SIV (RFC 8452). The place a value stands
//! in (table, column, row) is authenticated with it, so a ciphertext moved elsewhere does not open.

mod keyring;
mod kms;
mod provider;
pub mod rewrap;

use crate::kernel::error::{Error, Result};
use aes_gcm_siv::aead::{Aead, Payload};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};
use hmac::{Hmac, Mac};
pub use keyring::Keyring;
pub use provider::{KeyProvider, Of, Ring};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A key that seals columns of one tenant, wiped when dropped.
pub type DataKey = Zeroizing<[u8; 32]>;

const VERSION: u8 = 1;
const HEAD: usize = 1 + 16 + 12;

/// One AEAD key. Used for tenants' data keys, the envelope key and what the server seals for itself (cursors, answers).
#[derive(Clone)]
pub struct Cipher {
    id: Uuid,
    aead: Aes256GcmSiv,
}

impl Cipher {
    pub fn new(id: Uuid, key: &[u8; 32]) -> Result<Cipher> {
        Ok(Cipher { id, aead: Aes256GcmSiv::new_from_slice(key).map_err(|_| Error::internal("key length"))? })
    }
    /// Named by what it is, so that what it has sealed says by which key.
    fn named_by_itself(key: &[u8; 32]) -> Result<Cipher> {
        let digest = Sha256::new().chain_update("enamel envelope key v1").chain_update(key).finalize();
        Cipher::new(Uuid::from_slice(&digest[..16]).map_err(Error::internal)?, key)
    }
    fn id(&self) -> Uuid {
        self.id
    }
    fn has_sealed(&self, sealed: &[u8]) -> bool {
        sealed.get(1..17) == Some(self.id.as_bytes())
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
    blind: DataKey,
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
        let cipher = self.columns.iter().find(|cipher| cipher.has_sealed(sealed));
        let cipher = cipher.ok_or_else(|| Error::internal("a value sealed under a key that is gone"))?;
        cipher.open(&self.place(table, column, row), sealed)
    }
    /// The keyed hash a sealed value is found by. Blanks, hyphens and case do not count.
    pub fn blind(&self, table: &str, column: &str, value: &str) -> Result<Vec<u8>> {
        let folded: String = value.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_uppercase).collect();
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.blind.as_slice()).map_err(Error::internal)?;
        mac.update(format!("{table}.{column}\0{folded}").as_bytes());
        Ok(mac.finalize().into_bytes().to_vec())
    }
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
