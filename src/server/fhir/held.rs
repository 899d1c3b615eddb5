//! What a record holds of a parameter, whatever is asked for: whether it has a value at all (`:missing`), and the one it is
//! ordered by (`_sort`).

use super::writing::NEVER;
use super::{dates, indexed};
use crate::fhir::find::{Find, HERE};
use crate::fhir::index::{Index, TEXT_MAX};
use crate::fhir::mapping::Mapping;
use crate::fhir::search::{Kind, Sort};
use crate::kernel::table::Order;

/// A condition on the record `r`; of what is kept beside it nothing is said here.
pub fn present(find: &Find) -> String {
    match find {
        Find::Text { within, exact, .. } => within.replace("{}", &format!("num_nonnulls({}) > 0", exact.join(", "))),
        Find::Words { column, words, .. } => format!("{column} in ({})", listed(words.iter().map(|(word, _)| *word))),
        Find::Code { expr: column, .. } | Find::Said(column) | Find::Flag(column) | Find::Day(column) | Find::Moment(column) => {
            format!("({column}) is not null")
        }
        Find::Points { column, .. } | Find::Leads { column, .. } | Find::Amount { column, .. } | Find::Money { column, .. } => {
            format!("({column}) is not null")
        }
        // A text alone is one too.
        Find::Coded(coded) => {
            let columns: Vec<String> =
                [Some(coded.code), coded.display].into_iter().flatten().map(|column| format!("r.{column} is not null")).collect();
            format!("({})", columns.join(" or "))
        }
        Find::Rows { from, column, .. } => format!("exists (select from {from} and {column} is not null)"),
        Find::Plain { within, value, .. } => within.replace("{}", &format!("{value} is not null")),
        Find::Blind { within, column, .. } => within.replace("{}", &format!("{} is not null", sealed(within, column))),
        Find::Days { from, until } | Find::Moments { from, until } => format!("({from} is not null or {until} is not null)"),
        Find::Place { latitude, .. } => format!("{latitude} is not null"),
        Find::Constant { given, .. } => given.unwrap_or("true").to_owned(),
        Find::Listed { column, .. } => format!("cardinality({column}) > 0"),
        Find::Any(finds) => finds.iter().map(|find| format!("({})", present(find))).collect::<Vec<_>>().join(" or "),
        Find::Indexed(_) | Find::Worded(_) | Find::Never => NEVER.into(),
    }
}

/// Where the keyed hash of a sealed value stands: in the record, or in rows `i`.
pub fn sealed(within: &str, column: &str) -> String {
    format!("{}.{column}_bidx", if within == HERE { "r" } else { "i" })
}

fn listed<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}

/// The same where others may have been said in its place: whether it holds a value that somebody said.
pub fn said(find: &'static Find, mapping: &Mapping, index: &Index) -> String {
    let (present, ways) = (present(find), find.each());
    match ways.iter().filter(|find| !matches!(find, Find::Indexed(_))).collect::<Vec<_>>().as_slice() {
        [find @ Find::Plain { within, value, .. }] if find.is_of_rows() => {
            let unsaid = indexed::unsaid(mapping, index, &format!("x.code = {value}"));
            within.replace("{}", &format!("{value} is not null and not {unsaid}"))
        }
        [one] => match gainsaid(one, mapping) {
            Some(test) => format!("({present}) and not {}", indexed::unsaid(mapping, index, &test)),
            None => present,
        },
        _ => present,
    }
}

/// A sort key of records of the mapping. None: they have no value that an order could go by.
pub fn order(mapping: &Mapping, sort: &Sort) -> Option<Order> {
    let (name, kind, descending) = (sort.param.name, sort.param.kind, sort.is_descending);
    let is_number = is_number(kind)?;
    let key = match name {
        "_id" => "r.id::text".to_owned(),
        "_lastUpdated" => format!("extract(epoch from r.{})", super::search::changed(mapping.table)),
        name => match mapping.find(name) {
            Some(find) => keys(find, mapping, kind, descending)?,
            // Of a type's several tables this one has no such element.
            None => empty(is_number),
        },
    };
    Some(Order { name, key, is_number, descending })
}

fn is_number(kind: Kind) -> Option<bool> {
    match kind {
        Kind::Date | Kind::Number | Kind::Quantity => Some(true),
        Kind::String | Kind::Token | Kind::Reference | Kind::Uri => Some(false),
        Kind::Composite | Kind::Special => None,
    }
}

fn empty(is_number: bool) -> String {
    if is_number { "null::float8".into() } else { "null::text".into() }
}

/// The code that the record's columns say of the parameter. None: they say none, or in several ways.
pub fn code(find: &Find, mapping: &Mapping) -> Option<String> {
    match find {
        Find::Any(finds) => match finds.iter().filter(|find| !matches!(find, Find::Indexed(_))).collect::<Vec<_>>().as_slice() {
            [one] => code(one, mapping),
            _ => None,
        },
        Find::Indexed(_) => None,
        find => keys(find, mapping, Kind::Token, false),
    }
}

/// Which row `x` of what nobody said gainsays what the record's own columns say. None: they say nothing that is kept so.
pub fn gainsaid(find: &Find, mapping: &Mapping) -> Option<String> {
    let is = |text: &str| Some(format!("x.code = left({text}, {TEXT_MAX})"));
    match find {
        Find::Said(text) => is(text),
        Find::Text { within, exact, .. } => exact.first().filter(|_| *within == HERE && exact.len() == 1).and_then(|text| is(text)),
        find => match dates::starts(find) {
            // A time may be said less exactly, or more, than the column has it.
            Some(starts) => Some(format!("x.starts_at = {starts}")),
            None => code(find, mapping).map(|code| format!("x.code is not distinct from ({code})::text")),
        },
    }
}

/// Of several values the least; where the order descends, the greatest.
fn keys(find: &Find, mapping: &Mapping, kind: Kind, descending: bool) -> Option<String> {
    let (of_row, of_rows) = if descending { ("greatest", "max") } else { ("least", "min") };
    let among = |within: &str, value: &str| match within.strip_prefix("exists (select from ") {
        Some(rows) => format!("(select {of_rows}({value}) from {}", rows.replace("{}", "true")),
        None => value.to_owned(),
    };
    let is_number = is_number(kind)?;
    Some(match find {
        Find::Text { within, starts, words, .. } => {
            let all: Vec<&str> = starts.iter().chain(*words).copied().collect();
            // A name goes by its first part, as a shelf does.
            among(within, &format!("coalesce({})", all.join(", ")))
        }
        Find::Words { column, words, .. } => {
            let cases: Vec<String> = words.iter().map(|(word, code)| format!("when '{word}' then '{code}'")).collect();
            format!("case {column} {} end", cases.join(" "))
        }
        Find::Coded(coded) => format!("r.{}", coded.code),
        Find::Code { expr, .. } => (*expr).to_owned(),
        Find::Said(column) => format!("kernel.fold({column})"),
        Find::Flag(column) => format!("({column})::text"),
        Find::Points { column, .. } | Find::Leads { column, .. } => format!("({column})::text"),
        Find::Rows { from, column, .. } => format!("(select {of_rows}({column}::text) from {from})"),
        Find::Plain { within, value, .. } => among(within, value),
        // The value is sealed, and its hash has no order.
        Find::Blind { .. } | Find::Place { .. } | Find::Worded(_) => return None,
        Find::Day(column) | Find::Days { from: column, .. } => format!("extract(epoch from ({column})::timestamp)"),
        Find::Moment(column) | Find::Moments { from: column, .. } => format!("extract(epoch from {column})"),
        Find::Amount { column, .. } => format!("{column}::float8"),
        Find::Money { column, currency } => money(column, currency),
        Find::Constant { codes, given } => {
            let code = codes.first().map(|(_, code)| *code)?;
            format!("case when {} then '{code}' end", given.unwrap_or("true"))
        }
        Find::Listed { column, .. } => format!("(select {of_rows}(u) from unnest({column}) u)"),
        Find::Indexed(index) => indexed::key(mapping, index, kind, of_rows)?,
        Find::Any(finds) => {
            let index = finds.iter().find_map(indexed::of);
            let one = |find: &Find| {
                let key = typed(&keys(find, mapping, kind, descending)?, is_number);
                let unsaid = index.filter(|_| find.is_gainsaid()).zip(gainsaid(find, mapping));
                Some(match unsaid.map(|(index, test)| indexed::unsaid(mapping, index, &test)) {
                    Some(unsaid) => format!("case when not {unsaid} then {key} end"),
                    None => key,
                })
            };
            let all: Option<Vec<String>> = finds.iter().map(one).collect();
            format!("{of_row}({})", all?.join(", "))
        }
        Find::Never => empty(is_number),
    })
}

fn typed(key: &str, is_number: bool) -> String {
    format!("({key}){}", if is_number { "::float8" } else { "::text collate \"C\"" })
}

/// Of a count of smallest units the amount.
pub fn money(column: &str, currency: &str) -> String {
    use crate::kernel::money::{THOUSANDTHS, WHOLE};
    let (whole, thousandths) = (listed(WHOLE.iter().copied()), listed(THOUSANDTHS.iter().copied()));
    format!("{column}::float8 / case when {currency} in ({whole}) then 1 when {currency} in ({thousandths}) then 1000 else 100 end")
}
