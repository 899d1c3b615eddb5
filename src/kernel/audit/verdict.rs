//! What a verifier says: the package is whole, or the first thing in it that is not.

use super::bytes::{instant, instant_text};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What can be wrong. The codes are shared with the independent verifier.
#[derive(Debug, PartialEq, Eq)]
pub struct Reason {
    pub code: &'static str,
    pub text: &'static str,
}

macro_rules! reasons {
    ($($name:ident $code:literal $text:literal;)*) => {
        $(pub static $name: Reason = Reason { code: $code, text: $text };)*
        /// All of them, for the format's description.
        pub static ALL: &[&Reason] = &[$(&$name),*];
    };
}

reasons! {
    GZIP             "gzip"             "the file is not one complete gzip stream";
    LINE             "line"             "the line is too long, not canonical JSON or of no known shape";
    ORDER            "order"            "the line may not stand here";
    HEADER           "header"           "the format, the range or the start of the chain is not possible";
    HEADER_KEY       "header.key"       "the package's key is not among the pinned ones";
    DIGEST_CHAIN     "digest.chain"     "the digest does not follow the one before it";
    DIGEST_HOUR      "digest.hour"      "the digest's hour is not in the range or not in order";
    DIGEST_OPEN      "digest.open"      "a closed digest stands behind an open one";
    DIGEST_COUNT     "digest.count"     "the digest's counts do not agree with its events or the chain";
    DIGEST_ROOT      "digest.root"      "the digest's root is not the root of its events";
    SEAL_ORDER       "seal.order"       "the seal does not stand after the one before it";
    SEAL_CHAIN       "seal.chain"       "the seal does not follow the one before it";
    SEAL_HOUR        "seal.hour"        "the seal was not made in the digest's hour";
    SEAL_KEY         "seal.key"         "the seal's key is not among the pinned ones";
    SEAL_SIGNATURE   "seal.signature"   "the seal's signature is not right";
    EVENT_TENANT     "event.tenant"     "the event belongs to another tenant";
    EVENT_INDEX      "event.index"      "the event's place in its seal is not in order";
    EVENT_DETAIL     "event.detail"     "the event has neither a salt nor the mark of an erasure";
    EVENT_LEAF       "event.leaf"       "the event is not the one its seal holds";
    ANCHOR_ORDER     "anchor.order"     "the anchor may not stand behind this digest";
    ANCHOR_KEY       "anchor.key"       "the anchor's key is not among the pinned ones";
    ANCHOR_SIGNATURE "anchor.signature" "the anchor's signature is not right";
    ANCHOR_HEAD      "anchor.head"      "the anchor holds another chain of digests";
    END_COUNT        "end.count"        "the closing line counts other lines than there are";
    END_HEAD         "end.head"         "the closing line names another end of the chain";
    END_CONTENT      "end.content"      "the closing line was made for other bytes";
    END_SIGNATURE    "end.signature"    "the closing line's signature is not right";
    END_MISSING      "end.missing"      "the package ends before its closing line";
    END_TRAILING     "end.trailing"     "something stands behind the closing line";
}

/// The first thing that is not right, and where: line, digest, batch (epoch and number) and event, as far as known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    pub reason: &'static Reason,
    pub line: u64,
    pub digest_no: Option<i64>,
    pub batch: Option<(i32, i64)>,
    pub event_id: Option<Uuid>,
}

/// What was proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Good {
    pub tenant_id: Uuid,
    #[serde(with = "instant")]
    pub from: DateTime<Utc>,
    #[serde(with = "instant")]
    pub to: DateTime<Utc>,
    #[serde(with = "instant")]
    pub exported_at: DateTime<Utc>,
    pub digests: u64,
    pub seals: u64,
    pub events: u64,
    /// Events whose details were erased: their columns are proven, their metadata is gone.
    pub erased_events: u64,
    /// Events under a signed day. For the others the package's signer alone vouches that none is missing.
    pub anchored_events: u64,
    pub anchors: u64,
    pub anchored_through: Option<NaiveDate>,
    pub head: super::seal::Head,
    pub key_ids: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Good(Good),
    Bad(Bad),
}

impl Verdict {
    pub fn is_good(&self) -> bool {
        matches!(self, Verdict::Good(_))
    }

    pub fn to_json(&self) -> Json {
        match self {
            Verdict::Good(good) => json!({ "ok": true, "proven": good }),
            Verdict::Bad(bad) => json!({
                "ok": false,
                "first_bad": {
                    "reason": bad.reason.code,
                    "line": bad.line,
                    "digest_no": bad.digest_no,
                    "epoch": bad.batch.map(|(epoch, _)| epoch),
                    "batch_no": bad.batch.map(|(_, number)| number),
                    "event_id": bad.event_id,
                },
            }),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        match self {
            Verdict::Good(good) => good.text(),
            Verdict::Bad(bad) => bad.text(),
        }
    }
}

impl Good {
    fn text(&self) -> String {
        let day = self.anchored_through.map_or_else(|| "none".to_owned(), |date| date.to_string());
        let Good { events, erased_events, seals, digests, tenant_id, anchored_events, head, .. } = self;
        let [from, to, exported_at] = [self.from, self.to, self.exported_at].map(instant_text);
        format!(
            "OK: {events} events ({erased_events} erased) in {seals} seals and {digests} digests\n\
             tenant {tenant_id}, {from} to {to}, exported {exported_at}\n\
             anchored: {anchored_events} events, last anchored day {day}\n\
             head: digest {}, count {}, {}\n",
            head.digest_no, head.running_count, head.digest_hash,
        )
    }
}

impl Bad {
    /// The first line is the independent verifier's; the second says its code in words.
    fn text(&self) -> String {
        let (epoch, batch_no) = self.batch.unzip();
        let places = [
            self.digest_no.map(|n| format!(", digest {n}")),
            epoch.map(|n| format!(", epoch {n}")),
            batch_no.map(|n| format!(", batch {n}")),
            self.event_id.map(|id| format!(", event {id}")),
        ];
        let place: String = places.into_iter().flatten().collect();
        format!("BAD: {} at line {}{place}\n{}\n", self.reason.code, self.line, self.reason.text)
    }
}
