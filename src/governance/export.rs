//! Makes a package: one tenant's audit log of a range of hours, streamed, for the offline verifier.
//!
//! Paths need the leaves of whole batches, other tenants' too; of those nothing but the hash is read. The exporter holds
//! one batch's hashes and a few hundred events at a time. It reads in short statements without a transaction: what is
//! sealed never changes, and the last seal at the start bounds the package. Of closed hours it verifies nothing: what was
//! tampered with goes into the package as it is found, and the verifier names it. The running hour has no digest that
//! was made before the tampering, so there the exporter refuses what its seals do not hold.

use super::digester::{check_whole, heads, midnight};
use super::keys::AuditKeys;
use super::ledger::{self, Mark, Stored, hour_of, rows, stream};
use crate::kernel::Kernel;
use crate::kernel::audit::{Anchor, Digest, Head, HeadProof, PackageWriter, Range, Seal, Tree, TreeHasher};
use crate::kernel::context::{Context, Permission};
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use bytes::Bytes;
use chrono::{DateTime, Days, TimeDelta, Utc};
use futures_util::{StreamExt, pin_mut};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_postgres::Client;
use uuid::Uuid;

/// Bytes that are sent together.
const CHUNK_BYTES: usize = 64 * 1024;
const PAGE_EVENTS: i64 = 256;
/// How long the asker's right is believed.
const ASK_EVERY: Duration = Duration::from_secs(1);

sql! {
    /// $1 tenant, $2 permission bit: whether the caller may read that tenant's log.
    MAY_READ(UUID, INT8) = "select from (select sec.tenants($2)) t(covered) where $1 = any (t.covered)";
}

/// Where a package goes, part by part. An error breaks it off.
pub type Sink = mpsc::Sender<std::io::Result<Bytes>>;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub digests: u64,
    pub events: u64,
    pub anchors: u64,
}

/// Writes the package of these full hours into `sink`, all but its last part: that one is returned, so that the caller
/// can record the end before the receiver has everything. `asker`, who may read the log at the start, is asked about again
/// each second: a right that ends takes the export with it. None is the server itself.
pub async fn export(kernel: &Kernel, client: &Client, range: Range, sink: &Sink, asker: Option<&Context>) -> Result<(Counts, Bytes)> {
    let keys = AuditKeys::from_seed(&kernel.config.secrets.audit_signing_key)?;
    let newest = rows(client, &ledger::LAST_SEAL, &[]).await?.first().map(ledger::seal).transpose()?;
    let chain = Chain::of(client, range, newest.as_ref()).await?;
    let writer = PackageWriter::new(Vec::new(), range, chain.start, Utc::now(), keys.export)?;
    let right = Right { kernel, asker, tenant: range.tenant_id, asked: Instant::now() };
    let mut export = Export { client, range, writer, sink, right, counts: Counts::default() };
    export.hours(chain).await?;
    export.right.ask().await?;
    let Export { writer, counts, .. } = export;
    Ok((counts, Bytes::from(writer.finish()?)))
}

/// The connection of one export: the sealer's must not wait for a slow receiver. While it lives the export is known to run.
pub async fn connection(kernel: &Kernel, id: Uuid) -> Result<Client> {
    let client = kernel.door.pools.connector("sealer")?.connect().await?;
    rows(&client, &ledger::HOLD_EXPORT, &[&id]).await?;
    Ok(client)
}

/// The tenant's digests in the range: those that stand, then those made on the spot for hours not closed yet.
struct Chain {
    start: Head,
    digests: VecDeque<(Digest, bool)>,
    anchors: VecDeque<Anchor>,
}

impl Chain {
    async fn of(client: &Client, range: Range, newest: Option<&Seal>) -> Result<Chain> {
        let Range { tenant_id, from, to } = range;
        let stored = rows(client, &ledger::DIGESTS_OF, &[&tenant_id, &from, &to]).await?;
        let mut digests = stored.iter().map(|row| Ok((ledger::digest(row)?, false))).collect::<Result<VecDeque<_>>>()?;
        let before = rows(client, &ledger::DIGEST_BEFORE, &[&tenant_id, &from]).await?;
        let before = before.first().map(ledger::digest).transpose()?;
        let mut start = before.as_ref().map_or(Head::START, Digest::head);
        let newest_digest = rows(client, &ledger::NEWEST_DIGESTS, &[&vec![tenant_id]]).await?;
        let newest_digest = newest_digest.first().map(ledger::digest).transpose()?;
        for digest in open_digests(client, tenant_id, newest_digest, newest, to).await? {
            match digest.hour_start < from {
                true => start = digest.head(),
                false => digests.push_back((digest, true)),
            }
        }
        let (first, end) = (from.date_naive(), to.date_naive());
        let anchors = rows(client, &ledger::ANCHORS_BETWEEN, &[&first, &end]).await?;
        let anchors = anchors.iter().map(ledger::anchor).collect::<Result<_>>()?;
        Ok(Chain { start, digests, anchors })
    }
}

/// Digests of the hours behind the tenant's newest one which have sealed events and end the chain for now.
async fn open_digests(
    client: &Client,
    tenant: Uuid,
    newest: Option<Digest>,
    bound: Option<&Seal>,
    to: DateTime<Utc>,
) -> Result<Vec<Digest>> {
    let mut digests = Vec::new();
    let Some(bound) = bound else { return Ok(digests) };
    let end = Mark::to_of(bound).to_string();
    let mut head = newest.as_ref().map_or(Head::START, Digest::head);
    let since = newest.map_or(DateTime::UNIX_EPOCH, |newest| newest.hour_start + TimeDelta::hours(1));
    let first = rows(client, &ledger::FIRST_SEAL_SINCE, &[&since]).await?;
    let Some(first) = first.first().map(ledger::seal).transpose()? else { return Ok(digests) };
    let mut at = Mark::from_of(&first);
    loop {
        let next = rows(client, &ledger::TENANT_FIRST, &[&tenant, &at.to_string(), &end]).await?;
        let next: Option<&str> = next.first().map(|row| row.try_get(0)).transpose()?.flatten();
        let Some(next) = next.map(Mark::parse).transpose()? else { return Ok(digests) };
        let seal = rows(client, &ledger::SEAL_OF, &[&next.epoch, &next.to_string()]).await?;
        let Some(seal) = seal.first().map(ledger::seal).transpose()? else {
            // No seal holds it although later ones stand: someone removed it, and the head will not fit the anchor's.
            at = next.behind();
            continue;
        };
        let hour = hour_of(seal.sealed_at)?;
        if hour >= to {
            return Ok(digests);
        }
        let seals = seals_of(client, hour).await?;
        let last = seals.iter().rev().find(|seal| Mark::to_of(seal) <= Mark::to_of(bound)).unwrap_or(&seal);
        let (from, until) = (Mark::from_of(seals.first().unwrap_or(&seal)).max(at), Mark::to_of(last));
        for seal in seals.iter().filter(|seal| Mark::to_of(seal) <= until) {
            check_whole(client, seal).await?;
        }
        let digest = Digest::next(&head, tenant, hour, &leaves_of(client, tenant, from, until).await?);
        head = digest.head();
        digests.push(digest);
        at = until.max(next.behind());
    }
}

async fn leaves_of(client: &Client, tenant: Uuid, from: Mark, to: Mark) -> Result<TreeHasher> {
    let (from, to) = (from.to_string(), to.to_string());
    let given = stream(client, &ledger::TENANT_LEAVES, &[&tenant, &from, &to]).await?;
    pin_mut!(given);
    let mut leaves = TreeHasher::new();
    while let Some(row) = given.next().await {
        leaves.push(ledger::leaf(&row?)?);
    }
    Ok(leaves)
}

async fn seals_of(client: &Client, hour: DateTime<Utc>) -> Result<Vec<Seal>> {
    let seals = rows(client, &ledger::SEALS_BETWEEN, &[&hour, &(hour + TimeDelta::hours(1))]).await?;
    seals.iter().map(ledger::seal).collect()
}

/// A seal whose events are being written: its tree, and the places of the tenant's leaves that are still to come.
struct Open {
    seal: Seal,
    tree: Tree,
    places: VecDeque<u64>,
}

/// PostgreSQL decides, on the asker's own plane. A tenant without a mandate and one that does not exist answer alike.
pub async fn may_read(kernel: &Kernel, asker: &Context, tenant: Uuid) -> Result<()> {
    let scope = kernel.door.open(asker).await?;
    let answers = scope.once(&[((&MAY_READ).into(), vec![&tenant, &Permission::ViewAudit.bit()])]).await?;
    answers.first().and_then(|rows| rows.first()).map(|_| ()).ok_or_else(|| Error::new(&error::NOT_FOUND))
}

/// The right an export is made by.
struct Right<'a> {
    kernel: &'a Kernel,
    asker: Option<&'a Context>,
    tenant: Uuid,
    asked: Instant,
}

impl Right<'_> {
    async fn ask(&mut self) -> Result<()> {
        if let Some(asker) = self.asker {
            may_read(self.kernel, asker, self.tenant).await?;
        }
        self.asked = Instant::now();
        Ok(())
    }
    async fn ask_again(&mut self) -> Result<()> {
        if self.asked.elapsed() < ASK_EVERY { Ok(()) } else { self.ask().await }
    }
}

struct Export<'a> {
    client: &'a Client,
    range: Range,
    writer: PackageWriter<Vec<u8>>,
    sink: &'a Sink,
    right: Right<'a>,
    counts: Counts,
}

impl Export<'_> {
    async fn hours(&mut self, chain: Chain) -> Result<()> {
        let Chain { start, digests, mut anchors } = chain;
        let mut begun = start != Head::START;
        for (digest, open) in digests {
            self.anchors_while(&mut anchors, begun, |anchor| anchor.anchor_date < digest.hour_start.date_naive()).await?;
            begun = !open;
            self.writer.digest(&digest, open)?;
            self.counts.digests += 1;
            self.events(&digest).await?;
        }
        self.anchors_while(&mut anchors, begun, |_| true).await
    }

    /// Anchors that hold the chain as it stands now. Before its first digest a tenant stands in none.
    async fn anchors_while(&mut self, anchors: &mut VecDeque<Anchor>, begun: bool, due: impl Fn(&Anchor) -> bool) -> Result<()> {
        while let Some(anchor) = anchors.pop_front_if(|anchor| due(anchor)) {
            if !begun {
                continue;
            }
            let heads = heads(self.client, midnight(anchor.anchor_date) + Days::new(1)).await?;
            let Some(index) = heads.iter().position(|(tenant, _)| *tenant == self.range.tenant_id) else { continue };
            let tree = Tree::new(heads.into_iter().map(|(_, leaf)| leaf).collect());
            let index = index as u64;
            let path = tree.path(index).unwrap_or_default();
            self.writer.anchor(&anchor, HeadProof { index, count: tree.count(), path })?;
            self.counts.anchors += 1;
            self.flush().await?;
        }
        Ok(())
    }

    /// The tenant's events of an hour, each below the seal that holds it.
    async fn events(&mut self, digest: &Digest) -> Result<()> {
        let mut seals: VecDeque<Seal> = seals_of(self.client, digest.hour_start).await?.into();
        let (Some(first), Some(last)) = (seals.front(), seals.back()) else { return Ok(()) };
        let (mut at, mut id, end) = (Mark::from_of(first).to_string(), Uuid::nil(), Mark::to_of(last).to_string());
        let mut open: Option<Open> = None;
        // An open digest was made up to the last seal of its time; later seals of the hour hold more.
        let mut left = digest.event_count;
        while left > 0 {
            self.right.ask_again().await?;
            let page = rows(self.client, &ledger::TENANT_EVENTS, &[&self.range.tenant_id, &at, &id, &end, &PAGE_EVENTS]).await?;
            for row in page.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                let event = ledger::stored(row)?;
                (at, id) = (event.mark.to_string(), event.event.id);
                self.event(&mut open, &mut seals, event).await?;
                left -= 1;
            }
            if page.is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn event(&mut self, open: &mut Option<Open>, seals: &mut VecDeque<Seal>, event: Stored) -> Result<()> {
        if open.as_ref().is_none_or(|open| event.mark >= Mark::to_of(&open.seal)) {
            while seals.pop_front_if(|seal| Mark::to_of(seal) <= event.mark).is_some() {}
            // An event below no seal cannot be proven; its digest's count will miss it.
            let Some(seal) = seals.pop_front_if(|seal| Mark::from_of(seal) <= event.mark) else { return Ok(()) };
            *open = Some(self.open(seal).await?);
        }
        let Some(open) = open.as_mut().filter(|open| event.mark >= Mark::from_of(&open.seal)) else { return Ok(()) };
        let place = open.places.pop_front().ok_or_else(|| Error::internal("the audit log changed while it was exported"))?;
        let path = open.tree.path(place).unwrap_or_default();
        self.writer.event(&event.event, event.salt, place, path)?;
        self.counts.events += 1;
        self.flush().await
    }

    async fn open(&mut self, seal: Seal) -> Result<Open> {
        let (from, to) = (Mark::from_of(&seal).to_string(), Mark::to_of(&seal).to_string());
        let given = stream(self.client, &ledger::LEAVES, &[&from, &to]).await?;
        pin_mut!(given);
        let (mut leaves, mut places) = (Vec::new(), VecDeque::new());
        while let Some(row) = given.next().await {
            let row = row?;
            if ledger::tenant(&row)? == self.range.tenant_id {
                places.push_back(leaves.len() as u64);
            }
            leaves.push(ledger::leaf(&row)?);
        }
        self.writer.seal(&seal)?;
        Ok(Open { seal, tree: Tree::new(leaves), places })
    }

    async fn flush(&mut self) -> Result<()> {
        if self.writer.sink().len() < CHUNK_BYTES {
            return Ok(());
        }
        let part = Bytes::from(std::mem::take(self.writer.sink()));
        loop {
            self.right.ask_again().await?;
            match tokio::time::timeout(ASK_EVERY, self.sink.reserve()).await {
                Ok(room) => {
                    room.map_err(|_| Error::unavailable("the receiver of an audit package went away"))?.send(Ok(part));
                    return Ok(());
                }
                // The receiver is slow; the right may end meanwhile.
                Err(_) => continue,
            }
        }
    }
}
