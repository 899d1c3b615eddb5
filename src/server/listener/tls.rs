//! The certificate, read again when its files change.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::stream::{self, BoxStream, StreamExt};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    sign::CertifiedKey,
};

/// PEM files of chain and key.
pub(super) struct TlsFiles {
    cert: PathBuf,
    key: PathBuf,
    /// Whether clients are asked for a certificate of theirs.
    asks: bool,
}

/// What tells a changed file; the inode as well, since a rename within one clock tick changes nothing else.
type Stamp = (u64, u64, Option<SystemTime>);

impl TlsFiles {
    pub(super) fn new(cert: PathBuf, key: PathBuf, asks: bool) -> Self {
        Self { cert, key, asks }
    }

    /// The certificate now, and again whenever the files change to another usable pair. A pair that is not usable is
    /// logged and the one in use is kept: half of a renewal is seen as such a pair.
    pub(super) async fn changes(self, every: Duration) -> io::Result<BoxStream<'static, Arc<ServerConfig>>> {
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

    async fn read(&self) -> io::Result<Arc<ServerConfig>> {
        let cert = contents("server.tls_cert", &self.cert).await?;
        let key = contents("server.tls_key", &self.key).await?;
        let pair = pair(&cert, &key).map_err(io::Error::other)?;
        configured(pair, self.asks).map(Arc::new).map_err(io::Error::other)
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

fn pair(cert: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>().map_err(|_| "server.tls_cert: is not a PEM file of certificates")?;
    if chain.is_empty() {
        return Err("server.tls_cert: has no certificate".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "server.tls_key: is not a PEM file with a private key")?;
    let pair = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
    pair.map_err(|error| format!("server.tls_cert and server.tls_key are not a pair: {error}"))
}

fn configured(pair: CertifiedKey, asks: bool) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = if asks { builder.with_client_cert_verifier(Arc::new(AnyClient(provider))) } else { builder.with_no_client_auth() };
    let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Lets in whoever has the key of the certificate they show, and whoever shows none. Which programs a certificate stands for is
/// asked where they prove themselves.
#[derive(Debug)]
struct AnyClient(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
