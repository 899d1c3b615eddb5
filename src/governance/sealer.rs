//! Seals committed audit events about each second: one signed Merkle batch after the other, by commit horizon.
//!
//! A batch is every event whose transaction lies at or behind the last seal's end and before the oldest transaction that
//! is still running; nothing can commit into that range any more, so no event is missed and each is sealed once. The
//! order of ids or times knows no such moment. What a seal covers is unique, so a second sealer only finds the place
//! taken. Events whose columns no longer give their leaf are refused: sealing stops there and raises the alarm.

use super::digester;
use super::keys::AuditKeys;
use super::ledger::{self, Mark, hour_of, rows, stream};
use crate::kernel::Kernel;
use crate::kernel::audit::{Batch, Seal, TreeHasher};
use crate::kernel::error::{self, Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, pin_mut};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use uuid::Uuid;

/// Events of one batch, and those of its last transaction: what an exporter must hold in memory to make paths.
const BATCH_EVENTS_MAX: i64 = 32_768;
/// An idle installation seals an empty batch this often: 1,440 rows a day that show the log's tail was not cut.
const HEARTBEAT: TimeDelta = TimeDelta::seconds(60);
/// A catch-up reads long batches; the role's own limit is made for requests.
const PATIENCE: &str = "set local statement_timeout = '10min'; set local idle_in_transaction_session_timeout = '1min'";

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    pub batches: u64,
    pub events: u64,
    pub digests: u64,
    pub anchors: u64,
    /// Another sealer was faster; the rest is its work.
    pub lost: bool,
}

/// The worker. Dropping it lets it run on; [`Sealer::stop`] ends it.
pub struct Sealer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sealer {
    pub fn start(kernel: Arc<Kernel>) -> Result<Sealer> {
        let work = Arc::new(Work::new(kernel)?);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(run(work, stopped));
        Ok(Sealer { stop, task })
    }

    /// Ends the worker after a last round, so that a server that stops in peace leaves nothing unsealed.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(failure) = self.task.await {
            tracing::error!(error = %failure, "The sealer's task failed");
        }
    }
}

async fn run(work: Arc<Work>, mut stopped: watch::Receiver<bool>) {
    let interval = Duration::from_millis(work.kernel.config.audit.seal_interval_ms.max(10));
    loop {
        let ended = tokio::time::timeout(interval, stopped.wait_for(|stop| *stop)).await.is_ok();
        if let Err(failure) = work.round(Utc::now()).await {
            tracing::error!(error = %failure, "Audit events could not be sealed");
        }
        if ended {
            return;
        }
    }
}

/// What a sealer works with. Tests drive it at times of their own.
pub struct Work {
    kernel: Arc<Kernel>,
    keys: AuditKeys,
    /// Since when nothing older is known to be unsealed; held through a round, so rounds take turns.
    since: Mutex<DateTime<Utc>>,
}

impl Work {
    pub fn new(kernel: Arc<Kernel>) -> Result<Work> {
        let keys = AuditKeys::from_seed(&kernel.config.secrets.audit_signing_key)?;
        Ok(Work { kernel, keys, since: Mutex::new(Utc::now()) })
    }

    /// Seals what can be sealed, then makes the digests and anchors whose time has passed.
    pub async fn round(&self, now: DateTime<Utc>) -> Result<Round> {
        let mut since = self.since.lock().await;
        let outcome = self.attempt(now, &mut since).await;
        if matches!(&outcome, Err(failure) if failure.code == &error::INTERNAL) {
            metrics::counter!("audit_seal_refusals_total").increment(1);
        }
        let lag = (now - *since).num_milliseconds().max(0);
        metrics::gauge!("audit_seal_lag_seconds").set(lag as f64 / 1_000.0);
        outcome
    }

    async fn attempt(&self, now: DateTime<Utc>, since: &mut DateTime<Utc>) -> Result<Round> {
        let conn = self.kernel.door.pools.take("sealer").await?;
        conn.mark_dirty(true);
        let client: &Client = &conn.client;
        let wanted = i32::try_from(self.kernel.config.audit.epoch).map_err(Error::internal)?;
        rows(client, &ledger::OPEN_EPOCH, &[&wanted]).await?;
        let mut round = Round::default();
        match self.work(client, now, &mut round, since).await {
            Ok(()) => conn.mark_dirty(false),
            // The connection closes and its transaction with it.
            Err(failure) if failure.code == &error::DUPLICATE => round.lost = true,
            Err(failure) => return Err(failure),
        }
        Ok(round)
    }

    async fn work(&self, client: &Client, now: DateTime<Utc>, round: &mut Round, since: &mut DateTime<Utc>) -> Result<()> {
        let last = loop {
            let (last, sealed) = seal_batch(client, &self.keys, now).await?;
            match sealed {
                Sealed::Batch { events, reached_horizon, oldest } => {
                    round.batches += 1;
                    round.events += events;
                    metrics::histogram!("audit_seal_batch_events").record(events as f64);
                    *since = if reached_horizon { now } else { oldest.unwrap_or(now) };
                    if reached_horizon {
                        break last;
                    }
                }
                Sealed::NothingNew => {
                    *since = now;
                    break last;
                }
                Sealed::Held => break last,
            }
        };
        if let Some(last) = last {
            round.digests += digester::digests(client, last.sealed_at).await?;
            round.anchors += digester::anchors(client, &self.keys.anchoring, last.sealed_at).await?;
        }
        Ok(())
    }
}

enum Sealed {
    Batch {
        events: u64,
        reached_horizon: bool,
        oldest: Option<DateTime<Utc>>,
    },
    /// Everything committed is sealed, and the last seal is young.
    NothingNew,
    /// A transaction as old as the last seal is still writing.
    Held,
}

/// Begins the one snapshot that horizon, chain and events of a step are read in.
pub async fn begin(client: &Client) -> Result<()> {
    client.batch_execute("begin isolation level repeatable read").await?;
    Ok(client.batch_execute(PATIENCE).await?)
}

async fn seal_batch(client: &Client, keys: &AuditKeys, now: DateTime<Utc>) -> Result<(Option<Seal>, Sealed)> {
    begin(client).await?;
    let given = rows(client, &ledger::HORIZON, &[]).await?;
    let horizon = given.first().ok_or_else(|| Error::internal("no horizon"))?;
    if horizon.try_get(0)? {
        return Err(Error::unavailable("this PostgreSQL is a standby; only a primary knows what is still running"));
    }
    let horizon = Mark::parse(horizon.try_get(1)?)?;
    let last = rows(client, &ledger::LAST_SEAL, &[]).await?.first().map(ledger::seal).transpose()?;
    let Some(span) = span(client, last.as_ref(), horizon).await? else {
        client.batch_execute("commit").await?;
        return Ok((last, Sealed::Held));
    };
    let (leaves, oldest) = leaves(client, span.from, span.to).await?;
    let due = last.as_ref().is_none_or(|last| due(last.sealed_at, now));
    if leaves.count() == 0 && !due {
        client.batch_execute("commit").await?;
        return Ok((last, Sealed::NothingNew));
    }
    let batch =
        Batch { epoch: span.from.epoch, from_transaction: span.from.transaction, to_transaction: span.to.transaction, sealed_at: now };
    let seal = Seal::next(last.as_ref(), batch, &leaves, &keys.sealing);
    add(client, &seal).await?;
    client.batch_execute("commit").await?;
    Ok((Some(seal), Sealed::Batch { events: leaves.count(), reached_horizon: span.to == horizon, oldest }))
}

/// A heartbeat stands in each hour that had anything running, so that hours end for the digests too.
fn due(sealed_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let other_hour = hour_of(sealed_at).ok() < hour_of(now).ok();
    now - sealed_at >= HEARTBEAT || other_hour
}

struct Span {
    from: Mark,
    to: Mark,
}

/// The next batch's transactions: none while the horizon stands where the last seal ended.
async fn span(client: &Client, last: Option<&Seal>, horizon: Mark) -> Result<Option<Span>> {
    let mut from = last.map_or(Mark::START, Mark::to_of);
    if from.epoch < horizon.epoch {
        // What the old epoch left behind is closed first; then the chain goes on where the next one has events.
        let end = from.next_epoch();
        let left = rows(client, &ledger::LAST_TRANSACTION, &[&from.to_string(), &end.to_string()]).await?;
        if let Some(left) = mark(&left)? {
            let to = full_at(client, from, end).await?.unwrap_or(left.behind());
            return Ok(Some(Span { from, to }));
        }
        let next = rows(client, &ledger::FIRST_TRANSACTION, &[&end.to_string()]).await?;
        let epoch = mark(&next)?.map_or(horizon.epoch, |next| next.epoch.min(horizon.epoch));
        from = Mark { epoch, transaction: 0 };
        if epoch < horizon.epoch {
            let end = from.next_epoch();
            let left = rows(client, &ledger::LAST_TRANSACTION, &[&from.to_string(), &end.to_string()]).await?;
            let to = full_at(client, from, end).await?.or(mark(&left)?.map(Mark::behind));
            return Ok(to.map(|to| Span { from, to }));
        }
    }
    if from >= horizon {
        return Ok(None);
    }
    Ok(Some(Span { from, to: full_at(client, from, horizon).await?.unwrap_or(horizon) }))
}

/// Where a batch is full: behind the transaction of its last event, so that no transaction is cut in two.
async fn full_at(client: &Client, from: Mark, to: Mark) -> Result<Option<Mark>> {
    let full = rows(client, &ledger::BATCH_FULL_AT, &[&from.to_string(), &to.to_string(), &(BATCH_EVENTS_MAX - 1)]).await?;
    Ok(mark(&full)?.map(Mark::behind))
}

fn mark(rows: &[tokio_postgres::Row]) -> Result<Option<Mark>> {
    let text: Option<&str> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    text.map(Mark::parse).transpose()
}

/// The tree of a batch, each leaf computed anew from the columns.
async fn leaves(client: &Client, from: Mark, to: Mark) -> Result<(TreeHasher, Option<DateTime<Utc>>)> {
    let (from, to) = (from.to_string(), to.to_string());
    let events = stream(client, &ledger::BATCH, &[&from, &to]).await?;
    pin_mut!(events);
    let (mut leaves, mut oldest) = (TreeHasher::new(), None);
    while let Some(row) = events.next().await {
        let row = row?;
        let event = ledger::stored(&row);
        let Some(event) = event.ok().filter(ledger::Stored::is_whole) else {
            let id: Uuid = row.try_get("id")?;
            return Err(Error::internal(format!(
                "the audit event {id} is not the one that was recorded; nothing is sealed before it is explained"
            )));
        };
        oldest = oldest.or(Some(event.created_at));
        leaves.push(event.leaf);
    }
    Ok((leaves, oldest))
}

async fn add(client: &Client, seal: &Seal) -> Result<()> {
    let count = i64::try_from(seal.event_count).map_err(Error::internal)?;
    let (from, to) = (Mark::from_of(seal).to_string(), Mark::to_of(seal).to_string());
    let (root, previous, signature) = (&seal.root_hash.0[..], &seal.previous_hash.0[..], &seal.signature.0[..]);
    rows(
        client,
        &ledger::SEAL_ADD,
        &[&Uuid::now_v7(), &seal.epoch, &seal.batch_no, &from, &to, &count, &root, &previous, &seal.sealed_at, &seal.key_id, &signature],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn an_empty_batch_is_due_each_minute_and_in_each_new_hour() {
        let at = |hour, minute, second| Utc.with_ymd_and_hms(2026, 11, 20, hour, minute, second).unwrap();
        assert!(!due(at(9, 0, 0), at(9, 0, 59)) && due(at(9, 0, 0), at(9, 1, 0)));
        assert!(due(at(9, 59, 59), at(10, 0, 0)));
        assert!(!due(at(9, 0, 1), at(9, 0, 0)), "a clock set back");
    }
}
