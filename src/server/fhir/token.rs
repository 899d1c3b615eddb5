//! Codes asked of columns: one, all of a system, or those of a value set.

use super::find::texts;
use super::writing::{NEVER, Writing, any_of_these};
use crate::fhir::bind::{Coded, Words};
use crate::fhir::find::Find;
use crate::fhir::search::Value as Asked;
use crate::fhir::search::value::{Between, Codes, System, Text, Token};
use crate::fhir::terminology::Known;

/// Codes of one system; none stands for all of them.
struct Wanted<'a> {
    system: System,
    codes: Option<Vec<&'a str>>,
}

impl Wanted<'_> {
    /// Whether an element of the system has what is wanted; one without a system of its own has that of any.
    fn is_of(&self, system: &str) -> bool {
        match &self.system {
            System::Any => true,
            System::None => system.is_empty(),
            System::Is(given) => system.is_empty() || given == system,
        }
    }
    fn has(&self, system: &str, code: &str) -> bool {
        self.is_of(system) && self.codes.as_ref().is_none_or(|codes| codes.contains(&code))
    }
}

fn of_token(token: &Token) -> Vec<Wanted<'_>> {
    vec![Wanted { system: token.system.clone(), codes: token.code.as_deref().map(|code| vec![code]) }]
}

fn of_codes(codes: &Codes) -> Vec<Wanted<'_>> {
    let system = |name: &String| if name.is_empty() { System::None } else { System::Is(name.clone()) };
    codes.iter().map(|(name, codes)| Wanted { system: system(name), codes: Some(codes.iter().map(String::as_str).collect()) }).collect()
}

/// As a condition on the record; None: it is no question about codes.
pub fn condition(writing: &mut Writing, find: &Find, asked: &Asked) -> Option<String> {
    let wanted = match asked {
        Asked::Token(token) => of_token(token),
        Asked::Codes(codes) => of_codes(codes),
        Asked::Between(asked) => return of_between(writing, find, asked),
        Asked::Text(text) => return called(writing, find, text),
        _ => return None,
    };
    let any: Option<Vec<String>> = wanted.iter().map(|wanted| one(writing, find, wanted)).collect();
    any.map(any_of_these)
}

fn one(writing: &mut Writing, find: &Find, wanted: &Wanted<'_>) -> Option<String> {
    Some(match find {
        Find::Code { expr, system, stored } => match &wanted.codes {
            // Where the code says which, a code of any system is meant.
            _ if wanted.system == System::None || !wanted.is_of(system) => NEVER.into(),
            Some(codes) => writing.is_one_of(expr, codes.iter().map(|code| stored(code)).collect()),
            None => format!("{expr} is not null"),
        },
        Find::Words { column, system, words } => match &wanted.codes {
            _ if !wanted.is_of(system) => NEVER.into(),
            Some(codes) => writing.is_one_of(column, shown(words, |code| codes.contains(&code))),
            None => format!("{column} is not null"),
        },
        Find::Constant { codes, given } => {
            let is_any = codes.iter().any(|(system, code)| wanted.has(system, code));
            if is_any { given.unwrap_or("true").to_owned() } else { NEVER.into() }
        }
        Find::Listed { column, system } => match &wanted.codes {
            _ if wanted.system == System::None || !wanted.is_of(system) => NEVER.into(),
            Some(codes) => {
                let codes = codes.iter().map(|code| (*code).to_owned()).collect();
                format!("{column} && {}", writing.texts(codes))
            }
            None => format!("cardinality({column}) > 0"),
        },
        Find::Coded(coded) => coded_as(writing, coded, wanted),
        Find::Flag(column) => match wanted.codes.as_deref() {
            Some(["true"]) => (*column).to_owned(),
            Some(["false"]) => format!("not {column}"),
            _ => NEVER.into(),
        },
        _ => return None,
    })
}

/// What the column holds that is shown as such a code: of a word that stands for several codes the first.
fn shown(words: Words, is_it: impl Fn(&'static str) -> bool) -> Vec<String> {
    let is_first = |at: usize, word: &str| words.iter().position(|(known, _)| *known == word) == Some(at);
    let shown = words.iter().enumerate().filter(|(at, (word, code))| is_it(code) && is_first(*at, word));
    shown.map(|(_, (word, _))| (*word).to_owned()).collect()
}

/// What the column holds for such codes.
fn stored(words: Words, is_it: impl Fn(&'static str) -> bool) -> Vec<String> {
    words.iter().filter(|(_, code)| is_it(code)).map(|(word, _)| (*word).to_owned()).collect()
}

fn coded_as(writing: &mut Writing, coded: &Coded, wanted: &Wanted<'_>) -> String {
    let words: Vec<String> = match &wanted.system {
        System::Any => Vec::new(),
        System::None => stored(coded.systems, str::is_empty),
        System::Is(given) => stored(coded.systems, |uri| uri == given),
    };
    let mut all = Vec::new();
    if let Some(codes) = &wanted.codes {
        all.push(writing.is_one_of(&format!("r.{}", coded.code), codes.iter().map(|code| (*code).to_owned()).collect()));
    }
    if wanted.system != System::Any {
        all.push(match coded.system {
            Some(column) => writing.is_one_of(&format!("r.{column}"), words),
            None if words.is_empty() => NEVER.into(),
            None => format!("r.{} is not null", coded.code),
        });
    }
    if all.is_empty() { NEVER.into() } else { format!("({})", all.join(" and ")) }
}

fn of_between(writing: &mut Writing, find: &Find, asked: &Between) -> Option<String> {
    let Find::Coded(coded) = find else { return None };
    let told = between(writing, &format!("r.{}", coded.code), &Between { system: None, ..asked.clone() }, "");
    let (Some(system), Some(column)) = (&asked.system, coded.system) else { return Some(told) };
    let words = stored(coded.systems, |uri| uri == system);
    Some(format!("{told} and {}", writing.is_one_of(&format!("r.{column}"), words)))
}

/// In the order of their characters, both ends included.
pub fn between(writing: &mut Writing, column: &str, asked: &Between, system: &str) -> String {
    let (from, to) = (writing.text(&asked.from), writing.text(&asked.to));
    let told = format!("{column} collate \"C\" >= {from} and {column} collate \"C\" <= {to}");
    match &asked.system {
        Some(given) => format!("{told} and {system} = {}", writing.text(given)),
        None => told,
    }
}

/// By the text beside the code (`:text`): the column's own, or what the code is called where it is defined.
fn called(writing: &mut Writing, find: &Find, text: &Text) -> Option<String> {
    let known = Known::default();
    let named = |system: &str, code: &str| {
        let display = known.display(system, code).unwrap_or_else(|| code.replace('-', " "));
        display.to_lowercase().contains(&text.words().to_lowercase())
    };
    Some(match find {
        Find::Words { column, system, words } => writing.is_one_of(column, shown(words, |code| named(system, code))),
        Find::Constant { codes, given } => {
            let is_any = codes.iter().any(|(system, code)| named(system, code));
            if is_any { given.unwrap_or("true").to_owned() } else { NEVER.into() }
        }
        Find::Coded(Coded { display: Some(display), .. }) => {
            let column = format!("r.{display}");
            texts(writing, &[], &[&format!("kernel.fold({column})")], &[&column], text)
        }
        Find::Code { expr, .. } => texts(writing, &[], &[&format!("kernel.fold({expr})")], &[expr], text),
        Find::Coded(_) | Find::Listed { .. } | Find::Flag(_) | Find::Plain { .. } | Find::Blind { .. } => NEVER.into(),
        _ => return None,
    })
}
