//! Identity: who is asking. Passwords, opaque tokens, PKCE, and sign-in at another's OpenID provider.
//! Catalogue §2.
pub mod oidc;
mod oidc_provider;
pub mod outbound;
pub mod pages;
pub mod password;
mod password_hash;
pub mod pkce;
pub mod token;
