//! Conditions that columns and what is kept beside them both answer, walked apart: no index has both, and a walk for either would
//! read all that a clinic has.

use super::writing::{NEVER, Sql, any_of_these};
use super::{chain, find, types};
use crate::fhir::find::Find;
use crate::fhir::mapping::Mapping;
use crate::fhir::search::{Chain, Condition, Modifier, Value as Asked};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::error::Result;
use std::borrow::Cow;

/// Where the answer may stand.
#[derive(Clone, Copy)]
pub enum Side {
    All,
    /// The record's own columns.
    Columns,
    /// Rows of one other table.
    Rows(&'static Find),
    /// What is kept beside the record.
    Kept,
}

impl Side {
    pub fn has(self, find: &Find) -> bool {
        match (self, find) {
            (Side::All, _) => true,
            (_, Find::Any(finds)) => finds.iter().any(|find| self.has(find)),
            (Side::Kept, find) => matches!(find, Find::Indexed(_)),
            (Side::Rows(only), find) => std::ptr::eq(only, find),
            (Side::Columns, find) => !matches!(find, Find::Indexed(_)) && !find.is_of_rows(),
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
        for (side, (text, more)) in ways(caller, context, mapping, condition).await? {
            if matches!(side, Side::Columns) {
                texts.push(text.into_owned());
                values.extend(more);
            } else {
                any.push((text, more));
            }
        }
    }
    // Columns of one record are walked together, each by its index.
    if !texts.is_empty() {
        any.insert(0, (Cow::Owned(any_of_these(texts)), values));
    }
    Ok(Some(any).filter(|any| any.len() > 1))
}

/// The ways in which a condition can be met, as conditions of their own. None at all: it cannot be met.
pub async fn ways(caller: &Caller, context: &Context, mapping: &'static Mapping, condition: &Condition) -> Result<Vec<(Side, Sql)>> {
    if !condition.chains.is_empty() {
        let all = Box::pin(chain::ways(caller, context, mapping, condition)).await?;
        return Ok(all.into_iter().map(|one| (Side::All, one)).collect());
    }
    let mut sides = vec![Side::All];
    if drives(mapping, condition).is_some() {
        let of_rows = mapping.find(condition.param.name).into_iter().flat_map(Find::each).filter(|find| find.is_of_rows());
        sides = std::iter::once(Side::Columns).chain(of_rows.map(Side::Rows)).chain([Side::Kept]).collect();
    }
    let mut all = Vec::with_capacity(sides.len());
    for side in sides {
        all.push((side, find::sided(caller, context, mapping, condition, side).await?));
    }
    all.retain(|(_, (text, _))| text != NEVER);
    Ok(all)
}

/// How few records meet it, as far as its kind tells. None: it is no question that is walked apart.
pub fn drives(mapping: &Mapping, condition: &Condition) -> Option<u8> {
    // What a chain leads to by its number is a record or two; by anything else nobody knows how many.
    if !condition.chains.is_empty() {
        return Some(if condition.chains.iter().any(leads_to_few) { 2 } else { 0 });
    }
    let is_plain = !matches!(condition.modifier, Some(Modifier::Not | Modifier::NotIn));
    let of = |asked: &Asked| match asked {
        Asked::Missing(_) | Asked::Words(_) => None,
        Asked::Reference(_) | Asked::Ids(_) => Some(3),
        Asked::Text(_) => Some(2),
        _ => Some(1),
    };
    let asked = condition.any_of.iter().map(of).min()?;
    if is_identifier(mapping.find(condition.param.name).filter(|_| is_plain)?) { asked.map(|_| 3) } else { asked }
}

fn leads_to_few(chain: &Chain) -> bool {
    let other = if chain.is_reverse { chain.from } else { chain.to };
    let of = types::sources(other).unwrap_or_default();
    of.iter().any(|mapping| drives(mapping, &chain.then) >= Some(2) && mapping.find(chain.then.param.name).is_none_or(is_identifier))
}

fn is_identifier(find: &Find) -> bool {
    match find {
        Find::Any(finds) => finds.iter().any(is_identifier),
        find => matches!(find, Find::Blind { .. } | Find::Plain { .. }),
    }
}
