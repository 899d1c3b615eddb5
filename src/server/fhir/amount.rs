//! Numbers, quantities, money and distances asked of columns.

use super::held::money;
use super::writing::{NEVER, Writing};
use crate::fhir::find::Find;
use crate::fhir::index::cut;
use crate::fhir::path::ucum;
use crate::fhir::search::Value as Asked;
use crate::fhir::search::amount::{NumberValue, QuantityValue, UCUM};
use crate::fhir::search::near::{EARTH, Near};
use crate::fhir::search::value::Prefix;
use crate::kernel::table::store::fold;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

const CURRENCIES: &str = "urn:iso:std:iso:4217";

pub fn condition(writing: &mut Writing, find: &Find, asked: &Asked) -> String {
    match (find, asked) {
        (Find::Amount { column, unit: "" }, Asked::Number(number)) => of_column(writing, column, number),
        (Find::Amount { column, unit }, Asked::Quantity(asked)) => {
            measured(asked, unit).map_or_else(|| NEVER.into(), |number| of_column(writing, column, &number))
        }
        (Find::Money { column, currency }, Asked::Quantity(asked)) if asked.system.as_deref().is_none_or(|it| it == CURRENCIES) => {
            let told = of_column(writing, &format!("({})", money(column, currency)), &asked.number);
            match &asked.unit {
                Some(unit) => format!("({told}) and {currency} = {}", writing.text(unit)),
                None => told,
            }
        }
        (Find::Place { latitude, longitude }, Asked::Near(near)) => within(writing, latitude, longitude, near),
        _ => NEVER.into(),
    }
}

fn of_column(writing: &mut Writing, column: &str, number: &NumberValue) -> String {
    let column = format!("{column}::float8");
    format!("{column} is not null and ({})", range(writing, (&column, &column), number))
}

/// In the column's unit. None: what is asked for is another unit, which does not convert.
fn measured(asked: &QuantityValue, unit: &str) -> Option<NumberValue> {
    match (&asked.system, &asked.unit) {
        (Some(system), _) if system != UCUM => None,
        (_, None) => Some(asked.number),
        (_, Some(given)) if given == unit => Some(asked.number),
        (None, Some(_)) => None,
        (Some(_), Some(_)) => {
            // Measures are straight lines over each other.
            let (number, name) = asked.canonical()?;
            let (zero, own) = ucum::canonical(Decimal::ZERO, unit)?;
            let (one, _) = ucum::canonical(Decimal::ONE, unit)?;
            let back = |value: Decimal| value.checked_sub(zero)?.checked_div(one.checked_sub(zero)?);
            number.mapped(back).filter(|_| own == name)
        }
    }
}

/// R4 §3.1.1.4.8: digits count for equality, and what is compared is compared exactly.
pub fn range(writing: &mut Writing, (from, to): (&str, &str), number: &NumberValue) -> String {
    let mut at =
        |column: &str, sign: &str, value: Decimal| format!("{column} {sign} {}", writing.double(value.to_f64().unwrap_or(f64::NAN)));
    let NumberValue { prefix, value, low, high } = *number;
    match prefix {
        Prefix::Eq => format!("{} and {}", at(from, ">=", low), at(to, "<=", high)),
        Prefix::Ne => format!("{} or {}", at(from, "<", low), at(to, ">", high)),
        Prefix::Ap => format!("{} and {}", at(from, "<=", high), at(to, ">=", low)),
        Prefix::Gt => at(to, ">", value),
        Prefix::Ge => at(to, ">=", value),
        Prefix::Lt => at(from, "<", value),
        Prefix::Le => at(from, "<=", value),
        Prefix::Sa => at(from, ">", value),
        Prefix::Eb => at(to, "<", value),
    }
}

/// On a row `x` of the index, whose unit is as it was written.
pub fn as_written(writing: &mut Writing, asked: &QuantityValue) -> String {
    let mut all = vec![format!("({})", range(writing, ("x.low", "x.high"), &asked.number))];
    if let Some(system) = &asked.system {
        all.push(format!("x.system = {}", writing.text(cut(system))));
    }
    match &asked.unit {
        Some(unit) if asked.system.is_some() => all.push(format!("x.code = {}", writing.text(cut(unit)))),
        Some(unit) => all.push(format!("(x.code = {} or x.words = {})", writing.text(cut(unit)), writing.text(&fold(cut(unit))))),
        None => {}
    }
    all.join(" and ")
}

/// On a row `x` of the index in base units.
pub fn in_base(writing: &mut Writing, number: &NumberValue, unit: &str) -> String {
    let told = range(writing, ("x.low", "x.high"), number);
    format!("({told}) and x.code = {}", writing.text(unit))
}

/// Along the great circle; the band of latitudes first, which costs a comparison.
fn within(writing: &mut Writing, latitude: &str, longitude: &str, near: &Near) -> String {
    let degrees = (near.distance / EARTH).to_degrees();
    let (low, high) = (writing.double(near.latitude - degrees), writing.double(near.latitude + degrees));
    let band = format!("{latitude} between {low} and {high}");
    let (one, two) = (writing.double(near.latitude), writing.double(near.latitude));
    let apart = format!("sind(({latitude} - {one}) / 2) ^ 2 + cosd({latitude}) * cosd({two})");
    let apart = format!("{apart} * sind(({longitude} - {}) / 2) ^ 2", writing.double(near.longitude));
    format!("{band} and 2 * {EARTH} * asin(least(1, sqrt({apart}))) <= {}", writing.double(near.distance))
}
