//! Conditions that columns and what is kept beside them both answer, walked apart: no index has both, and a walk for either would
//! read all that a clinic has.

use super::find::{self, NEVER, Sql, any_of_these};
use super::indexed;
use crate::fhir::mapping::{Find, Mapping};
use crate::fhir::search::{Condition, Modifier, Value as Asked};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::error::Result;
use std::borrow::Cow;

/// Where the answer may stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Side {
    Both,
    Columns,
    Kept,
}

impl Side {
    pub fn has(self, find: &Find) -> bool {
        match self {
            Side::Both => true,
            Side::Columns => !matches!(find, Find::Indexed(_)),
            Side::Kept => indexed::of(find).is_some(),
        }
    }
}

/// At least one of these conditions, by each way there is. None: there is but one.
pub async fn walks(caller: &Caller, context: &Context, mapping: &'static Mapping, conditions: &[Condition]) -> Result<Option<Vec<Sql>>> {
    let (mut texts, mut values, mut any) = (Vec::new(), Vec::new(), Vec::new());
    for condition in conditions {
        if drives(mapping, condition).is_none() {
            return Ok(None);
        }
        let (text, more) = find::sided(caller, context, mapping, condition, Side::Columns).await?;
        texts.push(text.into_owned());
        values.extend(more);
        any.push(find::sided(caller, context, mapping, condition, Side::Kept).await?);
    }
    any.insert(0, (Cow::Owned(any_of_these(texts)), values));
    any.retain(|(text, _)| text != NEVER);
    Ok(Some(any).filter(|any| any.len() > 1))
}

/// How few records meet it, as far as its kind tells. None: it is no question that is walked apart.
pub fn drives(mapping: &Mapping, condition: &Condition) -> Option<u8> {
    let is_plain = condition.chains.is_empty() && !matches!(condition.modifier, Some(Modifier::Not | Modifier::NotIn));
    let find = mapping.search.iter().find(|(known, _)| *known == condition.param.name).map(|(_, find)| find);
    let of = |asked: &Asked| match asked {
        Asked::Missing(_) | Asked::Words(_) => None,
        Asked::Reference(_) => Some(3),
        Asked::Text(_) => Some(2),
        _ => Some(1),
    };
    let asked = condition.any_of.iter().map(of).min()?;
    let is_identifier = |find: &Find| matches!(find, Find::Blind { .. } | Find::Plain { .. });
    match find.filter(|_| is_plain)? {
        Find::Any(finds) if finds.iter().any(is_identifier) => asked.map(|_| 3),
        _ => asked,
    }
}
