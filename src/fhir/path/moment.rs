//! Date, DateTime and Time of FHIRPath: as precise as they were written, compared and moved only as far as that goes.

use chrono::{DateTime, Datelike, Days, Duration, FixedOffset, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, Timelike};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::cmp::Ordering;
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Date,
    DateTime,
    Time,
}

/// The places in [`Moment::fields`].
pub const YEAR: usize = 0;
pub const MONTH: usize = 1;
pub const DAY: usize = 2;
pub const HOUR: usize = 3;
pub const MINUTE: usize = 4;
pub const SECOND: usize = 5;
pub const MILLI: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    pub form: Form,
    /// Year, month, day, hour, minute, second, millisecond; what is not known is 0.
    pub fields: [i32; 7],
    /// How many of the fields are known.
    pub known: usize,
    /// Minutes east of UTC.
    pub offset: Option<i32>,
}

impl Moment {
    /// `2015-02-04`, `2015T`, `T14:34`, without the `@`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('T') {
            None => Self::date(text),
            Some(("", time)) => {
                let mut made = Self { form: Form::Time, fields: [0; 7], known: HOUR, offset: None };
                made.clock(time)?;
                Some(made)
            }
            Some((day, time)) => Self::date_time(day, time),
        }
    }

    /// `14:34:28`.
    pub fn time(text: &str) -> Option<Self> {
        let mut made = Self { form: Form::Time, fields: [0; 7], known: HOUR, offset: None };
        made.clock(text)?;
        Some(made)
    }

    pub fn date(text: &str) -> Option<Self> {
        let mut made = Self { form: Form::Date, fields: [0; 7], known: 0, offset: None };
        for (index, part) in text.split('-').enumerate() {
            if index > DAY {
                return None;
            }
            made.put(index, part, if index == YEAR { 4 } else { 2 })?;
        }
        made.exists().then_some(made)
    }

    /// A date, or a day and a time with or without an offset.
    pub fn date_or_time(text: &str) -> Option<Self> {
        match text.split_once('T') {
            None => Self::date(text).map(Self::as_date_time),
            Some((day, time)) => Self::date_time(day, time),
        }
    }

    fn date_time(day: &str, time: &str) -> Option<Self> {
        let mut made = Self::date(day)?.as_date_time();
        if time.is_empty() {
            return Some(made);
        }
        let at = time.find(['Z', '+', '-']);
        let (clock, offset) = at.and_then(|at| time.split_at_checked(at)).unwrap_or((time, ""));
        if made.known < HOUR {
            return None;
        }
        made.clock(clock)?;
        made.offset = if offset.is_empty() { None } else { Some(minutes_east(offset)?) };
        made.exists().then_some(made)
    }

    fn clock(&mut self, text: &str) -> Option<()> {
        let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
        for (index, part) in whole.split(':').enumerate() {
            if index + HOUR > SECOND {
                return None;
            }
            self.put(index + HOUR, part, 2)?;
        }
        if let Some(fraction) = fraction {
            let all_digits = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
            if self.known != MILLI || !all_digits || fraction.len() > 9 {
                return None;
            }
            let three: String = fraction.chars().chain("000".chars()).take(3).collect();
            self.put(MILLI, &three, 3)?;
        }
        let [.., hour, minute, second, _] = self.fields;
        (hour < 24 && minute < 60 && second <= 60).then_some(())
    }

    fn put(&mut self, index: usize, text: &str, length: usize) -> Option<()> {
        let all_digits = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        *self.fields.get_mut(index)? = all_digits.then(|| text.parse().ok())??;
        self.known = index + 1;
        Some(())
    }

    fn exists(&self) -> bool {
        self.fields[YEAR] > 0 && self.day().is_some()
    }

    fn day(&self) -> Option<NaiveDate> {
        let field = |index: usize| if index < self.known { u32::try_from(self.fields[index]).ok() } else { Some(1) };
        NaiveDate::from_ymd_opt(self.fields[YEAR], field(MONTH)?, field(DAY)?)
    }

    pub fn as_date_time(self) -> Self {
        Self { form: Form::DateTime, ..self }
    }
    pub fn to_date(self) -> Self {
        let mut made = Self { form: Form::Date, known: self.known.min(HOUR), offset: None, ..self };
        made.fields[HOUR..].fill(0);
        made
    }
    pub fn to_time(self) -> Self {
        let mut made = Self { form: Form::Time, offset: None, ..self };
        made.fields[..HOUR].fill(0);
        made
    }

    pub fn now(now: DateTime<FixedOffset>) -> Self {
        let (date, time) = (now.date_naive(), now.time());
        let offset = Some(now.offset().fix().local_minus_utc() / 60);
        Self::from_naive(date.and_time(time), Form::DateTime, MILLI + 1, offset)
    }

    fn from_naive(at: NaiveDateTime, form: Form, known: usize, offset: Option<i32>) -> Self {
        let small = |n: u32| i32::try_from(n).unwrap_or(0);
        let mut fields = [at.year(), small(at.month()), small(at.day()), small(at.hour()), small(at.minute()), small(at.second()), small(at.nanosecond() / 1_000_000)];
        fields[known..].fill(0);
        if form == Form::Time {
            fields[..HOUR].fill(0);
        }
        Self { form, fields, known, offset }
    }

    fn naive(&self) -> Option<NaiveDateTime> {
        let day = if self.form == Form::Time { NaiveDate::from_ymd_opt(2000, 1, 1)? } else { self.day()? };
        let field = |index: usize| u32::try_from(self.fields[index]).ok();
        // A leap second reads as the last of its minute.
        let time = NaiveTime::from_hms_milli_opt(field(HOUR)?, field(MINUTE)?, field(SECOND)?.min(59), field(MILLI)?)?;
        Some(day.and_time(time))
    }

    /// The same moment in UTC, where an offset and an hour are known.
    fn in_utc(self) -> Self {
        let moved = self.offset.filter(|_| self.known > HOUR).and_then(|offset| {
            let at = self.naive()?.checked_sub_signed(Duration::minutes(i64::from(offset)))?;
            Some(Self::from_naive(at, self.form, self.known, Some(0)))
        });
        moved.unwrap_or(self)
    }

    /// None where the precision, or an offset that only one of them has, leaves it open. Both are of one form, or date and
    /// date with time.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        let (one, two) = (self.in_utc(), other.in_utc());
        let from = if self.form == Form::Time { HOUR } else { YEAR };
        // Seconds and their fraction are one precision.
        let precision = |known: usize| known.min(SECOND + 1);
        let common = precision(one.known).min(precision(two.known));
        let one_knows_where = one.known > HOUR && two.known > HOUR && one.offset.is_some() != two.offset.is_some() && self.form != Form::Time;
        let fields = from..if common > SECOND { MILLI + 1 } else { common };
        let order = fields.map(|at| one.fields[at].cmp(&two.fields[at])).find(|order| order.is_ne());
        match order {
            _ if one_knows_where => compare_loosely(&one, &two),
            Some(order) => Some(order),
            None if precision(one.known) == precision(two.known) => Some(Ordering::Equal),
            None => None,
        }
    }

    pub fn precision(&self) -> usize {
        match self.form {
            Form::Time => [0, 0, 0, 0, 2, 4, 6, 9][self.known],
            _ => [0, 4, 6, 8, 10, 12, 14, 17][self.known],
        }
    }

    /// Adds whole units of the field; what is finer than the precision counts only where it adds up to a unit known.
    pub fn plus(&self, amount: Decimal, field: usize) -> Option<Self> {
        let from = if self.form == Form::Time { HOUR } else { YEAR };
        let (amount, field) = if field >= self.known { coarser(amount, field, self.known.checked_sub(1)?)? } else { (amount, field) };
        if field < from {
            return None;
        }
        let at = self.naive()?;
        let months = |count: i64| {
            let step = Months::new(u32::try_from(count.unsigned_abs()).ok()?);
            if count < 0 { at.checked_sub_months(step) } else { at.checked_add_months(step) }
        };
        let moved = match field {
            YEAR => months(amount.trunc().to_i64()?.checked_mul(12)?)?,
            MONTH => months(amount.trunc().to_i64()?)?,
            DAY => {
                let count = amount.trunc().to_i64()?;
                let step = Days::new(count.unsigned_abs());
                if count < 0 { at.checked_sub_days(step)? } else { at.checked_add_days(step)? }
            }
            _ => {
                let unit: i64 = [3_600_000, 60_000, 1000, 1][field - HOUR];
                // Above seconds, decimals are left out.
                let amount = if field < SECOND { amount.trunc() } else { amount };
                let millis = amount.checked_mul(Decimal::from(unit))?.trunc().to_i64()?;
                at.checked_add_signed(Duration::try_milliseconds(millis)?)?
            }
        };
        let in_range = self.form == Form::Time || (1..=9999).contains(&moved.year());
        in_range.then(|| Self::from_naive(moved, self.form, self.known, self.offset))
    }

    /// The earliest (or latest) moment it can mean, to a precision in digits.
    pub fn boundary(&self, digits: usize, is_high: bool) -> Option<Self> {
        let known = match self.form {
            Form::Date => [4, 6, 8].iter().position(|known| *known == digits)? + 1,
            Form::DateTime => [4, 6, 8, 10, 12, 14, 17].iter().position(|known| *known == digits)? + 1,
            Form::Time => [2, 4, 6, 9].iter().position(|known| *known == digits)? + 1 + HOUR,
        };
        let mut made = *self;
        for field in self.known..known {
            made.fields[field] = match (field, is_high) {
                (MONTH, true) => 12,
                (DAY, true) => last_day(made.fields[YEAR], made.fields[MONTH])?,
                (MONTH | DAY, false) => 1,
                (HOUR, true) => 23,
                (MINUTE | SECOND, true) => 59,
                (MILLI, true) => 999,
                _ => 0,
            };
        }
        made.fields[known..].fill(0);
        made.known = known;
        if known <= HOUR {
            made.offset = None;
        } else if made.form == Form::DateTime && made.offset.is_none() {
            // The earliest instant of a local time is the one furthest in the east.
            made.offset = Some(if is_high { -12 * 60 } else { 14 * 60 });
        }
        Some(made)
    }
}

/// Where one has an offset and the other has none, only more than the world's offsets apart is certain.
fn compare_loosely(one: &Moment, two: &Moment) -> Option<Ordering> {
    let apart = one.naive()?.signed_duration_since(two.naive()?);
    (apart.abs() > Duration::hours(26)).then(|| apart.cmp(&Duration::zero()))
}

/// An amount of a fine unit in whole units of a coarser field.
fn coarser(amount: Decimal, field: usize, to: usize) -> Option<(Decimal, usize)> {
    let per = [12, 30, 24, 60, 60, 1000];
    let mut amount = amount;
    for step in (to..field).rev() {
        amount = amount.checked_div(Decimal::from(*per.get(step)?))?;
    }
    Some((amount.trunc(), to))
}

fn last_day(year: i32, month: i32) -> Option<i32> {
    let first = NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, 1)?;
    let last = first.checked_add_months(Months::new(1))?.pred_opt()?;
    i32::try_from(last.day()).ok()
}

/// `Z` or `±hh:mm`.
fn minutes_east(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let number = |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i32>().ok())?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let east = hours * 60 + minutes;
    (minutes < 60 && east <= 14 * 60).then_some(if text.starts_with('-') { -east } else { east })
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, day, hour, minute, second, milli] = self.fields;
        if self.form != Form::Time {
            write!(f, "{year:04}")?;
            if self.known > MONTH {
                write!(f, "-{month:02}")?;
            }
            if self.known > DAY {
                write!(f, "-{day:02}")?;
            }
            if self.known > HOUR {
                write!(f, "T")?;
            }
        }
        if self.known > HOUR {
            write!(f, "{hour:02}")?;
        }
        if self.known > MINUTE {
            write!(f, ":{minute:02}")?;
        }
        if self.known > SECOND {
            write!(f, ":{second:02}")?;
        }
        if self.known > MILLI {
            write!(f, ".{milli:03}")?;
        }
        match self.offset {
            Some(0) => write!(f, "Z"),
            Some(offset) => write!(f, "{}{:02}:{:02}", if offset < 0 { '-' } else { '+' }, offset.abs() / 60, offset.abs() % 60),
            None => Ok(()),
        }
    }
}
