//! Conversion between the System types: `toX()` gives nothing, `convertsToX()` false, where it cannot be done.

use super::{Call, Function, function};
use crate::fhir::path::eval::{Evaluator, Outcome, boolean, maybe, number};
use crate::fhir::path::moment::{Form, Moment};
use crate::fhir::path::quantity::{Quantity, calendar_word};
use crate::fhir::path::value::{Item, decimal};
use rust_decimal::Decimal;

pub const ALL: &[Function] = &[
    function("toBoolean", 0, 0, |_, call| convert(call, to_boolean)),
    function("convertsToBoolean", 0, 0, |_, call| converts(call, to_boolean)),
    function("toInteger", 0, 0, |_, call| convert(call, to_integer)),
    function("convertsToInteger", 0, 0, |_, call| converts(call, to_integer)),
    function("toDecimal", 0, 0, |_, call| convert(call, to_decimal)),
    function("convertsToDecimal", 0, 0, |_, call| converts(call, to_decimal)),
    function("toString", 0, 0, |_, call| convert(call, to_text)),
    function("convertsToString", 0, 0, |_, call| converts(call, to_text)),
    function("toDate", 0, 0, |_, call| convert(call, to_date)),
    function("convertsToDate", 0, 0, |_, call| converts(call, to_date)),
    function("toDateTime", 0, 0, |_, call| convert(call, to_date_time)),
    function("convertsToDateTime", 0, 0, |_, call| converts(call, to_date_time)),
    function("toTime", 0, 0, |_, call| convert(call, to_time)),
    function("convertsToTime", 0, 0, |_, call| converts(call, to_time)),
    function("toQuantity", 0, 1, |evaluator, call| quantity(evaluator, call, convert)),
    function("convertsToQuantity", 0, 1, |evaluator, call| quantity(evaluator, call, converts)),
];

type Turn = for<'i, 'a> fn(&'i Item<'a>) -> Option<Item<'a>>;

fn convert<'a>(call: Call<'a, '_>, turn: Turn) -> Outcome<'a> {
    maybe(call.subject()?.and_then(|item| turn(&item)))
}

fn converts<'a>(call: Call<'a, '_>, turn: Turn) -> Outcome<'a> {
    match call.subject()? {
        Some(item) => boolean(turn(&item).is_some()),
        None => Ok(Vec::new()),
    }
}

fn to_boolean<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let known = match item {
        Item::Boolean(value) => Some(*value),
        Item::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
            _ => None,
        },
        item => number(item).and_then(|value| (value == Decimal::ONE).then_some(true).or((value == Decimal::ZERO).then_some(false))),
    };
    known.map(Item::Boolean)
}

fn to_integer<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let known = match item {
        Item::Integer(value) => Some(*value),
        Item::Boolean(value) => Some(i64::from(*value)),
        Item::Text(text) => text.parse::<i32>().ok().map(i64::from),
        _ => None,
    };
    known.map(Item::Integer)
}

fn to_decimal<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let known = match item {
        Item::Boolean(value) => Some(Decimal::from(u8::from(*value))),
        Item::Text(text) => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let is_number = digits.starts_with(|c: char| c.is_ascii_digit()) && digits.ends_with(|c: char| c.is_ascii_digit());
            if is_number && !digits.contains('_') { decimal(text) } else { None }
        }
        item => number(item),
    };
    known.map(Item::Decimal)
}

fn to_text<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    item.written().map(Item::text)
}

fn to_date<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let known = match item {
        Item::Moment(moment) if moment.form != Form::Time => Some(moment.to_date()),
        Item::Text(text) => Moment::date_or_time(text).map(Moment::to_date),
        _ => None,
    };
    known.map(Item::Moment)
}

fn to_date_time<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let known = match item {
        Item::Moment(moment) if moment.form != Form::Time => Some(moment.as_date_time()),
        Item::Text(text) => Moment::date_or_time(text),
        _ => None,
    };
    known.map(Item::Moment)
}

fn to_time<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let known = match item {
        Item::Moment(moment) if moment.form == Form::Time => Some(*moment),
        Item::Text(text) => Moment::time(text.strip_prefix('T').unwrap_or(text)),
        _ => None,
    };
    known.map(Item::Moment)
}

fn to_quantity<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let known = match item {
        Item::Boolean(value) => Some(Quantity::pure(if *value { Decimal::new(10, 1) } else { Decimal::new(0, 1) })),
        Item::Text(text) => Quantity::parse(text),
        item => number(item).map(Quantity::pure).or_else(|| item.quantity()),
    };
    known.map(Item::Quantity)
}

/// With a unit as argument, only what is in that unit, or has another of the same kind, converts.
fn quantity<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>, then: for<'c, 'x> fn(Call<'c, 'x>, Turn) -> Outcome<'c>) -> Outcome<'a> {
    let Some(unit) = call.text(evaluator, 0)? else { return then(call, to_quantity) };
    let wanted = match calendar_word(&unit) {
        Some(word) => Quantity::calendar(Decimal::ONE, word),
        None => Quantity::ucum(Decimal::ONE, unit),
    };
    let fits = call.subject()?.as_ref().and_then(to_quantity).and_then(|item| item.quantity()).is_some_and(|it| it.is_comparable(&wanted));
    if fits { then(call, to_quantity) } else { then(Call { input: Vec::new(), ..call }, to_quantity) }
}
