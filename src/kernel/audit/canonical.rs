//! RFC 8785 canonical JSON for the values audit uses: no floats, integers within ±(2^53 − 1), ASCII keys.
//!
//! Within those limits the RFC's number and key-order rules are plain ones, and PostgreSQL's jsonb gives a value back
//! that makes the same bytes (it reorders keys and drops blanks, but keeps strings and integers as they were).

use crate::kernel::{Error, Result};
use serde_json::Value;

/// The largest integer every JSON reader keeps exactly.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

pub fn canonical(value: &Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(512);
    write(value, &mut bytes)?;
    Ok(bytes)
}

fn write(value: &Value, to: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Null => to.extend_from_slice(b"null"),
        Value::Bool(flag) => to.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Number(number) => {
            let integer = number.as_i64().filter(|n| (-INTEGER_MAX..=INTEGER_MAX).contains(n));
            let integer = integer.ok_or_else(|| Error::internal("a number that canonical JSON does not take here"))?;
            to.extend_from_slice(integer.to_string().as_bytes());
        }
        Value::String(text) => write_text(text, to)?,
        Value::Array(items) => {
            to.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    to.push(b',');
                }
                write(item, to)?;
            }
            to.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_str());
            to.push(b'{');
            for (at, (key, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    to.push(b',');
                }
                write_text(key, to)?;
                to.push(b':');
                write(member, to)?;
            }
            to.push(b'}');
        }
    }
    Ok(())
}

/// serde_json escapes exactly as RFC 8785 §3.2.2.2 asks: short forms where JSON has them, else lower-case `\u00xx`.
fn write_text(text: &str, to: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(to, text).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_sort_and_strings_keep_their_escapes() {
        let value = json!({"b": [1, -2, true], "a": "é\u{1}\n\"\\\u{7f}/", "aa": {}});
        let expected = "{\"a\":\"é\\u0001\\n\\\"\\\\\u{7f}/\",\"aa\":{},\"b\":[1,-2,true]}";
        assert_eq!(String::from_utf8(canonical(&value).unwrap()).unwrap(), expected);
    }

    #[test]
    fn numbers_that_others_would_round_are_refused() {
        for text in ["1.0", "1e2", "9007199254740992", "-9007199254740992"] {
            assert!(canonical(&serde_json::from_str(text).unwrap()).is_err(), "{text}");
        }
        assert_eq!(canonical(&json!(INTEGER_MAX)).unwrap(), b"9007199254740991");
    }
}
