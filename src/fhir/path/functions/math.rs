//! Numbers, boundaries, and the present time.

use super::{Call, Function, function};
use crate::fhir::path::Trouble;
use crate::fhir::path::boundary;
use crate::fhir::path::eval::{Evaluator, Outcome, maybe, number, one};
use crate::fhir::path::moment::Moment;
use crate::fhir::path::quantity::Quantity;
use crate::fhir::path::value::Item;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

pub const ALL: &[Function] = &[
    function("abs", 0, 0, |_, call| {
        maybe(match call.subject()? {
            Some(Item::Integer(value)) => value.checked_abs().map(Item::Integer),
            Some(Item::Quantity(quantity)) => Some(Item::Quantity(Quantity { value: quantity.value.abs(), ..quantity })),
            other => other.map(|it| numeric(&it)).transpose()?.map(|value| Item::Decimal(value.abs())),
        })
    }),
    function("ceiling", 0, 0, |_, call| to_whole(call, |value| value.ceil())),
    function("floor", 0, 0, |_, call| to_whole(call, |value| value.floor())),
    function("truncate", 0, 0, |_, call| to_whole(call, |value| value.trunc())),
    function("exp", 0, 0, |_, call| float(call, f64::exp)),
    function("ln", 0, 0, |_, call| float(call, f64::ln)),
    function("sqrt", 0, 0, |_, call| float(call, f64::sqrt)),
    function("log", 1, 1, |evaluator, call| {
        let base = call.value(evaluator, 0)?.map(|it| numeric(&it)).transpose()?;
        match base.and_then(|base| base.to_f64()) {
            Some(base) => float(call, |value| value.log(base)),
            None => Ok(Vec::new()),
        }
    }),
    function("power", 1, 1, power),
    function("round", 0, 1, round),
    function("now", 0, 0, |evaluator, _| one(Item::Moment(Moment::now(evaluator.context.now)))),
    function("today", 0, 0, |evaluator, _| one(Item::Moment(Moment::now(evaluator.context.now).to_date()))),
    function("timeOfDay", 0, 0, |evaluator, _| one(Item::Moment(Moment::now(evaluator.context.now).to_time()))),
    function("lowBoundary", 0, 1, |evaluator, call| bound(evaluator, call, false)),
    function("highBoundary", 0, 1, |evaluator, call| bound(evaluator, call, true)),
    function("precision", 0, 0, |_, call| {
        maybe(call.subject()?.and_then(|item| boundary::precision(&item)).and_then(|it| i64::try_from(it).ok()).map(Item::Integer))
    }),
    function("comparable", 1, 1, |evaluator, call| {
        let other = call.value(evaluator, 0)?;
        maybe(match (call.subject()?.and_then(|it| it.quantity()), other.and_then(|it| it.quantity())) {
            (Some(one), Some(two)) => Some(Item::Boolean(one.is_comparable(&two))),
            _ => None,
        })
    }),
];

fn numeric(item: &Item<'_>) -> Result<Decimal, Trouble> {
    number(item).ok_or(Trouble::Execution("The function is for numbers."))
}

fn to_whole<'a>(call: Call<'a, '_>, turn: fn(Decimal) -> Decimal) -> Outcome<'a> {
    let value = call.subject()?.map(|it| numeric(&it)).transpose()?;
    maybe(value.and_then(|value| turn(value).to_i64()).map(Item::Integer))
}

/// What a decimal cannot hold (a root of a negative, infinity) is nothing.
fn float<'a>(call: Call<'a, '_>, turn: impl Fn(f64) -> f64) -> Outcome<'a> {
    let value = call.subject()?.map(|it| numeric(&it)).transpose()?;
    let made = value.and_then(|value| value.to_f64()).map(turn).filter(|made| made.is_finite());
    maybe(made.and_then(|made| Decimal::try_from(made).ok()).map(Item::Decimal))
}

fn power<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let (Some(base), Some(exponent)) = (call.subject()?, call.value(evaluator, 0)?) else { return Ok(Vec::new()) };
    let (value, to) = (numeric(&base)?, numeric(&exponent)?);
    if let Some(times) = to.to_u32().filter(|times| to.is_integer() && *times <= 128) {
        let mut made = Some(Decimal::ONE);
        for _ in 0..times {
            made = made.and_then(|made| made.checked_mul(value));
        }
        return maybe(made.and_then(|made| match (&base, &exponent) {
            (Item::Integer(_), Item::Integer(_)) => made.to_i64().map(Item::Integer),
            _ => Some(Item::Decimal(made)),
        }));
    }
    let (Some(value), Some(to)) = (value.to_f64(), to.to_f64()) else { return Ok(Vec::new()) };
    let made = value.powf(to);
    maybe(made.is_finite().then(|| Decimal::try_from(made).ok()).flatten().map(Item::Decimal))
}

fn round<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let Some(value) = call.subject()?.map(|it| numeric(&it)).transpose()? else { return Ok(Vec::new()) };
    let digits = call.integer(evaluator, 0)?.unwrap_or(0);
    let digits = u32::try_from(digits).map_err(|_| Trouble::Execution("A number is rounded to 0 or more places."))?;
    one(Item::Decimal(value.round_dp_with_strategy(digits.min(28), RoundingStrategy::MidpointAwayFromZero)))
}

fn bound<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>, is_high: bool) -> Outcome<'a> {
    let Some(item) = call.subject()? else { return Ok(Vec::new()) };
    let digits = match call.args {
        [] => None,
        _ => call.integer(evaluator, 0)?,
    };
    maybe(boundary::boundary(&item, digits, is_high))
}
