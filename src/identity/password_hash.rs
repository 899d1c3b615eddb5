//! Stored password hashes: which forms are read, how each is checked, and the one form that is written.
//!
//! Written: `$argon2id$v=19$m=…,t=…,p=…[,pepper=<id>]$salt$tag`, where with a pepper the tag is
//! HMAC-SHA-256(pepper, argon2id tag). `pepper` is no parameter of Argon2, so that a reader without the key
//! refuses the string instead of comparing the wrong thing.
//! Read besides, for people who come from elsewhere: scrypt as PHC string, bcrypt `$2a$`, `$2b$`, `$2y$`.

use argon2::{Algorithm as Argon2Kind, Argon2, Params, Version};
use aws_lc_rs::rand;
use hmac::{Hmac, KeyInit, Mac};
use password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::kernel::config::Config;
use crate::kernel::{Error, Result};

/// bcrypt reads 72 bytes and forgets the rest: two passwords with one beginning would be the same.
pub const BCRYPT_BYTES_MAX: usize = 72;
const TAG_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

// A stored hash names its own cost. Beyond these, an imported row could take the machine's memory or minutes.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 8;
const BCRYPT_COST_MAX: u32 = 15;

/// The word for `user_auth_identities.password_algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Argon2id,
    Scrypt,
    Bcrypt,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Argon2id => "ARGON2ID",
            Self::Scrypt => "SCRYPT",
            Self::Bcrypt => "BCRYPT",
        }
    }
}

/// What one Argon2id hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Costs {
    /// 64 MiB three times over: above each OWASP minimum, about 0.1 s on a server core.
    pub const PRODUCTION: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
    /// For tests and `enamel up` alone: milliseconds, and no protection worth the name.
    pub const FAST: Self = Self { memory_kib: 256, passes: 1, lanes: 1 };

    /// OWASP Password Storage Cheat Sheet: the equal pairs of memory and passes, none of which may be undercut.
    pub fn meets_floor(self) -> bool {
        const FLOOR: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];
        FLOOR.iter().any(|&(memory_kib, passes)| self.memory_kib >= memory_kib && self.passes >= passes)
    }

    fn params(self, tag_bytes: usize) -> Option<Params> {
        let bounded = self.memory_kib <= MEMORY_KIB_MAX && self.passes <= PASSES_MAX && self.lanes <= LANES_MAX;
        bounded.then(|| Params::new(self.memory_kib, self.passes, self.lanes, Some(tag_bytes)).ok()).flatten()
    }
}

/// A key kept apart from the database, so that stolen rows alone cannot be guessed at.
pub struct Pepper {
    id: String,
    key: Zeroizing<[u8; 32]>,
}

impl Pepper {
    /// `id` is stored with each hash: 1 to 16 of `a–z 0–9 -`.
    pub fn new(id: &str, key: [u8; 32]) -> Result<Self> {
        let named = (1..=16).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !named {
            return Err(Error::internal("a pepper id is 1 to 16 of a-z, 0-9 and -"));
        }
        Ok(Self { id: id.to_owned(), key: Zeroizing::new(key) })
    }

    fn over(&self, tag: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_slice()).ok()?;
        mac.update(tag);
        Some(Zeroizing::new(mac.finalize().into_bytes().to_vec()))
    }
}

/// How new hashes are made: costs, and the peppers, newest first; older ones still verify.
pub struct Recipe {
    pub costs: Costs,
    pub peppers: Vec<Pepper>,
}

impl Recipe {
    /// As the configuration asks.
    pub fn configured(config: &Config) -> Result<Recipe> {
        let argon2 = &config.identity.argon2;
        let costs = Costs { memory_kib: argon2.memory_kib, passes: argon2.iterations, lanes: argon2.parallelism };
        Ok(Recipe { costs, peppers: vec![Pepper::new("1", *config.secrets.password_pepper.expose())?] })
    }
}

/// A hash from the database, understood.
#[derive(Debug)]
pub struct StoredHash(Form);

#[derive(Debug)]
enum Form {
    Argon2id { costs: Costs, version: Version, pepper: Option<String>, salt: Vec<u8>, tag: Vec<u8> },
    Scrypt { params: scrypt::Params, salt: Vec<u8>, tag: Vec<u8> },
    Bcrypt { text: String },
}

impl StoredHash {
    /// `None` for a form that is not read here or a cost beyond the bounds: an import refuses such a row.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("$2") {
            return bcrypt_form(text).map(Self);
        }
        let phc = PasswordHash::new(text).ok()?;
        match phc.algorithm.as_str() {
            "argon2id" => argon2id_form(&phc).map(Self),
            "scrypt" => scrypt_form(&phc).map(Self),
            _ => None,
        }
    }

    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Form::Argon2id { .. } => Algorithm::Argon2id,
            Form::Scrypt { .. } => Algorithm::Scrypt,
            Form::Bcrypt { .. } => Algorithm::Bcrypt,
        }
    }

    /// Whether a new hash of the same password would look like this one.
    pub(super) fn is_current(&self, recipe: &Recipe) -> bool {
        let Form::Argon2id { costs, version: Version::V0x13, pepper, tag, salt } = &self.0 else { return false };
        let newest = recipe.peppers.first().map(|pepper| pepper.id.as_str());
        *costs == recipe.costs && pepper.as_deref() == newest && tag.len() == TAG_BYTES && salt.len() >= SALT_BYTES
    }

    /// Costs what the hash says; the caller runs it on the bounded pool.
    pub(super) fn matches(&self, password: &[u8], recipe: &Recipe) -> bool {
        match &self.0 {
            Form::Argon2id { costs, version, pepper, salt, tag } => {
                let mut found = argon2id(password, *costs, *version, salt, tag.len());
                if let Some(id) = pepper {
                    let pepper = recipe.peppers.iter().find(|pepper| pepper.id == *id);
                    found = found.zip(pepper).and_then(|(tag, pepper)| pepper.over(&tag));
                }
                found.is_some_and(|found| found.ct_eq(tag).into())
            }
            Form::Scrypt { params, salt, tag } => {
                let mut found = Zeroizing::new(vec![0; tag.len()]);
                let made = scrypt::scrypt(password, salt, params, &mut found).is_ok();
                made & bool::from(found.ct_eq(tag))
            }
            Form::Bcrypt { text } => password.len() <= BCRYPT_BYTES_MAX && bcrypt::verify(password, text).unwrap_or(false),
        }
    }
}

/// A new hash of `password` under a fresh salt.
pub(super) fn make(password: &[u8], recipe: &Recipe) -> Result<String> {
    let mut salt = [0; SALT_BYTES];
    rand::fill(&mut salt).map_err(|_| Error::internal("no randomness"))?;
    let unusable = || Error::internal("the password hashing costs are out of bounds");
    let mut tag = argon2id(password, recipe.costs, Version::V0x13, &salt, TAG_BYTES).ok_or_else(unusable)?;
    let mut params = ParamsString::new();
    params.add_decimal("m", recipe.costs.memory_kib).map_err(Error::internal)?;
    params.add_decimal("t", recipe.costs.passes).map_err(Error::internal)?;
    params.add_decimal("p", recipe.costs.lanes).map_err(Error::internal)?;
    if let Some(pepper) = recipe.peppers.first() {
        tag = pepper.over(&tag).ok_or_else(unusable)?;
        params.add_str("pepper", pepper.id.as_str()).map_err(Error::internal)?;
    }
    let phc = PasswordHash {
        algorithm: Ident::new("argon2id").map_err(Error::internal)?,
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(Salt::new(&salt).map_err(Error::internal)?),
        hash: Some(Output::new(&tag).map_err(Error::internal)?),
    };
    Ok(phc.to_string())
}

fn argon2id(password: &[u8], costs: Costs, version: Version, salt: &[u8], tag_bytes: usize) -> Option<Zeroizing<Vec<u8>>> {
    let params = costs.params(tag_bytes)?;
    let mut tag = Zeroizing::new(vec![0; tag_bytes]);
    Argon2::new(Argon2Kind::Argon2id, version, params).hash_password_into(password, salt, &mut tag).ok()?;
    Some(tag)
}

fn argon2id_form(phc: &PasswordHash) -> Option<Form> {
    let known = |(name, _): (Ident, _)| matches!(name.as_str(), "m" | "t" | "p" | "pepper");
    if !phc.params.iter().all(known) {
        return None;
    }
    let costs =
        Costs { memory_kib: phc.params.get_decimal("m")?, passes: phc.params.get_decimal("t")?, lanes: phc.params.get_decimal("p")? };
    let version = Version::try_from(phc.version.unwrap_or(0x10)).ok()?;
    let pepper = phc.params.get_str("pepper").map(str::to_owned);
    let (salt, tag) = (phc.salt?.to_vec(), phc.hash?.as_bytes().to_vec());
    costs.params(tag.len())?;
    Some(Form::Argon2id { costs, version, pepper, salt, tag })
}

fn scrypt_form(phc: &PasswordHash) -> Option<Form> {
    let (ln, r, p) = (phc.params.get_decimal("ln")?, phc.params.get_decimal("r")?, phc.params.get_decimal("p")?);
    // 128 · N · r bytes of memory, p times over.
    let memory_kib = 1u64.checked_shl(ln)?.checked_mul(u64::from(r))? / 8;
    if ln > 20 || p > LANES_MAX || memory_kib > u64::from(MEMORY_KIB_MAX) {
        return None;
    }
    let params = scrypt::Params::new(u8::try_from(ln).ok()?, r, p).ok()?;
    Some(Form::Scrypt { params, salt: phc.salt?.to_vec(), tag: phc.hash?.as_bytes().to_vec() })
}

fn bcrypt_form(text: &str) -> Option<Form> {
    let parts: bcrypt::HashParts = text.parse().ok()?;
    // `$2x$` marks hashes of a broken implementation; to check them is to repeat its fault.
    let prefix = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix));
    (prefix && (4..=BCRYPT_COST_MAX).contains(&parts.get_cost())).then(|| Form::Bcrypt { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(peppers: Vec<Pepper>) -> Recipe {
        Recipe { costs: Costs::FAST, peppers }
    }

    fn check(text: &str, password: &str) -> bool {
        StoredHash::parse(text).is_some_and(|hash| hash.matches(password.as_bytes(), &recipe(vec![])))
    }

    #[test]
    fn hashes_made_elsewhere_verify() {
        // Argon2id: the reference implementation's test.c; scrypt: passlib; bcrypt: the crypt_blowfish test list.
        for (hash, password) in [
            ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"),
            ("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"),
            ("$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E", "password"),
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
            ("$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
            ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"),
        ] {
            assert!(check(hash, password), "{hash}");
            assert!(!check(hash, "Password"), "{hash}");
        }
    }

    #[test]
    fn bcrypt_never_cuts_a_long_password() {
        let longest = "b".repeat(BCRYPT_BYTES_MAX);
        let hash = bcrypt::hash(&longest, 4).unwrap();
        assert!(check(&hash, &longest));
        assert!(bcrypt::verify(format!("{longest}x"), &hash).unwrap(), "the twin: bcrypt itself cuts");
        assert!(!check(&hash, &format!("{longest}x")));
    }

    #[test]
    fn what_is_written_reads_back_and_only_itself() {
        let recipe = recipe(vec![]);
        let text = make("correct horse".as_bytes(), &recipe).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=256,t=1,p=1$"), "{text}");
        let hash = StoredHash::parse(&text).unwrap();
        assert!(hash.matches(b"correct horse", &recipe) && hash.is_current(&recipe));
        assert!(!hash.matches(b"correct horsf", &recipe));
        assert_ne!(text, make("correct horse".as_bytes(), &recipe).unwrap(), "each has its own salt");
    }

    #[test]
    fn a_pepper_is_needed_to_verify_and_can_be_turned_over() {
        let old = recipe(vec![Pepper::new("k1", [1; 32]).unwrap()]);
        let hash = StoredHash::parse(&make(b"correct horse", &old).unwrap()).unwrap();
        assert!(hash.matches(b"correct horse", &old) && hash.is_current(&old));
        assert!(!hash.matches(b"correct horse", &recipe(vec![])), "without the key");
        assert!(!hash.matches(b"correct horse", &recipe(vec![Pepper::new("k1", [2; 32]).unwrap()])), "another key");
        let turned = recipe(vec![Pepper::new("k2", [2; 32]).unwrap(), Pepper::new("k1", [1; 32]).unwrap()]);
        assert!(hash.matches(b"correct horse", &turned) && !hash.is_current(&turned));
    }

    #[test]
    fn costs_that_would_take_the_machine_are_not_read() {
        let tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        for head in [
            "$argon2id$v=19$m=4194304,t=2,p=1",
            "$argon2id$v=19$m=65536,t=1000,p=1",
            "$argon2id$v=19$m=65536,t=2,p=1,keyid=AAAA",
            "$argon2id$v=20$m=65536,t=2,p=1",
            "$argon2i$v=19$m=65536,t=2,p=1",
            "$scrypt$ln=20,r=8,p=1",
            "$scrypt$ln=63,r=4294967295,p=1",
            "$scrypt$ln=64,r=8,p=1",
        ] {
            assert!(StoredHash::parse(&format!("{head}{tail}")).is_none(), "{head}");
        }
        for text in [
            "",
            "plain",
            "$",
            "$2",
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        ] {
            assert!(StoredHash::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn production_costs_meet_the_floor_and_fast_ones_do_not() {
        assert!(Costs::PRODUCTION.meets_floor());
        assert!(!Costs::FAST.meets_floor());
        assert!(!Costs { memory_kib: 19_456, passes: 1, lanes: 1 }.meets_floor());
    }
}
