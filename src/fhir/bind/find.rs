//! Where a search parameter lives that is an element of a bind.

use super::{Bind, How, flat};
use crate::fhir::find::{Find, HERE, Namespace, TENANT};
use crate::kernel::table::field::Sealing;
use crate::kernel::table::{Table, Ty};
use serde_json::Value as Json;

/// How a parameter over `element` of the table's records is answered by columns: each of the binds that are this element.
pub fn find(table: &Table, binds: &[Bind], element: &str) -> Vec<Find> {
    within(table, binds, element, None)
}

/// The texts that columns of the binds hold in the clear.
pub fn texts(table: &Table, binds: &[Bind]) -> Vec<Find> {
    let of_bind = |bind: &Bind| match bind.how {
        How::Within(inner) => texts(table, inner),
        How::Text { column } | How::Words { column } | How::Note { column } | How::Named { column } | How::Content { column } => {
            vec![Find::Said(value(table, column))].into_iter().filter(|_| is_plain(table, column)).collect()
        }
        How::Coded(coded) => {
            coded.display.filter(|column| is_plain(table, column)).map(|column| Find::Said(value(table, column))).into_iter().collect()
        }
        _ => Vec::new(),
    };
    flat(binds).flat_map(of_bind).collect()
}

fn is_plain(table: &Table, column: &str) -> bool {
    table.field(column).is_some_and(|field| field.sealing == Sealing::Plain && matches!(field.ty, Ty::Text))
}

/// `given` is the condition under which the item around the binds is there.
fn within(table: &Table, binds: &[Bind], element: &str, given: Option<&'static str>) -> Vec<Find> {
    let (first, rest) = element.split_once('.').map_or((element, None), |(first, rest)| (first, Some(rest)));
    let of_bind = |bind: &Bind| match (bind.how, rest) {
        (How::Within(inner), Some(rest)) => within(table, inner, rest, there(table, inner)),
        (How::Always(text) | How::Is(text), None) => constant(text, given),
        (How::Text { column }, None) => {
            let column = value(table, column);
            vec![Find::Said(column), Find::number(HERE, column)]
        }
        (How::Plain { column }, None) => {
            let column = value(table, column);
            vec![Find::Flag(column), Find::Amount { column, unit: "" }]
        }
        (how, None) => of(table, how).into_iter().collect(),
        _ => Vec::new(),
    };
    flat(binds).filter(|bind| is_of(bind.element, first)).flat_map(of_bind).collect()
}

/// An item is there when one of its columns has a value.
fn there(table: &Table, inner: &[Bind]) -> Option<&'static str> {
    let is_there = |column: &str| match table.field(column).map(|field| field.sealing) {
        None | Some(Sealing::Plain) => format!("{} is not null", value(table, column)),
        Some(_) => format!("r.{column}_enc is not null"),
    };
    let any: Vec<String> = flat(inner).filter_map(|bind| bind.how.column()).map(is_there).collect();
    (!any.is_empty()).then(|| forever(format!("({})", any.join(" or "))))
}

/// What every row has: a text is a code too, or a title.
fn constant(text: &str, given: Option<&'static str>) -> Vec<Find> {
    let Ok(value) = serde_json::from_str::<Json>(text) else { return Vec::new() };
    let word = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let codes = match &value {
        Json::String(code) => vec![(String::new(), code.clone())],
        Json::Bool(flag) => vec![(String::new(), flag.to_string())],
        Json::Object(map) => {
            let codings = map.get("coding").and_then(Json::as_array).map_or(std::slice::from_ref(&value), Vec::as_slice);
            codings.iter().map(|coding| (word(&coding["system"]), word(&coding["code"]))).collect()
        }
        _ => return Vec::new(),
    };
    let titles = value.as_str().map(|title| Find::Said(forever(format!("'{}'", title.replace('\'', "''")))));
    let codes: Vec<(&'static str, &'static str)> = codes.into_iter().map(|(system, code)| (forever(system), forever(code))).collect();
    titles.into_iter().chain([Find::Constant { codes: Box::leak(codes.into_boxed_slice()), given }]).collect()
}

/// Called once for each parameter, when the registry is made.
fn forever(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// `onsetDateTime` is a type of the choice `onset`.
fn is_of(key: &str, element: &str) -> bool {
    key.strip_prefix(element).is_some_and(|rest| rest.is_empty() || rest.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// The elements that a search parameter's FHIRPath selects, as far as it only selects: `Condition.onset.as(dateTime)` and
/// `(Condition.onset as Age)` are `onset`, `Encounter.subject.where(resolve() is Patient)` is `subject`. Alternatives of
/// other types than `type_name` are passed over.
pub fn selected<'e>(expression: &'e str, type_name: &str) -> Vec<&'e str> {
    let alternatives = expression.split('|').map(|one| one.trim().trim_start_matches('(').trim_end_matches(')'));
    let of = |one: &'e str| one.strip_prefix(type_name)?.strip_prefix('.');
    let plain = |path: &'e str| {
        let end =
            [".as(", ".where(resolve() is ", ".where(resolve()is", " as ", ".ofType("].iter().filter_map(|word| path.find(word)).min();
        path.get(..end.unwrap_or(path.len())).unwrap_or(path)
    };
    alternatives.filter_map(of).map(plain).filter(|path| path.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')).collect()
}

/// A field's value in SQL, of a row `r`: what no column holds is asked of the expression that makes it.
fn value(table: &Table, name: &str) -> &'static str {
    let made = table.field(name).and_then(|field| field.computed);
    forever(made.map_or_else(|| format!("r.{name}"), |sql| format!("({sql})")))
}

fn of(table: &Table, how: How) -> Option<Find> {
    let r = |name: &str| value(table, name);
    Some(match how {
        How::Code { column, words } => {
            let is_flag = table.field(column).is_some_and(|field| field.ty == Ty::Bool);
            Find::Words { column: if is_flag { forever(format!("r.{column}::text")) } else { r(column) }, system: "", words }
        }
        How::Whether { column, without, with } => Find::Words {
            column: forever(format!("(case when {} is null then '{without}' else '{with}' end)", r(column))),
            system: "",
            words: Box::leak(Box::new([(without, without), (with, with)])),
        },
        How::Concept { column, system, words } => Find::Words { column: r(column), system, words },
        How::Coding { column, system, words } => Find::Words { column: r(column), system, words },
        How::Coded(coded) => Find::Coded(coded),
        How::Day { column } => Find::Day(r(column)),
        How::Moment { column } => Find::Moment(r(column)),
        How::Quantity { column, unit } => Find::Amount { column: r(column), unit },
        How::Money { column, currency } => Find::Money { column: r(column), currency: r(currency) },
        How::Each { column, system } => Find::Listed { column: r(column), system },
        How::Identifier { column, system } => {
            let namespace = if system.is_empty() { Namespace::None } else { Namespace::Always(system) };
            Find::numbered(HERE, namespace, r(column))
        }
        // Without an end it is a moment, and no time that goes on.
        How::When { from, until } => Find::Moments { from: r(from), until: forever(format!("coalesce({}, {})", r(until), r(from))) },
        How::Span { from, until } => Find::Moments { from: r(from), until: r(until) },
        How::Days { from, until } => Find::Days { from: r(from), until: r(until) },
        How::Itself { to } => Find::Points { column: "r.id", to },
        How::Tenant => TENANT,
        How::Path { column, to } => Find::Points { column: r(column), to },
        How::Spelled { column, system } => Find::Code { expr: r(column), system, stored: str::to_owned },
        How::Points { column, to } => Find::Points { column: r(column), to },
        How::Words { column } => Find::Said(r(column)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_names_its_elements() {
        for (expression, type_name, paths) in [
            (
                "AllergyIntolerance.code | AllergyIntolerance.reaction.substance | Condition.code",
                "AllergyIntolerance",
                vec!["code", "reaction.substance"],
            ),
            ("Condition.onset.as(dateTime) | Condition.onset.as(Period)", "Condition", vec!["onset", "onset"]),
            ("(Observation.value as CodeableConcept)", "Observation", vec!["value"]),
            ("Encounter.subject.where(resolve() is Patient)", "Encounter", vec!["subject"]),
            ("Patient.telecom.where(system='phone')", "Patient", vec![]),
            ("Conditional.code", "Condition", vec![]),
        ] {
            assert_eq!(selected(expression, type_name), paths, "{expression}");
        }
    }

    #[test]
    fn a_choice_is_found_by_its_name() {
        assert!(is_of("onsetDateTime", "onset") && is_of("onset", "onset"));
        assert!(!is_of("onsets", "onset") && !is_of("code", "onset"));
    }
}
