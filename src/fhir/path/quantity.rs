//! Quantities: a decimal with a UCUM unit or a calendar word.

use super::moment::{DAY, HOUR, MILLI, MINUTE, MONTH, SECOND, YEAR};
use super::ucum::{self, Unit};
use super::value::decimal;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

#[derive(Clone, Debug)]
pub struct Quantity {
    pub value: Decimal,
    /// A UCUM code, or the singular of a calendar word.
    pub unit: Cow<'static, str>,
    pub is_calendar: bool,
}

/// Word, its UCUM code, the field it moves and by how many. Years and months are no fixed spans, so their codes are not the same.
const CALENDAR: &[(&str, &str, usize, i64)] = &[
    ("year", "a", YEAR, 1),
    ("month", "mo", MONTH, 1),
    ("week", "wk", DAY, 7),
    ("day", "d", DAY, 1),
    ("hour", "h", HOUR, 1),
    ("minute", "min", MINUTE, 1),
    ("second", "s", SECOND, 1),
    ("millisecond", "ms", MILLI, 1),
];
const UCUM: &str = "http://unitsofmeasure.org";

/// The singular of a calendar word in either number.
pub fn calendar_word(text: &str) -> Option<&'static str> {
    let singular = text.strip_suffix('s').unwrap_or(text);
    CALENDAR.iter().find(|(word, ..)| *word == singular).map(|(word, ..)| *word)
}

impl Quantity {
    pub fn pure(value: Decimal) -> Self {
        Self { value, unit: "1".into(), is_calendar: false }
    }
    pub fn calendar(value: Decimal, word: &'static str) -> Self {
        Self { value, unit: word.into(), is_calendar: true }
    }
    pub fn ucum(value: Decimal, unit: impl Into<Cow<'static, str>>) -> Self {
        Self { value, unit: unit.into(), is_calendar: false }
    }

    /// `4 days`, `10 'mg'`, `5`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end)?;
        let is_number = number.chars().any(|c| c.is_ascii_digit()) && !number.ends_with('.') && !number.starts_with('.');
        let value = is_number.then(|| decimal(number))??;
        let unit = unit.trim_start();
        if unit.is_empty() {
            return Some(Self::pure(value));
        }
        match unit.strip_prefix('\'').and_then(|unit| unit.strip_suffix('\'')) {
            Some(code) => Some(Self::ucum(value, code.to_owned())),
            None => Some(Self::calendar(value, calendar_word(unit)?)),
        }
    }

    /// A FHIR Quantity: of UCUM by its code, of another system by that code, without one by its unit's text.
    pub fn of_element(object: &Map<String, Value>) -> Option<Self> {
        let value = decimal(object.get("value")?.as_number()?.as_str())?;
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let unit = match (text("system"), text("code")) {
            (Some(UCUM), Some(code)) => code,
            (_, Some(code)) => code,
            _ => text("unit").unwrap_or("1"),
        };
        Some(Self::ucum(value, unit.to_owned()))
    }

    /// The field of a date this moves, and by how much. Years and months by calendar word alone.
    pub fn span(&self) -> Option<(Decimal, usize)> {
        let fits = |(word, code, field, _): &&(&str, &str, usize, i64)| {
            if self.is_calendar { *word == self.unit } else { *code == self.unit && *field > MONTH || *word == self.unit }
        };
        let (_, _, field, times) = CALENDAR.iter().find(fits)?;
        let whole = if *field < SECOND { self.value.trunc() } else { self.value };
        Some((whole.checked_mul(Decimal::from(*times))?, *field))
    }

    /// In base units. A calendar year is not a UCUM year, so it has none.
    fn measured(&self) -> Option<Unit> {
        if !self.is_calendar {
            return ucum::unit(&self.unit);
        }
        let (_, code, field, _) = CALENDAR.iter().find(|(word, ..)| *word == self.unit)?;
        if *field > MONTH { ucum::unit(code) } else { None }
    }

    pub fn is_comparable(&self, other: &Self) -> bool {
        self.compare(other).is_some()
    }

    /// None where the units do not convert.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        if self.unit == other.unit && self.is_calendar == other.is_calendar {
            return Some(self.value.cmp(&other.value));
        }
        if let (true, true) = (self.is_calendar, other.is_calendar)
            && let (Some(one), Some(two)) = (self.months(), other.months())
        {
            return Some(one.cmp(&two));
        }
        let (one, two) = self.in_base(other)?;
        Some(one.cmp(&two))
    }

    fn months(&self) -> Option<Decimal> {
        match &*self.unit {
            "year" => self.value.checked_mul(Decimal::from(12)),
            "month" => Some(self.value),
            _ => None,
        }
    }

    fn in_base(&self, other: &Self) -> Option<(Decimal, Decimal)> {
        let (one, two) = (self.measured()?, other.measured()?);
        if one.powers != two.powers {
            return None;
        }
        Some((self.value.checked_mul(one.factor)?, other.value.checked_mul(two.factor)?))
    }

    /// As equal as the less precise of the two can tell; a calendar word and its UCUM code count as one.
    pub fn is_equivalent(&self, other: &Self) -> bool {
        let code = |it: &Self| CALENDAR.iter().find(|(word, ..)| it.is_calendar && *word == it.unit).map_or(it.unit.clone(), |known| known.1.into());
        let (one, two) = (Self::ucum(self.value, code(self)), Self::ucum(other.value, code(other)));
        let close = |one: Decimal, two: Decimal| {
            let digits = one.normalize().scale().min(two.normalize().scale());
            one.round_dp(digits) == two.round_dp(digits)
        };
        if one.unit == two.unit {
            return close(one.value, two.value);
        }
        // The second in the unit of the first, rounded to what the less precise was measured in.
        let Some((base_one, base_two)) = one.in_base(&two) else { return false };
        let (Some(unit_one), Some(unit_two)) = (one.measured(), two.measured()) else { return false };
        let (coarse, value) = if unit_one.factor > unit_two.factor { (unit_one.factor, one.value) } else { (unit_two.factor, two.value) };
        let digits = value.normalize().scale();
        let rounded = |base: Decimal| base.checked_div(coarse).map(|it| it.round_dp(digits));
        rounded(base_one).is_some() && rounded(base_one) == rounded(base_two)
    }

    pub fn plus(&self, other: &Self, sign: Decimal) -> Option<Self> {
        let amount = other.value.checked_mul(sign)?;
        if self.unit == other.unit {
            return Some(Self { value: self.value.checked_add(amount)?, ..self.clone() });
        }
        let (one, two) = (self.measured()?, other.measured()?);
        if one.powers != two.powers {
            return None;
        }
        // In the finer of both units.
        let (unit, factor) = if one.factor < two.factor { (self.unit.clone(), one.factor) } else { (other.unit.clone(), two.factor) };
        let sum = self.value.checked_mul(one.factor)?.checked_add(amount.checked_mul(two.factor)?)?;
        Some(Self { value: sum.checked_div(factor)?, unit, is_calendar: self.is_calendar && other.is_calendar })
    }

    pub fn times(&self, other: &Self) -> Option<Self> {
        self.combine(other, Unit::times)
    }
    pub fn over(&self, other: &Self) -> Option<Self> {
        self.combine(other, Unit::over)
    }
    fn combine(&self, other: &Self, combine: fn(Unit, Unit) -> Option<Unit>) -> Option<Self> {
        let scaled = |it: &Self| {
            let unit = it.measured()?;
            Some(Unit { factor: unit.factor.checked_mul(it.value)?, ..unit })
        };
        let made = combine(scaled(self)?, scaled(other)?)?;
        Some(Self::ucum(made.factor, made.canonical()))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_calendar {
            let plural = if self.value == Decimal::ONE { "" } else { "s" };
            return write!(f, "{} {}{plural}", self.value, self.unit);
        }
        write!(f, "{} '{}'", self.value, self.unit)
    }
}
