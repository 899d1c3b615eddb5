//! A package: one tenant's audit of a range of hours as gzip'd lines of canonical JSON, written and read as a stream.
//!
//! header, then for each digest: its line, then each seal with events of the tenant and those events; anchors stand
//! behind the digest they speak of; the closing line signs all before it. `deploy/verify/README.md` tells each field.

use super::bytes::{Fields, Hash, Salt, SignatureBytes, instant};
use super::canonical::canonical;
use super::event::{AuditEvent, FIELD_NAMES};
use super::seal::{Anchor, Digest, Head, Seal};
use super::sign::Signer;
use crate::kernel::{Error, Result};
use chrono::{DateTime, NaiveDate, Utc};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use uuid::Uuid;

pub const FORMAT: &str = "enamel-audit-package";
pub const VERSION: u32 = 1;
pub const LINE_BYTES_MAX: usize = 64 * 1024;
const PATH_LENGTH_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub format: String,
    pub version: u32,
    pub tenant_id: Uuid,
    #[serde(with = "instant")]
    pub from: DateTime<Utc>,
    #[serde(with = "instant")]
    pub to: DateTime<Utc>,
    #[serde(with = "instant")]
    pub exported_at: DateTime<Utc>,
    /// Who signs the closing line.
    pub key_id: String,
    /// The tenant's chain before the range.
    pub start: Head,
}

/// A digest's line; the tenant is the header's. `open`: its hour was not over when the package was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestLine {
    pub digest_no: i64,
    #[serde(with = "instant")]
    pub hour_start: DateTime<Utc>,
    pub event_count: u64,
    pub running_count: u64,
    pub root_hash: Hash,
    pub previous_hash: Hash,
    pub open: bool,
}

impl DigestLine {
    fn new(digest: &Digest, open: bool) -> Self {
        let Digest { digest_no, hour_start, event_count, running_count, root_hash, previous_hash, .. } = *digest;
        Self { digest_no, hour_start, event_count, running_count, root_hash, previous_hash, open }
    }

    pub fn digest(&self, tenant_id: Uuid) -> Digest {
        let Self { digest_no, hour_start, event_count, running_count, root_hash, previous_hash, .. } = *self;
        Digest { tenant_id, digest_no, hour_start, event_count, running_count, root_hash, previous_hash }
    }
}

/// An event's line. The event stays text, as it is hashed: words added later do not break older verifiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLine {
    pub index: u64,
    pub path: Vec<Hash>,
    pub salt: Option<Salt>,
    pub event: Map<String, Json>,
}

impl EventLine {
    /// Exactly the hashed fields, each a text or null, ids in their one spelling, and an object of metadata.
    fn is_well_formed(&self) -> bool {
        let text_or_null = |name: &&str| matches!(self.event.get(*name), Some(Json::Null | Json::String(_)));
        self.event.len() == FIELD_NAMES.len() + 1
            && FIELD_NAMES.iter().all(text_or_null)
            && matches!(self.event.get("metadata"), Some(Json::Object(_)))
            && self.id("id").is_some()
            && self.id("tenant_id").is_some()
            && self.path.len() <= PATH_LENGTH_MAX
    }

    pub fn id(&self, field: &str) -> Option<Uuid> {
        let text = self.event.get(field)?.as_str()?;
        Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
    }
}

/// Where a tenant's head stands in an anchor's tree of heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadProof {
    pub index: u64,
    pub count: u64,
    pub path: Vec<Hash>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorLine {
    pub anchor_date: NaiveDate,
    pub digest_root: Hash,
    pub heads_root: Hash,
    pub key_id: String,
    pub signature: SignatureBytes,
    pub index: u64,
    pub count: u64,
    pub path: Vec<Hash>,
}

impl AnchorLine {
    pub fn anchor(&self) -> Anchor {
        let Self { anchor_date, digest_root, heads_root, signature, .. } = *self;
        Anchor { anchor_date, digest_root, heads_root, key_id: self.key_id.clone(), signature }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    pub digests: u64,
    pub seals: u64,
    pub events: u64,
    pub anchors: u64,
    pub head: Head,
    /// SHA-256 of every byte of the lines before, line ends included.
    pub content_hash: Hash,
    pub signature: SignatureBytes,
}

impl End {
    pub fn message(&self) -> Vec<u8> {
        Fields::new("enamel audit package v1\n")
            .text(self.digests)
            .text(self.seals)
            .text(self.events)
            .text(self.anchors)
            .text(self.head.digest_no)
            .text(self.head.running_count)
            .bytes(&self.head.digest_hash.0)
            .bytes(&self.content_hash.0)
            .finish()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Header(Header),
    Digest(DigestLine),
    Seal(Seal),
    Event(EventLine),
    Anchor(AnchorLine),
    End(End),
}

impl Line {
    /// The line's bytes with their line end.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (kind, json) = match self {
            Line::Header(line) => ("header", serde_json::to_value(line)),
            Line::Digest(line) => ("digest", serde_json::to_value(line)),
            Line::Seal(line) => ("seal", serde_json::to_value(line)),
            Line::Event(line) => ("event", serde_json::to_value(line)),
            Line::Anchor(line) => ("anchor", serde_json::to_value(line)),
            Line::End(line) => ("end", serde_json::to_value(line)),
        };
        let mut json = json.map_err(Error::internal)?;
        if let Json::Object(members) = &mut json {
            members.insert("type".to_owned(), Json::from(kind));
        }
        let mut bytes = canonical(&json)?;
        bytes.push(b'\n');
        if bytes.len() > LINE_BYTES_MAX {
            return Err(Error::internal("an audit package line is too long"));
        }
        Ok(bytes)
    }

    /// None for anything but the canonical bytes of a line: each line has one spelling only.
    fn parse(bytes: &[u8]) -> Option<Line> {
        fn of<T: DeserializeOwned>(members: Map<String, Json>) -> Option<T> {
            serde_json::from_value(Json::Object(members)).ok()
        }
        let mut members: Map<String, Json> = serde_json::from_slice(bytes).ok()?;
        let line = match members.remove("type")?.as_str()? {
            "header" => Line::Header(of(members)?),
            "digest" => Line::Digest(of(members)?),
            "seal" => Line::Seal(of(members)?),
            "event" => Line::Event(of(members).filter(EventLine::is_well_formed)?),
            "anchor" => Line::Anchor(of(members).filter(|line: &AnchorLine| line.path.len() <= PATH_LENGTH_MAX)?),
            "end" => Line::End(of(members)?),
            _ => return None,
        };
        (line.to_bytes().ok()?.as_slice() == bytes).then_some(line)
    }
}

/// What an export asks for: one tenant's digests of the full hours `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub tenant_id: Uuid,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// Writes a package line by line into any sink; memory does not grow with the number of events.
pub struct PackageWriter<W: Write> {
    gzip: GzEncoder<W>,
    content: Sha256,
    end: End,
    tenant_id: Uuid,
    signer: std::sync::Arc<Signer>,
}

impl<W: Write> PackageWriter<W> {
    pub fn new(sink: W, range: Range, start: Head, exported_at: DateTime<Utc>, signer: std::sync::Arc<Signer>) -> Result<Self> {
        let end =
            End { digests: 0, seals: 0, events: 0, anchors: 0, head: start, content_hash: Hash::ZERO, signature: SignatureBytes::ZERO };
        let gzip = GzEncoder::new(sink, Compression::default());
        let mut writer = Self { gzip, content: Sha256::new(), end, tenant_id: range.tenant_id, signer };
        let Range { tenant_id, from, to } = range;
        let key_id = writer.signer.key_id().to_owned();
        let format = FORMAT.to_owned();
        let header = Header { format, version: VERSION, tenant_id, from, to, exported_at, key_id, start };
        writer.line(&Line::Header(header))?;
        Ok(writer)
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        let bytes = line.to_bytes()?;
        self.content.update(&bytes);
        self.gzip.write_all(&bytes).map_err(Error::unavailable)
    }

    /// Begins an hour. `open` for the hour that has no stored digest yet: the exporter makes the one it would get now.
    pub fn digest(&mut self, digest: &Digest, open: bool) -> Result<()> {
        if digest.tenant_id != self.tenant_id {
            return Err(Error::internal("a digest of another tenant was about to enter an audit package"));
        }
        self.end.digests += 1;
        self.end.head = digest.head();
        self.line(&Line::Digest(DigestLine::new(digest, open)))
    }

    /// Begins a seal of that hour which holds events of the tenant.
    pub fn seal(&mut self, seal: &Seal) -> Result<()> {
        self.end.seals += 1;
        self.line(&Line::Seal(seal.clone()))
    }

    /// An event of that seal, `index` its place in the seal's tree and `path` its way to the root.
    pub fn event(&mut self, event: &AuditEvent, salt: Option<Salt>, index: u64, path: Vec<Hash>) -> Result<()> {
        if event.tenant_id != self.tenant_id {
            return Err(Error::internal("an event of another tenant was about to enter an audit package"));
        }
        self.end.events += 1;
        self.line(&Line::Event(EventLine { index, path, salt, event: event.to_json() }))
    }

    /// An anchor that holds the chain as it stands after the digests written so far.
    pub fn anchor(&mut self, anchor: &Anchor, proof: HeadProof) -> Result<()> {
        self.end.anchors += 1;
        let Anchor { anchor_date, digest_root, heads_root, key_id, signature } = anchor.clone();
        let HeadProof { index, count, path } = proof;
        let line = AnchorLine { anchor_date, digest_root, heads_root, key_id, signature, index, count, path };
        self.line(&Line::Anchor(line))
    }

    /// The sink, to be emptied by one who streams the package out as it grows.
    pub fn sink(&mut self) -> &mut W {
        self.gzip.get_mut()
    }

    /// Signs and closes the package; gives back the sink.
    pub fn finish(mut self) -> Result<W> {
        self.end.content_hash = super::bytes::Hex(self.content.clone().finalize().into());
        self.end.signature = self.signer.sign(&self.end.message());
        let bytes = Line::End(self.end.clone()).to_bytes()?;
        self.gzip.write_all(&bytes).map_err(Error::unavailable)?;
        self.gzip.finish().map_err(Error::unavailable)
    }
}

/// Why a package gives no further line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Not one complete gzip stream and nothing behind it.
    Gzip,
    /// Too long, not canonical JSON, or of no known shape.
    Line,
    /// The lines are over.
    Over,
}

/// Reads a package line by line, at most `LINE_BYTES_MAX` bytes in memory.
pub struct PackageReader<R: Read> {
    lines: BufReader<GzDecoder<BufReader<R>>>,
    current: Vec<u8>,
    before_current: Sha256,
}

impl<R: Read> PackageReader<R> {
    pub fn new(source: R) -> Self {
        let lines = BufReader::new(GzDecoder::new(BufReader::new(source)));
        Self { lines, current: Vec::new(), before_current: Sha256::new() }
    }

    pub fn next_line(&mut self) -> Result<Line, Unreadable> {
        self.before_current.update(&self.current);
        self.current.clear();
        let mut bounded = (&mut self.lines).take(LINE_BYTES_MAX as u64);
        bounded.read_until(b'\n', &mut self.current).map_err(|_| Unreadable::Gzip)?;
        if self.current.last() == Some(&b'\n') {
            Line::parse(&self.current).ok_or(Unreadable::Line)
        } else if self.current.len() == LINE_BYTES_MAX {
            Err(Unreadable::Line)
        } else {
            Err(self.over())
        }
    }

    /// The hash of every byte before the line given last, which is what the closing line signs.
    pub fn content_hash(&self) -> Hash {
        super::bytes::Hex(self.before_current.clone().finalize().into())
    }

    /// Bytes behind the gzip stream belong to nobody, so they are refused.
    fn over(&mut self) -> Unreadable {
        match self.lines.get_mut().get_mut().fill_buf() {
            Ok([]) => Unreadable::Over,
            _ => Unreadable::Gzip,
        }
    }
}
