//! The forms a text may have to take. Each names the standard it comes from.

use super::field::{Field, Form};
use crate::kernel::config::Network;
use reqwest::Url;
use serde_json::Value as Json;

pub type Broken = (&'static str, String);

/// The text, when it keeps the field's length and form. PostgreSQL text cannot hold NUL.
pub fn checked(field: &Field, text: &str) -> Result<String, Broken> {
    if text.contains('\0') {
        return Err(("characters", "It may not hold the NUL character.".to_owned()));
    }
    if text.chars().count() > field.length_max as usize {
        return Err(("length", format!("It may have at most {} characters.", field.length_max)));
    }
    if field.required && text.trim().is_empty() {
        return Err(("length", "It may not be empty.".to_owned()));
    }
    let (kept, form) = match field.form {
        Form::Any => return Ok(text.to_owned()),
        Form::Phone => (is_phone(text), "a phone number in E.164 form, like +4930123456"),
        Form::Email => (is_email(text), "an e-mail address"),
        Form::Country => (upper(text, 2), "an ISO 3166-1 alpha-2 country code"),
        Form::Jurisdiction => (is_jurisdiction(text), "an ISO 3166 country or subdivision code"),
        Form::Currency => (upper(text, 3), "an ISO 4217 currency code"),
        Form::Language => (is_language(text), "a BCP 47 language tag"),
        Form::TimeZone => (text.parse::<chrono_tz::Tz>().is_ok(), "an IANA time zone"),
        Form::Npi => (is_npi(text), "a National Provider Identifier with a right check digit"),
        Form::Colour => (is_colour(text), "a colour like #1a2b3c"),
        Form::Slug => (is_slug(text), "lower-case letters, digits and hyphens, 3 to 63 characters"),
        Form::Network => (text.parse::<Network>().is_ok(), "a network in CIDR form, like 192.0.2.0/24"),
        Form::Address => (is_address(text), "an https address, or one of http on the loopback address, without a fragment"),
        Form::DicomUid => (is_uid(text), "a DICOM UID"),
    };
    if kept { Ok(text.to_owned()) } else { Err(("format", format!("It must be {form}."))) }
}

/// E.164: plus, country code, at most 15 digits.
pub fn is_phone(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

pub fn is_email(text: &str) -> bool {
    let mut parts = text.split('@');
    let (Some(local), Some(domain), None) = (parts.next(), parts.next(), parts.next()) else { return false };
    !local.is_empty() && !domain.is_empty() && text.len() <= 254 && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn upper(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_uppercase())
}

fn is_jurisdiction(text: &str) -> bool {
    let (country, part) = text.split_once('-').unwrap_or((text, "X"));
    upper(country, 2) && (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// BCP 47 in shape: subtags of 1 to 8 letters or digits, the first letters only.
pub fn is_language(text: &str) -> bool {
    let mut tags = text.split('-');
    tags.next().is_some_and(|tag| (2..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphabetic()))
        && tags.all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Ten digits, the first 1 or 2, Luhn over the number prefixed by 80840 (45 CFR 162.406).
pub fn is_npi(text: &str) -> bool {
    if text.len() != 10 || !text.bytes().all(|b| b.is_ascii_digit()) || !text.starts_with(['1', '2']) {
        return false;
    }
    let sum: u32 = text
        .bytes()
        .enumerate()
        .map(|(place, b)| {
            let digit = u32::from(b - b'0');
            if place % 2 == 0 { (digit * 2) / 10 + (digit * 2) % 10 } else { digit }
        })
        .sum();
    (24 + sum).is_multiple_of(10)
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_slug(text: &str) -> bool {
    (3..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

pub fn is_uid(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && !text.starts_with('.')
        && !text.ends_with('.')
}

/// https, or http to the same machine; no fragment, no credentials.
pub fn is_address(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    (url.scheme() == "https" || url.scheme() == "http" && here)
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// Free JSON that a column keeps: bounded, and without what jsonb cannot hold.
pub fn bounded(json: &Json) -> Result<(), Broken> {
    fn walk(json: &Json, depth: usize, budget: &mut usize) -> Result<(), Broken> {
        let over = || ("size", "The structure is too deep or too large.".to_owned());
        *budget = budget.checked_sub(1).ok_or_else(over)?;
        if depth > 16 {
            return Err(over());
        }
        match json {
            Json::String(text) if text.contains('\0') => Err(("characters", "It may not hold the NUL character.".to_owned())),
            Json::Array(items) => items.iter().try_for_each(|item| walk(item, depth + 1, budget)),
            Json::Object(members) => members.iter().try_for_each(|(key, item)| match key.contains('\0') {
                true => Err(("characters", "It may not hold the NUL character.".to_owned())),
                false => walk(item, depth + 1, budget),
            }),
            _ => Ok(()),
        }
    }
    walk(json, 0, &mut 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_npi_needs_its_check_digit() {
        assert!(is_npi("1234567893"));
        assert!(!is_npi("1234567890") && !is_npi("3234567893") && !is_npi("123456789"));
    }

    #[test]
    fn forms_take_what_their_standards_take() {
        assert!(is_phone("+4930123456") && !is_phone("030123456") && !is_phone("+0123456789"));
        assert!(is_email("a@b.example") && !is_email("a@b@c") && !is_email("a b@c"));
        assert!(is_language("de-CH") && !is_language("d") && !is_language("de_CH"));
        assert!(is_slug("bright-north") && !is_slug("-x-") && !is_slug("ab"));
        assert!(is_address("https://app.example/back?x=1") && is_address("http://127.0.0.1:3000/") && is_address("http://[::1]/"));
        for not in ["http://app.example/", "https://app.example/#x", "https://a:b@app.example/", "javascript:alert(1)", "app.example"] {
            assert!(!is_address(not), "{not}");
        }
        assert!(is_jurisdiction("DE") && is_jurisdiction("US-CA") && !is_jurisdiction("USA"));
    }
}
