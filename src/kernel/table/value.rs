//! Values on their way between JSON and PostgreSQL, by the type the field table names.

use super::clock::Clock;
use super::field::{Field, Ty};
use bytes::BytesMut;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Number, Value as Json};
use std::error::Error as StdError;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

/// A value that PostgreSQL takes as the type of its field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Uuid(Uuid),
    Text(String),
    Bool(bool),
    Int(i32),
    BigInt(i64),
    Double(f64),
    Date(NaiveDate),
    Time(Clock),
    Instant(DateTime<Utc>),
    Json(Json),
    Texts(Vec<String>),
    Uuids(Vec<Uuid>),
    Ints(Vec<i32>),
    Bytes(Vec<u8>),
    Inet(std::net::IpAddr),
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Uuid(value) => value.to_sql(ty, out),
            Value::Text(value) => value.to_sql(ty, out),
            Value::Bool(value) => value.to_sql(ty, out),
            Value::Int(value) => value.to_sql(ty, out),
            Value::BigInt(value) => value.to_sql(ty, out),
            Value::Double(value) => value.to_sql(ty, out),
            Value::Date(value) => value.to_sql(ty, out),
            Value::Time(value) => value.to_sql(ty, out),
            Value::Instant(value) => value.to_sql(ty, out),
            Value::Json(value) => value.to_sql(ty, out),
            Value::Texts(value) => value.to_sql(ty, out),
            Value::Uuids(value) => value.to_sql(ty, out),
            Value::Ints(value) => value.to_sql(ty, out),
            Value::Bytes(value) => value.to_sql(ty, out),
            Value::Inet(value) => value.to_sql(ty, out),
        }
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

/// Times in RFC 3339 UTC with the microseconds PostgreSQL keeps.
pub fn instant_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The JSON of column `place`.
pub fn read(row: &Row, place: usize, ty: Ty) -> Result<Json, tokio_postgres::Error> {
    fn get<'a, T: FromSql<'a>>(row: &'a Row, place: usize, json: impl Fn(T) -> Json) -> Result<Json, tokio_postgres::Error> {
        Ok(row.try_get::<_, Option<T>>(place)?.map_or(Json::Null, json))
    }
    match ty {
        Ty::Uuid => get::<Uuid>(row, place, |value| Json::String(value.to_string())),
        Ty::Text | Ty::Enum(_) => get::<String>(row, place, Json::String),
        Ty::Bool => get::<bool>(row, place, Json::Bool),
        Ty::Int => get::<i32>(row, place, |value| Json::Number(value.into())),
        Ty::BigInt => get::<i64>(row, place, |value| Json::Number(value.into())),
        Ty::Double => get::<f64>(row, place, |value| Number::from_f64(value).map_or(Json::Null, Json::Number)),
        Ty::Date => get::<NaiveDate>(row, place, |value| Json::String(value.to_string())),
        Ty::Time => get::<Clock>(row, place, |value| Json::String(value.to_string())),
        Ty::Instant => get::<DateTime<Utc>>(row, place, |value| Json::String(instant_text(value))),
        Ty::Json => get::<Json>(row, place, |value| value),
        Ty::TextArray => get::<Vec<String>>(row, place, |value| value.into()),
        Ty::UuidArray => get::<Vec<Uuid>>(row, place, |value| value.iter().map(Uuid::to_string).collect::<Vec<_>>().into()),
        Ty::IntArray => get::<Vec<i32>>(row, place, |value| value.into()),
        Ty::Bytes => get::<Vec<u8>>(row, place, |value| Json::String(base64::Engine::encode(&base64::prelude::BASE64_STANDARD, value))),
        Ty::Inet => get::<std::net::IpAddr>(row, place, |value| Json::String(value.to_string())),
    }
}

/// Reads one JSON value as the field's type; the error is the rule it breaks, never the value.
pub fn parse(field: &Field, json: &Json) -> Result<Value, (&'static str, String)> {
    let wrong = |what: &str| ("type", format!("It must be {what}."));
    let text = || json.as_str().ok_or(("type", "It must be a string.".to_owned()));
    match field.ty {
        _ if json.is_null() => Ok(Value::Null),
        Ty::Uuid => text()?.parse().map(Value::Uuid).map_err(|_| wrong("a UUID")),
        Ty::Text => super::form::checked(field, text()?).map(Value::Text),
        Ty::Enum(words) => {
            let said = text()?;
            let word = field.aliases.iter().find(|(alias, _)| *alias == said).map_or(said, |(_, word)| word);
            match words.contains(&word) {
                true => Ok(Value::Text(word.to_owned())),
                false => Err(("value", format!("It must be one of {}.", words.join(", ")))),
            }
        }
        Ty::Bool => json.as_bool().map(Value::Bool).ok_or_else(|| wrong("true or false")),
        Ty::Int => {
            let number = whole(json, field.range)?;
            i32::try_from(number).map(Value::Int).map_err(|_| ("range", "It does not fit 32 bits.".to_owned()))
        }
        Ty::BigInt => whole(json, field.range).map(Value::BigInt),
        Ty::Double => match json.as_f64() {
            Some(number) if !number.is_finite() => Err(wrong("a number")),
            // Bounds are small whole numbers, which a double says exactly.
            Some(number) if number < field.range.0 as f64 || number > field.range.1 as f64 => Err(("range", beyond(field.range))),
            Some(number) => Ok(Value::Double(number)),
            _ => Err(wrong("a number")),
        },
        Ty::Date => date(text()?),
        Ty::Time => Clock::parse(text()?)
            .map(Value::Time)
            .ok_or_else(|| ("format", "It must be a time of day, HH:MM or HH:MM:SS, up to 24:00.".to_owned())),
        Ty::Instant => instant(text()?),
        Ty::Json => match json {
            Json::Object(_) | Json::Array(_) => super::form::bounded(json).map(|()| Value::Json(json.clone())),
            _ => Err(wrong("an object or an array")),
        },
        Ty::TextArray => {
            strings(json)?.into_iter().map(|item| super::form::checked(field, item)).collect::<Result<_, _>>().map(Value::Texts)
        }
        Ty::UuidArray => strings(json)?
            .into_iter()
            .map(|item| item.parse().map_err(|_| wrong("a list of UUIDs")))
            .collect::<Result<_, _>>()
            .map(Value::Uuids),
        Ty::IntArray => json
            .as_array()
            .filter(|items| items.len() <= ITEMS_MAX)
            .and_then(|items| items.iter().map(|item| item.as_i64().and_then(|n| i32::try_from(n).ok())).collect::<Option<_>>())
            .map(Value::Ints)
            .ok_or_else(|| wrong("a list of whole numbers")),
        Ty::Bytes => base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text()?).map(Value::Bytes).map_err(|_| wrong("base64")),
        Ty::Inet => text()?.parse().map(Value::Inet).map_err(|_| wrong("an IP address")),
    }
}

const ITEMS_MAX: usize = 1_000;

fn strings(json: &Json) -> Result<Vec<&str>, (&'static str, String)> {
    json.as_array()
        .filter(|items| items.len() <= ITEMS_MAX)
        .and_then(|items| items.iter().map(Json::as_str).collect())
        .ok_or_else(|| ("type", format!("It must be a list of at most {ITEMS_MAX} strings.")))
}

fn whole(json: &Json, (least, most): (i64, i64)) -> Result<i64, (&'static str, String)> {
    let number = json.as_i64().ok_or_else(|| ("type", "It must be a whole number.".to_owned()))?;
    match (least..=most).contains(&number) {
        true => Ok(number),
        false => Err(("range", beyond((least, most)))),
    }
}

fn beyond((least, most): (i64, i64)) -> String {
    match most {
        i64::MAX => format!("It must be at least {least}."),
        _ => format!("It must be between {least} and {most}."),
    }
}

/// Days PostgreSQL and every contract can hold.
fn date(text: &str) -> Result<Value, (&'static str, String)> {
    let day = (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten();
    let day = day.ok_or_else(|| ("format", "It must be a date, YYYY-MM-DD.".to_owned()))?;
    let in_range = NaiveDate::from_ymd_opt(1, 1, 1).is_some_and(|first| day >= first);
    if in_range { Ok(Value::Date(day)) } else { Err(("range", "The date is out of range.".to_owned())) }
}

fn instant(text: &str) -> Result<Value, (&'static str, String)> {
    let at = DateTime::parse_from_rfc3339(text).map_err(|_| ("format", "It must be an RFC 3339 time with an offset.".to_owned()))?;
    let at = at.with_timezone(&Utc);
    match (0..=9_999).contains(&chrono::Datelike::year(&at)) {
        true => Ok(Value::Instant(at)),
        false => Err(("range", "The time is out of range.".to_owned())),
    }
}
