//! Numbers and quantities of a search, with the precision they are asked for in.

use super::value::{Prefix, prefixed, split, unescape};
use crate::fhir::path::{self, ucum};
use rust_decimal::Decimal;

pub const UCUM: &str = "http://unitsofmeasure.org";

/// A number, and what its digits leave open: `5.4` is all from 5.35 to 5.45.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberValue {
    pub prefix: Prefix,
    pub value: Decimal,
    pub low: Decimal,
    pub high: Decimal,
}

impl NumberValue {
    /// The same in another measure. None: it is too large there to be counted exactly.
    pub fn mapped(&self, to: impl Fn(Decimal) -> Option<Decimal>) -> Option<Self> {
        Some(Self { prefix: self.prefix, value: to(self.value)?, low: to(self.low)?, high: to(self.high)? })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct QuantityValue {
    pub number: NumberValue,
    /// None: whatever the system.
    pub system: Option<String>,
    /// The unit's code, or without a system also its text.
    pub unit: Option<String>,
}

impl QuantityValue {
    /// In base units, of a unit of UCUM that converts.
    pub fn canonical(&self) -> Option<(NumberValue, String)> {
        let unit = self.unit.as_deref().filter(|_| self.system.as_deref() == Some(UCUM))?;
        let (_, name) = ucum::canonical(self.number.value, unit)?;
        Some((self.number.mapped(|value| ucum::canonical(value, unit).map(|(value, _)| value))?, name))
    }
}

pub(super) fn number(raw: &str) -> Option<NumberValue> {
    let (prefix, text) = prefixed(raw);
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let value = path::decimal(text).filter(|_| digits)?;
    let half = match prefix {
        Prefix::Ap => value.abs().checked_div(Decimal::TEN)?,
        // Half of the last digit that was given; of an exponent too, as in 1e2.
        _ => Decimal::new(5, 0).checked_mul(step(text)?)?.checked_div(Decimal::TEN)?,
    };
    Some(NumberValue { prefix, value, low: value.checked_sub(half)?, high: value.checked_add(half)? })
}

/// What one more in the last digit is: 0.1 of `5.4`, 1 of `100`, 10 of `1.0e2`.
fn step(text: &str) -> Option<Decimal> {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let places = digits.split_once('.').map_or(0, |(_, places)| places.len());
    path::decimal(&format!("1e{}", exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(places).ok()?)?))
}

pub(super) fn quantity(raw: &str) -> Option<QuantityValue> {
    let whole = |text: &str| (!text.is_empty()).then(|| unescape(text));
    match split(raw, '|').as_slice() {
        [value] => Some(QuantityValue { number: number(value)?, system: None, unit: None }),
        [value, system, unit] => Some(QuantityValue { number: number(value)?, system: whole(system), unit: whole(unit) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_say_how_precise_a_number_is() {
        let shown = |raw: &str| number(raw).map(|number| format!("{}..{}", number.low.normalize(), number.high.normalize()));
        for (raw, told) in [("100", "99.5..100.5"), ("4.50", "4.495..4.505"), ("ap100", "90..110"), ("1.0e2", "95..105")] {
            assert_eq!(shown(raw).as_deref(), Some(told));
        }
        assert_eq!(number("gt-2").map(|number| (number.prefix, number.value)), Some((Prefix::Gt, Decimal::from(-2))));
        for bad in ["", "x", "1e", "NaN", "inf", "1,5", "gt", "1e999", "1e-999"] {
            assert_eq!(number(bad), None, "{bad}");
        }
        let asked = quantity("5.4||mg").unwrap();
        assert_eq!((asked.system, asked.unit.as_deref()), (None, Some("mg")));
        assert_eq!(quantity("5.4|mg"), None);
        let canonical = |raw: &str| {
            quantity(raw)?.canonical().map(|(number, unit)| format!("{}..{} {unit}", number.low.normalize(), number.high.normalize()))
        };
        assert_eq!(canonical("4.0|http://unitsofmeasure.org|kg").as_deref(), Some("3950..4050 g"));
        assert_eq!(canonical("98.6|http://unitsofmeasure.org|[degF]").map(|it| it.ends_with(" K")), Some(true));
        assert_eq!(canonical("4.0|urn:x|kg"), None);
    }
}
