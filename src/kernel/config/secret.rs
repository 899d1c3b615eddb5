//! Secrets in the configuration: parsed, compared, handed out, never printed.

use std::fmt;

use base64::Engine;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Shortest text `serve` takes for a secret that is not a key.
const TEXT_MIN: usize = 16;
/// Beginnings that only stand in examples and tests.
const PLACEHOLDERS: &[&str] =
    &["change-me", "changeme", "development", "enamel-dev", "example", "minioadmin", "password", "secret", "test"];

/// 32 bytes of key, written in the file as base64. Wiped when dropped.
#[derive(Clone)]
pub struct Key32(Zeroizing<[u8; 32]>);

impl Key32 {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads base64 with the standard alphabet; the error does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim()).map(Zeroizing::new);
        let bytes = decoded.map_err(|_| "is not base64")?;
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| "is not 32 bytes in base64")?;
        Ok(Self::new(bytes))
    }

    /// A key anyone can compute, for tests and throw-away worlds: `serve` refuses it under every name of ours.
    pub fn development(name: &str) -> Self {
        Self::new(Sha256::digest(format!("enamel development key: {name}")).into())
    }

    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn refuse_weak(&self) -> Result<(), &'static str> {
        if self.0.iter().all(|byte| *byte == self.0[0]) {
            return Err("is one byte repeated; make one with `openssl rand -base64 32`");
        }
        let known = ["seal_key", "envelope_key", "audit_signing_key", "password_pepper"];
        if known.iter().any(|name| *self == Self::development(name)) {
            return Err("is a development key; make one with `openssl rand -base64 32`");
        }
        Ok(())
    }
}

impl PartialEq for Key32 {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_slice()).into()
    }
}

impl fmt::Debug for Key32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key32(…)")
    }
}

impl<'de> Deserialize<'de> for Key32 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// For `deserialize_with`: secrecy's own serde support is a feature that would also allow printing.
pub(super) fn secret_text<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

pub(super) fn secret_text_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    secret_text(from).map(Some)
}

pub(super) fn refuse_weak_text(secret: &SecretString) -> Result<(), &'static str> {
    let text = secret.expose_secret();
    if text.len() < TEXT_MIN {
        return Err("is shorter than 16 characters");
    }
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    if PLACEHOLDERS.iter().any(|placeholder| lower.starts_with(placeholder)) {
        return Err("is a placeholder");
    }
    if text.bytes().all(|byte| byte == text.as_bytes()[0]) {
        return Err("is one character repeated");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_but_never_printed() {
        let key = Key32::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        assert_eq!(key.expose()[31], 31);
        assert_eq!(format!("{key:?}"), "Key32(…)");
        assert_eq!(Key32::parse("c2hvcnQ=").unwrap_err(), "is not 32 bytes in base64");
        assert_eq!(Key32::parse("not base64!").unwrap_err(), "is not base64");
    }

    #[test]
    fn keys_anyone_could_guess_are_weak() {
        assert!(Key32::new([7; 32]).refuse_weak().is_err());
        assert!(Key32::development("seal_key").refuse_weak().is_err());
        assert!(Key32::new(std::array::from_fn(|at| at as u8)).refuse_weak().is_ok());
        for weak in ["short", "change-me-please-now", "aaaaaaaaaaaaaaaaaaaa", "PasswordPassword1"] {
            assert!(refuse_weak_text(&SecretString::from(weak)).is_err(), "{weak}");
        }
        assert!(refuse_weak_text(&SecretString::from("kX93-uIw0a_8bQzP1rVn")).is_ok());
    }
}
