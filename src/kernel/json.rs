//! JSON from outside, read strictly: what two readers could understand differently is refused.
//!
//! RFC 8259 leaves open what a repeated key means and how deep a text may nest; PostgreSQL's text cannot hold U+0000.
//! All of these are refused here, with the path of the place and never the value that stood there.

use std::{cell::RefCell, fmt, str::FromStr};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, map::Entry};

use super::error::{Error, MALFORMED, Result};

/// Deepest nesting a body may have. Real FHIR bundles stay under 20.
pub const DEPTH_MAX: usize = 64;
/// A key longer than this, or with other than word characters, is shown as `?` in a path.
const KEY_SHOWN_MAX: usize = 64;
/// Path segments that are shown; what lies deeper becomes `…`.
const SEGMENTS_SHOWN_MAX: usize = 12;
/// How serde_json hands a number of arbitrary precision to a visitor: as a map with this one key.
const NUMBER_KEY: &str = "$serde_json::private::Number";
const PRIVATE_KEYS: &str = "$serde_json::private::";

/// Reads one JSON text. Refuses with 400 `body.malformed`: syntax, bad UTF-8, a key that stands twice, nesting deeper
/// than `depth_max`, U+0000 in a key or text, and keys that would pass for serde_json's own numbers.
pub fn parse_json_strict(bytes: &[u8], depth_max: usize) -> Result<Value> {
    let trace = Trace::default();
    let seed = Strict { trace: &trace, depth_left: depth_max };
    let read = match std::str::from_utf8(bytes) {
        // With the encoding known to be right, serde_json need not look at every string again.
        Ok(_) if spells_private_key(bytes) => {
            return Err(Error::new(&MALFORMED).fault("", "key", "A key of this form is not taken."));
        }
        Ok(text) => {
            let mut from = serde_json::Deserializer::from_str(text);
            seed.deserialize(&mut from).and_then(|value| from.end().map(|()| value))
        }
        Err(_) => {
            trace.note("utf8", "The text is not UTF-8.");
            seed.deserialize(&mut serde_json::Deserializer::from_slice(bytes))
        }
    };
    match read {
        // The faulty bytes stood outside of every string, or behind the end.
        Ok(_) if std::str::from_utf8(bytes).is_err() => Err(Error::new(&MALFORMED).fault("", "utf8", "The text is not UTF-8.")),
        Ok(value) => Ok(value),
        Err(error) => Err(trace.refusal(&error)),
    }
}

/// Without the token in the text, a borrowed key equal to it can only come from serde_json's number reader.
fn spells_private_key(bytes: &[u8]) -> bool {
    let token = PRIVATE_KEYS.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| *byte == b'$' && bytes[at..].starts_with(token))
}

/// Where and why reading stopped. The path is gathered while the error travels up, so good texts pay nothing for it.
#[derive(Default)]
struct Trace {
    segments: RefCell<Vec<String>>,
    rule: RefCell<Option<(&'static str, String)>>,
}

impl Trace {
    fn note(&self, rule: &'static str, text: impl Into<String>) {
        self.rule.borrow_mut().get_or_insert((rule, text.into()));
    }

    fn refuse<E: de::Error>(&self, rule: &'static str, text: impl Into<String>) -> E {
        self.rule.replace(Some((rule, text.into())));
        E::custom(rule)
    }

    fn at_key(&self, key: &str) {
        let plain = !key.is_empty()
            && key.len() <= KEY_SHOWN_MAX
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
        self.segments.borrow_mut().push(if plain { format!(".{key}") } else { ".?".to_owned() });
    }

    fn at_index(&self, index: usize) {
        self.segments.borrow_mut().push(format!("[{index}]"));
    }

    fn refusal(&self, error: &serde_json::Error) -> Error {
        let segments = self.segments.borrow();
        let mut path: String = segments.iter().rev().take(SEGMENTS_SHOWN_MAX).map(String::as_str).collect();
        if segments.len() > SEGMENTS_SHOWN_MAX {
            path.push('…');
        }
        let path = path.strip_prefix('.').unwrap_or(&path);
        let place = format!("Line {}, column {}.", error.line(), error.column());
        let (rule, text) = self.rule.take().unwrap_or(("syntax", "This is not JSON.".to_owned()));
        Error::new(&MALFORMED).detail(place).fault(path, rule, text)
    }
}

#[derive(Clone, Copy)]
struct Strict<'t> {
    trace: &'t Trace,
    depth_left: usize,
}

impl Strict<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.trace.refuse("depth", "The text nests too deep.")),
        }
    }

    fn text<E: de::Error>(self, text: String) -> Result<String, E> {
        if text.contains('\0') {
            return Err(self.trace.refuse("nul", "A text may not contain U+0000."));
        }
        Ok(text)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| self.trace.refuse("number", "This is not a number."))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.text(text.to_owned()).map(Value::String)
    }
    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        self.text(text).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        loop {
            match from.next_element_seed(inner) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Value::Array(items)),
                Err(error) => {
                    self.trace.at_index(items.len());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        let mut inner = None;
        while let Some(key) = from.next_key_seed(KeySeed(self))? {
            let key = match key {
                Key::Number => return self.number(from),
                Key::Name(name) => name,
            };
            let inner = match inner {
                Some(inner) => inner,
                None => *inner.insert(self.deeper()?),
            };
            match fields.entry(key) {
                Entry::Occupied(entry) => {
                    self.trace.at_key(entry.key());
                    return Err(self.trace.refuse("duplicate", "The key stands twice."));
                }
                Entry::Vacant(entry) => match from.next_value_seed(inner) {
                    Ok(value) => entry.insert(value),
                    Err(error) => {
                        self.trace.at_key(entry.key());
                        return Err(error);
                    }
                },
            };
        }
        // An empty object is a level too.
        self.deeper::<A::Error>()?;
        Ok(Value::Object(fields))
    }
}

impl Strict<'_> {
    fn number<'de, A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let digits: String = from.next_value()?;
        Number::from_str(&digits).map(Value::Number).map_err(|_| self.trace.refuse("number", "This is not a number."))
    }
}

enum Key {
    Name(String),
    Number,
}

struct KeySeed<'t>(Strict<'t>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Key, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Key, E> {
        if key == NUMBER_KEY {
            return Ok(Key::Number);
        }
        self.visit_str(key)
    }
    fn visit_str<E: de::Error>(self, key: &str) -> Result<Key, E> {
        // Spelled with escapes, or the text would have been refused before.
        if key.starts_with(PRIVATE_KEYS) {
            return Err(self.0.trace.refuse("key", "A key of this form is not taken."));
        }
        self.0.text(key.to_owned()).map(Key::Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: impl AsRef<[u8]>) -> String {
        let error = parse_json_strict(bytes.as_ref(), DEPTH_MAX).expect_err("must be refused");
        assert_eq!(error.code.status, 400);
        let fault = &error.faults[0];
        format!("{}|{}", fault.field, fault.rule)
    }

    #[test]
    fn good_texts_are_what_serde_json_reads() {
        for text in [
            "null",
            "true",
            "0",
            "-0",
            "1.10",
            "1e400",
            "123456789012345678901234567890",
            r#""""#,
            "[]",
            "{}",
            r#"{"b":[1,{"a":"\u00e4\ud83e\uddb7"}],"a":null,"":2.50}"#,
            " [1 , 2]\n",
        ] {
            let ours = parse_json_strict(text.as_bytes(), DEPTH_MAX).unwrap();
            assert_eq!(ours, serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        let kept = parse_json_strict(br#"{"z":1.10,"a":1E2}"#, DEPTH_MAX).unwrap();
        assert!(kept.to_string().starts_with(r#"{"z":1.10,"#), "order and digits stay: {kept}");
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_where_it_stands() {
        assert_eq!(refusal(r#"{"items":[{"id":1},{"id":2,"id":3}]}"#), "items[1].id|duplicate");
        assert_eq!(refusal(r#"{"a":1,"\u0061":2}"#), "a|duplicate");
    }

    #[test]
    fn deep_nesting_is_refused_and_kills_nothing() {
        assert!(refusal("[".repeat(10_000)).ends_with("…|depth"));
        assert!(refusal(r#"{"a":"#.repeat(10_000)).ends_with("|depth"));
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse_json_strict(nested(DEPTH_MAX).as_bytes(), DEPTH_MAX).is_ok());
        assert!(refusal(nested(DEPTH_MAX + 1)).ends_with("|depth"));
        let objects = |levels: usize| format!("{}{{}}{}", r#"{"a":"#.repeat(levels - 1), "}".repeat(levels - 1));
        assert!(parse_json_strict(objects(DEPTH_MAX).as_bytes(), DEPTH_MAX).is_ok());
        assert!(refusal(objects(DEPTH_MAX + 1)).ends_with("|depth"));
    }

    #[test]
    fn nul_and_bad_utf8_are_refused_by_path() {
        assert_eq!(refusal(r#"{"name":[{"given":["a\u0000b"]}]}"#), "name[0].given[0]|nul");
        assert_eq!(refusal(r#"{"a\u0000":1}"#), "|nul");
        assert_eq!(refusal(b"{\"name\":\"\xff\"}"), "name|utf8");
        assert_eq!(refusal(b"{\"name\":1}\xff"), "|utf8");
        assert_eq!(refusal(b"\"\xed\xa0\x80\""), "|utf8");
        assert_eq!(refusal(r#"{"a":"\ud800"}"#), "a|syntax");
    }

    #[test]
    fn a_number_is_not_forged_by_its_private_key() {
        assert_eq!(refusal(r#"{"a":{"$serde_json::private::Number":"1"}}"#), "|key");
        assert_eq!(refusal(r#"{"a":{"\u0024serde_json::private::Number":"1"}}"#), "a|key");
    }

    #[test]
    fn no_value_and_no_strange_key_is_repeated() {
        for text in
            [r#"{"ssn":"hunter2"#, r#"{"ssn":hunter2}"#, r#"{"ssn":"hunter2\u0000"}"#, r#"{"hunter2 is a key":[1,]}"#, r#"["hunter2"] x"#]
        {
            let error = parse_json_strict(text.as_bytes(), DEPTH_MAX).expect_err(text);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert_eq!(refusal(""), "|syntax");
        assert_eq!(refusal(r#"{"a b":[1,]}"#), "?[1]|syntax");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let ours = parse_json_strict(&bytes, DEPTH_MAX);
            if ours.is_ok() {
                proptest::prop_assert_eq!(ours.ok(), serde_json::from_slice::<Value>(&bytes).ok());
            }
        }
    }
}
