//! The certificate, read again when its files change.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use futures_util::stream::{self, BoxStream, StreamExt};
use poem::listener::{RustlsCertificate, RustlsConfig};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// PEM files of chain and key.
pub(super) struct TlsFiles {
    cert: PathBuf,
    key: PathBuf,
}

/// What tells a changed file; the inode as well, since a rename within one clock tick changes nothing else.
type Stamp = (u64, u64, Option<SystemTime>);

impl TlsFiles {
    pub(super) fn new(cert: PathBuf, key: PathBuf) -> Self {
        Self { cert, key }
    }

    /// The certificate now, and again whenever the files change to another usable pair. A pair that is not usable is
    /// logged and the one in use is kept: half of a renewal is seen as such a pair.
    pub(super) async fn changes(self, every: Duration) -> io::Result<BoxStream<'static, RustlsConfig>> {
        let stamps = self.stamps().await;
        let first = self.read().await?;
        let later = stream::unfold((self, stamps), move |(files, mut known)| async move {
            loop {
                tokio::time::sleep(every).await;
                let now = files.stamps().await;
                if now == known {
                    continue;
                }
                known = now;
                match files.read().await {
                    Ok(config) => return Some((config, (files, known))),
                    Err(error) => tracing::error!(%error, "Kept the TLS certificate: the new files are not usable"),
                }
            }
        });
        Ok(stream::once(std::future::ready(first)).chain(later).boxed())
    }

    async fn stamps(&self) -> [Option<Stamp>; 2] {
        [stamp(&self.cert).await, stamp(&self.key).await]
    }

    async fn read(&self) -> io::Result<RustlsConfig> {
        let cert = contents("server.tls_cert", &self.cert).await?;
        let key = contents("server.tls_key", &self.key).await?;
        check(&cert, &key).map_err(io::Error::other)?;
        Ok(RustlsConfig::new().fallback(RustlsCertificate::new().cert(cert).key(key)))
    }
}

async fn stamp(path: &Path) -> Option<Stamp> {
    let file = tokio::fs::metadata(path).await.ok()?;
    Some((file.ino(), file.len(), file.modified().ok()))
}

async fn contents(name: &str, path: &Path) -> io::Result<Vec<u8>> {
    let failed = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {}: {}", path.display(), error.kind()));
    tokio::fs::read(path).await.map_err(failed)
}

/// poem takes a key that does not belong to the certificate, and every handshake would fail.
fn check(cert: &[u8], key: &[u8]) -> Result<(), String> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>().map_err(|_| "server.tls_cert: is not a PEM file of certificates")?;
    if chain.is_empty() {
        return Err("server.tls_cert: has no certificate".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "server.tls_key: is not a PEM file with a private key")?;
    let pair = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
    pair.map(drop).map_err(|error| format!("server.tls_cert and server.tls_key are not a pair: {error}"))
}
