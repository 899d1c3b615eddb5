//! What a request brings beside its body: list parameters, the id in the path, the version in If-Match.

use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::{PAGE_SIZE_MAX, sort_of};
use crate::kernel::table::{Cursor, List, Table, store};
use poem::Request;
use std::collections::HashSet;
use uuid::Uuid;

const PARAMETERS_MAX: usize = 50;

/// The parameters in order; a name that stands twice is refused, for two readers would take different ones.
pub fn parameters(request: &Request) -> Result<Vec<(String, String)>> {
    let text = request.uri().query().unwrap_or_default();
    if !is_clean(text.as_bytes()) {
        return Err(Error::new(&error::PARAMETER_INVALID).detail("The query is not form-encoded UTF-8 without U+0000."));
    }
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(text)
        .map_err(|_| Error::new(&error::PARAMETER_INVALID).detail("The query is not form-encoded UTF-8."))?;
    let mut seen = HashSet::new();
    for (name, _) in &pairs {
        if !seen.insert(name.as_str()) {
            return Err(Error::new(&error::PARAMETER_INVALID).fault(shown(name), "repeated", "It may stand once."));
        }
    }
    match pairs.len() {
        0..=PARAMETERS_MAX => Ok(pairs),
        _ => Err(Error::new(&error::PARAMETER_INVALID).detail("There are too many parameters.")),
    }
}

/// The form decoder puts U+FFFD for bytes that are no UTF-8, and PostgreSQL's text cannot hold U+0000.
fn is_clean(query: &[u8]) -> bool {
    let mut decoded = Vec::with_capacity(query.len());
    let mut rest = query;
    while let [byte, behind @ ..] = rest {
        let digit = |at: usize| behind.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.extend(u8::try_from(high * 16 + low));
                rest = &behind[2..];
            }
            _ => {
                decoded.push(*byte);
                rest = behind;
            }
        }
    }
    !decoded.contains(&0) && std::str::from_utf8(&decoded).is_ok()
}

pub fn shown(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || "_.-:".contains(*c)).take(64).collect()
}

/// A path id that is no UUID names nothing, like any other unknown id.
pub fn path_id(request: &Request) -> Result<Uuid> {
    request.raw_path_param("id").and_then(|text| text.parse().ok()).ok_or_else(|| Error::new(&error::NOT_FOUND))
}

/// The version a change was made from (RFC 9110 §13.1.1); 428 without one (RFC 6585 §3).
pub fn required_version(request: &Request) -> Result<i64> {
    version(request)?.ok_or_else(|| Error::new(&error::PRECONDITION_REQUIRED))
}

pub fn version(request: &Request) -> Result<Option<i64>> {
    let mut said = request.headers().get_all(poem::http::header::IF_MATCH).iter();
    let Some(header) = said.next() else { return Ok(None) };
    let text = header.to_str().unwrap_or_default().trim();
    let text = text.strip_prefix("W/").unwrap_or(text);
    let number = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|digits| digits.parse().ok());
    // A tag that is not one of ours matches nothing that is current.
    number.filter(|_| said.next().is_none()).map(Some).ok_or_else(|| Error::new(&error::STALE))
}

/// A list as its parameters ask for it, and whether the total is wanted.
pub async fn list(caller: &Caller, table: &'static Table, pairs: &[(String, String)]) -> Result<(List, bool)> {
    let mut list = List { question: caller.context.who(), ..List::new(table) };
    let mut wrong = Error::new(&error::PARAMETER_INVALID);
    let (mut cursor, mut total) = (None, false);
    for (name, text) in pairs {
        match name.as_str() {
            "limit" => match text.parse::<usize>() {
                Ok(limit) if (1..=PAGE_SIZE_MAX).contains(&limit) => list.limit = limit,
                _ => wrong = wrong.fault("limit", "range", format!("It must be between 1 and {PAGE_SIZE_MAX}.")),
            },
            "sort" => {
                let (descending, word) = text.strip_prefix('-').map_or((false, text.as_str()), |word| (true, word));
                match sort_of(table, word) {
                    Some(sort) => (list.sort, list.descending) = (sort, descending),
                    None => wrong = wrong.fault("sort", "value", sort_words(table.sorts.iter().map(|sort| sort.name))),
                }
            }
            "cursor" => cursor = Some(text),
            "total" | "include_deleted" if name == "total" || table.soft_delete => match text.as_str() {
                "true" | "false" => *(if name == "total" { &mut total } else { &mut list.include_deleted }) = text == "true",
                _ => wrong = wrong.fault(name.as_str(), "type", "It must be true or false."),
            },
            _ => match table.filters.iter().find(|filter| filter.name == name) {
                None => wrong = wrong.fault(shown(name), "unknown", "There is no such parameter."),
                Some(filter) => match store::filter_value(table, filter, text) {
                    Ok(value) => list.filters.push((filter, value)),
                    Err(failure) => wrong.faults.extend(failure.faults),
                },
            },
        }
    }
    if !wrong.faults.is_empty() {
        return Err(wrong);
    }
    list.hash_blind(caller).await?;
    if let Some(text) = cursor {
        list.after = Some(Cursor::open(text, &list, caller.kernel.keys.own())?);
    }
    Ok((list, total))
}

/// Of a single read: whether a retired row is wanted.
pub fn wants_deleted(request: &Request, table: &Table) -> Result<bool> {
    let mut wanted = false;
    for (name, text) in parameters(request)? {
        match (name.as_str(), text.as_str()) {
            ("include_deleted", "true" | "false") if table.soft_delete => wanted = text == "true",
            ("include_deleted", _) if table.soft_delete => {
                return Err(Error::new(&error::PARAMETER_INVALID).fault(name, "type", "It must be true or false."));
            }
            _ => return Err(unknown(&name)),
        }
    }
    Ok(wanted)
}

pub fn unknown(name: &str) -> Error {
    Error::new(&error::PARAMETER_INVALID).fault(shown(name), "unknown", "There is no such parameter.")
}

pub fn sort_words<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.chain(["id"]).collect();
    format!("It must be one of {} (with a leading - for descending).", names.join(", "))
}
