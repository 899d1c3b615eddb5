//! Conditions as they are written: a text of our own columns with `$value` for each value of the caller, and the values.

use crate::fhir::search::value::Named;
use crate::kernel::table::Value;
use std::borrow::Cow;
use tokio_postgres::types::Type;

pub type Sql = (Cow<'static, str>, Vec<(Value, Type)>);

/// A condition that no record meets.
pub const NEVER: &str = "false";

/// What no record meets is left out: a table for which nothing else is left need not be asked.
pub fn any_of_these(conditions: Vec<String>) -> String {
    let left: Vec<String> = conditions.into_iter().filter(|one| one != NEVER).map(|one| format!("({one})")).collect();
    if left.is_empty() { NEVER.to_owned() } else { left.join(" or ") }
}

/// Collects one condition's text and its values, in order.
#[derive(Default)]
pub struct Writing {
    pub values: Vec<(Value, Type)>,
}

impl Writing {
    pub fn value(&mut self, value: Value, ty: Type) {
        self.values.push((value, ty));
    }
    pub fn text(&mut self, text: &str) -> &'static str {
        self.value(Value::Text(text.to_owned()), Type::TEXT);
        "$value"
    }
    pub fn texts(&mut self, texts: Vec<String>) -> &'static str {
        self.value(Value::Texts(texts), Type::TEXT_ARRAY);
        "$value"
    }
    pub fn double(&mut self, value: f64) -> &'static str {
        self.value(Value::Double(value), Type::FLOAT8);
        "$value"
    }
    /// As an array of ids, wherever one of text is not meant.
    pub fn ids(&mut self, of: &Named) -> String {
        match of {
            Named::These(ids) => {
                self.value(Value::Uuids(ids.clone()), Type::UUID_ARRAY);
                "$value".into()
            }
            Named::As(told) => told.clone(),
        }
    }
    pub fn is_one_of(&mut self, column: &str, words: Vec<String>) -> String {
        match words.as_slice() {
            [] => NEVER.into(),
            [word] => format!("{column} = {}", self.text(word)),
            _ => format!("{column} = any ({})", self.texts(words)),
        }
    }
}
