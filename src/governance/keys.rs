//! The installation's three audit keys, derived from one configured seed: who holds the exporter's key can close a
//! package anew, but cannot seal or anchor.

use crate::kernel::audit::Signer;
use crate::kernel::config::Key32;
use crate::kernel::error::{Error, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;
use zeroize::Zeroizing;

pub struct AuditKeys {
    pub sealing: Arc<Signer>,
    pub anchoring: Arc<Signer>,
    pub export: Arc<Signer>,
}

impl AuditKeys {
    pub fn from_seed(seed: &Key32) -> Result<AuditKeys> {
        Ok(AuditKeys {
            sealing: signer(seed, "enamel audit sealing key v1")?,
            anchoring: signer(seed, "enamel audit anchoring key v1")?,
            export: signer(seed, "enamel audit export key v1")?,
        })
    }

    /// What an auditor pins, by the use of the key.
    pub fn named(&self) -> [(&'static str, &Signer); 3] {
        [("sealing", &self.sealing), ("anchoring", &self.anchoring), ("export", &self.export)]
    }
}

/// HMAC-SHA-256 of the label under the seed: one step of HKDF's expand (RFC 5869 §2.3), enough for 32 bytes.
fn signer(seed: &Key32, label: &str) -> Result<Arc<Signer>> {
    let mac = Hmac::<Sha256>::new_from_slice(seed.expose()).map_err(Error::internal)?;
    let derived = Zeroizing::new(<[u8; 32]>::from(mac.chain_update(label).chain_update([1]).finalize().into_bytes()));
    Ok(Arc::new(Signer::from_seed(&derived)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_uses_are_three_keys() {
        let keys = AuditKeys::from_seed(&Key32::new([7; 32])).unwrap();
        let ids: std::collections::HashSet<&str> = keys.named().iter().map(|(_, signer)| signer.key_id()).collect();
        assert_eq!(ids.len(), 3);
        assert!(!ids.contains(Signer::from_seed(&[7; 32]).key_id()), "the seed itself signs nothing");
    }
}
