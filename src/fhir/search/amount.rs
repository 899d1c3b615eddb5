//! Numbers and quantities of a search, with the precision they are asked for in.

use super::value::{Prefix, prefixed, split, unescape};
use crate::fhir::path;

/// A number, and what its digits leave open: `5.4` is all from 5.35 to 5.45.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberValue {
    pub prefix: Prefix,
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct QuantityValue {
    pub number: NumberValue,
    /// None: whatever the system.
    pub system: Option<String>,
    /// The unit's code, or without a system also its text.
    pub unit: Option<String>,
}

pub(super) fn number(raw: &str) -> Option<NumberValue> {
    let (prefix, text) = prefixed(raw);
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let exact = path::decimal(text).filter(|_| digits)?;
    let value: f64 = text.parse().ok()?;
    let half = match prefix {
        Prefix::Ap => value.abs() / 10.0,
        _ => 0.5 * 10f64.powi(-i32::try_from(exact.scale()).ok()?),
    };
    Some(NumberValue { prefix, value, low: value - half, high: value + half })
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
        let shown = |raw: &str| number(raw).map(|number| (number.low, number.high));
        assert_eq!(shown("100"), Some((99.5, 100.5)));
        assert_eq!(shown("4.50"), Some((4.495, 4.505)));
        assert_eq!(shown("ap100"), Some((90.0, 110.0)));
        assert_eq!(number("gt-2").map(|number| (number.prefix, number.value)), Some((Prefix::Gt, -2.0)));
        for bad in ["", "x", "1e", "NaN", "inf", "1,5", "gt"] {
            assert_eq!(number(bad), None, "{bad}");
        }
        let asked = quantity("5.4||mg").unwrap();
        assert_eq!((asked.system, asked.unit.as_deref()), (None, Some("mg")));
        assert_eq!(quantity("5.4|mg"), None);
    }
}
