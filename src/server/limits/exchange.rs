//! Servers of one installation tell each other what was spent, and put on record how often each tenant has called.
//!
//! Each tells its own counts, whole: telling them twice changes nothing, and what a lost connection left untold is told with
//! the next round. The rows are of this minute alone and are not logged; a database that was restarted begins with none.

use super::window::{Said, oldest, slot};
use super::{Calls, Limits, lock, second};
use crate::kernel::Kernel;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::sql;
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

sql! {
    /// $1 server, $2 subjects, $3 slots, $4 units, $5 subjects asked about, $6 newest slot, $7 oldest slot.
    EXCHANGE(UUID, UUID_ARRAY, INT8_ARRAY, INT4_ARRAY, UUID_ARRAY, INT8, INT8) = "
        select subject, slot, units from sec.exchange_limits($1, $2, $3, $4, $5, $6, $7)";
    /// $1 tenants, $2 ids of the counts, $3 hours they are of, $4 calls.
    TELL_CALLS(UUID_ARRAY, UUID_ARRAY, TIMESTAMPTZ_ARRAY, FLOAT8_ARRAY) = "select sec.tell_calls($1, $2, $3, $4)";
}

/// Rounds between two that tell the calls.
const CALLS_EVERY: u64 = 10;

/// The task of one server.
pub struct Exchange {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Exchange {
    /// Begins with a round, so that what was spent elsewhere is known before the first request.
    pub async fn start(kernel: Arc<Kernel>) -> Result<Exchange> {
        let limits = Limits::of(&kernel)?.clone();
        let server = Uuid::new_v4();
        limits.round(&kernel, server, false).await?;
        let (stop, stopped) = watch::channel(false);
        Ok(Exchange { stop, task: tokio::spawn(run(kernel, limits, server, stopped)) })
    }

    /// Tells what is left to tell.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(failure) = self.task.await {
            tracing::error!(error = %failure, "The exchange of limits failed");
        }
    }
}

async fn run(kernel: Arc<Kernel>, limits: Arc<Limits>, server: Uuid, mut stopped: watch::Receiver<bool>) {
    let every = Duration::from_millis(limits.config.exchange_ms.max(10));
    for round in 0.. {
        let ended = tokio::select! {
            // A sender that is gone ends it too.
            _ = stopped.wait_for(|stop| *stop) => true,
            () = limits.soon.notified() => false,
            () = tokio::time::sleep(every) => false,
        };
        if let Err(failure) = limits.round(&kernel, server, ended || round % CALLS_EVERY == 0).await {
            tracing::warn!(error = %failure, "Servers could not tell each other what was spent");
        }
        if ended {
            return;
        }
    }
}

impl Limits {
    /// Tells what was spent here since the last time, and hears what was spent elsewhere of the same.
    pub async fn round(&self, kernel: &Kernel, server: Uuid, calls: bool) -> Result<()> {
        let now = second();
        let said = self.say(now);
        let heard = exchange(kernel, server, &said, now).await;
        for (key, said) in &said {
            self.with(*key, now, |window| match &heard {
                Ok((_, spent)) => {
                    window.said(said);
                    window.hear(now, spent.get(key).into_iter().flatten().copied());
                }
                Err(_) => window.unheard(said),
            });
        }
        // Whoever hears nobody keeps its limits alone: nobody waits for what cannot be told.
        self.peers.store(heard.as_ref().map_or(0, |(peers, _)| *peers), Ordering::Relaxed);
        self.exchanged.send_modify(|round| *round += 1);
        heard?;
        if calls { self.tell_calls(kernel, server, now).await } else { Ok(()) }
    }

    fn say(&self, now: u64) -> Vec<(Uuid, Said)> {
        let of_shard = |shard: &std::sync::Mutex<HashMap<Uuid, super::Window>>| {
            lock(shard).iter_mut().filter_map(|(key, window)| Some((*key, window.say(now)?))).collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(of_shard).collect()
    }

    /// The count of an hour is one row a tenant and server, which grows: told twice it counts once.
    async fn tell_calls(&self, kernel: &Kernel, server: Uuid, now: u64) -> Result<()> {
        let due: Vec<((Uuid, u64), Calls)> =
            lock(&self.calls).iter().filter(|(_, calls)| calls.made > calls.told).map(|(of, calls)| (*of, *calls)).collect();
        if !due.is_empty() {
            let tenants: Vec<Uuid> = due.iter().map(|((tenant, _), _)| *tenant).collect();
            let ids: Vec<Uuid> = due.iter().map(|((_, hour), _)| super::key("calls", Some(server), &hour.to_be_bytes())).collect();
            let hours: Vec<DateTime<Utc>> = due.iter().map(|((_, hour), _)| hour_of(*hour)).collect::<Result<_>>()?;
            let made: Vec<f64> = due.iter().map(|(_, calls)| calls.made as f64).collect();
            let mut scope = open(kernel).await?;
            scope.rows(&TELL_CALLS, &[&tenants, &ids, &hours, &made]).await?;
            scope.commit().await?;
        }
        let mut calls = lock(&self.calls);
        for (of, told) in due {
            calls.entry(of).and_modify(|calls| calls.told = told.made);
        }
        // A request that began in an hour that is over has been counted by now.
        calls.retain(|(_, hour), calls| *hour + 1 >= now / 3600 || calls.made > calls.told);
        Ok(())
    }
}

fn hour_of(hour: u64) -> Result<DateTime<Utc>> {
    let second = i64::try_from(hour * 3600).map_err(Error::internal)?;
    DateTime::from_timestamp(second, 0).ok_or_else(|| Error::internal("a clock beyond all time"))
}

async fn open(kernel: &Kernel) -> Result<Scope> {
    kernel.door.open_from("limits", &Context::system(Plane::Jobs, None)).await
}

type Spent = HashMap<Uuid, Vec<(u64, u32)>>;

/// How many other servers there are, and what they have spent.
async fn exchange(kernel: &Kernel, server: Uuid, said: &[(Uuid, Said)], now: u64) -> Result<(u32, Spent)> {
    let whole = |value: u64| i64::try_from(value).map_err(Error::internal);
    let (mut subjects, mut slots, mut units) = (Vec::new(), Vec::new(), Vec::new());
    for (key, said) in said {
        for (slot, spent) in &said.slots {
            subjects.push(*key);
            slots.push(whole(*slot)?);
            units.push(i32::try_from(*spent).unwrap_or(i32::MAX));
        }
    }
    let asked: Vec<Uuid> = said.iter().map(|(key, _)| *key).collect();
    let (newest, oldest) = (whole(slot(now))?, whole(oldest(now))?);
    let mut scope = open(kernel).await?;
    let rows = scope.rows(&EXCHANGE, &[&server, &subjects, &slots, &units, &asked, &newest, &oldest]).await?;
    scope.commit().await?;
    let (mut peers, mut spent) = (0, Spent::new());
    for row in &rows {
        let (subject, slot, units): (Uuid, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        match subject.is_nil() {
            true => peers = units,
            false => spent.entry(subject).or_default().push((u64::try_from(slot).map_err(Error::internal)?, units)),
        }
    }
    Ok((peers, spent))
}
