//! SMART scopes, of version 1 and 2: which words are granted, and which permissions they stand for.
//!
//! A scope can only narrow: what a person's token may do is what their roles allow *and* its scopes name. The permissions
//! are coarser than the scopes, so both contracts ask [`permits`] about the resource type as well (`server/scopes.rs`).

use crate::fhir::definitions::Definitions;
use crate::kernel::context::{Caps, Permission};
use Permission::{DeleteData, ManagePlatform, Own, SignClinical};
use std::collections::BTreeMap;
use std::sync::OnceLock;

pub const OPENID: &str = "openid";
pub const FHIR_USER: &str = "fhirUser";
pub const PROFILE: &str = "profile";
pub const EMAIL: &str = "email";
pub const OFFLINE: &str = "offline_access";
pub const ONLINE: &str = "online_access";
pub const LAUNCH: &str = "launch";
pub const LAUNCH_PATIENT: &str = "launch/patient";
pub const LAUNCH_ENCOUNTER: &str = "launch/encounter";
/// Words without a resource type.
pub const PLAIN: &[&str] = &[OPENID, FHIR_USER, PROFILE, EMAIL, OFFLINE, ONLINE, LAUNCH, LAUNCH_PATIENT, LAUNCH_ENCOUNTER];
const WORDS_MAX: usize = 100;
const QUERY_MAX: usize = 500;

/// What reading and changing resources of a type takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct KindCaps {
    pub see: Caps,
    pub change: Caps,
}

pub type Kinds = BTreeMap<&'static str, KindCaps>;

/// Told by whoever knows what tables each type is, and asked when the first scope is read. Before that a scope for a type
/// stands for nothing.
static TELLER: OnceLock<fn() -> Kinds> = OnceLock::new();
static KINDS: OnceLock<Kinds> = OnceLock::new();

pub fn ask(teller: fn() -> Kinds) {
    TELLER.get_or_init(|| teller);
}

fn kind_caps(kind: &str) -> KindCaps {
    let Some(teller) = TELLER.get() else { return KindCaps::default() };
    KINDS.get_or_init(teller).get(kind).copied().unwrap_or_default()
}

/// Who a resource scope speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    System,
    User,
    Patient,
}

/// `user/Patient.rs` or `patient/Observation.rs?category=laboratory`, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    pub level: Level,
    /// A FHIR type, or `*`.
    pub kind: &'a str,
    letters: u8,
    /// Search parameters that narrow it, as a search for them is written.
    pub query: Option<&'a str>,
}

const CREATE: u8 = 1;
const READ: u8 = 2;
const UPDATE: u8 = 4;
const DELETE: u8 = 8;
const SEARCH: u8 = 16;
const LETTERS: [(char, u8); 5] = [('c', CREATE), ('r', READ), ('u', UPDATE), ('d', DELETE), ('s', SEARCH)];

impl<'a> Resource<'a> {
    pub fn parse(word: &'a str) -> Option<Resource<'a>> {
        let (word, query) = word.split_once('?').map_or((word, None), |(word, query)| (word, Some(query)));
        let (level, rest) = word.split_once('/')?;
        let level = match level {
            "system" => Level::System,
            "user" => Level::User,
            "patient" => Level::Patient,
            _ => return None,
        };
        let (kind, actions) = rest.split_once('.')?;
        if kind != "*" && !Definitions::r4().resources().any(|known| known == kind) {
            return None;
        }
        if query.is_some_and(|query| !narrows(kind, query)) {
            return None;
        }
        let letters = match actions {
            // SMART v1.
            "read" => READ | SEARCH,
            "write" => CREATE | UPDATE | DELETE,
            "*" => CREATE | READ | UPDATE | DELETE | SEARCH,
            _ => in_order(actions)?,
        };
        // What may be created cannot be told from a search that finds it.
        let told = query.is_none() || letters & !(READ | SEARCH) == 0;
        told.then_some(Resource { level, kind, letters, query })
    }

    /// One of `cruds`.
    pub fn may(&self, letter: char) -> bool {
        LETTERS.iter().any(|(known, bit)| *known == letter && self.letters & bit != 0)
    }

    fn caps(self) -> Caps {
        let union = |of: Caps, permission: &Permission| Caps(of.0 | permission.bit());
        let KindCaps { see, change } = match self.kind {
            "*" => KindCaps {
                see: Permission::ALL.iter().filter(|one| one.only_reads()).fold(Caps::NONE, union),
                change: Permission::ALL
                    .iter()
                    .filter(|one| !one.only_reads() && ![Own, DeleteData, ManagePlatform].contains(one))
                    .fold(Caps::NONE, union),
            },
            kind => kind_caps(kind),
        };
        let asked = [(READ | SEARCH, see), (CREATE | UPDATE, change), (DELETE, Caps(DeleteData.bit()))];
        let caps = asked.into_iter().filter(|(letters, _)| self.letters & letters != 0).fold(0, |caps, (_, more)| caps | more.0);
        // A signature is a clinician's: no program gives one by itself.
        Caps(if self.level == Level::System { caps & !SignClinical.bit() } else { caps })
    }

    fn covers(&self, asked: &Resource<'_>) -> bool {
        self.level == asked.level
            && (self.kind == "*" || self.kind == asked.kind)
            && asked.letters & !self.letters == 0
            && (self.query.is_none() || self.query == asked.query)
    }
}

/// Whether every part of the query is a search parameter of the type with a value.
fn narrows(kind: &str, query: &str) -> bool {
    let plain = !query.is_empty() && query.len() <= QUERY_MAX && query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let known = |name: &str| {
        let code = name.split(':').next().unwrap_or_default();
        !code.contains('.') && Definitions::r4().parameters(kind).any(|parameter| parameter.code == code)
    };
    plain && kind != "*" && query.split('&').all(|pair| pair.split_once('=').is_some_and(|(name, value)| !value.is_empty() && known(name)))
}

/// `cruds` with letters left out, in this order, as SMART v2 writes them.
fn in_order(actions: &str) -> Option<u8> {
    let mut rest = LETTERS.iter();
    let mut letters = 0;
    for letter in actions.chars() {
        letters |= rest.find(|(known, _)| *known == letter)?.1;
    }
    (letters != 0).then_some(letters)
}

/// The words of `asked` that are known and that `allowed` covers; all that is allowed when nothing was asked.
pub fn granted(asked: Option<&str>, allowed: &[String]) -> Vec<String> {
    let Some(asked) = asked.filter(|asked| !asked.trim().is_empty()) else {
        return allowed.iter().filter(|word| known(word)).cloned().collect();
    };
    let mut granted: Vec<String> = Vec::new();
    for word in asked.split_ascii_whitespace().take(WORDS_MAX) {
        if known(word) && covered(word, allowed) && !granted.iter().any(|held| held == word) {
            granted.push(word.to_owned());
        }
    }
    granted
}

/// Of a grant, what is asked for of it now; nothing when more is asked.
pub fn narrowed(asked: &str, held: &[String]) -> Option<Vec<String>> {
    let granted = granted(Some(asked), held);
    let whole = asked.split_ascii_whitespace().all(|word| granted.iter().any(|held| held == word));
    (whole && !granted.is_empty()).then_some(granted)
}

pub fn known(word: &str) -> bool {
    PLAIN.contains(&word) || Resource::parse(word).is_some()
}

fn covered(word: &str, allowed: &[String]) -> bool {
    let Some(asked) = Resource::parse(word) else { return allowed.iter().any(|held| held == word) };
    allowed.iter().filter_map(|held| Resource::parse(held)).any(|held| held.covers(&asked))
}

/// Whether the words speak for one patient: nobody holds them without one.
pub fn of_a_patient(scopes: &[String]) -> bool {
    scopes.iter().any(|word| Resource::parse(word).is_some_and(|scope| scope.level == Level::Patient))
}

/// The permissions these words stand for together.
pub fn caps(scopes: &[String]) -> Caps {
    scopes.iter().filter_map(|word| Resource::parse(word)).fold(Caps::NONE, |caps, scope| Caps(caps.0 | scope.caps().0))
}

/// What a token may do with a FHIR type.
#[derive(Debug, PartialEq, Eq)]
pub enum Permit<'a> {
    No,
    All,
    /// What one of these searches finds.
    Found(Vec<&'a str>),
}

/// By `c`, `r`, `u`, `d` or `s`. A person's own session has no scopes and may do all.
pub fn permit<'a>(scopes: &'a [String], kind: &str, letter: char) -> Permit<'a> {
    let wanted = LETTERS.iter().find(|(known, _)| *known == letter).map_or(0, |(_, bit)| *bit);
    let resources = scopes.iter().filter_map(|word| Resource::parse(word));
    let held: Vec<Resource<'_>> = resources.filter(|held| (held.kind == "*" || held.kind == kind) && held.letters & wanted != 0).collect();
    match held.iter().map(|held| held.query).collect::<Option<Vec<_>>>() {
        _ if scopes.is_empty() => Permit::All,
        Some(queries) if queries.is_empty() => Permit::No,
        Some(queries) => Permit::Found(queries),
        None => Permit::All,
    }
}

/// Whether a token may do that with every resource of the type.
pub fn permits(scopes: &[String], kind: &str, letter: char) -> bool {
    permit(scopes, kind, letter) == Permit::All
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_grant_is_never_wider_than_what_is_allowed() {
        let allowed = words("system/*.rs user/Patient.cruds openid patient/Observation.rs?category=laboratory");
        for (asked, granted_words) in [
            ("system/Patient.r system/Patient.c", "system/Patient.r"),
            ("user/Patient.cu user/Coverage.r patient/Patient.r", "user/Patient.cu"),
            ("openid launch/patient root", "openid"),
            ("system/*.cruds", ""),
            ("system/Patient.rs?name=x", "system/Patient.rs?name=x"),
            ("patient/Observation.rs patient/Observation.r?category=laboratory", "patient/Observation.r?category=laboratory"),
            ("patient/Observation.rs?category=vital-signs", ""),
        ] {
            assert_eq!(granted(Some(asked), &allowed), words(granted_words), "{asked}");
        }
        assert_eq!(granted(None, &allowed), allowed);
        assert_eq!(narrowed("system/Patient.r", &allowed), Some(words("system/Patient.r")));
        assert_eq!((narrowed("system/Patient.r system/Patient.c", &allowed), narrowed(" ", &words(""))), (None, None));
    }

    #[test]
    fn everything_is_every_permission_but_a_signature_and_the_platform() {
        let everything = caps(&words("system/*.cruds"));
        for permission in Permission::ALL {
            assert_eq!(everything.allows(*permission), ![ManagePlatform, SignClinical].contains(permission), "{}", permission.word());
        }
        assert!(caps(&words("user/*.cruds")).allows(SignClinical));
        assert_eq!(caps(&words("patient/*.rs")).words().iter().find(|word| !word.starts_with("view_") && **word != "self"), None);
    }

    #[test]
    fn a_type_is_permitted_by_name() {
        let scopes = words("user/Coverage.rs user/Patient.c");
        assert!(permits(&scopes, "Coverage", 'r') && permits(&scopes, "Patient", 'c') && permits(&[], "Patient", 'd'));
        assert!(!permits(&scopes, "Patient", 'r') && !permits(&scopes, "Coverage", 'u') && !permits(&words("openid"), "Patient", 'r'));
        let narrow = words("user/Condition.rs?category=a user/Condition.r?category=b user/Patient.rs");
        assert_eq!(permit(&narrow, "Condition", 'r'), Permit::Found(vec!["category=a", "category=b"]));
        assert_eq!(permit(&narrow, "Condition", 's'), Permit::Found(vec!["category=a"]));
        assert!(!permits(&narrow, "Condition", 'r') && permits(&narrow, "Patient", 's'));
        assert!(permits(&words("user/Condition.rs?category=a user/*.rs"), "Condition", 's'), "the wider one counts");
    }

    #[test]
    fn what_is_no_scope_is_none() {
        for word in [
            "",
            "user",
            "user/",
            "user/Patient",
            "user/patient.r",
            "user/Patient.sr",
            "user/Patient.x",
            "user/Patient.",
            "any/Patient.r",
            "user/../.r",
            "user/Foo.r",
            "user/*.rs?category=a",
            "user/Condition.rs?",
            "user/Condition.rs?category",
            "user/Condition.rs?category=",
            "user/Condition.rs?colour=blue",
            "user/Condition.rs?subject.name=x",
            "user/Condition.cruds?category=a",
        ] {
            assert_eq!(Resource::parse(word), None, "{word}");
        }
        assert!(Resource::parse("user/Patient.read").is_some() && Resource::parse("patient/*.*").is_some());
        assert!(Resource::parse("patient/Observation.rs?category=http://a.example/b|laboratory&code=x").is_some());
    }
}
