//! The provider's one key: ES256, made at the first start, kept with mode 0600 so that restarts sign alike.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kernel::{Error, Result};

const FILE: &str = "issuer-key.p8";
/// An uncompressed point of P-256: 0x04, x, y.
const POINT_BYTES: usize = 65;

pub struct Key {
    signing: EncodingKey,
    /// `x` and `y` of the public key, as a JWK writes them.
    point: [String; 2],
    id: String,
}

impl Key {
    pub fn load_or_make(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(Error::internal)?;
        let path = dir.join(FILE);
        match fs::read(&path) {
            Ok(der) => Self::read(&der),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::make(&path),
            Err(error) => Err(Error::internal(error)),
        }
    }

    fn make(path: &Path) -> Result<Self> {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| Error::internal("a signing key cannot be made"))?;
        // Renamed when whole: a crash leaves no half key behind.
        let partial = path.with_extension("partial");
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .and_then(|mut file| file.write_all(der.as_ref()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&partial, path));
        written.map_err(Error::internal)?;
        Self::read(der.as_ref())
    }

    fn read(der: &[u8]) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map_err(|_| Error::internal(format!("{FILE} holds no P-256 key; remove it and a new one is made")))?;
        let public = pair.public_key().as_ref();
        if public.len() != POINT_BYTES {
            return Err(Error::internal("the public key is not an uncompressed point"));
        }
        let (x, y) = public[1..].split_at(32);
        let id = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(public)[..12]);
        let point = [x, y].map(|half| BASE64_URL_SAFE_NO_PAD.encode(half));
        Ok(Self { signing: EncodingKey::from_ec_der(der), point, id })
    }

    pub fn sign(&self, claims: &Value) -> Result<String> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.signing).map_err(Error::internal)
    }

    pub fn jwks(&self) -> Value {
        let [x, y] = &self.point;
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": x, "y": y,
        });
        json!({ "keys": [key] })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_survives_a_restart_and_is_its_owners_alone() {
        let dir = std::env::temp_dir().join(format!("enamel-issuer-key-{}", uuid::Uuid::now_v7()));
        let first = Key::load_or_make(&dir).unwrap().jwks();
        assert_eq!(Key::load_or_make(&dir).unwrap().jwks(), first);
        let mode = fs::metadata(dir.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(dir.join(FILE), b"no key").unwrap();
        let said = Key::load_or_make(&dir).err().unwrap().to_string();
        assert!(said.contains("remove it"), "{said}");
        fs::remove_dir_all(dir).unwrap();
    }
}
