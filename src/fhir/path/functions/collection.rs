//! Existence, filtering, subsetting, combining, tree navigation.

use super::{Call, Function, function};
use crate::fhir::path::Trouble;
use crate::fhir::path::compare;
use crate::fhir::path::eval::{Evaluator, Frame, Outcome, boolean, filtered, is_type, maybe, one, single, truth};
use crate::fhir::path::parser::{Expr, TypeTest};
use crate::fhir::path::value::{Item, Items};
use std::cmp::Ordering;

pub const ALL: &[Function] = &[
    function("empty", 0, 0, |_, call| boolean(call.input.is_empty())),
    function("exists", 0, 1, exists),
    function("all", 1, 1, all),
    function("allTrue", 0, 0, |_, call| every(call, true)),
    function("allFalse", 0, 0, |_, call| every(call, false)),
    function("anyTrue", 0, 0, |_, call| some(call, true)),
    function("anyFalse", 0, 0, |_, call| some(call, false)),
    function("subsetOf", 1, 1, |evaluator, call| {
        let other = call.items(evaluator, 0)?;
        contained(evaluator, &call.input, &other)
    }),
    function("supersetOf", 1, 1, |evaluator, call| {
        let other = call.items(evaluator, 0)?;
        contained(evaluator, &other, &call.input)
    }),
    function("count", 0, 0, |_, call| one(Item::Integer(i64::try_from(call.input.len()).unwrap_or(i64::MAX)))),
    function("distinct", 0, 0, |evaluator, call| compare::distinct(evaluator, call.input)),
    function("isDistinct", 0, 0, |evaluator, call| {
        let count = call.input.len();
        boolean(compare::distinct(evaluator, call.input)?.len() == count)
    }),
    function("where", 1, 1, keep_where),
    function("select", 1, 1, select),
    function("repeat", 1, 1, repeat),
    function("ofType", 1, 1, of_type),
    function("single", 0, 0, |_, call| Ok(single(&call.input)?.cloned().into_iter().collect())),
    function("first", 0, 0, |evaluator, call| part(evaluator, call, |items| items.truncate(1))),
    function("last", 0, 0, |evaluator, call| part(evaluator, call, |items| drop(items.drain(..items.len().saturating_sub(1))))),
    function("tail", 0, 0, |evaluator, call| part(evaluator, call, |items| drop(items.drain(..items.len().min(1))))),
    function("skip", 1, 1, |evaluator, call| {
        let count = amount(&call, evaluator)?;
        part(evaluator, call, |items| drop(items.drain(..items.len().min(count))))
    }),
    function("take", 1, 1, |evaluator, call| {
        let count = amount(&call, evaluator)?;
        part(evaluator, call, |items| items.truncate(count))
    }),
    function("intersect", 1, 1, intersect),
    function("exclude", 1, 1, exclude),
    function("union", 1, 1, |evaluator, call| {
        let other = call.items(evaluator, 0)?;
        compare::union(evaluator, call.input, other)
    }),
    function("combine", 1, 2, |evaluator, mut call| {
        let other = call.items(evaluator, 0)?;
        call.input.extend(other);
        Ok(call.input)
    }),
    function("children", 0, 0, |evaluator, call| evaluator.children(&call.input)),
    function("descendants", 0, 0, descendants),
    function("iif", 2, 3, iif),
    function("aggregate", 1, 2, aggregate),
    function("sort", 0, 8, sort),
    function("coalesce", 1, 16, |evaluator, call| {
        for index in 0..call.args.len() {
            let items = call.items(evaluator, index)?;
            if !items.is_empty() {
                return Ok(items);
            }
        }
        Ok(Vec::new())
    }),
    function("trace", 1, 2, |evaluator, call| {
        // Nothing of a resource goes to a log; the name and projection are judged all the same.
        call.text(evaluator, 0)?;
        if let Some(projection) = call.args.get(1) {
            for (index, item) in call.input.iter().enumerate() {
                call.each(evaluator, projection, item.clone(), index)?;
            }
        }
        Ok(call.input)
    }),
    function("not", 0, 0, |_, call| maybe(truth(&call.input)?.map(|value| Item::Boolean(!value)))),
    function("is", 1, 1, |_, call| is_type(&call.input, &named_type(call.arg(0)?)?)),
    function("as", 1, 1, |_, call| {
        let test = named_type(call.arg(0)?)?;
        single(&call.input)?;
        filtered(call.input, &test)
    }),
    function("type", 0, 0, |_, call| Ok(call.input.iter().map(|item| Item::Type(item.type_name())).collect())),
];

fn named_type(arg: &Expr) -> Result<TypeTest, Trouble> {
    arg.as_type().ok_or(Trouble::Syntax("The argument is the name of a type."))
}

fn exists<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let Some(criterion) = call.args.first() else { return boolean(!call.input.is_empty()) };
    for (index, item) in call.input.iter().enumerate() {
        if truth(&call.each(evaluator, criterion, item.clone(), index)?)? == Some(true) {
            return boolean(true);
        }
    }
    boolean(false)
}

fn all<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let criterion = call.arg(0)?;
    for (index, item) in call.input.iter().enumerate() {
        if truth(&call.each(evaluator, criterion, item.clone(), index)?)? != Some(true) {
            return boolean(false);
        }
    }
    boolean(true)
}

fn booleans(call: &Call<'_, '_>) -> Result<Vec<bool>, Trouble> {
    let value = |item: &Item<'_>| match item.plain() {
        Some(Item::Boolean(value)) => Ok(value),
        _ => Err(Trouble::Execution("The function is for booleans.")),
    };
    call.input.iter().map(value).collect()
}

fn every<'a>(call: Call<'a, '_>, wanted: bool) -> Outcome<'a> {
    boolean(booleans(&call)?.into_iter().all(|value| value == wanted))
}

fn some<'a>(call: Call<'a, '_>, wanted: bool) -> Outcome<'a> {
    boolean(booleans(&call)?.into_iter().any(|value| value == wanted))
}

fn has(items: &[Item<'_>], item: &Item<'_>) -> bool {
    items.iter().any(|other| compare::is_equal(item, other) == Some(true))
}

fn contained<'a>(evaluator: &mut Evaluator<'a, '_>, small: &[Item<'a>], large: &[Item<'a>]) -> Outcome<'a> {
    evaluator.step(small.len().saturating_mul(large.len()))?;
    boolean(small.iter().all(|item| has(large, item)))
}

fn keep_where<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let criterion = call.arg(0)?;
    let mut kept = Vec::new();
    for (index, item) in call.input.iter().enumerate() {
        if truth(&call.each(evaluator, criterion, item.clone(), index)?)? == Some(true) {
            kept.push(item.clone());
        }
    }
    Ok(kept)
}

fn select<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let projection = call.arg(0)?;
    let mut made = Vec::new();
    for (index, item) in call.input.iter().enumerate() {
        made.extend(call.each(evaluator, projection, item.clone(), index)?);
        evaluator.step(made.len() / 64)?;
    }
    Ok(made)
}

/// Until nothing new comes.
fn repeat<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let projection = call.arg(0)?;
    let mut made: Items<'a> = Vec::new();
    let mut open = call.input.clone();
    while !open.is_empty() {
        let mut found = Vec::new();
        for (index, item) in open.into_iter().enumerate() {
            for next in call.each(evaluator, projection, item, index)? {
                evaluator.step(made.len())?;
                if !has_same(&made, &next) {
                    made.push(next.clone());
                    found.push(next);
                }
            }
        }
        open = found;
    }
    Ok(made)
}

/// Elements count as one when they are the same place of the document; values when they are equal.
fn has_same(items: &[Item<'_>], item: &Item<'_>) -> bool {
    items.iter().any(|known| match (known, item) {
        (Item::Node(a), Item::Node(b)) => match (a.value, b.value) {
            (Some(a), Some(b)) => std::ptr::eq(a, b),
            _ => a.beside.map(std::ptr::from_ref) == b.beside.map(std::ptr::from_ref),
        },
        _ => compare::is_equal(known, item) == Some(true),
    })
}

fn of_type<'a>(_: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let test = named_type(call.arg(0)?)?;
    filtered(call.input, &test)
}

fn amount<'a>(call: &Call<'a, '_>, evaluator: &mut Evaluator<'a, '_>) -> Result<usize, Trouble> {
    let count = call.integer(evaluator, 0)?.unwrap_or(0).max(0);
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn part<'a>(_: &mut Evaluator<'a, '_>, mut call: Call<'a, '_>, cut: impl FnOnce(&mut Items<'a>)) -> Outcome<'a> {
    cut(&mut call.input);
    Ok(call.input)
}

fn intersect<'a>(evaluator: &mut Evaluator<'a, '_>, mut call: Call<'a, '_>) -> Outcome<'a> {
    let other = call.items(evaluator, 0)?;
    evaluator.step(call.input.len().saturating_mul(other.len()))?;
    call.input.retain(|item| has(&other, item));
    compare::distinct(evaluator, call.input)
}

fn exclude<'a>(evaluator: &mut Evaluator<'a, '_>, mut call: Call<'a, '_>) -> Outcome<'a> {
    let other = call.items(evaluator, 0)?;
    evaluator.step(call.input.len().saturating_mul(other.len()))?;
    call.input.retain(|item| !has(&other, item));
    Ok(call.input)
}

fn descendants<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let mut made = Vec::new();
    let mut level = evaluator.children(&call.input)?;
    while !level.is_empty() {
        made.extend(level.iter().cloned());
        level = evaluator.children(&level)?;
    }
    Ok(made)
}

fn iif<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let focus = single(&call.input)?.cloned();
    // Called on nothing, or first in a path, it sees what its place sees.
    let scope = Frame { this: focus.or_else(|| call.scope.this.clone()), ..call.scope.clone() };
    let criterion = evaluator.eval(call.arg(0)?, &scope)?;
    let holds = match single(&criterion)?.map(Item::plain) {
        None => false,
        Some(Some(Item::Boolean(value))) => value,
        Some(_) => return Err(Trouble::Execution("The condition of iif is a boolean.")),
    };
    match (holds, call.args) {
        (true, [_, then, ..]) | (false, [_, _, then]) => evaluator.eval(then, &scope),
        _ => Ok(Vec::new()),
    }
}

fn aggregate<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let mut total = call.items(evaluator, 1)?;
    for (index, item) in call.input.iter().enumerate() {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        total = evaluator.eval(call.arg(0)?, &Frame { this: Some(item.clone()), index, total })?;
    }
    Ok(total)
}

/// Sorted and stable. Dates of differing precision have no order between them, and the library's sort may panic on such.
fn merged<T>(mut items: Vec<T>, is_behind: &mut impl FnMut(&T, &T) -> bool) -> Vec<T> {
    if items.len() < 2 {
        return items;
    }
    let right = items.split_off(items.len() / 2);
    let mut left = merged(items, is_behind).into_iter().peekable();
    let mut right = merged(right, is_behind).into_iter().peekable();
    let mut all = Vec::with_capacity(left.len() + right.len());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let next = if is_behind(one, other) { right.next() } else { left.next() };
        all.extend(next);
    }
    all.extend(left);
    all.extend(right);
    all
}

/// By one key after the other; a minus before a key turns it around, of texts too. What has no key stands first either way.
fn sort<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let mut keyed: Vec<(Vec<Option<Item<'a>>>, Item<'a>)> = Vec::with_capacity(call.input.len());
    for (index, item) in call.input.iter().enumerate() {
        let mut keys = Vec::new();
        for arg in call.args {
            let inner = if let Expr::Negative(inner) = arg { inner } else { arg };
            keys.push(single(&call.each(evaluator, inner, item.clone(), index)?)?.cloned());
        }
        if keys.is_empty() {
            keys.push(Some(item.clone()));
        }
        keyed.push((keys, item.clone()));
    }
    evaluator.step(keyed.len().saturating_mul(16))?;
    let mut trouble = None;
    let keyed = merged(keyed, &mut |(left, _), (right, _)| {
        for (at, (left, right)) in left.iter().zip(right).enumerate() {
            let order = match (left, right) {
                (Some(left), Some(right)) => {
                    let order = compare::order(left, right).unwrap_or_else(|wrong| {
                        trouble = Some(wrong);
                        None
                    });
                    let order = order.unwrap_or(Ordering::Equal);
                    if matches!(call.args.get(at), Some(Expr::Negative(_))) { order.reverse() } else { order }
                }
                (left, right) => left.is_some().cmp(&right.is_some()),
            };
            if order.is_ne() {
                return order.is_gt();
            }
        }
        false
    });
    match trouble {
        Some(wrong) => Err(wrong),
        None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
    }
}
