//! What identity keeps for the life of the server: the hashing pool, known tokens, throttles, OpenID providers.

use super::domains::{self, TxtRecords};
use super::hashing::{Passwords, PoolSize};
use super::oauth::{AppOrigins, Brands, ClientKeys, Crowd, Refused, SigningKeys};
use super::oidc::RelyingParty;
use super::outbound::{Outbound, Policy};
use super::passkey::Passkeys;
use super::password_hash::Recipe;
use super::resolve::KnownTokens;
use super::throttle::Throttle;
use crate::kernel::certificate::Authorities;
use crate::kernel::config::Config;
use crate::kernel::db::SharedDoor;
use crate::kernel::{Error, Kernel, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;

pub struct Service {
    pub passwords: Passwords,
    pub openid: RelyingParty,
    pub(super) tokens: KnownTokens,
    pub throttle: Throttle,
    pub(super) letters: Throttle,
    pub(super) registrations: Throttle,
    pub(super) passkeys: Option<Passkeys>,
    pub(super) records: Box<dyn TxtRecords>,
    pub(super) refused: Refused,
    pub(super) crowd: Crowd,
    pub(super) client_keys: ClientKeys,
    /// To addresses that others named.
    pub(super) outbound: Outbound,
    pub(super) origins: AppOrigins,
    pub(super) brands: Brands,
    pub(super) signing: SigningKeys,
    /// Those whose word about a program's name is taken.
    pub(super) authorities: Option<Authorities>,
    /// Makes the successors of refresh tokens.
    pub(super) successors: Hmac<Sha256>,
    /// Makes the tokens that tie a form to the browser it was sent to.
    pub(super) forms: Hmac<Sha256>,
    /// Says what a tenant's TXT record has to say.
    pub(super) domains: Hmac<Sha256>,
    /// Hashes recovery codes.
    pub(super) recovery: Hmac<Sha256>,
}

impl Service {
    /// Costs one password hash.
    pub fn start(config: &Config, door: &SharedDoor) -> Result<Arc<Service>> {
        let identity = &config.identity;
        let size = PoolSize { running_max: identity.hashing_threads, waiting_max: identity.hashing_queue };
        let mut policy = if identity.allow_http_issuers { Policy::with_loopback() } else { Policy::default() };
        policy.private_networks.clone_from(&identity.oidc_private_networks);
        let outbound = Outbound::new(policy)?;
        Ok(Arc::new(Service {
            passwords: Passwords::new(Recipe::configured(config)?, size)?,
            origins: AppOrigins::default(),
            brands: Brands::default(),
            client_keys: ClientKeys::new(outbound.clone()),
            signing: SigningKeys::default(),
            authorities: config.server.client_ca.as_deref().map(Authorities::read).transpose().map_err(Error::internal)?,
            openid: RelyingParty::new(outbound.clone()),
            outbound,
            tokens: KnownTokens::default(),
            throttle: Throttle::default(),
            letters: Throttle::of_letters(),
            registrations: Throttle::of_registrations(),
            records: domains::records(config),
            passkeys: Passkeys::of(&config.server.public_url)?,
            refused: Refused::default(),
            crowd: Crowd::start(config, door),
            successors: derived(config, "enamel refresh token successors v1")?,
            forms: derived(config, "enamel form tokens v1")?,
            domains: derived(config, "enamel domain proofs v1")?,
            recovery: derived(config, "enamel recovery codes v1")?,
        }))
    }

    pub fn of(kernel: &Kernel) -> Result<&Arc<Service>> {
        kernel.services.get().ok_or_else(|| Error::internal("identity was not started"))
    }
}

/// A key for one use, derived from the one that stays when the envelope key is replaced.
fn derived(config: &Config, purpose: &str) -> Result<Hmac<Sha256>> {
    let mut root = Hmac::<Sha256>::new_from_slice(config.secrets.password_pepper.expose()).map_err(Error::internal)?;
    root.update(purpose.as_bytes());
    Hmac::new_from_slice(&root.finalize().into_bytes()).map_err(Error::internal)
}
