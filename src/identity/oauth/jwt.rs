//! Signed words of others (RFC 7515, 7519): read with their bounds, checked by a key that was chosen before.

use crate::kernel::error::{Error, Result};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::de::DeserializeOwned;

/// A software statement may bring its application's keys.
pub const BYTES_MAX: usize = 16_384;
const KEYS_MAX: usize = 20;
const RSA_BITS_MIN: usize = 2_048;
/// What a client's own words may be signed with. `none` and every secret shared with somebody are not among them.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS384, Algorithm::ES384, Algorithm::RS256, Algorithm::ES256];

/// The head of a token, when all that it asks for is understood and allowed.
pub fn head(text: &str, types: &[&str]) -> Option<Header> {
    let head = jsonwebtoken::decode_header(text).ok().filter(|_| text.len() <= BYTES_MAX)?;
    let typed = head.typ.as_deref().is_none_or(|typ| types.iter().any(|known| known.eq_ignore_ascii_case(typ)));
    let plain = head.x5u.is_none() && head.crit.is_none() && head.enc.is_none() && head.zip.is_none();
    (typed && plain && ALGORITHMS.contains(&head.alg)).then_some(head)
}

/// The claims, when that key has signed them with the algorithm of the head. Times and names are the caller's to judge.
pub fn claims<T: DeserializeOwned + Clone>(text: &str, algorithm: Algorithm, key: &Jwk) -> Option<T> {
    let mut rules = Validation::new(algorithm);
    (rules.validate_exp, rules.validate_aud, rules.validate_nbf) = (false, false, false);
    rules.required_spec_claims.clear();
    let key = DecodingKey::from_jwk(key).ok().filter(|_| fits(key, algorithm))?;
    jsonwebtoken::decode::<T>(text, &key, &rules).ok().map(|read| read.claims)
}

/// The claims of a token without asking who signed it: to find out whose key to ask for, and for nothing else.
pub fn unproven<T: DeserializeOwned + Clone>(text: &str) -> Option<T> {
    if text.len() > BYTES_MAX {
        return None;
    }
    jsonwebtoken::dangerous::insecure_decode(text).ok().map(|read| read.claims)
}

/// Whether the key is of the kind that the algorithm needs, and strong enough.
pub fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let meant = key.common.key_algorithm.is_none_or(|own| own.to_string() == format!("{algorithm:?}"));
    let kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(rsa), Algorithm::RS256 | Algorithm::RS384) => rsa_bits(&rsa.n) >= RSA_BITS_MIN,
        (AlgorithmParameters::EllipticCurve(ec), Algorithm::ES384) => ec.curve == EllipticCurve::P384,
        (AlgorithmParameters::EllipticCurve(ec), Algorithm::ES256) => ec.curve == EllipticCurve::P256,
        _ => false,
    };
    meant && kind
}

fn rsa_bits(modulus: &str) -> usize {
    use base64::Engine;
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(modulus).unwrap_or_default();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    bytes.get(first).map_or(0, |byte| (bytes.len() - first) * 8 - byte.leading_zeros() as usize)
}

/// A set of public keys. A private one in it, or one that nobody could use here, refuses the set.
pub fn keys(bytes: &[u8]) -> Result<JwkSet, &'static str> {
    let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| "It is no JSON.")?;
    let listed = json.get("keys").and_then(serde_json::Value::as_array).ok_or("It has no list of keys.")?;
    if listed.is_empty() || listed.len() > KEYS_MAX {
        return Err("It has between 1 and 20 keys.");
    }
    if listed.iter().any(|key| ["d", "p", "q", "k"].iter().any(|part| key.get(part).is_some())) {
        return Err("It holds a private key: whoever sent it has to make new ones.");
    }
    // Keys of kinds that others use stay out, as RFC 7517 §5 wants it.
    let keys: Vec<Jwk> = listed.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect();
    let keys: Vec<Jwk> = keys.into_iter().filter(|key| ALGORITHMS.iter().any(|algorithm| fits(key, *algorithm))).collect();
    if keys.is_empty() || keys.iter().any(|key| key.common.key_id.is_none()) {
        return Err("It needs an RSA key of 2048 bits or more, or one of P-384 or P-256, each with a kid.");
    }
    Ok(JwkSet { keys })
}

/// The one key of that id and kind. Two of one id are none.
pub fn chosen<'k>(keys: &'k JwkSet, kid: &str, algorithm: Algorithm) -> Option<&'k Jwk> {
    let mut found = keys.keys.iter().filter(|key| key.common.key_id.as_deref() == Some(kid) && fits(key, algorithm));
    let one = found.next();
    one.filter(|_| found.next().is_none())
}

/// The same for a set that is stored here and was read before.
pub fn stored(json: &serde_json::Value) -> Result<JwkSet> {
    keys(json.to_string().as_bytes()).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    #[test]
    fn a_set_of_keys_is_public_named_and_of_use() {
        let key = json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": "a"});
        let read = |keys: serde_json::Value| keys_of(&keys);
        assert!(read(json!({"keys": [key]})).is_ok());
        let foreign = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "b"});
        assert_eq!(read(json!({"keys": [key, foreign]})).unwrap().keys.len(), 1);
        let with = |name: &str, value: serde_json::Value| {
            let mut key = key.clone();
            key[name] = value;
            json!({"keys": [key]})
        };
        for wrong in [
            json!({}),
            json!({"keys": []}),
            json!({"keys": [foreign]}),
            with("d", json!("AA")),
            with("kid", json!(null)),
            json!({"keys": vec![key.clone(); 21]}),
            json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "short"}]}),
            json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}]}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    fn keys_of(json: &serde_json::Value) -> Result<JwkSet, &'static str> {
        super::keys(json.to_string().as_bytes())
    }

    #[test]
    fn one_key_is_chosen_or_none() {
        let key = json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": "a"});
        let set = keys_of(&json!({"keys": [key]})).unwrap();
        assert!(chosen(&set, "a", Algorithm::ES256).is_some());
        assert!(chosen(&set, "a", Algorithm::ES384).is_none() && chosen(&set, "b", Algorithm::ES256).is_none());
        assert!(chosen(&set, "a", Algorithm::RS384).is_none());
        let twins = keys_of(&json!({"keys": [key, key]})).unwrap();
        assert!(chosen(&twins, "a", Algorithm::ES256).is_none());
    }

    #[test]
    fn a_head_asks_for_nothing_unusual() {
        use base64::Engine;
        let part = |json: serde_json::Value| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let read = |json: serde_json::Value| head(&format!("{}.{}.AA", part(json), part(serde_json::json!({}))), &["JWT"]).is_some();
        assert!(read(json!({"alg": "RS384", "kid": "a", "typ": "jwt"})) && read(json!({"alg": "ES384", "kid": "a"})));
        for wrong in [
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "PS384"}),
            json!({"alg": "RS384", "typ": "at+jwt"}),
            json!({"alg": "RS384", "crit": ["b64"]}),
            json!({"alg": "RS384", "x5u": "https://evil.example/"}),
        ] {
            assert!(!read(wrong.clone()), "{wrong}");
        }
        assert!(head(&"a".repeat(BYTES_MAX + 1), &["JWT"]).is_none());
    }
}
