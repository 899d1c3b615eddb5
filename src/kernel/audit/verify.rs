//! The offline verifier: one pass over a package, nothing believed but the pinned keys.

use super::bytes::Hash;
use super::event::{FIELD_NAMES, detail_hash, leaf_hash};
use super::merkle::{TreeHasher, path_leads_to};
use super::metadata::ERASED;
use super::package::{AnchorLine, DigestLine, End, EventLine, FORMAT, Header, Line, PackageReader, Unreadable, VERSION};
use super::seal::{Digest, Head, Seal, is_full_hour};
use super::sign::PinnedKeys;
use super::verdict::{self, Bad, Good, Reason, Verdict};
use crate::kernel::Result;
use chrono::NaiveDate;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use uuid::Uuid;

type Check<T = ()> = Result<T, &'static Reason>;

fn demand(right: bool, reason: &'static Reason) -> Check {
    if right { Ok(()) } else { Err(reason) }
}

/// Reads the package to its end or to the first thing that is not right.
pub fn verify(package: impl Read, keys: &PinnedKeys) -> Verdict {
    let mut reader = PackageReader::new(package);
    let mut place = Place::default();
    match walk(&mut reader, keys, &mut place) {
        Ok(good) => Verdict::Good(good),
        Err(reason) => {
            Verdict::Bad(Bad { reason, line: place.line, digest_no: place.digest_no, batch: place.batch, event_id: place.event_id })
        }
    }
}

/// `enamel audit verify`: exit code and what to print. 0 whole, 1 not whole, 2 nothing could be verified.
pub fn run(package: &Path, keys: &[String], as_json: bool) -> (i32, String) {
    let opened = PinnedKeys::from_base64(keys).map_err(|error| error.to_string());
    let opened = opened.and_then(|keys| Ok((keys, std::fs::File::open(package).map_err(|error| error.to_string())?)));
    let (keys, file) = match opened {
        Ok(opened) => opened,
        Err(error) => return (2, format!("cannot verify: {error}\n")),
    };
    let verdict = verify(file, &keys);
    let code = if verdict.is_good() { 0 } else { 1 };
    (code, if as_json { format!("{}\n", verdict.to_json()) } else { verdict.text() })
}

/// Where the walk stands, for the verdict.
#[derive(Default)]
struct Place {
    line: u64,
    digest_no: Option<i64>,
    batch: Option<(i32, i64)>,
    event_id: Option<Uuid>,
}

fn walk<R: Read>(reader: &mut PackageReader<R>, keys: &PinnedKeys, place: &mut Place) -> Check<Good> {
    let mut walk = match next_line(reader, place)? {
        Line::Header(header) => Walk::start(header, keys)?,
        _ => return Err(&verdict::ORDER),
    };
    loop {
        match next_line(reader, place)? {
            Line::Header(_) => return Err(&verdict::ORDER),
            Line::Digest(line) => walk.digest(line, place)?,
            Line::Seal(seal) => walk.seal(seal, place)?,
            Line::Event(line) => walk.event(line, place)?,
            Line::Anchor(line) => walk.anchor(line, place)?,
            Line::End(end) => {
                walk.end(&end, reader.content_hash(), place)?;
                break;
            }
        }
    }
    place.line += 1;
    match reader.next_line() {
        Err(Unreadable::Over) => Ok(walk.good),
        Err(Unreadable::Gzip) => Err(&verdict::GZIP),
        Ok(_) | Err(Unreadable::Line) => Err(&verdict::END_TRAILING),
    }
}

fn next_line<R: Read>(reader: &mut PackageReader<R>, place: &mut Place) -> Check<Line> {
    place.line += 1;
    reader.next_line().map_err(|why| match why {
        Unreadable::Gzip => &verdict::GZIP,
        Unreadable::Line => &verdict::LINE,
        Unreadable::Over => &verdict::END_MISSING,
    })
}

/// A seal whose events are being read.
struct OpenSeal {
    seal: Seal,
    last_index: Option<u64>,
}

struct Walk<'a> {
    keys: &'a PinnedKeys,
    package_key: String,
    /// The chain after all digests so far, the one being read included.
    head: Head,
    digest: Option<(Digest, TreeHasher)>,
    last_digest: Option<DigestLine>,
    seal: Option<OpenSeal>,
    last_seal: Option<Seal>,
    good: Good,
}

impl<'a> Walk<'a> {
    fn start(header: Header, keys: &'a PinnedKeys) -> Check<Self> {
        let Header { format, version, tenant_id, from, to, exported_at, key_id, start } = header;
        let range = is_full_hour(from) && is_full_hour(to) && from < to;
        let known = format == FORMAT && version == VERSION;
        let chain = start.digest_no > 0 || start == Head::START;
        demand(known && range && chain, &verdict::HEADER)?;
        demand(keys.holds(&key_id), &verdict::HEADER_KEY)?;
        let good = Good {
            tenant_id,
            from,
            to,
            exported_at,
            digests: 0,
            seals: 0,
            events: 0,
            erased_events: 0,
            anchored_events: 0,
            anchors: 0,
            anchored_through: None,
            head: start,
            key_ids: BTreeSet::from([key_id.clone()]),
        };
        Ok(Self { keys, package_key: key_id, head: start, digest: None, last_digest: None, seal: None, last_seal: None, good })
    }

    fn digest(&mut self, line: DigestLine, place: &mut Place) -> Check {
        self.close_digest(place)?;
        let digest = line.digest(self.good.tenant_id);
        place.digest_no = Some(line.digest_no);
        demand(digest.follows(&self.head), &verdict::DIGEST_CHAIN)?;
        let hour = line.hour_start;
        let in_range = is_full_hour(hour) && (self.good.from..self.good.to).contains(&hour);
        let in_order = self.last_digest.as_ref().is_none_or(|last| last.hour_start < hour);
        let behind_anchors = self.good.anchored_through.is_none_or(|date| date < hour.date_naive());
        demand(in_range && in_order && behind_anchors, &verdict::DIGEST_HOUR)?;
        demand(line.open || self.last_digest.as_ref().is_none_or(|last| !last.open), &verdict::DIGEST_OPEN)?;
        demand(digest.counts_on_from(&self.head), &verdict::DIGEST_COUNT)?;
        self.head = digest.head();
        self.good.digests += 1;
        self.digest = Some((digest, TreeHasher::new()));
        self.last_digest = Some(line);
        Ok(())
    }

    /// All events of the digest being read, if any, must have come by now.
    fn close_digest(&mut self, place: &mut Place) -> Check {
        self.close_seal()?;
        place.batch = None;
        place.event_id = None;
        if let Some((digest, leaves)) = self.digest.take() {
            demand(leaves.count() == digest.event_count, &verdict::DIGEST_COUNT)?;
            demand(leaves.root() == digest.root_hash, &verdict::DIGEST_ROOT)?;
        }
        place.digest_no = None;
        Ok(())
    }

    /// A seal stands in a package for its events only.
    fn close_seal(&mut self) -> Check {
        match self.seal.take() {
            Some(open) if open.last_index.is_none() => Err(&verdict::ORDER),
            Some(open) => {
                self.last_seal = Some(open.seal);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn seal(&mut self, seal: Seal, place: &mut Place) -> Check {
        self.close_seal()?;
        place.batch = Some((seal.epoch, seal.batch_no));
        place.event_id = None;
        let (digest, _) = self.digest.as_ref().ok_or(&verdict::ORDER)?;
        if let Some(last) = &self.last_seal {
            demand(seal.is_after(last), &verdict::SEAL_ORDER)?;
            demand(!seal.is_next_number(last) || seal.continues(last), &verdict::SEAL_CHAIN)?;
        }
        demand(seal.from_transaction <= seal.to_transaction, &verdict::SEAL_ORDER)?;
        demand(digest.covers(seal.sealed_at), &verdict::SEAL_HOUR)?;
        demand(self.keys.holds(&seal.key_id), &verdict::SEAL_KEY)?;
        demand(seal.signed(self.keys), &verdict::SEAL_SIGNATURE)?;
        self.good.seals += 1;
        self.good.key_ids.insert(seal.key_id.clone());
        self.seal = Some(OpenSeal { seal, last_index: None });
        Ok(())
    }

    fn event(&mut self, line: EventLine, place: &mut Place) -> Check {
        place.event_id = line.id("id");
        let (Some((digest, leaves)), Some(open)) = (&mut self.digest, &mut self.seal) else {
            return Err(&verdict::ORDER);
        };
        demand(line.id("tenant_id") == Some(self.good.tenant_id), &verdict::EVENT_TENANT)?;
        let in_order = open.last_index.is_none_or(|last| last < line.index);
        demand(in_order && line.index < open.seal.event_count, &verdict::EVENT_INDEX)?;
        demand(leaves.count() < digest.event_count, &verdict::DIGEST_COUNT)?;
        let leaf = leaf_of(&line)?;
        let held = path_leads_to(&open.seal.root_hash, &leaf, line.index, open.seal.event_count, &line.path);
        demand(held, &verdict::EVENT_LEAF)?;
        leaves.push(leaf);
        open.last_index = Some(line.index);
        self.good.events += 1;
        self.good.erased_events += u64::from(line.salt.is_none());
        Ok(())
    }

    fn anchor(&mut self, line: AnchorLine, place: &mut Place) -> Check {
        self.close_digest(place)?;
        let date = line.anchor_date;
        let in_order = self.good.anchored_through.is_none_or(|last| last < date) && self.head != Head::START;
        demand(in_order && self.last_digest.as_ref().is_none_or(|last| may_anchor(last, date)), &verdict::ANCHOR_ORDER)?;
        demand(self.keys.holds(&line.key_id), &verdict::ANCHOR_KEY)?;
        demand(line.anchor().signed(self.keys), &verdict::ANCHOR_SIGNATURE)?;
        let leaf = self.head.leaf(self.good.tenant_id);
        let held = path_leads_to(&line.heads_root, &leaf, line.index, line.count, &line.path);
        demand(held, &verdict::ANCHOR_HEAD)?;
        self.good.anchors += 1;
        self.good.anchored_through = Some(date);
        self.good.anchored_events = self.good.events;
        self.good.key_ids.insert(line.key_id);
        Ok(())
    }

    fn end(&mut self, end: &End, content_hash: Hash, place: &mut Place) -> Check {
        self.close_digest(place)?;
        let counts = (self.good.digests, self.good.seals, self.good.events, self.good.anchors);
        demand((end.digests, end.seals, end.events, end.anchors) == counts, &verdict::END_COUNT)?;
        demand(end.head == self.head, &verdict::END_HEAD)?;
        demand(end.content_hash == content_hash, &verdict::END_CONTENT)?;
        demand(self.keys.signed(&self.package_key, &end.message(), &end.signature), &verdict::END_SIGNATURE)?;
        self.good.head = self.head;
        Ok(())
    }
}

/// An anchor of a day speaks of closed digests whose hours lie no later than that day.
fn may_anchor(last: &DigestLine, date: NaiveDate) -> bool {
    !last.open && last.hour_start.date_naive() <= date
}

fn leaf_of(line: &EventLine) -> Check<Hash> {
    let metadata = line.event.get("metadata").ok_or(&verdict::LINE)?;
    let detail = match &line.salt {
        Some(salt) => detail_hash(salt, &super::canonical::canonical(metadata).map_err(|_| &verdict::LINE)?),
        None => erased_hash(metadata).ok_or(&verdict::EVENT_DETAIL)?,
    };
    Ok(leaf_hash(FIELD_NAMES.iter().map(|name| line.event.get(*name).and_then(Json::as_str)), detail))
}

fn erased_hash(metadata: &Json) -> Option<Hash> {
    let members = metadata.as_object().filter(|members| members.len() == 1)?;
    Hash::parse(members.get(ERASED)?.as_str()?)
}
