//! Who wraps the tenants' data keys: this server's own envelope key, or a service that keeps its keys to itself.
//!
//! What was wrapped carries the name of what wrapped it. So keys of several origins stand beside each other while one
//! replaces the other, and `enamel keys rewrap` knows what is left to do.

use super::kms::Kms;
use super::{Cipher, DataKey};
use crate::kernel::config::SecretsConfig;
use crate::kernel::error::{Error, Result};
use async_trait::async_trait;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What a data key is for. It is bound to the wrapped key: one that is moved elsewhere does not open.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    pub tenant: Uuid,
    pub purpose: &'a str,
}

#[async_trait]
pub trait KeyProvider: Send + Sync {
    /// The name of the key that wraps now, kept beside what it has wrapped.
    fn name(&self) -> &str;
    async fn wrap(&self, of: Of<'_>, key: &DataKey) -> Result<Vec<u8>>;
    /// `by`: the name that was kept.
    async fn unwrap(&self, of: Of<'_>, by: &str, wrapped: &[u8]) -> Result<DataKey>;
}

/// The keys of the configuration: the first seals, all of them open.
pub struct Ring(Vec<Cipher>);

impl Ring {
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k [u8; 32]>) -> Result<Ring> {
        keys.into_iter().map(Cipher::named_by_itself).collect::<Result<_>>().map(Ring)
    }
    fn first(&self) -> Result<&Cipher> {
        self.0.first().ok_or_else(|| Error::internal("a ring without keys"))
    }
    pub fn seal(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        self.first()?.seal(place, plain)
    }
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let held = self.0.iter().find(|cipher| cipher.has_sealed(sealed));
        held.ok_or_else(|| Error::internal("a value sealed under a key that is not configured"))?.open(place, sealed)
    }
    /// Whether the first of them has sealed it, and not one that is to go.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        self.0.first().is_some_and(|first| first.has_sealed(sealed))
    }
}

/// Wraps with the ring of the configuration.
struct Local {
    name: String,
    ring: Ring,
}

impl Local {
    fn new(ring: Ring) -> Result<Local> {
        Ok(Local { name: format!("local:{}", ring.first()?.id().simple()), ring })
    }
}

fn place(of: Of<'_>) -> Vec<u8> {
    [b"enamel data key ".as_slice(), of.tenant.as_bytes(), of.purpose.as_bytes()].concat()
}

#[async_trait]
impl KeyProvider for Local {
    fn name(&self) -> &str {
        &self.name
    }
    async fn wrap(&self, of: Of<'_>, key: &DataKey) -> Result<Vec<u8>> {
        self.ring.seal(&place(of), key.as_slice())
    }
    async fn unwrap(&self, of: Of<'_>, _by: &str, wrapped: &[u8]) -> Result<DataKey> {
        data_key(Zeroizing::new(self.ring.open(&place(of), wrapped)?))
    }
}

pub(super) fn data_key(bytes: Zeroizing<Vec<u8>>) -> Result<DataKey> {
    let mut key = DataKey::default();
    if bytes.len() != key.len() {
        return Err(Error::internal("a data key of another length"));
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// All that may have wrapped a key, and the one that does now.
pub struct Providers {
    local: Box<dyn KeyProvider>,
    kms: Option<Box<dyn KeyProvider>>,
}

impl Providers {
    pub fn configured(secrets: &SecretsConfig) -> Result<Providers> {
        let kms = Kms::configured(&secrets.kms)?.map(|kms| Box::new(kms) as Box<dyn KeyProvider>);
        Ok(Providers { local: Box::new(Local::new(ring(secrets)?)?), kms })
    }
    pub fn current(&self) -> &dyn KeyProvider {
        self.kms.as_deref().unwrap_or(&*self.local)
    }
    pub async fn unwrap(&self, of: Of<'_>, by: &str, wrapped: &[u8]) -> Result<DataKey> {
        let provider = match by.split_once(':') {
            Some(("local", _)) => Some(&*self.local),
            Some(("kms", _)) => self.kms.as_deref(),
            _ => None,
        };
        provider.ok_or_else(|| Error::internal("a data key was wrapped by what is not configured"))?.unwrap(of, by, wrapped).await
    }
}

/// The envelope key, and those that open beside it.
pub fn ring(secrets: &SecretsConfig) -> Result<Ring> {
    Ring::new(std::iter::once(&secrets.envelope_key).chain(&secrets.other_envelope_keys).map(crate::kernel::config::Key32::expose))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::config::Config;

    const OF: Of = Of { tenant: Uuid::from_u128(7), purpose: "COLUMN" };

    fn providers(toml: &str) -> Providers {
        Providers::configured(&Config::sample(toml).secrets).unwrap()
    }

    #[tokio::test]
    async fn a_new_key_opens_what_the_old_one_wrapped_while_both_are_configured() {
        let old = providers("");
        let by = old.current().name().to_owned();
        let wrapped = old.current().wrap(OF, &Zeroizing::new([5; 32])).await.unwrap();
        let mut secrets = Config::sample("").secrets;
        let former =
            std::mem::replace(&mut secrets.envelope_key, crate::kernel::config::Key32::new(std::array::from_fn(|at| at as u8 ^ 9)));
        let without = Providers::configured(&secrets).unwrap();
        assert!(without.unwrap(OF, &by, &wrapped).await.is_err());
        secrets.other_envelope_keys = vec![former];
        let both = Providers::configured(&secrets).unwrap();
        assert_eq!(*both.unwrap(OF, &by, &wrapped).await.unwrap(), [5; 32]);
        assert_ne!(both.current().name(), by);
        let again = both.current().wrap(OF, &Zeroizing::new([5; 32])).await.unwrap();
        assert_eq!(*without.unwrap(OF, both.current().name(), &again).await.unwrap(), [5; 32]);
        assert!(old.unwrap(OF, both.current().name(), &again).await.is_err());
    }

    #[tokio::test]
    async fn a_wrapped_key_opens_for_its_tenant_and_purpose_only() {
        let local = providers("");
        let wrapped = local.current().wrap(OF, &Zeroizing::new([5; 32])).await.unwrap();
        let by = local.current().name();
        for of in [Of { tenant: Uuid::from_u128(8), ..OF }, Of { purpose: "BLIND_INDEX", ..OF }] {
            assert!(local.unwrap(of, by, &wrapped).await.is_err());
        }
        assert!(local.unwrap(OF, "kms:arn", &wrapped).await.is_err(), "nobody here speaks for it");
        assert_eq!(*local.unwrap(OF, by, &wrapped).await.unwrap(), [5; 32]);
    }
}
