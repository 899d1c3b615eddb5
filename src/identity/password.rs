//! The rules for new passwords. [`super::hashing`] checks them.

use crate::kernel::error::INVALID;
use crate::kernel::{Error, Result};

/// What a new password must be. NIST SP 800-63B-4 §3.1.1: length, no rules of composition, no forced renewal.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Characters when the password is the only factor.
    pub chars_min_alone: usize,
    /// Characters when a second factor is asked for as well.
    pub chars_min_with_second: usize,
    pub chars_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { chars_min_alone: 15, chars_min_with_second: 8, chars_max: CHARS_MAX }
    }
}

const CHARS_MAX: usize = 256;
/// No sign-in hashes more than the longest password the rules could ever have let in.
pub(super) const BYTES_MAX: usize = CHARS_MAX * 4;

impl Rules {
    /// `context` is what an attacker tries first: e-mail, name, clinic. Faults name the field `password` and the
    /// rule, never the value.
    pub fn check_new(&self, password: &str, has_second: bool, context: &[&str]) -> Result<()> {
        let chars_min = if has_second { self.chars_min_with_second } else { self.chars_min_alone };
        let chars = password.chars().count();
        let fault = |rule, text: String| Err(Error::new(&INVALID).fault("password", rule, text));
        if chars < chars_min || chars > self.chars_max {
            return fault("length", format!("has {chars_min} to {} characters", self.chars_max));
        }
        if password.chars().any(char::is_control) {
            return fault("format", "holds no control characters".into());
        }
        if is_guessable(password, chars_min, context) {
            return fault("guessable", "is not made of a few characters, the e-mail, a name or a clinic".into());
        }
        Ok(())
    }
}

/// Few different characters, or little left once the words an attacker knows are taken out.
fn is_guessable(password: &str, chars_min: usize, context: &[&str]) -> bool {
    let mut rest = password.to_lowercase();
    let distinct = rest.chars().collect::<std::collections::BTreeSet<_>>().len();
    let words = context.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    for word in words.chain(["enamel", "password"]).filter(|word| word.chars().count() >= 4) {
        rest = rest.replace(&word.to_lowercase(), "");
    }
    distinct < 5 || rest.chars().count() < chars_min.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_name_the_rule_and_never_the_password() {
        let context = ["ana.lopez@bright-north.example", "Ana Lopez", "Bright North"];
        for (password, has_second, rule) in [
            ("fourteen chars", false, Some("length")),
            ("fifteen charact", false, None),
            ("eight ch", true, None),
            ("seven c", true, Some("length")),
            ("correct horse\0battery", false, Some("format")),
            ("aaaaaaaaaaaaaaaaaa", false, Some("guessable")),
            ("bright-north-LOPEZ1", false, Some("guessable")),
            ("Enamel password 1", false, Some("guessable")),
            ("зубная фея летит домой", false, None),
        ] {
            let found = Rules::default().check_new(password, has_second, &context).err();
            assert_eq!(found.as_ref().map(|error| error.faults[0].rule), rule, "{password}");
            assert!(found.is_none_or(|error| !error.to_string().contains(password)));
        }
        assert!(Rules::default().check_new(&"abcdefgh".repeat(32), false, &[]).is_ok());
        assert!(Rules::default().check_new(&"abcdefgh".repeat(33), false, &[]).is_err());
    }
}
