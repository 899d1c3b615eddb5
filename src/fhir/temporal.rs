//! FHIR's dates and times: partial, with the interval each of them means (R4 §2.24.0.1, §3.1.1.4.7).

use chrono::{DateTime, Datelike, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use std::fmt;

/// A `date`: year, year and month, or a whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialDate {
    pub year: i32,
    pub month: Option<u32>,
    pub day: Option<u32>,
}

impl PartialDate {
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let year = number(parts.first()?, 4)?;
        let month = parts.get(1).map(|m| number(m, 2)).map_or(Some(None), |m| m.map(Some))?;
        let day = parts.get(2).map(|d| number(d, 2)).map_or(Some(None), |d| d.map(Some))?;
        if parts.len() > 3 || year == 0 {
            return None;
        }
        let date = Self { year: i32::try_from(year).ok()?, month, day };
        date.first().map(|_| date)
    }
    /// The first day it can mean; None where the calendar has no such day.
    fn first(&self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1))
    }
    /// The day, when it is known to the day.
    pub fn whole(&self) -> Option<NaiveDate> {
        self.day.and_then(|_| self.first())
    }
    /// First day and the day after the last.
    pub fn days(&self) -> Option<(NaiveDate, NaiveDate)> {
        let first = self.first()?;
        let next = match (self.month, self.day) {
            (_, Some(_)) => first.succ_opt()?,
            (Some(_), None) => first.checked_add_months(Months::new(1))?,
            (None, None) => first.checked_add_months(Months::new(12))?,
        };
        Some((first, next))
    }
}

impl From<NaiveDate> for PartialDate {
    fn from(day: NaiveDate) -> Self {
        Self { year: day.year(), month: Some(day.month()), day: Some(day.day()) }
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if let Some(month) = self.month {
            write!(f, "-{month:02}")?;
        }
        if let Some(day) = self.day {
            write!(f, "-{day:02}")?;
        }
        Ok(())
    }
}

/// The half-open interval `[start, end)` that a date or time of any precision means.
/// What has no offset is read as UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

/// A `dateTime`: a partial date, or a day with time to the second and an offset.
pub fn date_time(text: &str) -> Option<Interval> {
    match text.split_once('T') {
        None => date(text),
        Some((day, time)) => moment(day, time, Strictness::Resource),
    }
}

/// An `instant`: to the second at least, with an offset.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let (day, time) = text.split_once('T')?;
    moment(day, time, Strictness::Resource).map(|interval| interval.start)
}

/// A search value: as `dateTime`, but time may stop at the minute and the offset may be left out. A `+` that a
/// client forgot to escape arrives as a space and is read as it was meant.
pub fn search(text: &str) -> Option<Interval> {
    match text.split_once('T') {
        None => date(text),
        Some((day, time)) => moment(day, &time.replace(' ', "+"), Strictness::Search),
    }
}

/// A `time`: `hh:mm:ss` with up to nine decimals and no offset.
pub fn is_time(text: &str) -> bool {
    clock(text, Strictness::Resource).is_some()
}

#[derive(Clone, Copy, PartialEq)]
enum Strictness {
    Resource,
    Search,
}

fn date(text: &str) -> Option<Interval> {
    let (first, next) = PartialDate::parse(text)?.days()?;
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    Some(Interval { start: midnight(first), end: midnight(next) })
}

fn moment(day: &str, time: &str, strictness: Strictness) -> Option<Interval> {
    let day = PartialDate::parse(day)?.whole()?;
    let (time, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], offset(&time[at..])?),
        None if strictness == Strictness::Search => (time, Duration::zero()),
        None => return None,
    };
    let (since_midnight, length) = clock(time, strictness)?;
    let local: NaiveDateTime = day.and_time(NaiveTime::MIN).checked_add_signed(since_midnight)?;
    let start = local.checked_sub_signed(offset)?.and_utc();
    Some(Interval { start, end: start.checked_add_signed(length)? })
}

/// Time since midnight, and the length of the smallest unit given.
fn clock(text: &str, strictness: Strictness) -> Option<(Duration, Duration)> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let parts: Vec<&str> = whole.split(':').collect();
    let (hours, minutes) = (number(parts.first()?, 2)?, number(parts.get(1)?, 2)?);
    if hours > 23 || minutes > 59 || parts.len() > 3 {
        return None;
    }
    let minute = Duration::minutes(i64::from(hours * 60 + minutes));
    let Some(seconds) = parts.get(2) else {
        let minute_is_enough = strictness == Strictness::Search && fraction.is_none();
        return minute_is_enough.then_some((minute, Duration::minutes(1)));
    };
    // 60 is a leap second; it reads as the first second of the next minute.
    let seconds = number(seconds, 2).filter(|s| *s <= 60)?;
    let second = minute + Duration::seconds(i64::from(seconds));
    match fraction {
        None => Some((second, Duration::seconds(1))),
        Some(digits) if (1..=9).contains(&digits.len()) => {
            let unit = 10_i64.pow(9 - u32::try_from(digits.len()).ok()?);
            let nanos = i64::from(number(digits, digits.len())?) * unit;
            Some((second + Duration::nanoseconds(nanos), Duration::nanoseconds(unit)))
        }
        Some(_) => None,
    }
}

/// `Z` or `±hh:mm` up to 14:00.
fn offset(text: &str) -> Option<Duration> {
    if text == "Z" {
        return Some(Duration::zero());
    }
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    if hours > 14 || minutes > 59 || (hours == 14 && minutes > 0) {
        return None;
    }
    let size = Duration::minutes(i64::from(hours * 60 + minutes));
    Some(if text.starts_with('-') { -size } else { size })
}

/// Exactly `length` digits.
fn number(text: &str, length: usize) -> Option<u32> {
    let all_digits = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(interval: Option<Interval>) -> String {
        interval.map_or("none".into(), |i| format!("{}..{}", i.start.to_rfc3339(), i.end.to_rfc3339()))
    }

    #[test]
    fn a_partial_date_means_its_whole_span() {
        for (text, span) in [
            ("2024", "2024-01-01T00:00:00+00:00..2025-01-01T00:00:00+00:00"),
            ("2024-02", "2024-02-01T00:00:00+00:00..2024-03-01T00:00:00+00:00"),
            ("2024-02-29", "2024-02-29T00:00:00+00:00..2024-03-01T00:00:00+00:00"),
            ("2024-12-31T23:30:00-01:00", "2025-01-01T00:30:00+00:00..2025-01-01T00:30:01+00:00"),
            ("2024-01-01T10:00:00.25Z", "2024-01-01T10:00:00.250+00:00..2024-01-01T10:00:00.260+00:00"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00..2017-01-01T00:00:01+00:00"),
        ] {
            assert_eq!(shown(date_time(text)), span, "{text}");
            assert_eq!(shown(search(text)), span, "{text}");
        }
        assert_eq!(shown(search("2024-01-01T10:00")), "2024-01-01T10:00:00+00:00..2024-01-01T10:01:00+00:00");
        assert_eq!(shown(search("2024-01-01T10:00:00 02:00")), "2024-01-01T08:00:00+00:00..2024-01-01T08:00:01+00:00");
        assert_eq!(shown(search("9999")), "9999-01-01T00:00:00+00:00..+10000-01-01T00:00:00+00:00");
    }

    #[test]
    fn what_the_calendar_does_not_know_is_refused() {
        for text in [
            "",
            "0000",
            "201",
            "20240",
            "2024-13",
            "2024-00",
            "2023-02-29",
            "1900-02-29",
            "2024-1",
            "2024-01-1",
            "2024-01-01-01",
            "+2024",
            "2024-01-01T",
            "２０２４",
        ] {
            assert_eq!(date_time(text), None, "{text}");
            assert_eq!(search(text), None, "{text}");
        }
        for text in [
            "2024-01-01T10:00",
            "2024-01-01T10:00Z",
            "2024-01-01T10:00:00",
            "2024-01-01T24:00:00Z",
            "2024-01-01T10:00:61Z",
            "2024-01T10:00:00Z",
            "2024-01-01T10:00:00.Z",
            "2024-01-01T10:00:00.0000000000Z",
            "2024-01-01T10:00:00+14:01",
            "2024-01-01T10:00:00+5:00",
            "2024-01-01t10:00:00z",
            "2024-01-01T10:00:00Zx",
            "2024-01-01T10:00:00é",
        ] {
            assert_eq!(date_time(text), None, "{text}");
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_partial_date_is_written_as_it_was_read() {
        for text in ["0001", "1973-06", "1905-08-23"] {
            assert_eq!(PartialDate::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(PartialDate::parse("1973-06").unwrap().whole(), None);
        assert_eq!(PartialDate::parse("1973-06-01").unwrap().whole(), NaiveDate::from_ymd_opt(1973, 6, 1));
    }
}
