//! Checking and making hashes of passwords on a bounded pool.
//!
//! A hash takes 64 MiB and a core for a tenth of a second by design. So at most one runs per core, on a thread that the
//! others go before, a bounded number waits, and the next caller hears 429 at once: a flood of sign-ins slows sign-ins,
//! and nothing else.

use super::password::BYTES_MAX;
use super::password_hash::{self, Algorithm, Recipe, StoredHash};
use super::throttle;
use crate::kernel::error::SIGN_IN_BUSY;
use crate::kernel::fair::{Fair, Place, Size};
use crate::kernel::{Error, Result};
use rustix::process::setpriority_process;
use rustix::thread::gettid;
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id};
use tokio::sync::oneshot;
use tracing::{debug, error};

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
    /// One of the hashes that run goes on however busy the machine is.
    steady: Arc<AtomicBool>,
    later: Arc<Mutex<Later>>,
}

/// A core of the pool. It goes with the work, so that a caller who leaves does not make room for more than the pool holds.
pub struct Turn {
    passwords: Passwords,
    core: Place<IpAddr>,
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
            steady: Arc::default(),
            later: Arc::new(Mutex::new(Later::new(Instant::now()))),
            cores: Fair::new(Size {
                places: size.running_max,
                each_max: size.running_max,
                waiting_max: size.waiting_max,
                each_waiting_max: size.waiting_max.div_ceil(2),
            }),
        })
    }

    /// A core, when one is free: networks take turns, and none fills the queue. SIGN_IN_BUSY.
    pub async fn turn(&self, from: Option<IpAddr>) -> Result<Turn> {
        let Ok(core) = self.cores.place(from.map(throttle::network)).await else {
            let mut busy = Error::new(&SIGN_IN_BUSY);
            busy.retry_after_s = Some(self.later().wait_s(Instant::now()));
            return Err(busy);
        };
        Ok(Turn { passwords: self.clone(), core })
    }

    fn later(&self) -> MutexGuard<'_, Later> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new PHC string for `password`. Rules are checked before, by [`Rules::check_new`]. SIGN_IN_BUSY.
    pub async fn hash(&self, from: Option<IpAddr>, password: SecretString) -> Result<String> {
        let make = move |recipe: &Recipe, _: &StoredHash| password_hash::make(password.expose_secret().as_bytes(), recipe);
        self.turn(from).await?.run(make).await?
    }

    /// [`Turn::verify`] when one is free. SIGN_IN_BUSY.
    pub async fn verify(&self, from: Option<IpAddr>, password: SecretString, stored: Option<String>) -> Result<Verdict> {
        self.turn(from).await?.verify(password, stored).await
    }
}

impl Turn {
    /// Checks `password` against what is stored; `None` stands for an unknown person and takes as long.
    pub async fn verify(self, password: SecretString, stored: Option<String>) -> Result<Verdict> {
        self.run(move |recipe, dummy| {
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

    async fn run<T, F>(self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Recipe, &StoredHash) -> T + Send + 'static,
    {
        let (say, made) = oneshot::channel();
        let hashing = move || {
            let Turn { passwords, core } = self;
            let steady = Steady::take(&passwords.steady);
            step_back(steady.is_some());
            let began = Instant::now();
            let made = work(&passwords.recipe, &passwords.dummy);
            passwords.later().ended(began, Instant::now());
            drop((steady, core));
            say.send(made).ok();
        };
        std::thread::Builder::new().name("hashing".into()).spawn(hashing).map_err(Error::internal)?;
        made.await.map_err(Error::internal)
    }
}

/// When whoever is refused is to come again: one after the other, as fast as hashes are made, so that a flood comes back as a
/// queue and not as a flood.
struct Later {
    /// How long it was from one end to the next lately, while there was work.
    each: Duration,
    /// When the last hash ended.
    last: Instant,
    /// When the last one that was refused comes again.
    next: Instant,
}

impl Later {
    const WAIT_MAX_S: u64 = 30;
    /// One more hash counts for this part of what is known.
    const PART: u32 = 8;

    fn new(now: Instant) -> Self {
        Self { each: Duration::ZERO, last: now, next: now }
    }

    /// A hash ran until now. The pool was at work at least as long as this one.
    fn ended(&mut self, began: Instant, now: Instant) {
        let since = (now - self.last).min(now - began);
        self.each = if self.each.is_zero() { since } else { (self.each * (Self::PART - 1) + since) / Self::PART };
        self.last = now;
    }

    fn wait_s(&mut self, now: Instant) -> u32 {
        self.next = self.next.max(now) + self.each;
        let wait = self.next - now;
        if wait > Duration::from_secs(Self::WAIT_MAX_S) {
            self.next = now;
        }
        u32::try_from(wait.as_secs().clamp(1, Self::WAIT_MAX_S)).unwrap_or(1)
    }
}

/// The one that goes on, until it is dropped.
struct Steady(Arc<AtomicBool>);

impl Steady {
    fn take(taken: &Arc<AtomicBool>) -> Option<Steady> {
        (!taken.swap(true, Ordering::Relaxed)).then(|| Steady(taken.clone()))
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Threads of requests go before this one. The scheduler gives a steady one a tenth of what a request's gets where both want the
/// core; the others have what is idle, and leave it at once. A thread cannot step forward again, hence one for each hash.
fn step_back(steady: bool) {
    const NICE: i32 = 10;
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let stepped = match steady {
        true => setpriority_process(Some(gettid()), NICE).map_err(|failure| failure.to_string()),
        false => set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle).map_err(|failure| failure.to_string()),
    };
    if let Err(failure) = stepped {
        debug!(%failure, "Hashing goes on at the priority of requests");
    }
}

/// A password that bcrypt would cut is refused, at the price of any other wrong one.
fn takes(hash: &StoredHash, password: &[u8]) -> bool {
    hash.algorithm() != Algorithm::Bcrypt || password.len() <= password_hash::BCRYPT_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::super::password_hash::Costs;
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
            passwords.turn(None).await.unwrap().run(job).await.unwrap();
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

    #[test]
    fn a_flood_is_told_to_come_back_one_by_one() {
        let now = Instant::now();
        let mut later = Later { each: Duration::from_millis(50), ..Later::new(now) };
        let told: Vec<u32> = (0..500).map(|_| later.wait_s(now)).collect();
        assert!(told.is_sorted());
        let at = |second: u32| told.iter().filter(|told| **told == second).count();
        assert_eq!((at(1), at(2), at(24), at(25)), (39, 20, 20, 1));
        assert_eq!(later.wait_s(now + Duration::from_secs(60)), 1, "they have all been here");
        let mut slow = Later { each: Duration::from_secs(20), ..Later::new(now) };
        assert_eq!([slow.wait_s(now), slow.wait_s(now), slow.wait_s(now)], [20, 30, 20], "nobody is sent away for longer");
    }

    /// Two cores, of which one is as good as taken: what counts is how many are done in a second.
    #[test]
    fn a_flood_is_told_what_the_pool_really_does() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut later = Later::new(start);
        for turn in 0..40 {
            later.ended(at(turn * 50), at(turn * 50 + 50));
            if turn % 20 == 19 {
                later.ended(at((turn - 19) * 50), at(turn * 50 + 50));
            }
        }
        assert!((Duration::from_millis(35)..=Duration::from_millis(50)).contains(&later.each), "{:?}", later.each);
        later.ended(at(60_000), at(60_040));
        assert!(later.each < Duration::from_millis(50), "that nobody came for a while is no work");
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
}
