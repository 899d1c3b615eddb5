//! A time of day as PostgreSQL has it: up to and with 24:00, which other types read as midnight of the same day.

use bytes::BytesMut;
use chrono::{NaiveTime, Timelike};
use std::error::Error as StdError;
use std::fmt;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 24 * 60 * 60 * SECOND_US;

/// Microseconds since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clock(i64);

impl Clock {
    /// `HH:MM` or `HH:MM:SS`.
    pub fn parse(text: &str) -> Option<Clock> {
        if matches!(text, "24:00" | "24:00:00") {
            return Some(Clock(DAY_US));
        }
        let time = NaiveTime::parse_from_str(text, "%H:%M:%S").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M")).ok()?;
        // A leap second is no time of day that PostgreSQL could tell from the next minute.
        (time.nanosecond() == 0).then(|| Clock(i64::from(time.num_seconds_from_midnight()) * SECOND_US))
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / SECOND_US;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

impl ToSql for Clock {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }
    accepts!(TIME);
    to_sql_checked!();
}

impl FromSql<'_> for Clock {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Clock, Box<dyn StdError + Sync + Send>> {
        Ok(Clock(i64::from_be_bytes(raw.try_into()?)))
    }
    accepts!(TIME);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_24_and_not_at_0() {
        for (text, shown) in [("00:00", "00:00:00"), ("07:05", "07:05:00"), ("23:59:59", "23:59:59"), ("24:00", "24:00:00")] {
            let clock = Clock::parse(text).unwrap();
            assert_eq!(clock.to_string(), shown);
            let mut raw = BytesMut::new();
            clock.to_sql(&Type::TIME, &mut raw).unwrap();
            assert_eq!(Clock::from_sql(&Type::TIME, &raw).unwrap(), clock);
        }
        for wrong in ["24:01", "25:00", "7", "12:60", "23:59:60", "", "-1:00"] {
            assert_eq!(Clock::parse(wrong), None, "{wrong}");
        }
    }
}
