//! The least and greatest value that a number or time of limited precision can mean.

use super::moment::Form;
use super::quantity::Quantity;
use super::value::Item;
use rust_decimal::{Decimal, RoundingStrategy};

/// Digits of a decimal boundary where the caller asks for none.
const DIGITS: i64 = 8;
const DIGITS_MAX: i64 = 28;

/// Digits of a decimal, or of a date as it is written without signs.
pub fn precision(item: &Item<'_>) -> Option<usize> {
    match item {
        Item::Decimal(value) => usize::try_from(value.scale()).ok(),
        Item::Integer(_) => Some(0),
        Item::Moment(moment) => Some(moment.precision()),
        _ => None,
    }
}

pub fn boundary<'a>(item: &Item<'a>, digits: Option<i64>, is_high: bool) -> Option<Item<'a>> {
    match item {
        Item::Integer(value) => decimal(Decimal::from(*value), digits, is_high).map(Item::Decimal),
        Item::Decimal(value) => decimal(*value, digits, is_high).map(Item::Decimal),
        Item::Moment(moment) => {
            let most = match moment.form {
                Form::Date => 8,
                Form::DateTime => 17,
                Form::Time => 9,
            };
            let digits = usize::try_from(digits.unwrap_or(most)).ok()?;
            moment.boundary(digits, is_high).map(Item::Moment)
        }
        item => {
            let quantity = item.quantity()?;
            Some(Item::Quantity(Quantity { value: decimal(quantity.value, digits, is_high)?, ..quantity }))
        }
    }
}

/// Half a unit of the last digit away, cut to the digits asked for, away from the value.
fn decimal(value: Decimal, digits: Option<i64>, is_high: bool) -> Option<Decimal> {
    let digits = u32::try_from(digits.filter(|_| true).unwrap_or(DIGITS)).ok().filter(|digits| i64::from(*digits) <= DIGITS_MAX)?;
    let half = Decimal::try_new(5, value.scale() + 1).ok()?;
    let far = if is_high { value.checked_add(half)? } else { value.checked_sub(half)? };
    let strategy = if is_high { RoundingStrategy::ToPositiveInfinity } else { RoundingStrategy::ToNegativeInfinity };
    let mut made = far.round_dp_with_strategy(digits, strategy);
    made.rescale(digits);
    Some(made)
}
