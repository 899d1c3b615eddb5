//! Whether a code is in a value set: expanded once from the code systems that are known here, by rule for the systems that
//! are a grammar rather than a list.

use super::Definitions;
use super::profiles::Profiles;
use super::terminology::{CodeSystem, Concept, Expansion, Filter, Part, ValueSet};
use crate::fhir::path::ucum;
use std::collections::HashSet;

/// A value set may name others to this depth.
const DEPTH_MAX: usize = 8;
const MIME: &str = "urn:ietf:bcp:13";
const LANGUAGE: &str = "urn:ietf:bcp:47";
const CURRENCY: &str = "urn:iso:std:iso:4217";
const UCUM: &str = "http://unitsofmeasure.org";

/// Whether the value set holds the code; of any of its systems where the caller names none. None: that cannot be told here.
pub fn contains(set: &str, system: Option<&str>, code: &str, profiles: &Profiles) -> Option<bool> {
    let expansion = expansion(set, profiles, 0)?;
    let listed = match system {
        Some(system) => expansion.codes.get(system).is_some_and(|codes| codes.contains(code)),
        None => expansion.codes.values().any(|codes| codes.contains(code)),
    };
    if listed {
        return Some(true);
    }
    let rules: Vec<Option<bool>> =
        expansion.whole.iter().filter(|known| system.is_none_or(|it| it == **known)).map(|known| follows_rule(known, code)).collect();
    match rules.as_slice() {
        rules if rules.contains(&Some(true)) => Some(true),
        rules if rules.contains(&None) || expansion.is_open => None,
        _ => Some(false),
    }
}

/// Every code of a value set by its system, where all of them are known here.
pub fn all(set: &str, profiles: &Profiles) -> Option<Expansion> {
    expansion(set, profiles, 0).filter(|known| !known.is_open && known.whole.is_empty()).cloned()
}

/// Whether one code is the other or below it. None: the system is not known here.
pub fn subsumes(system: &str, above: &str, below: &str, profiles: &Profiles) -> Option<bool> {
    let known = system_of(system, profiles)?;
    let place = |code: &str| known.concepts.iter().position(|concept| concept.code == code);
    let (above, below) = (place(above)?, place(below)?);
    Some(is_below(&known.concepts, below, above))
}

/// The code, and all above or all below it. None: the code or the system is not known here.
pub fn related(system: &str, code: &str, is_above: bool, profiles: &Profiles) -> Option<Vec<String>> {
    let known = system_of(system, profiles)?;
    let own = known.concepts.iter().position(|concept| concept.code == code)?;
    let is_it =
        |other: usize| other == own || if is_above { is_below(&known.concepts, own, other) } else { is_below(&known.concepts, other, own) };
    Some((0..known.concepts.len()).filter(|other| is_it(*other)).filter_map(|at| Some(known.concepts.get(at)?.code.clone())).collect())
}

fn system_of<'p>(url: &str, profiles: &'p Profiles) -> Option<&'p CodeSystem> {
    profiles.code_system(url).or_else(|| Definitions.code_system(url))
}

fn expansion<'p>(url: &str, profiles: &'p Profiles, depth: usize) -> Option<&'p Expansion> {
    static NONE: std::sync::LazyLock<Profiles> = std::sync::LazyLock::new(Profiles::default);
    if depth > DEPTH_MAX {
        return None;
    }
    if let Some(own) = profiles.value_set(url) {
        // Found before it is entered, so a set that names itself ends at the depth's bound and not in its own lock.
        return own.expansion.get().or_else(|| {
            let made = expand(own, profiles, depth);
            Some(own.expansion.get_or_init(|| made))
        });
    }
    // What the specification says of its own sets is the same for everybody.
    let known = Definitions.value_set(url)?;
    known.expansion.get().or_else(|| {
        let made = expand(known, &NONE, depth);
        Some(known.expansion.get_or_init(|| made))
    })
}

fn expand(set: &ValueSet, profiles: &Profiles, depth: usize) -> Expansion {
    let mut made = Expansion::default();
    for part in &set.include {
        let more = expand_part(part, profiles, depth);
        made.is_open |= more.is_open;
        made.whole.extend(more.whole);
        for (system, codes) in more.codes {
            made.codes.entry(system).or_default().extend(codes);
        }
    }
    for part in &set.exclude {
        for (system, codes) in expand_part(part, profiles, depth).codes {
            if let Some(known) = made.codes.get_mut(&system) {
                known.retain(|code| !codes.contains(code));
            }
        }
    }
    made
}

fn expand_part(part: &Part, profiles: &Profiles, depth: usize) -> Expansion {
    let open = || Expansion { is_open: true, ..Expansion::default() };
    let mut parts: Vec<Expansion> = part.sets.iter().map(|url| expansion(url, profiles, depth + 1).cloned().unwrap_or_else(open)).collect();
    if !part.system.is_empty() {
        parts.push(of_system(part, profiles));
    }
    // What stands in one part together is meant together.
    parts.into_iter().reduce(both).unwrap_or_default()
}

fn both(mut one: Expansion, other: Expansion) -> Expansion {
    if one.is_open || other.is_open || !one.whole.is_empty() || !other.whole.is_empty() {
        return Expansion { is_open: true, ..Expansion::default() };
    }
    for (system, codes) in &mut one.codes {
        codes.retain(|code| other.codes.get(system).is_some_and(|known| known.contains(code)));
    }
    one
}

fn of_system(part: &Part, profiles: &Profiles) -> Expansion {
    let mut made = Expansion::default();
    if !part.codes.is_empty() {
        made.codes.insert(part.system.clone(), part.codes.iter().cloned().collect());
        return made;
    }
    match system_of(&part.system, profiles).filter(|known| known.is_complete) {
        None if part.filters.is_empty() => made.whole.push(part.system.clone()),
        None => made.is_open = true,
        Some(known) => match filtered(&known.concepts, &part.filters) {
            Some(codes) => drop(made.codes.insert(part.system.clone(), codes)),
            None => made.is_open = true,
        },
    }
    made
}

fn filtered(concepts: &[Concept], filters: &[Filter]) -> Option<HashSet<String>> {
    let mut left: Vec<usize> = (0..concepts.len()).collect();
    for filter in filters {
        let root = concepts.iter().position(|concept| concept.code == filter.value);
        match (filter.property.as_str(), filter.op.as_str()) {
            ("concept" | "code", "is-a") => left.retain(|at| root.is_some_and(|root| is_below(concepts, *at, root))),
            ("concept" | "code", "descendent-of") => {
                left.retain(|at| Some(*at) != root && root.is_some_and(|root| is_below(concepts, *at, root)))
            }
            ("concept" | "code", "is-not-a") => left.retain(|at| !root.is_some_and(|root| is_below(concepts, *at, root))),
            ("concept" | "code", "=") => left.retain(|at| Some(*at) == root),
            _ => return None,
        }
    }
    Some(left.into_iter().filter_map(|at| concepts.get(at)).map(|concept| concept.code.clone()).collect())
}

fn is_below(concepts: &[Concept], at: usize, root: usize) -> bool {
    let mut open = vec![at];
    let mut seen = HashSet::new();
    while let Some(at) = open.pop() {
        if at == root {
            return true;
        }
        if seen.insert(at) {
            open.extend(concepts.get(at).into_iter().flat_map(|concept| concept.parents.iter().copied()));
        }
    }
    false
}

/// Systems that are a grammar. None: neither a list nor a rule is known here.
fn follows_rule(system: &str, code: &str) -> Option<bool> {
    match system {
        MIME => Some(is_mime(code)),
        LANGUAGE => Some(is_language(code)),
        CURRENCY => Some(CURRENCIES.split(' ').any(|known| known == code)),
        UCUM if ucum::unit(code).is_some() => Some(true),
        _ => None,
    }
}

/// `type/subtype`, with parameters or without; R4 also takes the short names of its formats (CapabilityStatement.format).
fn is_mime(code: &str) -> bool {
    if matches!(code, "json" | "xml" | "ttl" | "none") {
        return true;
    }
    let is_token = |text: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&b);
        !text.is_empty() && text.bytes().all(plain)
    };
    let name = code.split(';').next().unwrap_or_default().trim_end();
    name.split_once('/').is_some_and(|(main, sub)| is_token(main) && is_token(sub))
}

/// The form of a language tag: a primary subtag and further ones.
fn is_language(code: &str) -> bool {
    let mut tags = code.split('-');
    let primary = tags
        .next()
        .is_some_and(|tag| (tag.eq_ignore_ascii_case("x") || (2..=8).contains(&tag.len())) && tag.bytes().all(|b| b.is_ascii_alphabetic()));
    primary && tags.all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// ISO 4217, with the withdrawn codes that R4's list has.
const CURRENCIES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BYR BZD CAD \
CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GGP GHS GIP GMD GNF GTQ GYD \
HKD HNL HRK HTG HUF IDR ILS IMP INR IQD IRR ISK JEP JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL \
MGA MKD MMK MNT MOP MRO MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF \
SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SPL SRD SSP STD STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TVD TWD TZS UAH UGX USD USN UYI \
UYU UZS VED VEF VES VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWL";
