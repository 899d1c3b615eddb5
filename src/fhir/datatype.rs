//! The data types our records map to and from. They hold what columns hold; the rest of an element is kept beside them.

use super::resource::{Element, Node, fault};
use super::temporal::{self, PartialDate};
use crate::kernel::error::Result;
use chrono::NaiveDate;
use serde_json::Value;
use std::fmt::Display;

/// Reads itself from JSON (faults name `path`) and writes itself to it.
pub trait Datatype: Sized {
    fn read(value: &Value, path: String) -> Result<Self>;
    fn write(&self) -> Value;
}

impl Datatype for String {
    fn read(value: &Value, path: String) -> Result<Self> {
        value.as_str().map(String::from).ok_or_else(|| fault(path, "type", "The value must be a JSON string."))
    }
    fn write(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl Datatype for bool {
    fn read(value: &Value, path: String) -> Result<Self> {
        value.as_bool().ok_or_else(|| fault(path, "type", "The value must be true or false."))
    }
    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl Datatype for i32 {
    fn read(value: &Value, path: String) -> Result<Self> {
        let whole = value.as_i64().and_then(|n| Self::try_from(n).ok());
        whole.ok_or_else(|| fault(path, "type", "The value must be a whole JSON number of 32 bits."))
    }
    fn write(&self) -> Value {
        Value::from(*self)
    }
}

/// A field of a data type: one value that may be missing, or many.
trait Field: Sized {
    fn get(node: &Node<'_>, key: &str) -> Result<Self>;
    fn set(&self, element: &mut Element, key: &str);
}

impl<T: Datatype> Field for Option<T> {
    fn get(node: &Node<'_>, key: &str) -> Result<Self> {
        node.read(key)
    }
    fn set(&self, element: &mut Element, key: &str) {
        if let Some(value) = self {
            element.put(key, value);
        }
    }
}

impl<T: Datatype> Field for Vec<T> {
    fn get(node: &Node<'_>, key: &str) -> Result<Self> {
        node.list(key)
    }
    fn set(&self, element: &mut Element, key: &str) {
        for value in self {
            element.push(key, value);
        }
    }
}

macro_rules! datatypes {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $of:ty = $key:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name { $(pub $field: $of),* }

        impl Datatype for $name {
            fn read(value: &Value, path: String) -> Result<Self> {
                let node = Node::of(value, path)?;
                Ok(Self { $($field: Field::get(&node, $key)?),* })
            }
            fn write(&self) -> Value {
                let mut element = Element::default();
                $(self.$field.set(&mut element, $key);)*
                Value::Object(element.0)
            }
        }
    )*};
}

datatypes! {
    HumanName {
        use_: Option<String> = "use", text: Option<String> = "text", family: Option<String> = "family",
        given: Vec<String> = "given", prefix: Vec<String> = "prefix", suffix: Vec<String> = "suffix",
        period: Option<Period> = "period",
    }
    Address {
        use_: Option<String> = "use", type_: Option<String> = "type", text: Option<String> = "text",
        line: Vec<String> = "line", city: Option<String> = "city", district: Option<String> = "district",
        state: Option<String> = "state", postal_code: Option<String> = "postalCode",
        country: Option<String> = "country", period: Option<Period> = "period",
    }
    ContactPoint {
        system: Option<String> = "system", value: Option<String> = "value", use_: Option<String> = "use",
        rank: Option<i32> = "rank", period: Option<Period> = "period",
    }
    Identifier {
        use_: Option<String> = "use", type_: Option<CodeableConcept> = "type", system: Option<String> = "system",
        value: Option<String> = "value", period: Option<Period> = "period",
    }
    Coding {
        system: Option<String> = "system", version: Option<String> = "version", code: Option<String> = "code",
        display: Option<String> = "display",
    }
    CodeableConcept { coding: Vec<Coding> = "coding", text: Option<String> = "text" }
    /// Both ends as they are written; see [`Period::days`].
    Period { start: Option<String> = "start", end: Option<String> = "end" }
    Reference {
        reference: Option<String> = "reference", type_: Option<String> = "type",
        identifier: Option<Identifier> = "identifier", display: Option<String> = "display",
    }
}

impl Reference {
    pub fn to(type_name: &str, id: impl Display) -> Self {
        Self { reference: Some(format!("{type_name}/{id}")), ..Self::default() }
    }
}

impl Coding {
    pub fn new(system: &str, code: &str) -> Self {
        Self { system: Some(system.into()), code: Some(code.into()), ..Self::default() }
    }
}

impl CodeableConcept {
    pub fn of(system: &str, code: &str) -> Self {
        Self { coding: vec![Coding::new(system, code)], text: None }
    }
    pub fn text(text: &str) -> Self {
        Self { coding: Vec::new(), text: Some(text.into()) }
    }
    /// The code of the first coding of a system.
    pub fn code_in(&self, system: &str) -> Option<&str> {
        self.coding.iter().find(|coding| coding.system.as_deref() == Some(system))?.code.as_deref()
    }
}

impl Period {
    pub fn of_days(start: Option<NaiveDate>, end: Option<NaiveDate>) -> Self {
        let text = |day: Option<NaiveDate>| day.map(|day| PartialDate::from(day).to_string());
        Self { start: text(start), end: text(end) }
    }
    /// First and last day, both inside, as columns of days hold them: a partial start counts from its first day, a
    /// partial end to its last (R4: an end of 2012-02-03 includes that whole day).
    pub fn days(&self) -> (Option<NaiveDate>, Option<NaiveDate>) {
        let day_of = |text: &String| text.get(..10).unwrap_or(text).to_string();
        let span = |text: &Option<String>| PartialDate::parse(&day_of(text.as_ref()?))?.days();
        (span(&self.start).map(|(first, _)| first), span(&self.end).and_then(|(_, next)| next.pred_opt()))
    }
    /// Whether the start is not after the end (per-1).
    pub fn is_ordered(&self) -> bool {
        let span = |text: &Option<String>| temporal::date_time(text.as_deref()?);
        match (span(&self.start), span(&self.end)) {
            (Some(start), Some(end)) => start.start < end.end,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_data_type_comes_back() {
        let value = json!({"use": "official", "type": {"coding": [{"system": "s", "code": "MR"}], "text": "t"}, "system": "urn:x",
            "value": "1", "period": {"start": "2020", "end": "2021-02"}});
        let identifier = Identifier::read(&value, "Patient.identifier[0]".into()).unwrap();
        assert_eq!(identifier.write(), value);
        assert_eq!(identifier.type_.unwrap().code_in("s"), Some("MR"));
        let address = json!({"line": ["a", "b"], "postalCode": "1"});
        assert_eq!(Address::read(&address, String::new()).unwrap().write(), address);
    }

    #[test]
    fn a_primitive_that_is_only_an_extension_is_passed_over() {
        let name = HumanName::read(&json!({"given": [null, "b"], "_given": [{"extension": []}]}), String::new()).unwrap();
        assert_eq!(name.given, ["b"]);
    }

    #[test]
    fn a_period_covers_its_partial_ends() {
        let period = |start: &str, end: &str| Period { start: Some(start.into()), end: Some(end.into()) };
        let day = NaiveDate::from_ymd_opt;
        assert_eq!(period("2020", "2021-02").days(), (day(2020, 1, 1), day(2021, 2, 28)));
        assert_eq!(period("2020-03-01T10:00:00Z", "2020-03-02").days(), (day(2020, 3, 1), day(2020, 3, 2)));
        assert!(period("2020-03-02", "2020-03").is_ordered());
        assert!(!period("2020-03-02", "2020-03-01").is_ordered());
        assert_eq!(Period::of_days(day(2020, 1, 1), None), Period { start: Some("2020-01-01".into()), end: None });
    }
}
