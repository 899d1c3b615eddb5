//! Who is asking: sign-in at OpenID providers.
mod acting_for;
mod backend;
mod brands;
pub mod browser;
mod certificates;
mod certified_provider;
mod clients;
mod clinic_pages;
mod delivery;
mod development_issuer;
mod federation;
mod hostile;
mod hostile_provider;
mod invitations;
mod letters;
mod lives;
mod oauth;
mod openid;
mod registration;
mod required_factor;
mod restricted;
mod rules;
mod scim;
pub mod second_factor;
mod sign_in;
mod sign_out;
mod smart;
mod smart_client;
mod step_up;
mod tokens;
mod vendor_apps;
mod vendor_places;
mod vendor_reach;
mod vendors;

use enamel::identity::oidc::{Callback, Pending, Provider, RelyingParty};
use enamel::identity::outbound::{Outbound, Policy};
use secrecy::SecretString;

pub const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";
pub const SECRET: &str = "a client secret of more than 32 characters &=+";

pub fn relying_party() -> RelyingParty {
    RelyingParty::new(Outbound::new(Policy::with_loopback()).unwrap())
}

pub fn provider(issuer: &str, client_id: &str, client_secret: Option<&str>) -> Provider {
    let client_secret = client_secret.map(SecretString::from);
    Provider { issuer: issuer.to_owned(), client_id: client_id.to_owned(), client_secret }
}

/// What a browser at the redirect URI brings.
pub fn callback(location: &str) -> Callback {
    let url = reqwest::Url::parse(location).unwrap();
    let part = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    Callback { code: part("code").unwrap(), state: part("state").unwrap(), iss: part("iss") }
}

pub fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// A copy whose one part differs.
pub fn altered(pending: &Pending, alter: impl FnOnce(&mut Pending)) -> Pending {
    let mut pending = pending.clone();
    alter(&mut pending);
    pending
}
