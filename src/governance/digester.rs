//! Digests of the hours that are over, and anchors of the days that are.
//!
//! Seals never go back in time, so once one stands in a later hour, no event can enter the hour before: its digests are
//! final. All tenants' digests of an hour commit together, hence the newest digest tells which hours are done. A tenant
//! without events has no digest in that hour; its last one stands in every anchor, so that a chain cut short shows.

use super::ledger::{self, Mark, hour_of, rows, stream};
use super::sealer::begin;
use crate::kernel::audit::{Anchor, Digest, Hash, Head, Seal, Signer, Tree, TreeHasher};
use crate::kernel::error::{Error, Result};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use futures_util::{StreamExt, pin_mut};
use std::collections::BTreeMap;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// Makes the digests of every hour that ended before `sealed_through`, the last seal's time.
pub async fn digests(client: &Client, sealed_through: DateTime<Utc>) -> Result<u64> {
    let open_hour = hour_of(sealed_through)?;
    let mut made = 0;
    loop {
        let done: Option<DateTime<Utc>> = only(&rows(client, &ledger::LAST_DIGESTED_HOUR, &[]).await?)?;
        let since = done.map_or(DateTime::UNIX_EPOCH, |done| done + TimeDelta::hours(1));
        let next = rows(client, &ledger::FIRST_SEAL_SINCE, &[&since]).await?;
        let Some(seal) = next.first().map(ledger::seal).transpose()? else { return Ok(made) };
        let hour = hour_of(seal.sealed_at)?;
        if hour >= open_hour {
            return Ok(made);
        }
        made += digest_hour(client, hour).await?;
    }
}

async fn digest_hour(client: &Client, hour: DateTime<Utc>) -> Result<u64> {
    begin(client).await?;
    let mut trees: BTreeMap<Uuid, TreeHasher> = BTreeMap::new();
    for row in rows(client, &ledger::SEALS_BETWEEN, &[&hour, &(hour + TimeDelta::hours(1))]).await? {
        add_batch(client, &ledger::seal(&row)?, &mut trees).await?;
    }
    let tenants: Vec<Uuid> = trees.keys().copied().collect();
    let mut heads: BTreeMap<Uuid, Head> = BTreeMap::new();
    for row in rows(client, &ledger::NEWEST_DIGESTS, &[&tenants]).await? {
        let digest = ledger::digest(&row)?;
        heads.insert(digest.tenant_id, digest.head());
    }
    for (tenant, leaves) in &trees {
        let head = heads.get(tenant).unwrap_or(&Head::START);
        add_digest(client, &Digest::next(head, *tenant, hour, leaves)).await?;
    }
    client.batch_execute("commit").await?;
    Ok(trees.len() as u64)
}

/// Whether a seal's leaves are still those that were sealed.
pub async fn check_whole(client: &Client, seal: &Seal) -> Result<()> {
    add_batch(client, seal, &mut BTreeMap::new()).await
}

/// Deals a batch's leaves out to their tenants, if they are still the leaves that were sealed.
async fn add_batch(client: &Client, seal: &Seal, trees: &mut BTreeMap<Uuid, TreeHasher>) -> Result<()> {
    let (from, to) = (Mark::from_of(seal).to_string(), Mark::to_of(seal).to_string());
    let leaves = stream(client, &ledger::LEAVES, &[&from, &to]).await?;
    pin_mut!(leaves);
    let mut whole = TreeHasher::new();
    while let Some(row) = leaves.next().await {
        let row = row?;
        let leaf = ledger::leaf(&row)?;
        whole.push(leaf);
        trees.entry(ledger::tenant(&row)?).or_default().push(leaf);
    }
    match whole.root() == seal.root_hash {
        true => Ok(()),
        false => Err(Error::internal(format!("the events of seal {}/{} are not those that were sealed", seal.epoch, seal.batch_no))),
    }
}

async fn add_digest(client: &Client, digest: &Digest) -> Result<()> {
    let (count, running) = (signed(digest.event_count)?, signed(digest.running_count)?);
    let (root, previous) = (&digest.root_hash.0[..], &digest.previous_hash.0[..]);
    rows(
        client,
        &ledger::DIGEST_ADD,
        &[&digest.tenant_id, &Uuid::now_v7(), &digest.digest_no, &digest.hour_start, &count, &running, &root, &previous],
    )
    .await?;
    Ok(())
}

fn signed(count: u64) -> Result<i64> {
    i64::try_from(count).map_err(Error::internal)
}

/// Anchors every day that ended before `sealed_through`. Its digests are made by then.
pub async fn anchors(client: &Client, signer: &Signer, sealed_through: DateTime<Utc>) -> Result<u64> {
    let last: Option<NaiveDate> = only(&rows(client, &ledger::LAST_ANCHOR, &[]).await?)?;
    let first: Option<DateTime<Utc>> = only(&rows(client, &ledger::FIRST_DIGESTED_HOUR, &[]).await?)?;
    let Some(mut day) = last.and_then(|day| day.succ_opt()).or(first.map(|first| first.date_naive())) else { return Ok(0) };
    let mut made = 0;
    while day < sealed_through.date_naive() {
        add_anchor(client, signer, day).await?;
        made += 1;
        day = day.succ_opt().ok_or_else(|| Error::internal("the end of the calendar"))?;
    }
    Ok(made)
}

async fn add_anchor(client: &Client, signer: &Signer, day: NaiveDate) -> Result<()> {
    begin(client).await?;
    let (from, to) = (midnight(day), midnight(day) + Days::new(1));
    let of_the_day = stream(client, &ledger::DIGESTS_OF_DAY, &[&from, &to]).await?;
    pin_mut!(of_the_day);
    let mut digests = TreeHasher::new();
    while let Some(row) = of_the_day.next().await {
        digests.push(Anchor::digest_leaf(&ledger::digest(&row?)?));
    }
    let heads = heads(client, to).await?.into_iter().map(|(_, leaf)| leaf).collect();
    let anchor = Anchor::new(day, &digests, &Tree::new(heads), signer);
    let (root, heads, signature) = (&anchor.digest_root.0[..], &anchor.heads_root.0[..], &anchor.signature.0[..]);
    rows(client, &ledger::ANCHOR_ADD, &[&Uuid::now_v7(), &anchor.anchor_date, &root, &heads, &anchor.key_id, &signature]).await?;
    Ok(client.batch_execute("commit").await?)
}

/// Every tenant's head before `end`, as leaves of an anchor's tree.
pub async fn heads(client: &Client, end: DateTime<Utc>) -> Result<Vec<(Uuid, Hash)>> {
    let newest = stream(client, &ledger::HEADS, &[&end]).await?;
    pin_mut!(newest);
    let mut heads = Vec::new();
    while let Some(row) = newest.next().await {
        let digest = ledger::digest(&row?)?;
        heads.push((digest.tenant_id, digest.head().leaf(digest.tenant_id)));
    }
    Ok(heads)
}

pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The one value of the one row.
fn only<'a, T: tokio_postgres::types::FromSql<'a>>(rows: &'a [Row]) -> Result<Option<T>> {
    Ok(rows.first().map(|row| row.try_get::<_, Option<T>>(0)).transpose()?.flatten())
}
