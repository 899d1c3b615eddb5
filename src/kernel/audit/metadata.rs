//! What an event says beside its columns. Typed so that jsonb gives it back in the same canonical bytes:
//! texts, integers, flags, lists and maps; no floats, no nulls.

use super::bytes::Hash;
use super::canonical::{INTEGER_MAX, canonical};
use crate::kernel::{Error, Result};
use serde_json::Value as Json;
use std::collections::BTreeMap;

const BYTES_MAX: usize = 16 * 1024;
const DEPTH_MAX: usize = 8;
const KEY_LENGTH_MAX: usize = 64;
/// The member that stands in place of erased details.
pub const ERASED: &str = "erased";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Flag(bool),
    List(Vec<Value>),
    Map(Metadata),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, Value>);

impl Metadata {
    pub fn new() -> Self {
        Self::default()
    }

    /// The marker left behind when an event's details are erased: it keeps their salted hash, which the leaf needs.
    pub fn erased(detail_hash: Hash) -> Self {
        Self::new().text(ERASED, detail_hash.to_string())
    }

    pub fn text(self, key: &'static str, text: impl AsRef<str>) -> Self {
        self.with(key, Value::Text(storable(text.as_ref())))
    }

    pub fn integer(self, key: &'static str, number: i64) -> Self {
        self.with(key, Value::Integer(number))
    }

    pub fn flag(self, key: &'static str, flag: bool) -> Self {
        self.with(key, Value::Flag(flag))
    }

    pub fn texts<T: AsRef<str>>(self, key: &'static str, texts: impl IntoIterator<Item = T>) -> Self {
        let list = texts.into_iter().map(|text| Value::Text(storable(text.as_ref()))).collect();
        self.with(key, Value::List(list))
    }

    pub fn map(self, key: &'static str, map: Metadata) -> Self {
        self.with(key, Value::Map(map))
    }

    fn with(mut self, key: &'static str, value: Value) -> Self {
        self.0.insert(key.to_owned(), value);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hash an erased event keeps, when this is such an event's metadata.
    pub fn erased_hash(&self) -> Option<Hash> {
        match (self.0.len(), self.0.get(ERASED)) {
            (1, Some(Value::Text(hex))) => Hash::parse(hex),
            _ => None,
        }
    }

    pub fn to_json(&self) -> Json {
        Json::Object(self.0.iter().map(|(key, value)| (key.clone(), value.to_json())).collect())
    }

    /// Reads a stored value back. Anything the builder could not have made is refused.
    pub fn from_json(json: &Json) -> Result<Self> {
        let Json::Object(members) = json else { return Err(Error::internal("audit metadata is not an object")) };
        let read = |(key, member): (&String, &Json)| Ok((key.clone(), Value::from_json(member)?));
        Ok(Self(members.iter().map(read).collect::<Result<_>>()?))
    }

    /// The bytes that are hashed. Fails on what would not survive storage or is out of bounds.
    pub fn canonical(&self) -> Result<Vec<u8>> {
        self.check(1)?;
        let bytes = canonical(&self.to_json())?;
        if bytes.len() > BYTES_MAX {
            return Err(Error::internal("audit metadata is too long"));
        }
        Ok(bytes)
    }

    fn check(&self, depth: usize) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
        for (key, value) in &self.0 {
            if key.is_empty() || key.len() > KEY_LENGTH_MAX || !key.bytes().all(plain) {
                return Err(Error::internal("an audit metadata key is not a short lower-case word"));
            }
            value.check(depth)?;
        }
        Ok(())
    }
}

impl Value {
    fn to_json(&self) -> Json {
        match self {
            Value::Text(text) => Json::from(text.as_str()),
            Value::Integer(number) => Json::from(*number),
            Value::Flag(flag) => Json::from(*flag),
            Value::List(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Map(map) => map.to_json(),
        }
    }

    fn from_json(json: &Json) -> Result<Self> {
        let foreign = || Error::internal("audit metadata holds a value that audit never writes");
        Ok(match json {
            Json::String(text) => Value::Text(text.clone()),
            Json::Number(number) => Value::Integer(number.as_i64().ok_or_else(foreign)?),
            Json::Bool(flag) => Value::Flag(*flag),
            Json::Array(items) => Value::List(items.iter().map(Value::from_json).collect::<Result<_>>()?),
            Json::Object(_) => Value::Map(Metadata::from_json(json)?),
            Json::Null => return Err(foreign()),
        })
    }

    fn check(&self, depth: usize) -> Result<()> {
        match self {
            _ if depth > DEPTH_MAX => Err(Error::internal("audit metadata is too deep")),
            Value::Integer(number) if !(-INTEGER_MAX..=INTEGER_MAX).contains(number) => {
                Err(Error::internal("an audit metadata integer is too large"))
            }
            Value::Text(text) if text.contains('\0') => Err(Error::internal("audit metadata holds a NUL")),
            Value::List(items) => items.iter().try_for_each(|item| item.check(depth + 1)),
            Value::Map(map) => map.check(depth + 1),
            Value::Text(_) | Value::Integer(_) | Value::Flag(_) => Ok(()),
        }
    }
}

/// PostgreSQL's text and jsonb cannot hold U+0000.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(|text| Value::Text(storable(&text))),
            (-INTEGER_MAX..=INTEGER_MAX).prop_map(Value::Integer),
            any::<bool>().prop_map(Value::Flag),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::btree_map("[a-z0-9_.]{1,8}", inner, 0..4).prop_map(|map| Value::Map(Metadata(map))),
            ]
        })
    }

    /// jsonb sorts keys by length first and forgets blanks; what it keeps is enough to make the same bytes.
    fn through_jsonb(json: &Json) -> Json {
        match json {
            Json::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(key, _)| (key.len(), key.as_str()));
                Json::Object(members.into_iter().map(|(key, value)| (key.clone(), through_jsonb(value))).collect())
            }
            Json::Array(items) => Json::Array(items.iter().map(through_jsonb).collect()),
            scalar => serde_json::from_str(&scalar.to_string()).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn a_re_read_makes_the_same_bytes(members in prop::collection::btree_map("[a-z0-9_.]{1,12}", value(), 0..6)) {
            let metadata = Metadata(members);
            let again = Metadata::from_json(&through_jsonb(&metadata.to_json())).unwrap();
            prop_assert_eq!(again.canonical().unwrap(), metadata.canonical().unwrap());
        }
    }

    #[test]
    fn what_storage_would_change_is_refused() {
        assert!(Metadata::new().integer("n", i64::MAX).canonical().is_err());
        assert!(Metadata::new().text("Key", "x").canonical().is_err());
        assert!(Metadata::new().text("long", "x".repeat(BYTES_MAX)).canonical().is_err());
        assert!(Metadata::from_json(&serde_json::json!({"x": 1.5})).is_err());
        assert!(Metadata::from_json(&serde_json::json!({"x": null})).is_err());
        let deep = (0..DEPTH_MAX + 1).fold(Metadata::new().flag("x", true), |map, _| Metadata::new().map("x", map));
        assert!(deep.canonical().is_err());
        assert_eq!(Metadata::new().text("t", "a\0b").canonical().unwrap(), "{\"t\":\"a\u{fffd}b\"}".as_bytes());
    }

    #[test]
    fn the_erasure_marker_gives_its_hash_back() {
        let hash = Hash::of(&[b"detail"]);
        assert_eq!(Metadata::erased(hash).erased_hash(), Some(hash));
        assert_eq!(Metadata::erased(hash).flag("more", true).erased_hash(), None);
    }
}
