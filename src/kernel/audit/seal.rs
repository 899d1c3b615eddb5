//! Seals, digests, heads and anchors: what each says, its canonical bytes, and how one follows another.
//!
//! Each structure has a text prefix of its own, so that no signature or hash of one can pass for another's.

use super::bytes::{Fields, Hash, SignatureBytes, decimal_text, instant, instant_text};
use super::merkle::{Tree, TreeHasher};
use super::sign::{PinnedKeys, Signer};
use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One signed batch of the whole installation: every event whose transaction is in `from..to` (half open).
/// `batch_no` counts from 1 within an epoch; the chain of hashes runs on across epochs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    pub epoch: i32,
    pub batch_no: i64,
    #[serde(with = "decimal_text")]
    pub from_transaction: u64,
    #[serde(with = "decimal_text")]
    pub to_transaction: u64,
    pub event_count: u64,
    pub root_hash: Hash,
    pub previous_hash: Hash,
    #[serde(with = "instant")]
    pub sealed_at: DateTime<Utc>,
    pub key_id: String,
    pub signature: SignatureBytes,
}

/// What a new seal covers, before it has a place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    pub epoch: i32,
    pub from_transaction: u64,
    pub to_transaction: u64,
    pub sealed_at: DateTime<Utc>,
}

impl Seal {
    /// Seals the leaves of a batch, ordered by (transaction, id), behind `previous`. Never earlier than it: a clock
    /// that was set back would otherwise put events into an hour whose digest is closed.
    pub fn next(previous: Option<&Seal>, batch: Batch, leaves: &TreeHasher, signer: &Signer) -> Seal {
        let sealed_at = batch.sealed_at.trunc_subsecs(6);
        let mut seal = Seal {
            epoch: batch.epoch,
            batch_no: previous.filter(|last| last.epoch == batch.epoch).map_or(1, |last| last.batch_no + 1),
            from_transaction: batch.from_transaction,
            to_transaction: batch.to_transaction,
            event_count: leaves.count(),
            root_hash: leaves.root(),
            previous_hash: previous.map_or(Hash::ZERO, Seal::hash),
            sealed_at: previous.map_or(sealed_at, |last| last.sealed_at.max(sealed_at)),
            key_id: signer.key_id().to_owned(),
            signature: SignatureBytes::ZERO,
        };
        seal.signature = signer.sign(&seal.message());
        seal
    }

    fn message(&self) -> Vec<u8> {
        Fields::new("enamel audit seal v1\n")
            .text(self.epoch)
            .text(self.batch_no)
            .text(self.from_transaction)
            .text(self.to_transaction)
            .text(self.event_count)
            .bytes(&self.root_hash.0)
            .bytes(&self.previous_hash.0)
            .text(instant_text(self.sealed_at))
            .text(&self.key_id)
            .finish()
    }

    #[cfg(test)]
    pub fn resign(&mut self, signer: &Signer) {
        self.signature = signer.sign(&self.message());
    }

    /// What the next seal's `previous_hash` must be.
    pub fn hash(&self) -> Hash {
        Hash::of(&[&self.message()])
    }

    pub fn signed(&self, keys: &PinnedKeys) -> bool {
        keys.signed(&self.key_id, &self.message(), &self.signature)
    }

    /// Whether this seal may stand somewhere after `earlier`.
    pub fn is_after(&self, earlier: &Seal) -> bool {
        (self.epoch, self.batch_no) > (earlier.epoch, earlier.batch_no)
            && self.sealed_at >= earlier.sealed_at
            && (self.epoch != earlier.epoch || self.from_transaction >= earlier.to_transaction)
    }

    /// Whether this seal stands directly behind `last`, without a gap between their transactions.
    pub fn continues(&self, last: &Seal) -> bool {
        self.previous_hash == last.hash() && self.from_transaction == last.to_transaction
    }

    /// Whether both belong to one epoch and their numbers leave no seal between them.
    pub fn is_next_number(&self, last: &Seal) -> bool {
        self.epoch == last.epoch && last.batch_no.checked_add(1) == Some(self.batch_no)
    }
}

/// The end of a tenant's chain of digests; all zero before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub digest_no: i64,
    pub running_count: u64,
    pub digest_hash: Hash,
}

impl Head {
    pub const START: Head = Head { digest_no: 0, running_count: 0, digest_hash: Hash::ZERO };

    /// The head as a leaf of an anchor's tree of heads.
    pub fn leaf(&self, tenant_id: Uuid) -> Hash {
        let fields =
            Fields::new("enamel audit head v1\n").text(tenant_id).text(self.digest_no).text(self.running_count).bytes(&self.digest_hash.0);
        Hash::of(&[&[0], &fields.finish()])
    }
}

/// One tenant's events of one hour, by the time they were sealed, in seal order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    pub tenant_id: Uuid,
    pub digest_no: i64,
    pub hour_start: DateTime<Utc>,
    pub event_count: u64,
    pub running_count: u64,
    pub root_hash: Hash,
    pub previous_hash: Hash,
}

impl Digest {
    pub fn next(head: &Head, tenant_id: Uuid, hour_start: DateTime<Utc>, leaves: &TreeHasher) -> Digest {
        Digest {
            tenant_id,
            digest_no: head.digest_no + 1,
            hour_start,
            event_count: leaves.count(),
            running_count: head.running_count + leaves.count(),
            root_hash: leaves.root(),
            previous_hash: head.digest_hash,
        }
    }

    /// Digests carry no signature of their own: anchors and packages sign the end of their chain.
    pub fn hash(&self) -> Hash {
        let fields = Fields::new("enamel audit digest v1\n")
            .text(self.tenant_id)
            .text(self.digest_no)
            .text(instant_text(self.hour_start))
            .text(self.event_count)
            .text(self.running_count)
            .bytes(&self.root_hash.0)
            .bytes(&self.previous_hash.0);
        Hash::of(&[&fields.finish()])
    }

    pub fn head(&self) -> Head {
        Head { digest_no: self.digest_no, running_count: self.running_count, digest_hash: self.hash() }
    }

    pub fn follows(&self, head: &Head) -> bool {
        head.digest_no.checked_add(1) == Some(self.digest_no) && self.previous_hash == head.digest_hash
    }

    pub fn counts_on_from(&self, head: &Head) -> bool {
        head.running_count.checked_add(self.event_count) == Some(self.running_count)
    }

    pub fn covers(&self, sealed_at: DateTime<Utc>) -> bool {
        (self.hour_start..self.hour_start + TimeDelta::hours(1)).contains(&sealed_at)
    }
}

pub fn is_full_hour(at: DateTime<Utc>) -> bool {
    at.minute() == 0 && at.second() == 0 && at.nanosecond() == 0
}

/// A signed day: the digests whose hour lies in it, and the head of every tenant's chain at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    pub anchor_date: NaiveDate,
    pub digest_root: Hash,
    pub heads_root: Hash,
    pub key_id: String,
    pub signature: SignatureBytes,
}

impl Anchor {
    /// `digests`: hashes of the day's digests ordered by (tenant, digest_no). `heads`: the tree of the leaves of all
    /// tenants' heads ordered by tenant, idle ones too, so that a chain cut short shows.
    pub fn new(anchor_date: NaiveDate, digests: &TreeHasher, heads: &Tree, signer: &Signer) -> Anchor {
        let mut anchor = Anchor {
            anchor_date,
            digest_root: digests.root(),
            heads_root: heads.root(),
            key_id: signer.key_id().to_owned(),
            signature: SignatureBytes::ZERO,
        };
        anchor.signature = signer.sign(&anchor.message());
        anchor
    }

    /// A digest's leaf in the tree of a day's digests.
    pub fn digest_leaf(digest: &Digest) -> Hash {
        Hash::of(&[&[0], &digest.hash().0])
    }

    fn message(&self) -> Vec<u8> {
        Fields::new("enamel audit anchor v1\n")
            .text(self.anchor_date)
            .bytes(&self.digest_root.0)
            .bytes(&self.heads_root.0)
            .text(&self.key_id)
            .finish()
    }

    pub fn signed(&self, keys: &PinnedKeys) -> bool {
        keys.signed(&self.key_id, &self.message(), &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone as _;

    fn leaves(count: u8) -> TreeHasher {
        (0..count).map(|n| Hash::of(&[&[n]])).collect()
    }

    fn batch(epoch: i32, from: u64, second: u32) -> Batch {
        let sealed_at = Utc.with_ymd_and_hms(2026, 11, 20, 9, 0, second).unwrap();
        Batch { epoch, from_transaction: from, to_transaction: from + 10, sealed_at }
    }

    #[test]
    fn seals_chain_within_and_across_epochs() {
        let signer = Signer::from_seed(&[1; 32]);
        let keys = PinnedKeys::from_base64([signer.public_key()]).unwrap();
        let first = Seal::next(None, batch(1, 100, 1), &leaves(3), &signer);
        let empty = Seal::next(Some(&first), batch(1, 110, 2), &leaves(0), &signer);
        let restored = Seal::next(Some(&empty), batch(2, 5, 3), &leaves(1), &signer);
        assert!([&first, &empty, &restored].iter().all(|seal| seal.signed(&keys)));
        assert!(empty.is_after(&first) && empty.continues(&first) && empty.is_next_number(&first));
        assert_eq!((restored.epoch, restored.batch_no), (2, 1));
        assert!(restored.is_after(&empty) && !restored.is_next_number(&empty));
        assert_eq!(restored.previous_hash, empty.hash());
        assert!(!first.is_after(&empty));
    }

    #[test]
    fn a_clock_set_back_does_not_move_seals_back() {
        let signer = Signer::from_seed(&[1; 32]);
        let first = Seal::next(None, batch(1, 1, 30), &leaves(1), &signer);
        let second = Seal::next(Some(&first), batch(1, 11, 5), &leaves(1), &signer);
        assert_eq!(second.sealed_at, first.sealed_at);
    }

    #[test]
    fn digests_chain_and_count_on() {
        let tenant = Uuid::from_u128(1);
        let hour = |hour| Utc.with_ymd_and_hms(2026, 11, 20, hour, 0, 0).unwrap();
        let first = Digest::next(&Head::START, tenant, hour(9), &leaves(3));
        let second = Digest::next(&first.head(), tenant, hour(11), &leaves(2));
        assert!(second.follows(&first.head()) && second.counts_on_from(&first.head()));
        assert_eq!(second.running_count, 5);
        assert!(!second.follows(&Head::START));
        assert!(first.covers(hour(9)) && !first.covers(hour(10)));
        assert_ne!(first.head().leaf(tenant), first.head().leaf(Uuid::from_u128(2)));
    }
}
