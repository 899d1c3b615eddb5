//! Passwords: the rules for new ones, and checking them on a bounded pool.
//!
//! A hash takes 64 MiB and a core for a tenth of a second by design. So at most one runs per core, on a thread that the
//! others go before, a bounded number waits, and the next caller hears 429 at once: a flood of sign-ins slows sign-ins,
//! and nothing else.

use std::net::IpAddr;
use std::sync::Arc;

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;
use tracing::{debug, error};

use super::password_hash;
pub use super::password_hash::{Algorithm, Costs, Pepper, Recipe, StoredHash};
use super::throttle;
use crate::kernel::error::{INVALID, SIGN_IN_BUSY};
use crate::kernel::fair::{Fair, Size};
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
const BYTES_MAX: usize = CHARS_MAX * 4;

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

/// The answer to a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub ok: bool,
    /// The password is right and its hash is of an older recipe: store a new one now, while the password is known.
    pub upgrade: bool,
}

/// How many hashes run, and how many callers may wait for a core.
#[derive(Debug, Clone, Copy)]
pub struct PoolSize {
    pub running_max: usize,
    pub waiting_max: usize,
}

impl Default for PoolSize {
    /// One per core; the last in the queue waits for less than two seconds at production costs.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { running_max: cores, waiting_max: cores * 16 }
    }
}

/// Hashes and checks passwords. One for the process; clones share the pool.
#[derive(Clone)]
pub struct Passwords {
    recipe: Arc<Recipe>,
    /// The hash of nothing anybody knows, for people who do not exist: their answer takes as long.
    dummy: Arc<StoredHash>,
    cores: Fair<IpAddr>,
}

impl Passwords {
    /// Costs one hash.
    pub fn new(recipe: Recipe, size: PoolSize) -> Result<Self> {
        let mut nobody = [0; 32];
        aws_lc_rs::rand::fill(&mut nobody).map_err(|_| Error::internal("no randomness"))?;
        let dummy = StoredHash::parse(&password_hash::make(&nobody, &recipe)?)
            .ok_or_else(|| Error::internal("a hash of our own does not read back"))?;
        Ok(Self {
            recipe: Arc::new(recipe),
            dummy: Arc::new(dummy),
            cores: Fair::new(Size {
                places: size.running_max,
                each_max: size.running_max,
                waiting_max: size.waiting_max,
                each_waiting_max: size.waiting_max.div_ceil(2),
            }),
        })
    }

    /// A new PHC string for `password`. Rules are checked before, by [`Rules::check_new`]. SIGN_IN_BUSY.
    pub async fn hash(&self, from: Option<IpAddr>, password: SecretString) -> Result<String> {
        self.run(from, move |recipe, _| password_hash::make(password.expose_secret().as_bytes(), recipe)).await?
    }

    /// Checks `password` against what is stored; `None` stands for an unknown person and takes as long. SIGN_IN_BUSY.
    pub async fn verify(&self, from: Option<IpAddr>, password: SecretString, stored: Option<String>) -> Result<Verdict> {
        self.run(from, move |recipe, dummy| {
            let bytes = password.expose_secret().as_bytes();
            let known = stored.as_deref().and_then(|text| {
                let hash = StoredHash::parse(text);
                if hash.is_none() {
                    error!("A stored password hash has a form that is not read");
                }
                hash
            });
            match known {
                Some(hash) if bytes.len() <= BYTES_MAX && takes(&hash, bytes) => {
                    let ok = hash.matches(bytes, recipe);
                    Verdict { ok, upgrade: ok && !hash.is_current(recipe) }
                }
                _ => {
                    dummy.matches(&bytes[..bytes.len().min(BYTES_MAX)], recipe);
                    Verdict { ok: false, upgrade: false }
                }
            }
        })
        .await
    }

    /// Networks take turns, and none fills the queue. The place goes with the work, so that a caller who leaves does not make
    /// room for more than the pool holds.
    async fn run<T, F>(&self, from: Option<IpAddr>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Recipe, &StoredHash) -> T + Send + 'static,
    {
        let core = self.cores.place(from.map(throttle::network)).await.map_err(|_| Error::new(&SIGN_IN_BUSY))?;
        let (recipe, dummy) = (self.recipe.clone(), self.dummy.clone());
        let job = move || {
            let made = work(&recipe, &dummy);
            drop(core);
            made
        };
        let (say, made) = oneshot::channel();
        let hashing = move || {
            step_back();
            say.send(job()).ok();
        };
        std::thread::Builder::new().name("hashing".into()).spawn(hashing).map_err(Error::internal)?;
        made.await.map_err(Error::internal)
    }
}

/// The scheduler gives this thread a tenth of what a request's gets where both want the core, and lets a request's begin
/// at once. A thread cannot step forward again, hence one for each hash.
fn step_back() {
    const NICE: i32 = 10;
    if let Err(failure) = setpriority_process(Some(gettid()), NICE) {
        debug!(%failure, "Hashing goes on at the priority of requests");
    }
}

/// A password that bcrypt would cut is refused, at the price of any other wrong one.
fn takes(hash: &StoredHash, password: &[u8]) -> bool {
    hash.algorithm() != Algorithm::Bcrypt || password.len() <= password_hash::BCRYPT_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(size: PoolSize) -> Passwords {
        Passwords::new(Recipe { costs: Costs::FAST, peppers: vec![] }, size).unwrap()
    }

    async fn verify(passwords: &Passwords, password: &str, stored: Option<&str>) -> Verdict {
        passwords.verify(None, password.into(), stored.map(str::to_owned)).await.unwrap()
    }

    #[tokio::test]
    async fn a_hash_from_elsewhere_asks_to_be_upgraded_once() {
        let passwords = passwords(PoolSize::default());
        for stored in [
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
            password_hash::make(b"U*U", &Recipe { costs: Costs { memory_kib: 512, ..Costs::FAST }, peppers: vec![] }).unwrap(),
        ] {
            assert_eq!(verify(&passwords, "U*U", Some(&stored)).await, Verdict { ok: true, upgrade: true });
            assert_eq!(verify(&passwords, "U*V", Some(&stored)).await, Verdict { ok: false, upgrade: false });
        }
        let fresh = passwords.hash(None, "U*U".into()).await.unwrap();
        assert_eq!(verify(&passwords, "U*U", Some(&fresh)).await, Verdict { ok: true, upgrade: false });
    }

    #[tokio::test]
    async fn nobody_a_broken_hash_and_an_endless_password_are_plainly_wrong() {
        let passwords = passwords(PoolSize::default());
        let wrong = Verdict { ok: false, upgrade: false };
        assert_eq!(verify(&passwords, "correct horse", None).await, wrong);
        assert_eq!(verify(&passwords, "correct horse", Some("{SSHA}abc")).await, wrong);
        assert_eq!(verify(&passwords, "", None).await, wrong);
        let endless = "x".repeat(BYTES_MAX + 1);
        let stored = passwords.hash(None, endless.as_str().into()).await.unwrap();
        assert_eq!(verify(&passwords, &endless, Some(&stored)).await, wrong);
    }

    #[tokio::test]
    async fn an_unknown_person_takes_as_long_as_a_wrong_password() {
        let recipe = Recipe { costs: Costs { memory_kib: 16 * 1024, passes: 2, lanes: 1 }, peppers: vec![] };
        let passwords = Passwords::new(recipe, PoolSize::default()).unwrap();
        let stored = passwords.hash(None, "correct horse".into()).await.unwrap();
        let mut fastest = [std::time::Duration::MAX; 2];
        for _ in 0..5 {
            for (fastest, stored) in fastest.iter_mut().zip([Some(stored.as_str()), None]) {
                let begin = std::time::Instant::now();
                verify(&passwords, "wrong horse", stored).await;
                *fastest = begin.elapsed().min(*fastest);
            }
        }
        let ratio = fastest[0].as_secs_f64() / fastest[1].as_secs_f64();
        assert!((0.5..2.0).contains(&ratio), "{fastest:?}");
    }

    /// Occupies a core of the pool until the sender speaks or is dropped.
    async fn occupy(passwords: &Passwords) -> (std::sync::mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
        let (let_go, held) = std::sync::mpsc::channel();
        let (begun, running) = tokio::sync::oneshot::channel();
        let passwords = passwords.clone();
        let caller = tokio::spawn(async move {
            let job = move |_: &Recipe, _: &StoredHash| {
                begun.send(()).unwrap();
                held.recv().ok();
            };
            passwords.run(None, job).await.unwrap();
        });
        running.await.unwrap();
        (let_go, caller)
    }

    #[tokio::test]
    async fn a_flood_fills_the_pool_and_no_more() {
        let passwords = passwords(PoolSize { running_max: 1, waiting_max: 3 });
        let (let_go, _) = occupy(&passwords).await;
        let mut waiting = Vec::new();
        for _ in 0..100 {
            let mut caller = Box::pin(passwords.verify(None, "correct horse".into(), None));
            match futures_util::poll!(caller.as_mut()) {
                std::task::Poll::Pending => waiting.push(caller),
                std::task::Poll::Ready(answer) => {
                    let busy = answer.unwrap_err();
                    assert_eq!((busy.code, busy.retry_after_s), (&SIGN_IN_BUSY, Some(1)));
                }
            }
        }
        assert_eq!(waiting.len(), 3, "all others heard 429 at once");
        let_go.send(()).unwrap();
        assert!(futures_util::future::join_all(waiting).await.iter().all(Result::is_ok), "and it empties again");
    }

    #[tokio::test]
    async fn callers_who_leave_give_no_room_while_their_hash_still_runs() {
        let passwords = passwords(PoolSize { running_max: 1, waiting_max: 0 });
        let (let_go, caller) = occupy(&passwords).await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        let refused = passwords.verify(None, "correct horse".into(), None).await.unwrap_err();
        assert_eq!(refused.code, &SIGN_IN_BUSY);
        let_go.send(()).unwrap();
        while passwords.verify(None, "correct horse".into(), None).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_network_fills_half_of_the_queue() {
        let passwords = passwords(PoolSize { running_max: 1, waiting_max: 4 });
        let (let_go, _) = occupy(&passwords).await;
        let mut waiting = Vec::new();
        for (from, admitted) in [("203.0.113.7", true), ("203.0.113.7", true), ("203.0.113.7", false), ("2001:db8::1", true)] {
            let mut caller = Box::pin(passwords.verify(Some(from.parse().unwrap()), "correct horse".into(), None));
            assert_eq!(futures_util::poll!(caller.as_mut()).is_pending(), admitted, "{from}");
            waiting.push(caller);
        }
        drop(waiting.remove(2));
        let_go.send(()).unwrap();
        assert!(futures_util::future::join_all(waiting).await.iter().all(Result::is_ok));
    }

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
