//! The secrets of one data directory: made at the first start, mode 0600, never printed.

use super::{Outcome, line};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

#[derive(Serialize, Deserialize)]
pub struct Secrets {
    pub seal_key: String,
    pub envelope_key: String,
    pub audit_signing_key: String,
    pub password_pepper: String,
    pub database: String,
    pub store: String,
    pub issuer_client: String,
    /// Of every demo login.
    pub demo_password: String,
}

impl Secrets {
    pub fn of(dir: &Path) -> Outcome<Secrets> {
        let path = dir.join("secrets.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| line(format!("{} cannot be read", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let secrets = Secrets {
                    seal_key: key()?,
                    envelope_key: key()?,
                    audit_signing_key: key()?,
                    password_pepper: key()?,
                    database: word(32)?,
                    store: word(32)?,
                    issuer_client: word(32)?,
                    demo_password: format!("demo-{}", word(12)?),
                };
                write_private(&path, &serde_json::to_vec_pretty(&secrets)?)?;
                Ok(secrets)
            }
            Err(error) => Err(line(format!("{}: {error}", path.display()))),
        }
    }
}

fn random(length: usize) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| line("the system gives no random numbers"))?;
    Ok(bytes)
}
fn key() -> Outcome<String> {
    Ok(BASE64_STANDARD.encode(random(32)?))
}
pub fn word(bytes: usize) -> Outcome<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random(bytes)?))
}

/// Whole or not at all, and for its owner only.
pub fn write_private(path: &Path, bytes: &[u8]) -> Outcome {
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(())
}
