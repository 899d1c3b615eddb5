//! A client's certificate, as it came with its connection or, from a proxy that ends TLS, with the header `Client-Cert` (RFC 9440).
//! Whoever shows it holds its key; whose it is, somebody else decides.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::HeaderMap;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

const HEADER: &str = "client-cert";
const CHAIN: &str = "client-cert-chain";
const CHAIN_MAX: usize = 8;

#[derive(Debug)]
pub struct Certificate {
    /// Its own first, then those between it and an authority.
    chain: Vec<CertificateDer<'static>>,
    /// `x5t#S256` (RFC 8705 section 3.1): base64url of the SHA-256 of its DER form.
    pub thumbprint: String,
}

impl Certificate {
    pub fn new(chain: Vec<CertificateDer<'static>>) -> Option<Arc<Certificate>> {
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(chain.first()?));
        Some(Arc::new(Certificate { chain, thumbprint }))
    }

    /// What a proxy says that its client has shown. None for anything but one certificate.
    pub fn of_proxy(headers: &HeaderMap) -> Option<Arc<Certificate>> {
        let mut own = headers.get_all(HEADER).iter();
        let own = own.next().filter(|_| own.next().is_none())?.to_str().ok()?;
        let between = headers.get_all(CHAIN).iter().map(|value| value.to_str().ok());
        let between = between.collect::<Option<Vec<_>>>()?.join(",");
        let items = [own].into_iter().chain(between.split(',').filter(|item| !item.trim().is_empty()));
        let chain = items.take(CHAIN_MAX).map(|item| bytes(item.trim()).map(CertificateDer::from)).collect::<Option<Vec<_>>>()?;
        Certificate::new(chain)
    }

    /// Whether one of these names is among its own: DNS names and URIs of its subject alternative name, as they stand.
    pub fn is_named(&self, names: &[String]) -> bool {
        let Some(own) = self.chain.first().and_then(|own| webpki::EndEntityCert::try_from(own).ok()) else { return false };
        own.valid_dns_names().chain(own.valid_uri_names()).any(|name| names.iter().any(|known| known == name))
    }
}

/// A byte sequence of RFC 8941 section 3.3.5.
fn bytes(item: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(item.strip_prefix(':')?.strip_suffix(':')?).ok().filter(|bytes| !bytes.is_empty())
}

/// Those whose word about a client's name is taken.
#[derive(Debug)]
pub struct Authorities(Arc<dyn ClientCertVerifier>);

impl Authorities {
    /// From a PEM file.
    pub fn read(path: &Path) -> Result<Authorities, &'static str> {
        let broken = "server.client_ca: holds no readable certificate";
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|_| broken)? {
            roots.add(certificate.map_err(|_| broken)?).map_err(|_| broken)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|_| broken)?;
        Ok(Authorities(verifier))
    }

    /// Whether it leads to one of them and is in its time.
    pub fn vouch_for(&self, certificate: &Certificate) -> bool {
        let Some((own, between)) = certificate.chain.split_first() else { return false };
        self.0.verify_client_cert(own, between, UnixTime::now()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = include_str!("../../tests/fixtures/tls/program.pem");
    const STRANGER: &str = include_str!("../../tests/fixtures/tls/one.pem");

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_name_counts_where_an_authority_has_given_it() {
        let authorities = Authorities::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/authority.pem"))).unwrap();
        let (program, stranger) = (Certificate::new(vec![der(PROGRAM)]).unwrap(), Certificate::new(vec![der(STRANGER)]).unwrap());
        assert!(authorities.vouch_for(&program) && !authorities.vouch_for(&stranger));
        assert!(program.is_named(&["other.example".into(), "program.clinic.example".into()]));
        assert!(program.is_named(&["https://program.clinic.example/".into()]));
        for wrong in ["clinic.example", "PROGRAM.clinic.example", "*.clinic.example", ""] {
            assert!(!program.is_named(&[wrong.into()]), "{wrong}");
        }
        assert!(!program.is_named(&[]));
        assert!(Authorities::read(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_proxy_says_one_certificate_in_the_form_of_the_standard() {
        let item = format!(":{}:", BASE64_STANDARD.encode(der(PROGRAM)));
        let told = Certificate::of_proxy(&headers(&[(HEADER, &item)])).unwrap();
        assert_eq!(told.thumbprint, Certificate::new(vec![der(PROGRAM)]).unwrap().thumbprint);
        let chained = Certificate::of_proxy(&headers(&[(HEADER, &item), (CHAIN, &format!("{item}, {item}"))])).unwrap();
        assert_eq!(chained.chain.len(), 3);
        for wrong in [&[][..], &[(HEADER, "")], &[(HEADER, "::")], &[(HEADER, &item[1..])], &[(HEADER, &item), (HEADER, &item)]] {
            assert!(Certificate::of_proxy(&headers(wrong)).is_none(), "{wrong:?}");
        }
    }
}
