//! Tamper-evident audit: what an event is, how events are sealed, and how an outsider proves a log whole.
//!
//! Nothing in this folder runs SQL; the sealer and the exporter bring rows, this folder brings the mathematics.
//!
//! 1. A request hands an [`AuditEvent`] to the [`AuditLog`], which salts and hashes it ([`PreparedEvent`]) and
//!    answers once its row is durable.
//! 2. About each second the sealer takes the committed events below the snapshot horizon, makes one RFC 6962 tree
//!    of their leaves and signs it: a [`Seal`], installation-wide, chained to the one before.
//! 3. Each hour a tenant's events sealed within that hour (by `sealed_at`, so every sealed event belongs to exactly
//!    one) make a [`Digest`], chained per tenant with a running count.
//! 4. Each day an [`Anchor`] is signed over all digests of the day and over the [`Head`] of every tenant's chain.
//! 5. A package ([`PackageWriter`]) holds one tenant's digests, events with their paths into the seals, seals and
//!    anchors. [`verify`] needs only the package and pinned public keys. `deploy/verify/README.md` is the format.
//!
//! **Erasing details.** The leaf holds SHA-256(salt || metadata), not the metadata. Erasing an event's details means:
//! `detail_salt` becomes NULL and `metadata` becomes `{"erased":"<that hash in hex>"}` ([`Metadata::erased`]). So the
//! hash stays where the details were, the tree still verifies, and without the salt nobody can guess them back.
//! A verdict counts erased events, since the tree alone cannot tell who erased and why: that is an event of its own.

mod bytes;
mod canonical;
mod event;
mod log;
mod merkle;
mod metadata;
mod package;
mod seal;
mod sign;
mod verdict;
mod verify;

#[cfg(test)]
mod forge;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tampering;

pub use bytes::{Hash, Hex, Salt, SignatureBytes};
pub use event::{Action, ActorType, AuditEvent, Outcome, Plane, PreparedEvent, PurposeOfUse};
pub use log::AuditLog;
pub use merkle::{Tree, TreeHasher, path_leads_to};
pub use metadata::{Metadata, Value};
pub use package::{HeadProof, PackageWriter, Range};
pub use seal::{Anchor, Batch, Digest, Head, Seal};
pub use sign::{PinnedKeys, Signer};
pub use verdict::{ALL as REASONS, Bad, Good, Reason, Verdict};
pub use verify::{run, verify};
