//! How much each may ask for: programs, people, tenants, and addresses that show no token, in units of [`cost`] a minute.
//!
//! A server counts in memory and asks nobody on a request's way. The servers of one installation tell each other their
//! counts ([`exchange`]), over one connection, each second and sooner where much of a limit was spent; so all of them keep
//! one limit, within a tenth of it. Whose limits they are the token has said ([`Rates`](crate::kernel::context::Rates)), a
//! changed one is felt when that answer is old. `governor` keeps the sign-in throttles, which are each server's own; it cannot
//! add what other servers have spent.

pub mod cost;
pub mod exchange;
mod fields;
pub mod window;
#[cfg(test)]
mod window_tests;

use crate::identity::throttle;
use crate::kernel::config::LimitsConfig;
use crate::kernel::context::Context;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Caller, Kernel};
use cost::Kind;
pub use fields::Fields;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};
use uuid::Uuid;
use window::{Refused, Standing, Window};

const SHARDS: usize = 16;
/// Subjects a shard remembers; beyond it those that rest are forgotten, then the one that has rested longest.
const SUBJECTS_MAX: usize = 2_048;
/// How long a request waits for the others to hear of what was spent, where it may not be spent before.
const SAID_WITHIN: Duration = Duration::from_secs(1);

/// Whose limit it is, as the answer calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    pub name: &'static str,
    key: Uuid,
    pub limit: u32,
}

pub struct Limits {
    config: LimitsConfig,
    shards: [Mutex<HashMap<Uuid, Window>>; SHARDS],
    /// Requests of each tenant in this hour and those before, until they are on record.
    calls: Mutex<HashMap<(Uuid, u64), Calls>>,
    peers: AtomicU32,
    /// Rings for an exchange that does not wait for its hour.
    soon: Notify,
    exchanged: watch::Sender<u64>,
}

#[derive(Default, Clone, Copy)]
struct Calls {
    made: u64,
    told: u64,
}

fn second() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Limits {
    pub fn new(config: &LimitsConfig) -> Arc<Limits> {
        Arc::new(Limits {
            config: config.clone(),
            shards: std::array::from_fn(|_| Mutex::default()),
            calls: Mutex::default(),
            peers: AtomicU32::new(0),
            soon: Notify::new(),
            exchanged: watch::channel(0).0,
        })
    }

    pub fn of(kernel: &Kernel) -> Result<&Arc<Limits>> {
        kernel.services.get().ok_or_else(|| Error::internal("limits were not started"))
    }

    /// The limits this caller is under.
    fn subjects(&self, context: &Context) -> Vec<Subject> {
        let some = |limit: u32| (limit > 0).then_some(limit);
        let (rates, config) = (context.rates, &self.config);
        let mut found = Vec::with_capacity(3);
        let mut add = |name, limit: Option<u32>, of: &[u8]| {
            found.extend(limit.map(|limit| Subject { name, key: key(name, context.tenant, of), limit }));
        };
        let (Some(who), tenant) = (context.actor.or(context.session), context.tenant) else {
            add("address", some(config.address_per_minute), format!("{:?}", context.ip().map(throttle::network)).as_bytes());
            return found;
        };
        if let Some(client) = context.client {
            add("client", rates.client, client.as_bytes());
        }
        if !rates.program || rates.client.is_none() {
            add("user", some(config.user_per_minute), who.as_bytes());
        }
        if tenant.is_some() {
            add("tenant", rates.tenant, b"");
        }
        found
    }

    /// Other servers that are there.
    pub fn peers(&self) -> u32 {
        self.peers.load(Ordering::Relaxed)
    }

    fn shard(&self, key: Uuid) -> MutexGuard<'_, HashMap<Uuid, Window>> {
        lock(&self.shards[usize::from(key.as_bytes()[0]) % SHARDS])
    }

    fn with<T>(&self, key: Uuid, now: u64, act: impl FnOnce(&mut Window) -> T) -> T {
        let mut shard = self.shard(key);
        if shard.len() >= SUBJECTS_MAX && !shard.contains_key(&key) {
            make_room(&mut shard, now);
        }
        act(shard.entry(key).or_insert_with(|| Window::new(now)))
    }

    /// A request of that kind, told as one call of its tenant. RATE_LIMITED.
    pub async fn admit(&self, context: &Context, kind: Kind) -> Result<()> {
        self.spend(context, kind.units(&self.config.costs)).await?;
        if let Some(tenant) = context.tenant {
            lock(&self.calls).entry((tenant, second() / 3600)).or_default().made += 1;
        }
        Ok(())
    }

    /// All limits of a caller, or none of them.
    async fn spend(&self, context: &Context, cost: u32) -> Result<()> {
        let subjects = self.subjects(context);
        let mut taken = self.take(&subjects, cost);
        if let Err((_, Refused::Unsaid)) = taken {
            let mut rounds = self.exchanged.subscribe();
            let told = async {
                while let Err((_, Refused::Unsaid)) = taken {
                    self.soon.notify_one();
                    if rounds.changed().await.is_err() {
                        return;
                    }
                    taken = self.take(&subjects, cost);
                }
            };
            // Whoever is not heard in time is refused for a second.
            let _ = tokio::time::timeout(SAID_WITHIN, told).await;
        }
        taken.map_err(|(subject, refused)| refusal(subject, refused))
    }

    fn take(&self, subjects: &[Subject], cost: u32) -> Result<(), (Subject, Refused)> {
        let (now, peers) = (second(), self.peers());
        for (at, subject) in subjects.iter().enumerate() {
            let (taken, say) = self
                .with(subject.key, now, |window| (window.take(now, subject.limit, cost, peers), window.should_say(subject.limit, peers)));
            if say {
                self.soon.notify_one();
            }
            if let Err(refused) = taken {
                for before in &subjects[..at] {
                    self.with(before.key, now, |window| window.give_back(before.limit, cost));
                }
                return Err((*subject, refused));
            }
        }
        Ok(())
    }

    /// How that caller stands, for the answer.
    pub fn fields(&self, context: &Context) -> Option<Fields> {
        let now = second();
        let subjects = self.subjects(context);
        let stands = |subject: &Subject| (*subject, self.with(subject.key, now, |window| window.standing(now, subject.limit)));
        let stands: Vec<(Subject, Standing)> = subjects.iter().map(stands).collect();
        Fields::of(&stands)
    }
}

/// What the steps of a batch cost beside the batch itself: asked before any of them is done. RATE_LIMITED.
pub async fn steps(caller: &Caller, kinds: impl Iterator<Item = Kind>) -> Result<()> {
    let limits = Limits::of(&caller.kernel)?;
    let cost = kinds.fold(0u32, |sum, kind| sum.saturating_add(kind.units(&limits.config.costs)));
    limits.spend(&caller.context, cost).await
}

fn refusal(subject: Subject, refused: Refused) -> Error {
    let wait_s = if let Refused::Spent { wait_s } = refused { wait_s } else { 1 };
    metrics::counter!("requests_throttled_total", "limit" => subject.name).increment(1);
    let mut refusal =
        Error::new(&error::RATE_LIMITED).detail(format!("The limit \"{}\" of {} units a minute is used up.", subject.name, subject.limit));
    refusal.retry_after_s = Some(u32::try_from(wait_s).unwrap_or(u32::MAX));
    refusal
}

/// One key space for all of them; of an address nothing is kept that could be read.
fn key(name: &str, tenant: Option<Uuid>, of: &[u8]) -> Uuid {
    let digest = Sha256::new().chain_update(name).chain_update(tenant.unwrap_or_default()).chain_update(of).finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(short)
}

fn make_room(shard: &mut HashMap<Uuid, Window>, now: u64) {
    shard.retain(|_, window| !window.is_idle(now));
    if shard.len() >= SUBJECTS_MAX
        && let Some(oldest) = shard.iter().min_by_key(|(_, window)| window.newest()).map(|(key, _)| *key)
    {
        shard.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::config::Config;
    use crate::kernel::context::{Plane, Rates};

    fn caller(client: Option<u32>, tenant: Option<u32>, program: bool) -> Context {
        let mut context = Context::system(Plane::Staff, Some(Uuid::from_u128(1)));
        (context.actor, context.client) = (Some(Uuid::from_u128(2)), Some(Uuid::from_u128(3)));
        context.rates = Rates { client, tenant, program };
        context
    }

    fn limits(toml: &str) -> Arc<Limits> {
        Limits::new(&Config::sample(toml).limits)
    }

    #[tokio::test]
    async fn each_limit_is_its_own_and_a_refused_request_spends_nothing() {
        let limits = limits("[limits]\nuser_per_minute = 50");
        let one = caller(Some(10), Some(12), true);
        let other = Context { client: Some(Uuid::from_u128(4)), ..one.clone() };
        assert_eq!(limits.subjects(&one).iter().map(|subject| subject.name).collect::<Vec<_>>(), ["client", "tenant"]);
        for _ in 0..2 {
            limits.admit(&one, Kind::Search).await.unwrap();
        }
        let refused = limits.admit(&one, Kind::Read).await.unwrap_err();
        assert_eq!(refused.code, &error::RATE_LIMITED);
        assert!(refused.detail.unwrap().contains("\"client\" of 10"));
        assert!((1..=62).contains(&refused.retry_after_s.unwrap()));
        // Of the tenant's twelve, ten are spent: the refused one took none of them.
        limits.admit(&other, Kind::Write).await.unwrap();
        let refused = limits.admit(&other, Kind::Read).await.unwrap_err();
        assert!(refused.detail.unwrap().contains("\"tenant\" of 12"));
        assert_eq!(limits.fields(&other).unwrap().policy, "\"client\";q=10;w=60, \"tenant\";q=12;w=60");
        assert!(limits.fields(&other).unwrap().left.starts_with("\"client\";r=8;t="));
    }

    #[tokio::test]
    async fn a_person_is_limited_beside_their_program_and_a_stranger_by_their_network() {
        let limits = limits("[limits]\nuser_per_minute = 50\naddress_per_minute = 7");
        let names = |context: &Context| limits.subjects(context).iter().map(|subject| (subject.name, subject.limit)).collect::<Vec<_>>();
        assert_eq!(names(&caller(Some(10), None, false)), [("client", 10), ("user", 50)]);
        assert_eq!(names(&caller(None, None, true)), [("user", 50)]);
        assert_eq!(names(&Context::system(Plane::Auth, None)), [("address", 7)]);
        assert_eq!(self::limits("[limits]\nuser_per_minute = 0").subjects(&caller(None, None, false)), []);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limits = limits("");
        let mine = key("user", None, b"mine");
        for n in 0..(SHARDS * SUBJECTS_MAX * 2) as u64 {
            limits.with(key("user", None, &n.to_be_bytes()), 1_000 + n / 4_096, |window| window.take(1_000 + n / 4_096, 10, 1, 0)).unwrap();
            limits.with(mine, 1_000 + n / 4_096, |window| window.standing(1_000 + n / 4_096, 10));
        }
        let held: usize = limits.shards.iter().map(|shard| lock(shard).len()).sum();
        assert!(held <= SHARDS * SUBJECTS_MAX, "{held}");
        assert!(limits.shard(mine).contains_key(&mine), "who is in use stays");
    }
}
