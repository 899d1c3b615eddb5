//! What programs and applications send before anybody knows them: scopes, keys, signed words.

use super::{Target, seeds};
use enamel::identity::oauth::jwt;
use enamel::identity::scope::{self, Permit, Resource};
use serde_json::Value as Json;

#[test]
fn fuzz_scopes_grant_no_more_than_is_held() {
    let held: Vec<String> =
        ["user/*.rs", "patient/Observation.cruds", "system/Condition.r?category=a", "openid"].map(str::to_owned).to_vec();
    let run = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let granted = scope::granted(Some(&text), &held);
        if text.trim().is_empty() {
            return "all that is held".to_owned();
        }
        for word in &granted {
            assert!(scope::known(word) && text.contains(word.as_str()), "{word} was not asked for");
            let Some(read) = Resource::parse(word) else { continue };
            for letter in "cruds".chars().filter(|letter| read.may(*letter)) {
                assert!(scope::permit(&held, read.kind, letter) != Permit::No, "{word} is not held");
            }
        }
        // Nothing is no words: who asks for none is asked nothing.
        assert!(granted.is_empty() || scope::granted(Some(&granted.join(" ")), &held) == granted, "a grant is not granted again");
        format!("{granted:?}")
    };
    let seeds = seeds(&[
        "user/Patient.rs openid",
        "patient/Observation.rs?category=http://a.example/b|c patient/Observation.cud",
        "system/Condition.r?category=a system/Condition.rs",
        "user/*.read launch/patient offline_access",
    ]);
    Target {
        name: "scope",
        seeds,
        words: &["user/", ".rs", "?", "=", "&", "*", " ", "patient/", "cruds"],
        memory: (256 * 1024, 64),
        run: &run,
    }
    .fuzz();
}

#[test]
fn fuzz_keys_are_public_named_and_few() {
    let run = |bytes: &[u8]| match jwt::keys(bytes) {
        Err(why) => why.to_owned(),
        Ok(set) => {
            assert!((1..=20).contains(&set.keys.len()) && set.keys.iter().all(|key| key.common.key_id.is_some()));
            let written = serde_json::to_vec(&set).unwrap();
            assert_eq!(jwt::keys(&written).map(|again| again.keys), Ok(set.keys), "a set does not read back");
            "keys".to_owned()
        }
    };
    let point = r#""x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    let seeds = vec![
        format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"a",{point}}}]}}"#).into_bytes(),
        format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"a","d":"AA",{point}}},{{"kty":"oct","k":"AA"}}]}}"#).into_bytes(),
        br#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"r"}]}"#.to_vec(),
    ];
    Target {
        name: "jwks",
        seeds,
        words: &["\"kty\"", "\"d\"", "[", "{", "null", "\"RSA\"", "\"kid\""],
        memory: (512 * 1024, 64),
        run: &run,
    }
    .fuzz();
}

#[test]
fn fuzz_signed_words_are_read_within_bounds_and_never_believed() {
    let key = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    let set = jwt::keys(key.as_bytes()).unwrap();
    let run = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let Some(head) = jwt::head(&text, &["JWT"]) else { return "no head".to_owned() };
        assert!(text.len() <= jwt::BYTES_MAX && head.crit.is_none());
        let key = jwt::chosen(&set, head.kid.as_deref().unwrap_or_default(), head.alg);
        assert!(key.is_none_or(|key| jwt::claims::<Json>(&text, head.alg, key).is_none()), "nobody has signed that");
        format!("{:?} {}", head.alg, jwt::unproven::<Json>(&text).is_some())
    };
    let seeds = seeds(&[
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJhIn0.AAAA",
        "eyJhbGciOiJub25lIn0.e30.",
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ.e30.AAAA",
        "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCIsImtpZCI6ImEiLCJqa3UiOiJodHRwczovL2EuZXhhbXBsZS8ifQ.e30.AAAA",
    ]);
    Target { name: "jwt", seeds, words: &[".", "eyJ", "e30", "AAAA", "==", "-", "_"], memory: (256 * 1024, 64), run: &run }.fuzz();
}
