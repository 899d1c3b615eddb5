//! One value of a search parameter, read by its kind.

use super::amount::{self, NumberValue, QuantityValue};
use super::near::{self, Near};
use super::param::{Kind, Modifier, SearchParam};
use super::text;
use crate::fhir::definitions::Definitions;
use crate::fhir::index::words::{CONTENT, NARRATIVE};
use crate::fhir::primitive::is_id;
use crate::fhir::reference::Literal;
use crate::fhir::temporal::{self, Interval};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(Text),
    Token(Token),
    Date(DateValue),
    Reference(ReferenceValue),
    Uri(String),
    Number(NumberValue),
    Quantity(QuantityValue),
    /// One value for each component.
    Composite(Vec<Value>),
    /// `:missing=true` asks for the records without the element.
    Missing(bool),
    /// Codes by their systems, in place of a value set or of a place in a hierarchy.
    Codes(Codes),
    OfType(OfType),
    Near(Near),
    Between(Between),
    /// Words of the narrative, or of the whole resource.
    Words(text::Asked),
    /// What the server itself asks for: resources of ours.
    Ids(Ids),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// None: any of the parameter's targets.
    pub type_name: Option<&'static str>,
    pub of: Named,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    These(Vec<Uuid>),
    /// An expression of ours for a list of them.
    As(String),
}

/// Codes from one to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    pub system: Option<String>,
    pub from: String,
    pub to: String,
}

pub type Codes = BTreeMap<String, Vec<String>>;

/// `system|code|value`: the type's coding and the identifier's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfType {
    pub system: String,
    pub code: String,
    pub value: String,
}

/// A text and how it is compared. Who compares folds it as the column is folded, except where it is exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    StartsWith(String),
    Contains(String),
    Exact(String),
    /// All of it, folded (`_filter`).
    Is(String),
    EndsWith(String),
}

impl Text {
    pub fn words(&self) -> &str {
        match self {
            Self::StartsWith(text) | Self::Contains(text) | Self::Exact(text) | Self::Is(text) | Self::EndsWith(text) => text,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub system: System,
    /// None: any code of the system (`system|`).
    pub code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum System {
    /// `code`: whatever the system.
    Any,
    /// `|code`: only where there is none.
    None,
    Is(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceValue {
    /// A resource of ours; without a type, any of the parameter's targets.
    Local { type_name: Option<&'static str>, id: String },
    /// Another server's, by its URL or URN.
    Foreign(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DateValue {
    pub prefix: Prefix,
    /// Of the value as it was given; for `ap` widened.
    pub interval: Interval,
    pub given: Interval,
}

/// One comparison of an edge of what is stored, an interval too (an open end lies at infinity), with an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    pub edge: Side,
    pub compare: Compare,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Start,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Lt,
    Le,
    Gt,
    Ge,
}

impl Compare {
    pub fn sign(self) -> &'static str {
        match self {
            Compare::Lt => "<",
            Compare::Le => "<=",
            Compare::Gt => ">",
            Compare::Ge => ">=",
        }
    }
    /// What holds where this does not.
    pub fn opposite(self) -> Compare {
        match self {
            Compare::Lt => Compare::Ge,
            Compare::Le => Compare::Gt,
            Compare::Gt => Compare::Le,
            Compare::Ge => Compare::Lt,
        }
    }
}

/// The comparisons that make up a prefix; a domain writes them as SQL over its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateTest {
    All(Vec<Edge>),
    Any(Vec<Edge>),
}

impl DateValue {
    /// R4 §3.1.1.4.7 over half-open intervals. `ge` is `gt` or contained, which comes to its two edges here.
    pub fn test(&self) -> DateTest {
        use Compare::{Ge, Gt, Le, Lt};
        use Side::{End, Start};
        let Interval { start, end } = self.interval;
        let edge = |edge, compare, at| Edge { edge, compare, at };
        match self.prefix {
            Prefix::Eq => DateTest::All(vec![edge(Start, Ge, start), edge(End, Le, end)]),
            Prefix::Ne => DateTest::Any(vec![edge(Start, Lt, start), edge(End, Gt, end)]),
            Prefix::Gt => DateTest::All(vec![edge(End, Gt, end)]),
            Prefix::Lt => DateTest::All(vec![edge(Start, Lt, start)]),
            Prefix::Ge => DateTest::Any(vec![edge(End, Gt, end), edge(Start, Ge, start)]),
            Prefix::Le => DateTest::Any(vec![edge(Start, Lt, start), edge(End, Le, end)]),
            Prefix::Sa => DateTest::All(vec![edge(Start, Ge, end)]),
            Prefix::Eb => DateTest::All(vec![edge(End, Le, start)]),
            Prefix::Ap => DateTest::All(vec![edge(Start, Lt, end), edge(End, Gt, start)]),
        }
    }

    /// Since when and until when what it finds may be.
    pub fn limits(&self) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let Interval { start, end } = self.interval;
        match self.prefix {
            Prefix::Eq | Prefix::Ap => (Some(start), Some(end)),
            Prefix::Ge => (Some(start), None),
            Prefix::Gt | Prefix::Sa => (Some(end), None),
            Prefix::Lt | Prefix::Eb => (None, Some(start)),
            Prefix::Le => (None, Some(end)),
            Prefix::Ne => (None, None),
        }
    }

    /// What follows for one edge where both are compared, since nothing ends before it starts: with it the edge's index has a
    /// range to walk. None: nothing follows, or there is one comparison, which is that range.
    pub fn bound(&self) -> Option<Edge> {
        let Interval { start, end } = self.interval;
        let (edge, compare, at) = match self.prefix {
            Prefix::Eq | Prefix::Le => (Side::Start, Compare::Le, end),
            Prefix::Ge => (Side::End, Compare::Ge, start),
            Prefix::Ne | Prefix::Gt | Prefix::Lt | Prefix::Sa | Prefix::Eb | Prefix::Ap => return None,
        };
        Some(Edge { edge, compare, at })
    }
}

/// What is needed to read a value beside itself.
pub struct Reading<'a> {
    /// Our FHIR base URL, to know our own references.
    pub base: &'a str,
    /// `ap` means a tenth of the distance to now (R4's recommendation).
    pub now: DateTime<Utc>,
}

/// Reads one value. Err: the rule it breaks and its form.
pub fn read(
    param: &SearchParam,
    modifier: Option<Modifier>,
    of_type: Option<&'static str>,
    raw: &str,
    reading: &Reading<'_>,
) -> Result<Value, &'static str> {
    if raw.is_empty() {
        return Err("A value is expected.");
    }
    if modifier == Some(Modifier::Missing) {
        return match raw {
            "true" => Ok(Value::Missing(true)),
            "false" => Ok(Value::Missing(false)),
            _ => Err("The value must be true or false."),
        };
    }
    match param.kind {
        Kind::String if [NARRATIVE, CONTENT].contains(&param.name) => {
            text::read(&unescape(raw)).map(Value::Words).ok_or("Up to 32 words are expected, with and, or and parentheses between them.")
        }
        Kind::String => Ok(Value::Text(text(modifier, &unescape(raw)))),
        Kind::Token => coded(modifier, raw),
        Kind::Date => date(raw, reading.now).map(Value::Date).ok_or("The value must be a date or time, after a prefix or none."),
        Kind::Reference if modifier == Some(Modifier::Identifier) => token(raw).map(Value::Token),
        Kind::Reference => reference(param, of_type, &unescape(raw), reading.base).map(Value::Reference),
        Kind::Uri => Ok(Value::Uri(unescape(raw))),
        Kind::Number => amount::number(raw).map(Value::Number).ok_or("The value must be a number, after a prefix or none."),
        Kind::Quantity => amount::quantity(raw).map(Value::Quantity).ok_or("The value is a number, or number|system|code."),
        Kind::Composite => composite(param, raw, reading),
        Kind::Special if param.name == "near" => near::read(raw).map(Value::Near),
        Kind::Special => between(raw).map(Value::Between).ok_or("The value is from..to or system|from..to."),
    }
}

fn between(raw: &str) -> Option<Between> {
    let parts = split(raw, '|');
    let (system, codes) = match parts.as_slice() {
        [codes] => (None, codes),
        [system, codes] => (Some(unescape(system)), codes),
        _ => return None,
    };
    let (from, to) = codes.split_once("..").filter(|(from, to)| !from.is_empty() && !to.is_empty())?;
    Some(Between { system, from: unescape(from), to: unescape(to) })
}

fn coded(modifier: Option<Modifier>, raw: &str) -> Result<Value, &'static str> {
    match modifier {
        Some(Modifier::Text) => Ok(Value::Text(Text::Contains(unescape(raw)))),
        Some(Modifier::In | Modifier::NotIn) => Ok(Value::Uri(unescape(raw))),
        Some(Modifier::OfType) => match split(raw, '|').as_slice() {
            [system, code, value] if !code.is_empty() && !value.is_empty() => {
                Ok(Value::OfType(OfType { system: unescape(system), code: unescape(code), value: unescape(value) }))
            }
            _ => Err("The value is system|code|value: the type of the identifier, and its value."),
        },
        Some(Modifier::Above | Modifier::Below) => match token(raw)? {
            token @ Token { system: System::Is(_), code: Some(_) } => Ok(Value::Token(token)),
            _ => Err("The value is system|code."),
        },
        _ => token(raw).map(Value::Token),
    }
}

fn text(modifier: Option<Modifier>, raw: &str) -> Text {
    match modifier {
        Some(Modifier::Exact) => Text::Exact(raw.into()),
        Some(Modifier::Contains) => Text::Contains(raw.into()),
        _ => Text::StartsWith(raw.into()),
    }
}

fn token(raw: &str) -> Result<Token, &'static str> {
    let parts = split(raw, '|');
    let whole = |text: &str| (!text.is_empty()).then(|| unescape(text));
    match parts.as_slice() {
        [code] => Ok(Token { system: System::Any, code: whole(code) }),
        ["", ""] => Err("A system or a code is expected."),
        ["", code] => Ok(Token { system: System::None, code: whole(code) }),
        [system, code] => Ok(Token { system: System::Is(unescape(system)), code: whole(code) }),
        _ => Err("The value is a code or system|code."),
    }
}

fn composite(param: &SearchParam, raw: &str, reading: &Reading<'_>) -> Result<Value, &'static str> {
    let parts = split(raw, '$');
    if parts.len() != param.components.len() {
        return Err("The value has one part for each component, with $ between them.");
    }
    let values = param.components.iter().zip(parts).map(|(component, raw)| read(component, None, None, raw, reading));
    values.collect::<Result<_, _>>().map(Value::Composite)
}

pub(super) fn prefixed(raw: &str) -> (Prefix, &str) {
    const PREFIXES: [(&str, Prefix); 9] = [
        ("eq", Prefix::Eq),
        ("ne", Prefix::Ne),
        ("gt", Prefix::Gt),
        ("lt", Prefix::Lt),
        ("ge", Prefix::Ge),
        ("le", Prefix::Le),
        ("sa", Prefix::Sa),
        ("eb", Prefix::Eb),
        ("ap", Prefix::Ap),
    ];
    let stripped = PREFIXES.iter().find_map(|(name, prefix)| Some((*prefix, raw.strip_prefix(name)?)));
    stripped.unwrap_or((Prefix::Eq, raw))
}

fn date(raw: &str, now: DateTime<Utc>) -> Option<DateValue> {
    let (prefix, text) = prefixed(raw);
    let given = temporal::search(text)?;
    let mut interval = given;
    if prefix == Prefix::Ap {
        let near = (now - interval.start).abs() / 10;
        interval.start = interval.start.checked_sub_signed(near)?;
        interval.end = interval.end.checked_add_signed(near)?;
    }
    Some(DateValue { prefix, interval, given })
}

fn reference(param: &SearchParam, of_type: Option<&'static str>, text: &str, base: &str) -> Result<ReferenceValue, &'static str> {
    if is_id(text) {
        let type_name = of_type.or(match param.targets {
            [only] => Some(*only),
            _ => None,
        });
        return Ok(ReferenceValue::Local { type_name, id: text.into() });
    }
    match Literal::parse(text, base) {
        Literal::Local { type_name, id, version: None } => {
            let target = target(param, type_name);
            let target = target.filter(|target| of_type.is_none_or(|of| of == *target));
            let type_name = target.ok_or("The parameter does not refer to that type.")?;
            Ok(ReferenceValue::Local { type_name: Some(type_name), id: id.into() })
        }
        Literal::Urn(urn) => Ok(ReferenceValue::Foreign(urn.into())),
        Literal::Foreign(url) if url.contains("://") => Ok(ReferenceValue::Foreign(url.into())),
        _ => Err("The value is an id, Type/id or the URL of a resource."),
    }
}

/// The type as the parameter knows it; one without targets refers to any.
pub(super) fn target(param: &SearchParam, name: &str) -> Option<&'static str> {
    if param.targets.is_empty() {
        return Definitions::r4().resources().find(|known| *known == name);
    }
    param.targets.iter().copied().find(|target| *target == name)
}

/// Splits at a mark that no backslash stands before.
pub fn split(text: &str, mark: char) -> Vec<&str> {
    let (mut parts, mut from, mut is_escaped) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        if letter == mark && !is_escaped {
            parts.push(&text[from..at]);
            from = at + letter.len_utf8();
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    parts.push(&text[from..]);
    parts
}

/// `\,` `\|` `\$` and `\\` without their backslash; before anything else it is itself.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let escaped = letters.next_if(|next| letter == '\\' && matches!(next, ',' | '|' | '$' | '\\'));
        out.push(escaped.unwrap_or(letter));
    }
    out
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
