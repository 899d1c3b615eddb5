//! The forger's tools: packages taken apart, changed, and made to look right again.

use super::bytes::{Hash, SignatureBytes};
use super::package::{End, Line};
use super::seal::Head;
use super::sign::Signer;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};
use std::io::{Read as _, Write as _};

pub type Lines = Vec<Json>;

pub fn unpack(package: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    // A cut package gives what stands before the cut.
    let _ = GzDecoder::new(package).read_to_end(&mut content);
    content
}

pub fn pack_bytes(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

pub fn lines(package: &[u8]) -> Lines {
    unpack(package).split_inclusive(|byte| *byte == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect()
}

pub fn content(lines: &[Json]) -> Vec<u8> {
    let line = |line: &Json| [super::canonical::canonical(line).unwrap(), b"\n".to_vec()].concat();
    lines.iter().flat_map(line).collect()
}

pub fn pack(lines: &[Json]) -> Vec<u8> {
    pack_bytes(&content(lines))
}

/// Where lines of a kind stand.
pub fn all(lines: &[Json], kind: &str) -> Vec<usize> {
    (0..lines.len()).filter(|at| lines[*at]["type"] == kind).collect()
}

pub fn nth(lines: &[Json], kind: &str, n: usize) -> usize {
    all(lines, kind)[n]
}

pub fn number(json: &Json) -> u64 {
    json.as_u64().unwrap()
}

/// The insider's work: counts, head, content hash and signature of the closing line made right again.
pub fn close_anew(lines: &mut Lines, signer: &Signer) {
    lines.retain(|line| line["type"] != "end");
    let count = |kind: &str| all(lines, kind).len() as u64;
    let head = match all(lines, "digest").last() {
        Some(at) => head_of(&lines[*at]),
        None => serde_json::from_value(lines[0]["start"].clone()).unwrap_or(Head::START),
    };
    let mut end = End {
        digests: count("digest"),
        seals: count("seal"),
        events: count("event"),
        anchors: count("anchor"),
        head,
        content_hash: Hash::of(&[&content(lines)]),
        signature: SignatureBytes::ZERO,
    };
    end.signature = signer.sign(&end.message());
    lines.push(serde_json::from_slice(&Line::End(end).to_bytes().unwrap()).unwrap());
}

pub fn head_of(digest: &Json) -> Head {
    let mut members = digest.as_object().unwrap().clone();
    members.remove("type");
    let line: Option<super::package::DigestLine> = serde_json::from_value(members.into()).ok();
    line.map_or(Head::START, |line| line.digest(super::sample::OURS).head())
}

/// Makes digests and their chain agree again with the events that stand under them.
pub fn chain_anew(lines: &mut Lines) {
    let mut head = Head::START;
    for at in all(lines, "digest") {
        let next = (at + 1..lines.len()).find(|next| lines[*next]["type"] == "digest").unwrap_or(lines.len());
        let events = lines[at..next].iter().filter(|line| line["type"] == "event");
        let tree: super::merkle::TreeHasher = events.map(leaf).collect();
        lines[at]["digest_no"] = json!(head.digest_no + 1);
        lines[at]["event_count"] = json!(tree.count());
        lines[at]["running_count"] = json!(head.running_count + tree.count());
        lines[at]["root_hash"] = json!(tree.root());
        lines[at]["previous_hash"] = json!(head.digest_hash);
        head = head_of(&lines[at]);
    }
}

pub fn leaf(line: &Json) -> Hash {
    let event = &line["event"];
    let detail = match line["salt"].as_str() {
        Some(salt) => {
            super::event::detail_hash(&super::bytes::Hex::parse(salt).unwrap(), &super::canonical::canonical(&event["metadata"]).unwrap())
        }
        None => Hash::parse(event["metadata"]["erased"].as_str().unwrap()).unwrap(),
    };
    super::event::leaf_hash(super::event::FIELD_NAMES.iter().map(|name| event[*name].as_str()), detail)
}

pub fn drop_nth(lines: &mut Lines, kind: &str, n: usize) {
    lines.remove(nth(lines, kind, n));
}

/// Cuts everything from the n-th line of a kind up to the closing line.
pub fn cut_from(lines: &mut Lines, kind: &str, n: usize) {
    let (from, end) = (nth(lines, kind, n), lines.len() - 1);
    lines.drain(from..end);
}

pub fn set(lines: &mut Lines, kind: &str, n: usize, field: &str, value: impl Into<Json>) {
    let at = nth(lines, kind, n);
    lines[at][field] = value.into();
}

/// Signs a seal as whoever the signer is, after a change of one of its fields.
pub fn resign_seal(lines: &mut Lines, n: usize, signer: &Signer, field: &str, value: impl Into<Json>) {
    let at = nth(lines, "seal", n);
    lines[at][field] = value.into();
    let mut members = lines[at].as_object().unwrap().clone();
    members.remove("type");
    let mut seal: super::seal::Seal = serde_json::from_value(members.into()).unwrap();
    seal.resign(signer);
    lines[at] = serde_json::from_slice(&Line::Seal(seal).to_bytes().unwrap()).unwrap();
}

/// Details erased after the export: the tree alone holds (erasing is allowed), the closing line does not.
pub fn erase(lines: &mut Lines, n: usize) {
    let at = nth(lines, "event", n);
    let salt = super::bytes::Hex::parse(lines[at]["salt"].as_str().unwrap()).unwrap();
    let canonical = super::canonical::canonical(&lines[at]["event"]["metadata"]).unwrap();
    lines[at]["event"]["metadata"] = json!({ "erased": super::event::detail_hash(&salt, &canonical) });
    lines[at]["salt"] = Json::Null;
}
