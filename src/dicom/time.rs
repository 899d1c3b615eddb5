//! When an image was taken: dates and times of PS3.5 §6.2, whose zone is often unsaid.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acquired {
    pub local: NaiveDateTime,
    /// East of UTC; none where the file does not say.
    pub offset: Option<FixedOffset>,
}

impl Acquired {
    /// The moment, with the place's zone where the file names none. An hour that stands twice is its first.
    pub fn at<Z: TimeZone>(self, zone: &Z) -> Option<DateTime<Utc>> {
        match self.offset {
            Some(offset) => offset.from_local_datetime(&self.local).earliest().map(|at| at.with_timezone(&Utc)),
            None => zone.from_local_datetime(&self.local).earliest().map(|at| at.with_timezone(&Utc)),
        }
    }

    /// A DT: `YYYYMMDDHHMMSS.FFFFFF&ZZXX`, cut short from the right.
    pub fn of_dt(text: &str, offset: Option<FixedOffset>) -> Option<Acquired> {
        let (text, own) = match text.rfind(['+', '-']) {
            Some(sign) => (text.get(..sign)?, Some(offset_of(text.get(sign..)?)?)),
            None => (text, None),
        };
        let local = date(text.get(..8)?)?.and_time(time(text.get(8..)?)?);
        Some(Acquired { local, offset: own.or(offset) })
    }

    pub fn of(day: &str, clock: Option<&str>, offset: Option<FixedOffset>) -> Option<Acquired> {
        let clock = clock.and_then(time).unwrap_or(NaiveTime::MIN);
        Some(Acquired { local: date(day)?.and_time(clock), offset })
    }
}

/// A DA: `YYYYMMDD`, or `YYYY.MM.DD` as files before 1993 have it.
pub fn date(text: &str) -> Option<NaiveDate> {
    let digits: String = text.chars().filter(|c| *c != '.').collect();
    let day = (digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| NaiveDate::parse_from_str(&digits, "%Y%m%d").ok());
    day.flatten().filter(|day| NaiveDate::from_ymd_opt(1800, 1, 1).is_some_and(|first| *day >= first))
}

/// A TM: `HHMMSS.FFFFFF`, cut short from the right; fractions are left out. Nothing at all is midnight.
fn time(text: &str) -> Option<NaiveTime> {
    let digits: String = text.split('.').next().unwrap_or_default().chars().filter(|c| *c != ':').collect();
    if digits.len() > 6 || !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |place: usize| digits.get(place..place + 2).map_or(Some(0), |two| two.parse::<u32>().ok());
    // A leap second is the last one of its minute.
    NaiveTime::from_hms_opt(part(0)?, part(2)?, part(4)?.min(59))
}

/// `+0100` of (0008,0201) or a DT's end.
pub fn offset_of(text: &str) -> Option<FixedOffset> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (digits.get(..2)?.parse().ok()?, digits.get(2..)?.parse().ok()?);
    (minutes < 60).then(|| FixedOffset::east_opt(sign * (hours * 3_600 + minutes * 60))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_local_until_the_file_says_otherwise() {
        let berlin: chrono_tz::Tz = "Europe/Berlin".parse().unwrap();
        let at = |acquired: Option<Acquired>| acquired.unwrap().at(&berlin).unwrap().to_rfc3339();
        assert_eq!(at(Acquired::of("20240701", Some("093015.123"), None)), "2024-07-01T07:30:15+00:00");
        assert_eq!(at(Acquired::of("20240701", Some("0930"), offset_of("-0500"))), "2024-07-01T14:30:00+00:00");
        assert_eq!(at(Acquired::of_dt("20240701093015.123+0000", offset_of("-0500"))), "2024-07-01T09:30:15+00:00");
        assert_eq!(at(Acquired::of_dt("20241027023000", None)), "2024-10-27T00:30:00+00:00", "the first of the two");
        assert_eq!(Acquired::of("20240230", None, None), None);
        assert_eq!(Acquired::of_dt("2024+é", None), None);
        assert_eq!(date("1997.04.24"), NaiveDate::from_ymd_opt(1997, 4, 24));
        assert_eq!(offset_of("+01é"), None);
    }
}
