//! Every way to falsify a package that has a name, and the reason each must be refused for.
//!
//! Most are the deeds of an *insider*, who holds the exporter's key and closes the falsified package anew: the trees,
//! chains, seals and anchors must hold without the closing line.

use super::forge::*;
use super::sample::{Keys, OTHER, package};
use super::verdict::Verdict;
use super::verify::verify;
use serde_json::{Value as Json, json};

type Tampering = (&'static str, &'static str, fn(&mut Lines, &Keys));

/// What an outsider may try: name, the reason both verifiers must give, and the deed.
const BY_OUTSIDER: &[Tampering] = &[
    ("outsider-changes-outcome", "event.leaf", |l, _| {
        let at = nth(l, "event", 2);
        l[at]["event"]["outcome"] = json!("DENIED")
    }),
    ("outsider-drops-event", "digest.count", |l, _| drop_nth(l, "event", 3)),
    ("outsider-erases-details", "end.content", |l, _| erase(l, 1)),
    ("outsider-changes-end-count", "end.count", |l, _| set(l, "end", 0, "events", 99)),
    ("outsider-changes-export-time", "end.content", |l, _| set(l, "header", 0, "exported_at", "2026-11-21T10:00:00.000000Z")),
    ("outsider-drops-anchor", "end.count", |l, _| drop_nth(l, "anchor", 0)),
    ("outsider-cuts-last-hour", "end.count", |l, _| cut_from(l, "digest", 3)),
    ("outsider-cuts-last-hour-and-recounts", "end.signature", |l, keys| {
        cut_from(l, "digest", 3);
        close_anew(l, &keys.foreign);
    }),
    ("outsider-names-another-head", "end.head", |l, _| {
        let at = nth(l, "end", 0);
        l[at]["head"]["digest_no"] = json!(9)
    }),
    ("foreign-package-key", "header.key", |l, keys| {
        set(l, "header", 0, "key_id", keys.foreign.key_id());
        close_anew(l, &keys.foreign);
    }),
    ("truncated-lines", "end.missing", |l, _| l.truncate(12)),
    ("line-behind-the-end", "end.trailing", |l, _| l.push(l[1].clone())),
    ("unknown-member", "line", |l, _| set(l, "digest", 0, "note", "x")),
    ("second-header", "order", |l, _| l.insert(3, l[0].clone())),
];

/// What the holder of the exporter's key may try; the closing line is made right afterwards.
const BY_INSIDER: &[Tampering] = &[
    ("changed-time", "event.leaf", |l, _| {
        let at = nth(l, "event", 0);
        l[at]["event"]["occurred_at"] = json!("2026-11-20T09:00:00.000001Z")
    }),
    ("changed-patient", "event.leaf", |l, _| {
        let at = nth(l, "event", 4);
        l[at]["event"]["patient_id"] = Json::Null
    }),
    ("changed-metadata", "event.leaf", |l, _| {
        let at = nth(l, "event", 1);
        l[at]["event"]["metadata"]["count"] = json!(7)
    }),
    ("changed-salt", "event.leaf", |l, _| set(l, "event", 1, "salt", "00".repeat(16))),
    ("salt-lost", "event.detail", |l, _| set(l, "event", 1, "salt", Json::Null)),
    ("dropped-event", "digest.count", |l, _| drop_nth(l, "event", 3)),
    ("dropped-event-rechained", "anchor.head", |l, _| {
        drop_nth(l, "event", 3);
        chain_anew(l)
    }),
    ("dropped-hour-rechained", "anchor.head", |l, _| {
        let (from, to) = (nth(l, "digest", 1), nth(l, "anchor", 0));
        l.drain(from..to);
        chain_anew(l);
    }),
    ("dropped-first-hour", "digest.chain", |l, _| {
        let (from, to) = (nth(l, "digest", 0), nth(l, "digest", 1));
        l.drain(from..to);
    }),
    ("dropped-seal-line", "event.index", |l, _| drop_nth(l, "seal", 1)),
    ("added-event", "event.index", |l, _| {
        let at = nth(l, "event", 1);
        l.insert(at + 1, l[at].clone())
    }),
    ("added-event-at-a-free-place", "event.leaf", |l, _| {
        let at = nth(l, "event", 1);
        l.insert(at + 1, l[at].clone());
        l[at + 1]["index"] = json!(2);
        chain_anew(l);
    }),
    ("reordered-events", "event.index", |l, _| {
        let at = nth(l, "event", 0);
        l.swap(at, at + 1)
    }),
    ("reordered-events-renumbered", "event.leaf", |l, _| {
        let at = nth(l, "event", 0);
        l.swap(at, at + 1);
        let (first, second) = (l[at + 1]["index"].clone(), l[at]["index"].clone());
        l[at]["index"] = first;
        l[at + 1]["index"] = second;
    }),
    ("reordered-hours", "digest.chain", |l, _| {
        let (a, b) = (nth(l, "digest", 2), nth(l, "digest", 3));
        let end = l.len() - 1;
        l[a..end].rotate_left(b - a);
    }),
    ("swapped-seal-root", "seal.signature", |l, _| {
        let root = l[nth(l, "seal", 1)]["root_hash"].clone();
        set(l, "seal", 0, "root_hash", root)
    }),
    ("swapped-digest-root", "digest.root", |l, _| {
        let root = l[nth(l, "digest", 1)]["root_hash"].clone();
        set(l, "digest", 0, "root_hash", root)
    }),
    ("swapped-anchor-root", "anchor.signature", |l, _| {
        let root = l[nth(l, "anchor", 0)]["digest_root"].clone();
        set(l, "anchor", 0, "heads_root", root)
    }),
    ("foreign-seal-key", "seal.key", |l, keys| resign_seal(l, 2, &keys.foreign, "key_id", keys.foreign.key_id())),
    ("foreign-seal-signature", "seal.signature", |l, keys| resign_seal(l, 2, &keys.foreign, "key_id", keys.sealer.key_id())),
    ("seal-chain-broken", "seal.chain", |l, keys| resign_seal(l, 1, &keys.sealer, "previous_hash", "00".repeat(32))),
    ("seal-chain-gap", "seal.chain", |l, keys| resign_seal(l, 1, &keys.sealer, "from_transaction", "1001")),
    ("seal-set-back", "seal.order", |l, keys| resign_seal(l, 1, &keys.sealer, "sealed_at", "2026-11-20T09:00:00.000000Z")),
    ("anchor-twice", "anchor.order", |l, _| {
        let at = nth(l, "anchor", 0);
        l.insert(at, l[at].clone())
    }),
    ("foreign-anchor-key", "anchor.key", |l, keys| set(l, "anchor", 0, "key_id", keys.foreign.key_id())),
    ("later-format", "header", |l, _| l[0]["version"] = json!(2)),
    ("narrower-range", "digest.hour", |l, _| l[0]["from"] = json!("2026-11-20T10:00:00.000000Z")),
    ("closed-behind-open", "digest.open", |l, _| {
        set(l, "digest", 2, "open", true);
        set(l, "digest", 3, "open", false)
    }),
    ("changed-seal-count", "seal.signature", |l, _| {
        let count = number(&l[nth(l, "seal", 0)]["event_count"]);
        set(l, "seal", 0, "event_count", count + 1)
    }),
    ("changed-running-count", "digest.count", |l, _| set(l, "digest", 1, "running_count", 99)),
    ("moved-to-another-hour", "seal.hour", |l, _| set(l, "digest", 0, "hour_start", "2026-11-20T10:00:00.000000Z")),
    ("another-tenants-event", "event.tenant", |l, _| {
        let at = nth(l, "event", 1);
        l[at]["event"]["tenant_id"] = json!(OTHER)
    }),
    ("another-tenants-package", "event.tenant", |l, _| l[0]["tenant_id"] = json!(OTHER)),
    ("cut-before-the-anchor", "anchor.head", |l, _| {
        let (from, to) = (nth(l, "digest", 1), nth(l, "anchor", 0));
        l.drain(from..to);
    }),
    ("later-start", "digest.chain", |l, _| {
        l[0]["start"]["digest_no"] = json!(1);
    }),
    ("anchor-of-another-day", "anchor.signature", |l, _| set(l, "anchor", 0, "anchor_date", "2026-11-21")),
];

/// All named packages with the reason each must be refused for, the good one first.
pub fn named() -> Vec<(&'static str, Option<&'static str>, Vec<u8>)> {
    let (keys, good) = (Keys::new(), package());
    let mut packages = vec![("good", None, good.clone())];
    for (name, reason, tamper) in BY_OUTSIDER {
        let mut lines = lines(&good);
        tamper(&mut lines, &keys);
        packages.push((name, Some(*reason), pack(&lines)));
    }
    for (name, reason, tamper) in BY_INSIDER {
        let mut lines = lines(&good);
        tamper(&mut lines, &keys);
        close_anew(&mut lines, &keys.exporter);
        packages.push((name, Some(*reason), pack(&lines)));
    }
    let plain = unpack(&good);
    let spaced = String::from_utf8(plain.clone()).unwrap().replacen(":", ": ", 1);
    packages.push(("not-canonical", Some("line"), pack_bytes(spaced.as_bytes())));
    packages.push(("endless-line", Some("line"), pack_bytes(&[b'['; 70_000])));
    packages.push(("nothing", Some("end.missing"), pack_bytes(b"")));
    packages.push(("half-a-line", Some("end.missing"), pack_bytes(&plain[..plain.len() - 9])));
    packages.push(("gzip-cut", Some("gzip"), good[..good.len() - 20].to_vec()));
    packages.push(("gzip-and-more", Some("gzip"), [good.as_slice(), b"more"].concat()));
    packages
}

pub fn refused(package: &[u8]) -> Option<&'static str> {
    match verify(package, &Keys::new().pinned()) {
        Verdict::Good(_) => None,
        Verdict::Bad(bad) => Some(bad.reason.code),
    }
}

#[test]
fn every_reason_has_a_tampering() {
    let given: Vec<_> = named().into_iter().filter_map(|(_, reason, _)| reason).collect();
    for reason in super::verdict::ALL {
        assert!(given.contains(&reason.code), "nothing is refused for {}", reason.code);
    }
}

#[test]
fn each_named_tampering_is_refused_for_its_reason() {
    for (name, reason, package) in named() {
        assert_eq!(refused(&package), reason, "{name}");
    }
}

/// The known limit, told in the format's description: behind the last anchor the exporter's key alone vouches that
/// nothing is missing. Seals prove each event that is shown, not that all are.
#[test]
fn an_insider_can_leave_out_what_no_anchor_holds() {
    let keys = Keys::new();
    let mut lines = lines(&package());
    let last = all(&lines, "event").len() - 1;
    drop_nth(&mut lines, "event", last);
    chain_anew(&mut lines);
    close_anew(&mut lines, &keys.exporter);
    assert_eq!(refused(&pack(&lines)), None);
    close_anew(&mut lines, &keys.foreign);
    assert_eq!(refused(&pack(&lines)), Some("end.signature"));
}
