//! The primitive types of R4 (§2.24.0.1): which JSON they are written in and which values they take.

use super::temporal::{self, PartialDate};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// R4 allows strings of 1 MB; base64 is bounded by the body alone.
const STRING_LENGTH_MAX: usize = 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

/// Why a value is not of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Another JSON type than the primitive is written in.
    Json,
    Format,
}

impl Primitive {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "base64Binary" => Self::Base64Binary,
            "boolean" => Self::Boolean,
            "canonical" => Self::Canonical,
            "code" => Self::Code,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "id" => Self::Id,
            "instant" => Self::Instant,
            "integer" => Self::Integer,
            "markdown" => Self::Markdown,
            "oid" => Self::Oid,
            "positiveInt" => Self::PositiveInt,
            "string" => Self::String,
            "time" => Self::Time,
            "unsignedInt" => Self::UnsignedInt,
            "uri" => Self::Uri,
            "url" => Self::Url,
            "uuid" => Self::Uuid,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }

    /// What a value of this type looks like, for the one who sent another.
    pub fn form(self) -> &'static str {
        match self {
            Self::Base64Binary => "base64 text",
            Self::Boolean => "true or false",
            Self::Canonical | Self::Uri | Self::Url => "a URI without spaces",
            Self::Code => "a code without leading, trailing or doubled spaces",
            Self::Date => "a date: YYYY, YYYY-MM or YYYY-MM-DD",
            Self::DateTime => "a date, or a date with time to the second and an offset",
            Self::Decimal => "a JSON number",
            Self::Id => "an id: 1 to 64 letters, digits, '-' or '.'",
            Self::Instant => "an instant: a date with time to the second and an offset",
            Self::Integer => "a whole JSON number of 32 bits",
            Self::Markdown | Self::String => "a JSON string that is not empty and at most 1 MB",
            Self::Oid => "an OID: urn:oid:…",
            Self::PositiveInt => "a whole JSON number from 1 to 2147483647",
            Self::Time => "a time: hh:mm:ss",
            Self::UnsignedInt => "a whole JSON number from 0 to 2147483647",
            Self::Uuid => "a UUID: urn:uuid:… in lower case",
            Self::Xhtml => "an XHTML div",
        }
    }

    pub fn check(self, value: &Value) -> Result<(), Flaw> {
        match self {
            Self::Boolean => value.as_bool().map(drop).ok_or(Flaw::Json),
            Self::Decimal => value.as_number().map(drop).ok_or(Flaw::Json),
            Self::Integer => whole(value, i32::MIN),
            Self::UnsignedInt => whole(value, 0),
            Self::PositiveInt => whole(value, 1),
            _ => {
                let text = value.as_str().ok_or(Flaw::Json)?;
                if self.takes(text) { Ok(()) } else { Err(Flaw::Format) }
            }
        }
    }

    /// Whether `text` is a value of this (text-written) type.
    fn takes(self, text: &str) -> bool {
        match self {
            Self::Base64Binary => is_base64(text),
            Self::Canonical | Self::Uri | Self::Url => is_uri(text),
            Self::Code => is_code(text),
            Self::Date => PartialDate::parse(text).is_some(),
            Self::DateTime => temporal::date_time(text).is_some(),
            Self::Id => is_id(text),
            Self::Instant => temporal::instant(text).is_some(),
            Self::Oid => text.strip_prefix("urn:oid:").is_some_and(is_oid),
            Self::Time => temporal::is_time(text),
            Self::Uuid => text.strip_prefix("urn:uuid:").is_some_and(is_uuid),
            Self::Xhtml => text.trim_start().starts_with("<div") && text.len() <= STRING_LENGTH_MAX,
            Self::Markdown | Self::String => !text.is_empty() && text.len() <= STRING_LENGTH_MAX,
            Self::Boolean | Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt => false,
        }
    }
}

/// A logical id as R4 has it.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

/// Words separated by one space: `[^\s]+(\s[^\s]+)*`.
pub fn is_code(text: &str) -> bool {
    text.len() <= STRING_LENGTH_MAX && text.split(char::is_whitespace).all(|word| !word.is_empty())
}

fn is_uri(text: &str) -> bool {
    !text.is_empty() && text.len() <= STRING_LENGTH_MAX && !text.contains(char::is_whitespace)
}

fn whole(value: &Value, min: i32) -> Result<(), Flaw> {
    let number = value.as_number().ok_or(Flaw::Json)?;
    let whole = number.as_i64().and_then(|n| i32::try_from(n).ok());
    whole.filter(|n| *n >= min).map(drop).ok_or(Flaw::Format)
}

fn is_base64(text: &str) -> bool {
    // The element's regular expression allows white space between the groups.
    if text.bytes().any(|b| b.is_ascii_whitespace()) {
        let packed: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        return !packed.is_empty() && STANDARD.decode(packed).is_ok();
    }
    !text.is_empty() && STANDARD.decode(text).is_ok()
}

fn is_oid(text: &str) -> bool {
    let mut arcs = text.split('.');
    let first = arcs.next().is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    let mut rest = arcs.peekable();
    let is_arc = |arc: &str| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'));
    first && rest.peek().is_some() && rest.all(is_arc)
}

fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    groups.len() == lengths.len() && groups.iter().zip(lengths).all(|(g, n)| g.len() == n && g.bytes().all(is_hex))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_type_takes_its_own_and_refuses_the_rest() {
        use Primitive as P;
        let cases = [
            (P::Boolean, vec![json!(true)], vec![json!("true"), json!(1)]),
            (P::Integer, vec![json!(-2147483648i64), json!(2147483647)], vec![json!(2147483648i64), json!(3.1), json!("42")]),
            (P::UnsignedInt, vec![json!(0)], vec![json!(-1), json!(2147483648i64)]),
            (P::PositiveInt, vec![json!(1)], vec![json!(0), json!(true)]),
            (P::Decimal, vec![json!(2.50), json!(0)], vec![json!("9.2")]),
            (P::Code, vec![json!("text"), json!("text text")], vec![json!(""), json!(" a"), json!("a "), json!("a  b")]),
            (P::Id, vec![json!("a.b-C9")], vec![json!(""), json!("a_b"), json!("x".repeat(65)), json!("é")]),
            (P::Uri, vec![json!("mailto:a@b.c")], vec![json!(""), json!("a b")]),
            (P::Oid, vec![json!("urn:oid:1.2.0.40")], vec![json!("urn:oid:3.1"), json!("urn:oid:1"), json!("urn:oid:1.02"), json!("1.2")]),
            (
                P::Uuid,
                vec![json!("urn:uuid:c757873d-ec9a-4326-a141-556f43239520")],
                vec![json!("urn:uuid:C757873D-ec9a-4326-a141-556f43239520"), json!("")],
            ),
            (
                P::Base64Binary,
                vec![json!("SGVsbG8gV29ybGQ="), json!("TWFu TWFu")],
                vec![json!(""), json!("TWF"), json!("T*Fu"), json!(" ")],
            ),
            (P::String, vec![json!("text \n text")], vec![json!(""), json!(4), json!("x".repeat(STRING_LENGTH_MAX + 1))]),
            (P::Xhtml, vec![json!("<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>")], vec![json!("a"), json!("")]),
            (P::Time, vec![json!("23:59:59"), json!("12:00:60")], vec![json!("23:02"), json!("12:00:00Z")]),
        ];
        for (primitive, good, bad) in cases {
            for value in good {
                assert_eq!(primitive.check(&value), Ok(()), "{primitive:?} {value}");
            }
            for value in bad {
                assert!(primitive.check(&value).is_err(), "{primitive:?} {value}");
            }
        }
    }
}
