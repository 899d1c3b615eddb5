//! `_filter` (R4 §3.1.3): comparisons of search parameters joined by `and`, `or`, `not` and brackets. Each comparison becomes
//! the condition that the same question is as an ordinary parameter.

use super::param::{Kind, Modifier};
use super::query::{Condition, LINKS_MAX, Rules, asked, invalid};
use super::value::{Prefix, Text, Value};
use crate::kernel::error::{Error, Result, TOO_COSTLY};

#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    Is(Box<Condition>),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
}

const DEPTH_MAX: usize = 8;
/// Comparisons of one filter.
const COMPARISONS_MAX: usize = 32;
const NAME: &str = "_filter";

pub(super) fn read(raw: &str, rules: &Rules<'_>) -> Result<Filter> {
    let mut reader = Reader { rest: raw, left: COMPARISONS_MAX, rules };
    let filter = reader.any(DEPTH_MAX)?;
    if reader.rest.trim().is_empty() { Ok(filter) } else { Err(refused("Words follow after the end of the filter.")) }
}

fn refused(text: &str) -> Error {
    invalid(NAME, "format", text)
}

struct Reader<'r> {
    rest: &'r str,
    left: usize,
    rules: &'r Rules<'r>,
}

impl<'r> Reader<'r> {
    fn any(&mut self, depth: usize) -> Result<Filter> {
        let mut parts = vec![self.all(depth)?];
        while self.eat_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Filter::Any(parts) })
    }

    /// `and` binds closer than `or`.
    fn all(&mut self, depth: usize) -> Result<Filter> {
        let mut parts = vec![self.one(depth)?];
        while self.eat_word("and") {
            parts.push(self.one(depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Filter::All(parts) })
    }

    fn one(&mut self, depth: usize) -> Result<Filter> {
        let deeper =
            depth.checked_sub(1).ok_or_else(|| Error::new(&TOO_COSTLY).detail("A filter has at most 8 brackets in each other."))?;
        if self.eat_word("not") {
            return Ok(Filter::Not(Box::new(self.one(deeper)?)));
        }
        self.rest = self.rest.trim_start();
        let Some(inner) = self.rest.strip_prefix('(') else { return self.comparison() };
        self.rest = inner;
        let filter = self.any(deeper)?;
        self.rest = self.rest.trim_start().strip_prefix(')').ok_or_else(|| refused("A bracket is open."))?;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter> {
        self.left = self.left.checked_sub(1).ok_or_else(|| Error::new(&TOO_COSTLY).detail("A filter has at most 32 comparisons."))?;
        let (name, operator) = (self.word()?, self.word()?);
        let value = self.value()?;
        compared(name, operator, &value, self.rules)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let is_it = rest.strip_prefix(word).filter(|rest| rest.starts_with([' ', '(']));
        self.rest = is_it.unwrap_or(self.rest);
        is_it.is_some()
    }

    fn word(&mut self) -> Result<&'r str> {
        let rest = self.rest.trim_start();
        let end = rest.find([' ', ')']).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        if word.is_empty() { Err(refused("A comparison is a parameter, an operator and a value.")) } else { Ok(word) }
    }

    /// In quotes with JSON's escapes, or up to the next blank or bracket.
    fn value(&mut self) -> Result<String> {
        let rest = self.rest.trim_start();
        if !rest.starts_with('"') {
            return self.word().map(str::to_owned);
        }
        let mut is_escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, letter)| {
            let is_end = *letter == '"' && !is_escaped;
            is_escaped = *letter == '\\' && !is_escaped;
            is_end
        });
        let (end, _) = end.ok_or_else(|| refused("A quote is open."))?;
        let (quoted, rest) = rest.split_at(end + 1);
        self.rest = rest;
        serde_json::from_str(quoted).map_err(|_| refused("A text in quotes has JSON's escapes."))
    }
}

/// As an ordinary parameter: a modifier, a prefix, or neither.
fn compared(name: &str, operator: &str, value: &str, rules: &Rules<'_>) -> Result<Filter> {
    let (suffix, prefix) = match operator {
        "pr" => (":missing", ""),
        "co" => (":contains", ""),
        "in" => (":in", ""),
        "ss" => (":below", ""),
        "sb" => (":above", ""),
        "gt" | "lt" | "ge" | "le" | "ap" | "sa" | "eb" => ("", operator),
        "po" => ("", "ap"),
        "eq" | "ne" | "sw" | "ew" | "re" => ("", ""),
        _ => return Err(invalid(NAME, "not-supported", "The operator is none of eq ne co sw ew gt lt ge le ap sa eb pr po ss sb in re.")),
    };
    let value = match (operator, value) {
        ("pr", "true") => "false".to_owned(),
        ("pr", "false") => "true".to_owned(),
        (_, value) => format!("{prefix}{}", value.replace('\\', "\\\\").replace(',', "\\,")),
    };
    let whole = format!("{name}{suffix}");
    let of = (rules.type_name, rules.params);
    let found = asked(&whole, of, (NAME, &value), LINKS_MAX, rules)?;
    let mut condition = found.ok_or_else(|| invalid(NAME, "not-supported", "A parameter of the filter is unknown here."))?;
    if !settle(&mut condition, operator) {
        return Err(invalid(NAME, "not-supported", "An operator does not go with the kind of its parameter."));
    }
    let is = Filter::Is(Box::new(condition));
    Ok(if operator == "ne" { Filter::Not(Box::new(is)) } else { is })
}

/// What no parameter of its own asks so, at the end of the chain. False: the operator is none of the kind's.
fn settle(condition: &mut Condition, operator: &str) -> bool {
    if !condition.chains.is_empty() {
        return condition.chains.iter_mut().all(|chain| settle(&mut chain.then, operator));
    }
    let kind = condition.param.kind;
    for value in &mut condition.any_of {
        match (operator, value) {
            ("eq" | "ne", Value::Text(text)) => *text = Text::Is(text.words().to_owned()),
            ("ew", Value::Text(text)) => *text = Text::EndsWith(text.words().to_owned()),
            ("po", Value::Date(date)) => {
                // What overlaps, without the tolerance of an approximation.
                date.prefix = Prefix::Ap;
                date.interval = date.given;
            }
            _ => {}
        }
    }
    match operator {
        "co" | "sw" | "ew" => kind == Kind::String,
        "gt" | "lt" | "ge" | "le" | "ap" | "sa" | "eb" => matches!(kind, Kind::Date | Kind::Number | Kind::Quantity),
        "po" => kind == Kind::Date,
        "re" => kind == Kind::Reference,
        "in" | "ss" | "sb" => matches!(kind, Kind::Token | Kind::Uri) && condition.modifier.is_some_and(|it| it != Modifier::Missing),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::tests::rules;
    use super::*;
    use crate::fhir::negotiate::Handling;
    use proptest::prelude::*;

    fn told(filter: &Filter) -> String {
        let all = |parts: &[Filter], word: &str| format!("({})", parts.iter().map(told).collect::<Vec<_>>().join(word));
        match filter {
            Filter::Is(condition) => format!("{} {:?}", condition.param.name, condition.any_of),
            Filter::All(parts) => all(parts, " & "),
            Filter::Any(parts) => all(parts, " | "),
            Filter::Not(inner) => format!("!{}", told(inner)),
        }
    }

    fn one(text: &str) -> String {
        read(text, &rules(Handling::Strict)).map_or_else(|error| error.code.code.to_owned(), |filter| told(&filter))
    }

    #[test]
    fn and_binds_closer_than_or() {
        let name = |text: &str, how: &str| format!("name [Text({how}(\"{text}\"))]");
        assert_eq!(one("name eq a"), name("a", "Is"));
        assert_eq!(
            one("name co \"a b\" or name sw b and not (name ew c)"),
            format!("({} | ({} & !{}))", name("a b", "Contains"), name("b", "StartsWith"), name("c", "EndsWith"))
        );
        assert_eq!(one("name ne \"x\\\"y\""), format!("!{}", name("x\\\"y", "Is")));
        assert_eq!(one("name pr true"), "name [Missing(false)]");
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            "",
            "name",
            "name eq",
            "name xx a",
            "foo eq a",
            "(name eq a",
            "name eq a)",
            "name eq \"a",
            "name eq a name eq b",
            "identifier co a",
            "birthdate sw 1990",
        ] {
            assert_eq!(one(bad), "parameter.invalid", "{bad}");
        }
        assert_eq!(one(&"(".repeat(2_000)), "parameter.too_costly");
        assert_eq!(one(&["name eq a"; 40].join(" and ")), "parameter.too_costly");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "((name|identifier|birthdate|not|and|or|eq|co|pr|\\(|\\)|\"|true|1990) ?){0,12}") {
            if let Err(error) = read(&text, &rules(Handling::Lenient)) {
                prop_assert!((400..500).contains(&error.code.status));
            }
        }
    }
}
