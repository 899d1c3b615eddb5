//! SMART v2 scopes: which words are granted, and which permissions they stand for.
//!
//! A scope can only narrow: what a person's token may do is what their roles allow *and* its scopes name. The permissions
//! are coarser than the scopes, so both contracts ask [`permits`] about the resource type as well (`server/scopes.rs`).

use crate::kernel::context::{Caps, Permission};
use Permission::{
    DeleteData, EditImaging, EditPatient, ManageDirectory, ManagePlatform, ManageTenant, ManageUsers, Own, SignClinical, ViewImaging,
    ViewPatient, ViewTenant,
};

/// Words without a resource type.
const PLAIN: &[&str] = &["openid", "fhirUser", "profile", "offline_access", "launch/patient"];
pub const OFFLINE: &str = "offline_access";
pub const LAUNCH_PATIENT: &str = "launch/patient";

/// Who a resource scope speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    System,
    User,
    Patient,
}

/// `user/Patient.rs`, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    pub level: Level,
    /// A FHIR type, or `*`.
    pub kind: &'a str,
    letters: u8,
}

const CREATE: u8 = 1;
const READ: u8 = 2;
const UPDATE: u8 = 4;
const DELETE: u8 = 8;
const SEARCH: u8 = 16;
const LETTERS: [(char, u8); 5] = [('c', CREATE), ('r', READ), ('u', UPDATE), ('d', DELETE), ('s', SEARCH)];

impl<'a> Resource<'a> {
    /// Nothing for another word, and for a scope narrowed by a search (`?…`), which would grant more than it says.
    pub fn parse(word: &'a str) -> Option<Resource<'a>> {
        let (level, rest) = word.split_once('/')?;
        let level = match level {
            "system" => Level::System,
            "user" => Level::User,
            "patient" => Level::Patient,
            _ => return None,
        };
        let (kind, actions) = rest.split_once('.')?;
        let named =
            kind.len() <= 64 && kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.bytes().all(|b| b.is_ascii_alphanumeric());
        if kind != "*" && !named {
            return None;
        }
        let letters = match actions {
            // SMART v1.
            "read" => READ | SEARCH,
            "write" => CREATE | UPDATE | DELETE,
            "*" => CREATE | READ | UPDATE | DELETE | SEARCH,
            _ => in_order(actions)?,
        };
        Some(Resource { level, kind, letters })
    }

    fn caps(self) -> Caps {
        let (see, change): (Vec<Permission>, Vec<Permission>) = match self.kind {
            "*" => (
                Permission::ALL.iter().copied().filter(|permission| permission.only_reads()).collect(),
                Permission::ALL
                    .iter()
                    .copied()
                    .filter(|one| !one.only_reads() && ![Own, DeleteData, ManagePlatform].contains(one))
                    .collect(),
            ),
            "Patient" | "RelatedPerson" | "Coverage" => (vec![ViewPatient], vec![EditPatient]),
            "Practitioner" | "PractitionerRole" => (vec![ViewTenant], vec![ManageUsers, ManageDirectory]),
            "Organization" | "Location" => (vec![ViewTenant], vec![ManageTenant]),
            "ImagingStudy" | "DocumentReference" | "Binary" => (vec![ViewImaging], vec![EditImaging]),
            _ => (vec![], vec![]),
        };
        let asked = [(READ | SEARCH, see), (CREATE | UPDATE, change), (DELETE, vec![DeleteData])];
        let caps = asked.into_iter().filter(|(letters, _)| self.letters & letters != 0).fold(0, |caps, (_, more)| caps | Caps::of(&more).0);
        // A signature is a clinician's: no program gives one by itself.
        Caps(if self.level == Level::System { caps & !SignClinical.bit() } else { caps })
    }
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
    for word in asked.split_ascii_whitespace().take(100) {
        if known(word) && covered(word, allowed) && !granted.iter().any(|held| held == word) {
            granted.push(word.to_owned());
        }
    }
    granted
}

pub fn known(word: &str) -> bool {
    PLAIN.contains(&word) || Resource::parse(word).is_some()
}

fn covered(word: &str, allowed: &[String]) -> bool {
    let Some(asked) = Resource::parse(word) else { return allowed.iter().any(|held| held == word) };
    allowed
        .iter()
        .filter_map(|held| Resource::parse(held))
        .any(|held| held.level == asked.level && (held.kind == "*" || held.kind == asked.kind) && asked.letters & !held.letters == 0)
}

/// The permissions these words stand for together.
pub fn caps(scopes: &[String]) -> Caps {
    scopes.iter().filter_map(|word| Resource::parse(word)).fold(Caps::NONE, |caps, scope| Caps(caps.0 | scope.caps().0))
}

/// Whether a token may do that (`c`, `r`, `u`, `d` or `s`) with a FHIR type. A person's own session has no scopes.
pub fn permits(scopes: &[String], kind: &str, letter: char) -> bool {
    let wanted = LETTERS.iter().find(|(known, _)| *known == letter).map_or(0, |(_, bit)| *bit);
    let mut resources = scopes.iter().filter_map(|word| Resource::parse(word));
    scopes.is_empty() || resources.any(|held| (held.kind == "*" || held.kind == kind) && held.letters & wanted != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_grant_is_never_wider_than_what_is_allowed() {
        let allowed = words("system/*.rs user/Patient.cruds openid");
        for (asked, granted_words) in [
            ("system/Patient.r system/Patient.c", "system/Patient.r"),
            ("user/Patient.cu user/Coverage.r patient/Patient.r", "user/Patient.cu"),
            ("openid launch/patient root", "openid"),
            ("system/*.cruds", ""),
            ("system/Patient.rs?name=x", ""),
        ] {
            assert_eq!(granted(Some(asked), &allowed), words(granted_words), "{asked}");
        }
        assert_eq!(granted(None, &allowed), allowed);
    }

    #[test]
    fn scopes_stand_for_permissions() {
        assert_eq!(caps(&words("system/Patient.rs")), Caps::of(&[ViewPatient]));
        assert_eq!(caps(&words("system/Patient.cud")), Caps::of(&[EditPatient, DeleteData]));
        assert_eq!(caps(&words("user/Observation.rs openid")), Caps::NONE);
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
        ] {
            assert_eq!(Resource::parse(word), None, "{word}");
        }
        assert!(Resource::parse("user/Patient.read").is_some() && Resource::parse("patient/*.*").is_some());
    }
}
