//! Equality, equivalence and order.

use super::Trouble;
use super::eval::{Evaluator, Outcome, number};
use super::moment::Form;
use super::value::{Item, Items, Node};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::HashSet;

/// `=` of two collections: None where either is empty or a precision leaves it open.
pub fn equal(evaluator: &mut Evaluator<'_, '_>, left: &[Item<'_>], right: &[Item<'_>]) -> Result<Option<bool>, Trouble> {
    if left.is_empty() || right.is_empty() {
        return Ok(None);
    }
    evaluator.step(left.len())?;
    if left.len() != right.len() {
        return Ok(Some(false));
    }
    let mut all = Some(true);
    for (left, right) in left.iter().zip(right) {
        match is_equal(left, right) {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => all = None,
        }
    }
    Ok(all)
}

pub fn is_equal(left: &Item<'_>, right: &Item<'_>) -> Option<bool> {
    if let (Item::Node(one), Item::Node(two)) = (left, right)
        && (one.shape.primitive.is_none() || two.shape.primitive.is_none())
    {
        return Some(is_same(one, two));
    }
    let (plain_left, plain_right) = (left.plain(), right.plain());
    match (&plain_left, &plain_right) {
        (Some(Item::Boolean(a)), Some(Item::Boolean(b))) => Some(a == b),
        (Some(Item::Text(a)), Some(Item::Text(b))) => Some(a == b),
        (Some(Item::Moment(a)), Some(Item::Moment(b))) if (a.form == Form::Time) != (b.form == Form::Time) => Some(false),
        (Some(Item::Moment(a)), Some(Item::Moment(b))) => a.compare(b).map(Ordering::is_eq),
        (Some(a), Some(b)) if number(a).is_some() && number(b).is_some() => Some(number(a) == number(b)),
        // FHIR writes dates as texts in some places that a literal date is held against.
        (Some(Item::Type(a)), Some(Item::Type(b))) => Some(a == b),
        _ => {
            let quantity = |plain: &Option<Item<'_>>, item: &Item<'_>| {
                let of_number = plain.as_ref().and_then(number).map(super::Quantity::pure);
                item.quantity().or(of_number)
            };
            let is_quantity = left.quantity().is_some() || right.quantity().is_some();
            match (quantity(&plain_left, left), quantity(&plain_right, right)) {
                (Some(a), Some(b)) if is_quantity => a.compare(&b).map(Ordering::is_eq),
                _ => Some(false),
            }
        }
    }
}

/// Two elements are equal when all their children are; the order in lists counts, that of members does not.
fn is_same(one: &Node<'_>, two: &Node<'_>) -> bool {
    same_value(one.value, two.value) && one.beside == two.beside
}

fn same_value(one: Option<&Value>, two: Option<&Value>) -> bool {
    match (one, two) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => super::value::decimal(a.as_str()) == super::value::decimal(b.as_str()),
        (Some(Value::Array(a)), Some(Value::Array(b))) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(Some(a), Some(b))),
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let visible = |object: &serde_json::Map<String, Value>| object.keys().filter(|key| *key != "id").count();
            visible(a) == visible(b) && a.iter().all(|(key, value)| key == "id" || same_value(Some(value), b.get(key)))
        }
        (one, two) => one == two,
    }
}

/// `~`: order does not count, nor do case and spaces of texts, nor precision.
pub fn equivalent(evaluator: &mut Evaluator<'_, '_>, left: &[Item<'_>], right: &[Item<'_>]) -> Result<bool, Trouble> {
    if left.len() != right.len() {
        return Ok(false);
    }
    evaluator.step(left.len().saturating_mul(right.len()))?;
    let mut free: Vec<&Item<'_>> = right.iter().collect();
    for item in left {
        match free.iter().position(|other| is_equivalent(item, other)) {
            Some(at) => drop(free.swap_remove(at)),
            None => return Ok(false),
        }
    }
    Ok(true)
}

pub fn is_equivalent(left: &Item<'_>, right: &Item<'_>) -> bool {
    if let (Some(a), Some(b)) = (left.quantity(), right.quantity()) {
        return a.is_equivalent(&b);
    }
    match (left.plain(), right.plain()) {
        (Some(Item::Text(a)), Some(Item::Text(b))) => folded(&a) == folded(&b),
        (Some(Item::Moment(a)), Some(Item::Moment(b))) => {
            (a.form == Form::Time) == (b.form == Form::Time) && a.precision() == b.precision() && a.compare(&b) == Some(Ordering::Equal)
        }
        (Some(a), Some(b)) => match (number(&a), number(&b)) {
            (Some(a), Some(b)) => {
                let digits = a.normalize().scale().min(b.normalize().scale());
                a.round_dp(digits) == b.round_dp(digits)
            }
            _ => is_equal(left, right) == Some(true),
        },
        (None, None) => match (left, right) {
            (Item::Node(a), Item::Node(b)) => alike(a.value, b.value),
            _ => false,
        },
        _ => false,
    }
}

/// Equivalence of whole elements, member by member.
fn alike(one: Option<&Value>, two: Option<&Value>) -> bool {
    match (one, two) {
        (Some(Value::String(a)), Some(Value::String(b))) => folded(a) == folded(b),
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            a.len() == b.len() && a.iter().all(|item| b.iter().any(|other| alike(Some(item), Some(other))))
        }
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| alike(Some(value), Some(other))))
        }
        (one, two) => same_value(one, two),
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// None where units or precision leave it open, or an element has no value.
pub fn order(left: &Item<'_>, right: &Item<'_>) -> Result<Option<Ordering>, Trouble> {
    let wrong = Err(Trouble::Execution("These types have no order between them."));
    if let (Some(a), Some(b)) = (left.quantity(), right.quantity()) {
        return Ok(a.compare(&b));
    }
    match (left.plain(), right.plain()) {
        (Some(Item::Text(a)), Some(Item::Text(b))) => Ok(Some(a.cmp(&b))),
        (Some(Item::Moment(a)), Some(Item::Moment(b))) if (a.form == Form::Time) == (b.form == Form::Time) => Ok(a.compare(&b)),
        (Some(a), Some(b)) => match (number(&a), number(&b)) {
            (Some(a), Some(b)) => Ok(Some(a.cmp(&b))),
            _ => match (quantity_of(left, &a), quantity_of(right, &b)) {
                (Some(a), Some(b)) => Ok(a.compare(&b)),
                _ => wrong,
            },
        },
        (a, b) => match (left, right) {
            // A primitive with extensions alone.
            (Item::Node(node), _) if a.is_none() && node.shape.primitive.is_some() => Ok(None),
            (_, Item::Node(node)) if b.is_none() && node.shape.primitive.is_some() => Ok(None),
            _ => wrong,
        },
    }
}

fn quantity_of(item: &Item<'_>, plain: &Item<'_>) -> Option<super::Quantity> {
    item.quantity().or_else(|| number(plain).map(super::Quantity::pure))
}

/// Both, each item once.
pub fn union<'a>(evaluator: &mut Evaluator<'a, '_>, mut left: Items<'a>, right: Items<'a>) -> Outcome<'a> {
    left.extend(right);
    distinct(evaluator, left)
}

/// Each item once. What hashes to one word is compared, so texts and numbers cost a look each.
pub fn distinct<'a>(evaluator: &mut Evaluator<'a, '_>, items: Items<'a>) -> Outcome<'a> {
    let mut kept: Items<'a> = Vec::with_capacity(items.len());
    let mut texts = HashSet::new();
    let mut others: Vec<usize> = Vec::new();
    for item in items {
        let is_new = match item.plain() {
            Some(Item::Text(text)) => texts.insert(text.into_owned()),
            _ => {
                evaluator.step(others.len())?;
                let is_new = !others.iter().any(|at| kept.get(*at).is_some_and(|known| is_equal(known, &item) == Some(true)));
                if is_new {
                    others.push(kept.len());
                }
                is_new
            }
        };
        if is_new {
            kept.push(item);
        }
    }
    Ok(kept)
}
