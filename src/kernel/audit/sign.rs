//! Ed25519 signatures of seals, anchors and packages, and the public keys a verifier pins.

use super::bytes::{Hash, SignatureBytes};
use crate::kernel::{Error, Result, error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

const KEY_ID_LENGTH: usize = 16;

/// The first 16 hex digits of the public key's SHA-256.
fn key_id(key: &VerifyingKey) -> String {
    let mut id = Hash::of(&[key.as_bytes()]).to_string();
    id.truncate(KEY_ID_LENGTH);
    id
}

pub struct Signer {
    key: SigningKey,
    key_id: String,
}

impl Signer {
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let key_id = key_id(&key.verifying_key());
        Self { key, key_id }
    }

    /// From configuration: 32 secret bytes in base64.
    pub fn from_config(seed: &SecretString) -> Result<Self> {
        let wrong = || Error::new(&error::INVALID).fault("audit.signing_key", "format", "must be 32 bytes in base64");
        let bytes = Zeroizing::new(STANDARD.decode(seed.expose_secret().trim()).map_err(|_| wrong())?);
        let seed = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| wrong())?);
        Ok(Self::from_seed(&seed))
    }

    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What an auditor pins.
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.key.verifying_key().as_bytes())
    }

    pub fn sign(&self, message: &[u8]) -> SignatureBytes {
        super::bytes::Hex(self.key.sign(message).to_bytes())
    }
}

/// The public keys a verifier believes, by key id.
#[derive(Debug, Clone, Default)]
pub struct PinnedKeys(BTreeMap<String, VerifyingKey>);

impl PinnedKeys {
    pub fn from_base64<T: AsRef<str>>(keys: impl IntoIterator<Item = T>) -> Result<Self> {
        let wrong = || Error::new(&error::INVALID).fault("key", "format", "must be an Ed25519 public key in base64");
        let mut pinned = BTreeMap::new();
        for text in keys {
            let bytes = STANDARD.decode(text.as_ref().trim()).map_err(|_| wrong())?;
            let bytes: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
            let key = VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak()).ok_or_else(wrong)?;
            pinned.insert(key_id(&key), key);
        }
        if pinned.is_empty() {
            return Err(Error::new(&error::INVALID).fault("key", "required", "pin at least one public key"));
        }
        Ok(Self(pinned))
    }

    pub fn holds(&self, key_id: &str) -> bool {
        self.0.contains_key(key_id)
    }

    pub fn signed(&self, key_id: &str, message: &[u8], signature: &SignatureBytes) -> bool {
        let signature = Signature::from_bytes(&signature.0);
        self.0.get(key_id).is_some_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_verifies_under_its_id_only() {
        let (ours, other) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let pinned = PinnedKeys::from_base64([ours.public_key(), other.public_key()]).unwrap();
        let signature = ours.sign(b"message");
        assert!(pinned.signed(ours.key_id(), b"message", &signature));
        assert!(!pinned.signed(ours.key_id(), b"massage", &signature));
        assert!(!pinned.signed(other.key_id(), b"message", &signature));
        assert_eq!(ours.key_id().len(), KEY_ID_LENGTH);
    }

    #[test]
    fn keys_of_a_wrong_form_are_refused_without_being_shown() {
        let error = Signer::from_config(&SecretString::from("c2VjcmV0")).err().unwrap().to_string();
        assert!(!error.contains("c2VjcmV0"), "{error}");
        assert!(Signer::from_config(&SecretString::from(STANDARD.encode([3; 32]))).is_ok());
        assert!(PinnedKeys::from_base64(["AAAA"]).is_err());
        assert!(PinnedKeys::from_base64(Vec::<String>::new()).is_err());
        let small_order = STANDARD.encode({
            let mut point = [0; 32];
            point[0] = 1;
            point
        });
        assert!(PinnedKeys::from_base64([small_order]).is_err(), "a key under which anything verifies");
    }
}
