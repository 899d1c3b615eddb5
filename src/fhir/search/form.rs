//! Queries and form bodies as names and values (application/x-www-form-urlencoded), strictly: broken escapes, bad UTF-8
//! and control characters are refused instead of repaired.

use crate::kernel::error::{Error, MALFORMED, Result, TOO_COSTLY};
use std::fmt::Write;

/// Parameters of one request.
const PARAMETERS_MAX: usize = 64;

pub fn decode(text: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        if pairs.len() == PARAMETERS_MAX {
            return Err(Error::new(&TOO_COSTLY).detail("A search has at most 64 parameters."));
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push((plain(name)?, plain(value)?));
    }
    Ok(pairs)
}

fn plain(text: &str) -> Result<String> {
    let broken = || Error::new(&MALFORMED).detail("The parameters are not URL-encoded UTF-8.");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                high.zip(low).map(|(high, low)| high * 16 + low).ok_or_else(broken)?
            }
            plain => plain,
        });
    }
    String::from_utf8(out).ok().filter(|text| !text.chars().any(char::is_control)).ok_or_else(broken)
}

/// The query of a link; what RFC 3986 leaves unreserved, and the marks of FHIR's values, stay readable.
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        escape(&mut out, name);
        out.push('=');
        escape(&mut out, value);
    }
    out
}

fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/,$".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_query_is_read_strictly() {
        let pairs = decode("name=J%C3%B8rgen+A&identifier=http%3A%2F%2Fx%7C1&flag&&a=b=c").unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("name", "Jørgen A"), ("identifier", "http://x|1"), ("flag", ""), ("a", "b=c")]);
        for broken in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=%00", "a=%0A"] {
            assert_eq!(decode(broken).unwrap_err().code, &MALFORMED, "{broken}");
        }
        assert_eq!(decode(&"a=1&".repeat(65)).unwrap_err().code, &TOO_COSTLY);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(name in "[a-z:_.-]{1,8}", value in "\\PC{0,20}") {
            let text = encode([(name.as_str(), value.as_str())]);
            prop_assert_eq!(decode(&text).unwrap(), vec![(name, value)]);
        }
        #[test]
        fn any_text_is_answered(text in "\\PC{0,60}") {
            let _ = decode(&text);
        }
    }
}
