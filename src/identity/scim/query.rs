//! Lists: which page, and the one form of filter that directories send (`userName eq "…"`, RFC 7644 §3.4.2.2).

use super::wrong;
use crate::kernel::error::{Error, Result};
use poem::Request;

pub const COUNT_MAX: i64 = 200;

pub struct Query {
    /// An attribute in lower case, and what it equals.
    pub filter: Option<(String, String)>,
    /// From 1.
    pub start: i64,
    pub count: i64,
}

impl Query {
    pub fn read(request: &Request) -> Result<Query> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(request.uri().query().unwrap_or_default())
            .map_err(|_| wrong("invalidValue", "The query cannot be read."))?;
        let get = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let number = |name: &str, left_out: i64| match get(name) {
            Some(text) => text.parse::<i64>().map_err(|_| wrong("invalidValue", "A number is needed.")),
            None => Ok(left_out),
        };
        Ok(Query {
            filter: get("filter").map(equality).transpose()?,
            start: number("startIndex", 1)?.clamp(1, 1_000_000),
            count: number("count", 100)?.clamp(0, COUNT_MAX),
        })
    }
}

fn equality(text: &str) -> Result<(String, String)> {
    let unread = || wrong("invalidFilter", "Only `attribute eq \"value\"` is supported.");
    let (name, rest) = text.trim().split_once(' ').ok_or_else(unread)?;
    let (word, value) = rest.trim_start().split_once(' ').ok_or_else(unread)?;
    if !word.eq_ignore_ascii_case("eq") {
        return Err(unread());
    }
    let value: String = serde_json::from_str(value.trim()).map_err(|_| unread())?;
    Ok((name.to_ascii_lowercase(), value))
}

/// The id in `members[value eq "…"]`.
pub fn member_of(path: &str) -> Option<Result<String, Error>> {
    let inner = path.strip_prefix("members[")?.strip_suffix(']')?;
    Some(equality(inner).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_equality_is_read_and_everything_else_is_refused() {
        assert_eq!(equality(r#"userName eq "a\"b@c.example""#).unwrap(), ("username".into(), r#"a"b@c.example"#.into()));
        assert_eq!(equality(r#"externalId EQ "7""#).unwrap(), ("externalid".into(), "7".into()));
        for odd in ["", "userName", "userName eq", "userName eq x", r#"userName co "x""#, r#"userName eq "x" and active eq true"#] {
            assert!(equality(odd).is_err(), "{odd}");
        }
        assert_eq!(member_of(r#"members[value eq "7"]"#).unwrap().unwrap(), "7");
        assert!(member_of("members").is_none() && member_of("members[x]").unwrap().is_err());
    }
}
