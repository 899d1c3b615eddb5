//! Identity: who is asking. Passwords, opaque tokens, PKCE, and sign-in at another's OpenID provider.
//! Catalogue §2.
pub mod password;
mod password_hash;
pub mod pkce;
pub mod token;
