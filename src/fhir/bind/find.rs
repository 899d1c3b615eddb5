//! Where a search parameter lives that is an element of a bind.

use super::{Bind, How};
use crate::fhir::mapping::Find;

/// How a parameter over `element` of the record is answered by columns. None: by none of these binds.
pub fn find(binds: &[Bind], element: &str) -> Option<Find> {
    let (first, rest) = element.split_once('.').map_or((element, None), |(first, rest)| (first, Some(rest)));
    binds.iter().filter(|bind| is_of(bind.element, first)).find_map(|bind| match (bind.how, rest) {
        (How::Within(inner), Some(rest)) => find(inner, rest),
        (how, None) => of(how),
        _ => None,
    })
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

/// Called once for each parameter, when the registry is made.
fn of(how: How) -> Option<Find> {
    let r = |column: &str| -> &'static str { Box::leak(format!("r.{column}").into_boxed_str()) };
    Some(match how {
        How::Code { column, words } => Find::Words { column: r(column), system: "", words },
        How::Concept { column, system, words } => Find::Words { column: r(column), system, words },
        How::Coding { column, system, words } => Find::Words { column: r(column), system, words },
        How::Coded(coded) => Find::Coded(coded),
        How::Day { column } => Find::Day(r(column)),
        How::When { from, until } | How::Span { from, until } => Find::Moments { from: r(from), until: r(until) },
        How::Days { from, until } => Find::Days { from: r(from), until: r(until) },
        How::Points { column, to } => Find::Points { column: r(column), to },
        How::Text { column } | How::Words { column } => Find::Said(r(column)),
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
