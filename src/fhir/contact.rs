//! Names, addresses and contact points on their way to columns that hold one of each.

use super::datatype::{Address, ContactPoint, HumanName};
use super::resource::Node;
use crate::kernel::error::Result;
use crate::kernel::table::form;

/// The name a record goes by: official, then usual, then the first that is still in use. With its place.
pub fn name_in_use(root: &Node<'_>) -> Result<Option<(HumanName, String)>> {
    let names: Vec<HumanName> = root.list("name")?;
    let rank = |name: &HumanName| match name.use_.as_deref() {
        Some("official") => 0,
        Some("usual") => 1,
        None => 2,
        Some("old" | "maiden") => 4,
        Some(_) => 3,
    };
    let best = names.into_iter().enumerate().min_by_key(|(place, name)| (rank(name), *place));
    Ok(best.map(|(place, name)| (name, format!("{}.name[{place}]", root.path()))))
}

/// The value of the first contact point that fits and that a column can hold.
pub fn point(points: &[ContactPoint], system: &str, uses: &[&str], plain: fn(&str) -> Option<String>) -> Option<String> {
    let fits = |point: &&ContactPoint| {
        let use_ = point.use_.as_deref().unwrap_or("");
        point.system.as_deref() == Some(system) && use_ != "old" && (uses.is_empty() || uses.contains(&use_))
    };
    points.iter().filter(fits).find_map(|point| plain(point.value.as_deref()?))
}

/// E.164 as it stands; other spellings stay as they were sent.
pub fn phone(text: &str) -> Option<String> {
    form::is_phone(text).then(|| text.to_owned())
}

pub fn email(text: &str) -> Option<String> {
    form::is_email(text).then(|| text.to_owned())
}

pub fn as_is(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub fn country(address: &Address) -> Option<&str> {
    address.country.as_deref().filter(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()))
}

/// The first line, and the others as one.
pub fn lines(address: &Address) -> (Option<String>, Option<String>) {
    let mut lines = address.line.iter();
    let first = lines.next().cloned();
    let rest: Vec<&str> = lines.map(String::as_str).collect();
    (first, (!rest.is_empty()).then(|| rest.join(", ")))
}

/// A name as one text.
pub fn joined(name: &HumanName) -> Option<String> {
    if let Some(text) = &name.text {
        return Some(text.clone());
    }
    let words = name.prefix.iter().chain(&name.given).chain(&name.family).chain(&name.suffix);
    let words: Vec<&str> = words.map(String::as_str).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// An address as one text, a line for each of its lines.
pub fn address_text(address: &Address) -> Option<String> {
    if let Some(text) = &address.text {
        return Some(text.clone());
    }
    let place: Vec<&str> =
        [&address.postal_code, &address.city, &address.state, &address.country].into_iter().flatten().map(String::as_str).collect();
    let mut lines: Vec<String> = address.line.clone();
    if !place.is_empty() {
        lines.push(place.join(" "));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

pub fn some<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    texts.into_iter().map(String::from).collect()
}
