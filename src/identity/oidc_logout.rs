//! What a provider signs when somebody has signed out there: the logout token of OpenID Connect Back-Channel Logout 1.0 §2.4,
//! judged like an ID token (§2.6).

use super::oauth::backchannel::{EVENT, TYP};
use super::oauth::jwt;
use super::oidc::{Provider, Refusal, SKEW};
use super::oidc_provider::Metadata;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use serde_json::Value as Json;

/// How far ahead a token may end: its `jti` is remembered until then.
const LIVES_MAX: TimeDelta = TimeDelta::hours(24);
const WORD_MAX: usize = 255;

/// Whose session has ended at the provider: that one, or all of that person.
#[derive(Debug, PartialEq, Eq)]
pub struct LoggedOut {
    pub subject: Option<String>,
    pub session: Option<String>,
    pub jti: String,
    pub until: DateTime<Utc>,
}

/// All checks of §2.6 but whether the token was shown before.
pub(super) fn read(metadata: &Metadata, provider: &Provider, text: &str, now: DateTime<Utc>) -> Result<LoggedOut, Refusal> {
    let head = jwt::head(text, &["JWT", TYP]).filter(|head| [Algorithm::RS256, Algorithm::ES256].contains(&head.alg));
    let head = head.ok_or(Refusal::Wrong("the head of a logout token"))?;
    let held = keys(metadata);
    let named = |key: &&Jwk| head.kid.is_none() || key.common.key_id == head.kid;
    let meant: Vec<&Jwk> = held.iter().filter(|key| jwt::fits(key, head.alg)).filter(named).collect();
    if meant.is_empty() {
        return Err(Refusal::UnknownKey);
    }
    let claims: Option<Json> = meant.iter().find_map(|key| jwt::claims(text, head.alg, key));
    judged(&claims.ok_or(Refusal::Wrong("signature"))?, provider, now)
}

/// What the provider publishes for signatures.
fn keys(metadata: &Metadata) -> Vec<Jwk> {
    let listed = serde_json::to_value(metadata.jwks()).unwrap_or_default();
    let keys = listed["keys"].as_array().into_iter().flatten().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
    keys.filter(|key| key.common.public_key_use.as_ref().is_none_or(|meant| *meant == PublicKeyUse::Signature)).collect()
}

fn judged(claims: &Json, provider: &Provider, now: DateTime<Utc>) -> Result<LoggedOut, Refusal> {
    let word = |name: &str| claims[name].as_str().filter(|word| (1..=WORD_MAX).contains(&word.len())).map(str::to_owned);
    let time = |name: &str| claims[name].as_i64().and_then(|at| DateTime::from_timestamp(at, 0));
    let for_us = match &claims["aud"] {
        Json::Array(names) => names.len() == 1 && names[0] == provider.client_id.as_str(),
        name => *name == provider.client_id.as_str(),
    };
    if claims["iss"] != provider.issuer.as_str() || !for_us {
        return Err(Refusal::Wrong("iss or aud"));
    }
    let until = time("exp").filter(|until| *until > now - SKEW && *until <= now + LIVES_MAX).ok_or(Refusal::Wrong("exp"))?;
    if time("iat").is_none_or(|made| made > now + SKEW) {
        return Err(Refusal::Wrong("iat"));
    }
    // An ID token has a nonce and no event: neither passes for the other.
    if !claims["events"][EVENT].is_object() || claims.get("nonce").is_some() {
        return Err(Refusal::Wrong("events or nonce"));
    }
    let (subject, session) = (word("sub"), word("sid"));
    let whole = |name: &str, word: &Option<String>| claims.get(name).is_none() || word.is_some();
    if subject.is_none() && session.is_none() || !whole("sub", &subject) || !whole("sid", &session) {
        return Err(Refusal::Wrong("sub or sid"));
    }
    Ok(LoggedOut { subject, session, jti: word("jti").ok_or(Refusal::Wrong("jti"))?, until })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_logout_token_says_all_it_must_and_is_no_id_token() {
        let provider = Provider { issuer: "https://id.example".into(), client_id: "enamel".into(), client_secret: None };
        let now = Utc::now();
        let (at, late) = (now.timestamp(), now.timestamp() + 90_000);
        let right = json!({"iss": "https://id.example", "aud": "enamel", "sub": "s-1", "sid": "b-1", "iat": at, "exp": at + 120,
            "jti": "j-1", "events": {EVENT: {}}});
        let with = |name: &str, value: Json| {
            let mut claims = right.clone();
            match value {
                Json::Null => drop(claims.as_object_mut().unwrap().shift_remove(name)),
                value => claims[name] = value,
            }
            judged(&claims, &provider, now)
        };
        assert_eq!(with("aud", json!(["enamel"])).ok().and_then(|told| told.session).as_deref(), Some("b-1"));
        assert_eq!(with("sub", Json::Null).ok().map(|told| told.subject), Some(None));
        assert!(with("sid", Json::Null).is_ok());
        for (name, wrong) in [
            ("iss", json!("https://other.example")),
            ("aud", json!("another")),
            ("aud", json!(["enamel", "another"])),
            ("exp", Json::Null),
            ("exp", json!(at - 61)),
            ("exp", json!(late)),
            ("iat", Json::Null),
            ("iat", json!(at + 120)),
            ("jti", Json::Null),
            ("jti", json!("")),
            ("events", Json::Null),
            ("events", json!({"http://schemas.openid.net/event/other": {}})),
            ("events", json!({EVENT: "x"})),
            ("nonce", json!("n")),
            ("sub", json!(7)),
            ("sid", json!("x".repeat(256))),
        ] {
            assert!(with(name, wrong.clone()).is_err(), "{name} {wrong}");
        }
        let mut nobody = right.clone();
        for name in ["sub", "sid"] {
            nobody.as_object_mut().unwrap().shift_remove(name);
        }
        assert!(judged(&nobody, &provider, now).is_err());
    }
}
