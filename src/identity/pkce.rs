//! Proof Key for Code Exchange, as the authorization server checks it (RFC 7636). S256 only: `plain` protects
//! nobody who can read the authorization request.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::kernel::error::{CREDENTIALS_WRONG, PARAMETER_INVALID};
use crate::kernel::{Error, Result};

/// A code challenge of method S256, stored beside the code it guards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// Reads `code_challenge` and `code_challenge_method` of an authorization request. A missing method means
    /// `plain` (§4.3) and is refused like any other than S256. PARAMETER_INVALID.
    pub fn read(challenge: Option<&str>, method: Option<&str>) -> Result<Self> {
        let fault = |field, rule, text: &str| Err(Error::new(&PARAMETER_INVALID).fault(field, rule, text));
        let Some(challenge) = challenge else {
            return fault("code_challenge", "required", "is required: sign-in takes PKCE only");
        };
        if method != Some("S256") {
            return fault("code_challenge_method", "supported", "is S256");
        }
        match Self::from_stored(challenge) {
            Some(challenge) => Ok(challenge),
            None => fault("code_challenge", "format", "is a SHA-256 digest in base64url without padding"),
        }
    }

    /// `None` for what is no S256 challenge.
    pub fn from_stored(challenge: &str) -> Option<Self> {
        let digest = BASE64_URL_SAFE_NO_PAD.decode(challenge).ok()?;
        (digest.len() == 32).then(|| Self(challenge.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks `code_verifier` of the token request (§4.6). CREDENTIALS_WRONG, for a bad form as for a wrong value.
    pub fn verify(&self, verifier: &str) -> Result<()> {
        let made = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let right = made.as_bytes().ct_eq(self.0.as_bytes());
        if is_verifier(verifier) && right.into() { Ok(()) } else { Err(Error::new(&CREDENTIALS_WRONG)) }
    }
}

/// `code-verifier = 43*128unreserved` (§4.1).
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_holds() {
        let challenge = Challenge::read(Some(CHALLENGE), Some("S256")).unwrap();
        assert!(challenge.verify(VERIFIER).is_ok());
        assert_eq!(Challenge::from_stored(challenge.as_str()), Some(challenge));
    }

    #[test]
    fn another_verifier_is_refused() {
        let challenge = Challenge::from_stored(CHALLENGE).unwrap();
        let almost = VERIFIER.replace('k', "l");
        for verifier in ["", CHALLENGE, almost.as_str(), &VERIFIER[..42], &format!("{VERIFIER}=")] {
            assert_eq!(challenge.verify(verifier).unwrap_err().code, &CREDENTIALS_WRONG, "{verifier}");
        }
    }

    #[test]
    fn a_verifier_of_bad_form_is_refused_even_when_its_digest_fits() {
        let with = |verifier: &str| {
            let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
            Challenge::from_stored(&digest).unwrap().verify(verifier).is_ok()
        };
        assert!(with(&"a".repeat(43)) && with(&"~".repeat(128)) && with(&"aZ09-._~".repeat(6)));
        assert!(!with(&"a".repeat(42)) && !with(&"a".repeat(129)));
        assert!(!with(&" ".repeat(43)) && !with(&"é".repeat(43)) && !with(&"+".repeat(43)));
    }

    #[test]
    fn only_s256_is_taken_and_the_parameter_is_named() {
        let plain = "a".repeat(43);
        for (challenge, method, field) in [
            (None, Some("S256"), "code_challenge"),
            (Some(CHALLENGE), None, "code_challenge_method"),
            (Some(plain.as_str()), Some("plain"), "code_challenge_method"),
            (Some(CHALLENGE), Some("s256"), "code_challenge_method"),
            (Some(VERIFIER.trim_end_matches('k')), Some("S256"), "code_challenge"),
            (Some(&format!("{CHALLENGE}=")), Some("S256"), "code_challenge"),
        ] {
            let error = Challenge::read(challenge, method).unwrap_err();
            assert_eq!((error.code, error.faults[0].field.as_str()), (&PARAMETER_INVALID, field));
        }
    }
}
