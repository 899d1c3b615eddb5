//! Tokens that only the holder of a key can use (DPoP, RFC 9449): each request brings a proof, signed for it alone.

use super::assertion::first;
use super::jwt;
use crate::kernel::Kernel;
use crate::kernel::error::Result;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::ThumbprintHash;
use poem::Request;
use serde::Deserialize;
use sha2::{Digest, Sha256};

const HEADER: &str = "dpop";
/// How old a proof may be, and how far ahead a clock.
const LIVES_S: i64 = 60;
const SKEW_S: i64 = 10;
const JTI_MAX: usize = 255;

/// A proof as it came with a request, and what it has to be for.
pub struct Proof {
    text: String,
    method: String,
    url: String,
}

#[derive(Clone, Deserialize)]
struct Claims {
    htm: String,
    htu: String,
    iat: i64,
    jti: String,
    #[serde(default)]
    ath: Option<String>,
}

impl Proof {
    /// Two of them are none: whoever reads the other one would be shown it.
    pub fn of(request: &Request, public_url: &str) -> Option<Proof> {
        let mut values = request.headers().get_all(HEADER).iter();
        let text = values.next().filter(|_| values.next().is_none())?.to_str().ok()?.to_owned();
        let url = format!("{}{}", public_url.trim_end_matches('/'), request.original_uri().path());
        Some(Proof { text, method: request.method().to_string(), url })
    }

    pub fn is_sent(request: &Request) -> bool {
        request.headers().contains_key(HEADER)
    }

    /// The thumbprint of the key that has signed it, for this request, this moment and, where one is shown, this token. None
    /// for anything else, and for one that was shown before.
    pub async fn key(&self, kernel: &Kernel, token: Option<&str>) -> Result<Option<String>> {
        let Some(head) = jwt::head(&self.text, &["dpop+jwt"]).filter(|head| head.typ.is_some()) else { return Ok(None) };
        let Some(key) = head.jwk.as_ref() else { return Ok(None) };
        let Some(claims) = jwt::claims::<Claims>(&self.text, head.alg, key) else { return Ok(None) };
        let Ok(thumbprint) = key.thumbprint(ThumbprintHash::SHA256) else { return Ok(None) };
        let Some(until) = claims.holds(self, token) else { return Ok(None) };
        Ok(first(kernel, thumbprint.as_bytes(), &claims.jti, until).await?.then_some(thumbprint))
    }
}

impl Claims {
    fn holds(&self, proof: &Proof, token: Option<&str>) -> Option<DateTime<Utc>> {
        let now = Utc::now().timestamp();
        let hash = token.map(|token| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes())));
        let place = self.htu.split(['?', '#']).next().unwrap_or_default();
        let right = self.htm == proof.method
            && place == proof.url
            && self.iat >= now - LIVES_S
            && self.iat <= now + SKEW_S
            && (1..=JTI_MAX).contains(&self.jti.len())
            && (hash.is_none() || self.ath == hash);
        DateTime::from_timestamp(self.iat + LIVES_S, 0).filter(|_| right)
    }
}
