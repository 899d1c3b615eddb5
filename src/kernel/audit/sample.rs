//! A small, wholly determined world for the tests and the golden packages: two tenants, six seals, two days.

use super::bytes::{Hash, Hex, Salt};
use super::event::{Action, ActorType, AuditEvent, Outcome, Plane, PreparedEvent, PurposeOfUse, detail_hash};
use super::merkle::{Tree, TreeHasher};
use super::metadata::Metadata;
use super::package::{HeadProof, PackageWriter, Range};
use super::seal::{Anchor, Batch, Digest, Head, Seal};
use super::sign::{PinnedKeys, Signer};
use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone as _, Utc};
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

pub const OURS: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_000a);
pub const OTHER: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_000b);

pub fn at(day: u32, hour: u32, second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, day, hour, second / 60, second % 60).unwrap()
}

fn id(kind: u128, n: u32) -> Uuid {
    Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 | kind << 32 | u128::from(n))
}

pub fn event(n: u32) -> AuditEvent {
    AuditEvent {
        id: id(0xe, n),
        tenant_id: OURS,
        user_id: n.is_multiple_of(3).then(|| id(0xd, n)),
        actor_type: if n.is_multiple_of(3) { ActorType::User } else { ActorType::ApiClient },
        api_client_id: (!n.is_multiple_of(3)).then(|| id(0xc, n)),
        plane: Plane::Staff,
        event_type: "PATIENT_VIEWED".into(),
        resource_type: Some("Patient".into()),
        resource_id: Some(id(0xa, n)),
        patient_id: Some(id(0xa, n)),
        action: Action::Read,
        outcome: Outcome::Success,
        purpose_of_use: Some(PurposeOfUse::Treatment),
        occurred_at: at(20, 9, 0) + TimeDelta::microseconds(1_000_003 * i64::from(n)),
        request_id: id(0xf, n),
        session_id: None,
        ip_address: Some(if n.is_multiple_of(2) { [192, 0, 2, 7].into() } else { [0x2001, 0xdb8, 0, 0, 0, 0, 0, 7].into() }),
        user_agent: Some(format!("Prüfer/{n} \"quoted\" \\ \u{1f9b7}")),
        break_glass_id: None,
        metadata: Metadata::new().text("route", "/patients/{id}").integer("count", i64::from(n)).flag("cached", false),
    }
}

/// The event changed in each of its parts, one at a time.
pub fn changed_in_each_field(base: &AuditEvent) -> Vec<(&'static str, AuditEvent)> {
    let other = Some(id(0x9, 1));
    type Change = (&'static str, fn(&mut AuditEvent, Option<Uuid>));
    let changes: [Change; 20] = [
        ("id", |event, other| event.id = other.unwrap()),
        ("tenant_id", |event, _| event.tenant_id = OTHER),
        ("user_id", |event, other| event.user_id = other),
        ("actor_type", |event, _| event.actor_type = ActorType::System),
        ("api_client_id", |event, other| event.api_client_id = other),
        ("plane", |event, _| event.plane = Plane::Group),
        ("event_type", |event, _| event.event_type = "RECORD_READ".into()),
        ("resource_type", |event, _| event.resource_type = None),
        ("resource_id", |event, other| event.resource_id = other),
        ("patient_id", |event, _| event.patient_id = None),
        ("action", |event, _| event.action = Action::Search),
        ("outcome", |event, _| event.outcome = Outcome::Denied),
        ("purpose_of_use", |event, _| event.purpose_of_use = Some(PurposeOfUse::Legal)),
        ("occurred_at", |event, _| event.occurred_at += TimeDelta::microseconds(1)),
        ("request_id", |event, other| event.request_id = other.unwrap()),
        ("session_id", |event, other| event.session_id = other),
        ("ip_address", |event, _| event.ip_address = None),
        ("user_agent", |event, _| event.user_agent = Some(String::new())),
        ("break_glass_id", |event, other| event.break_glass_id = other),
        ("metadata", |event, _| event.metadata = event.metadata.clone().integer("count", -1)),
    ];
    let changed = changes.into_iter().map(|(name, change)| {
        let mut event = base.clone();
        change(&mut event, other);
        (name, event)
    });
    changed.collect()
}

pub struct Keys {
    pub sealer: Arc<Signer>,
    pub anchorer: Arc<Signer>,
    pub exporter: Arc<Signer>,
    pub foreign: Arc<Signer>,
}

impl Keys {
    pub fn new() -> Self {
        let signer = |seed| Arc::new(Signer::from_seed(&[seed; 32]));
        Self { sealer: signer(1), anchorer: signer(2), exporter: signer(3), foreign: signer(9) }
    }

    pub fn public(&self) -> Vec<String> {
        [&self.sealer, &self.anchorer, &self.exporter].map(|signer| signer.public_key()).to_vec()
    }

    pub fn pinned(&self) -> PinnedKeys {
        PinnedKeys::from_base64(self.public()).unwrap()
    }
}

pub struct Sealed {
    pub seal: Seal,
    pub events: Vec<PreparedEvent>,
}

/// Events of both tenants in turn, sealed in six batches; the empty one is a heartbeat.
pub fn sealed(signer: &Signer) -> Vec<Sealed> {
    let batches = [(20, 9, 10, 5), (20, 9, 11, 2), (20, 9, 12, 0), (20, 22, 0, 4), (21, 8, 0, 3), (21, 9, 30, 6)];
    let (mut sealed, mut next): (Vec<Sealed>, u32) = (Vec::new(), 0);
    for (n, (day, hour, second, count)) in batches.into_iter().enumerate() {
        let prepare = |n: u32| {
            let mut event = event(n);
            event.tenant_id = if n % 3 == 2 { OTHER } else { OURS };
            PreparedEvent::new(event, Hex(Hash::of(&[&n.to_be_bytes()]).0[..16].try_into().unwrap())).unwrap()
        };
        let events: Vec<_> = (next..next + count).map(prepare).collect();
        next += count;
        let from = 1_000 * n as u64;
        let batch = Batch { epoch: 1, from_transaction: from, to_transaction: from + 1_000, sealed_at: at(day, hour, second) };
        let leaves: TreeHasher = events.iter().map(|event| event.leaf).collect();
        let seal = Seal::next(sealed.last().map(|last| &last.seal), batch, &leaves, signer);
        sealed.push(Sealed { seal, events });
    }
    sealed
}

pub fn digests(sealed: &[Sealed], tenant_id: Uuid) -> Vec<Digest> {
    let hours = [at(20, 9, 0), at(20, 22, 0), at(21, 8, 0), at(21, 9, 0)];
    let mut head = Head::START;
    let digests = hours.into_iter().map(|hour| {
        let within = sealed.iter().filter(|batch| (hour..hour + TimeDelta::hours(1)).contains(&batch.seal.sealed_at));
        let events = within.flat_map(|batch| &batch.events).filter(|event| event.event.tenant_id == tenant_id);
        let digest = Digest::next(&head, tenant_id, hour, &events.map(|event| event.leaf).collect());
        head = digest.head();
        digest
    });
    digests.collect()
}

/// The anchor of the first day, with the proof of our head.
pub fn anchor(ours: &[Digest], others: &[Digest], signer: &Signer) -> (Anchor, HeadProof) {
    let of_the_day = ours[..2].iter().chain(&others[..2]);
    let day: TreeHasher = of_the_day.map(Anchor::digest_leaf).collect();
    let heads = Tree::new(vec![ours[1].head().leaf(OURS), others[1].head().leaf(OTHER)]);
    let anchor = Anchor::new(NaiveDate::from_ymd_opt(2026, 11, 20).unwrap(), &day, &heads, signer);
    (anchor, HeadProof { index: 0, count: heads.count(), path: heads.path(0).unwrap() })
}

/// Our tenant's package of both days: four digests, the last of an open hour, and one event whose details are erased.
pub fn package() -> Vec<u8> {
    static PACKAGE: OnceLock<Vec<u8>> = OnceLock::new();
    PACKAGE.get_or_init(make_package).clone()
}

fn make_package() -> Vec<u8> {
    let keys = Keys::new();
    let sealed = sealed(&keys.sealer);
    let (ours, others) = (digests(&sealed, OURS), digests(&sealed, OTHER));
    let range = Range { tenant_id: OURS, from: at(20, 0, 0), to: at(22, 0, 0) };
    let exported_at = at(21, 9, 40);
    let mut writer = PackageWriter::new(Vec::new(), range, Head::START, exported_at, keys.exporter.clone()).unwrap();
    for (n, digest) in ours.iter().enumerate() {
        writer.digest(digest, n == 3).unwrap();
        for batch in sealed.iter().filter(|batch| digest.covers(batch.seal.sealed_at)) {
            write_batch(&mut writer, batch);
        }
        if n == 1 {
            let (anchor, proof) = anchor(&ours, &others, &keys.anchorer);
            writer.anchor(&anchor, proof).unwrap();
        }
    }
    writer.finish().unwrap()
}

fn write_batch(writer: &mut PackageWriter<Vec<u8>>, batch: &Sealed) {
    let tree = Tree::new(batch.events.iter().map(|event| event.leaf).collect());
    let ours = batch.events.iter().enumerate().filter(|(_, event)| event.event.tenant_id == OURS);
    for (nth, (index, event)) in ours.enumerate() {
        if nth == 0 {
            writer.seal(&batch.seal).unwrap();
        }
        let (event, salt) = if event.event.id == id(0xe, 4) { erased(event) } else { (event.event.clone(), Some(event.salt)) };
        writer.event(&event, salt, index as u64, tree.path(index as u64).unwrap()).unwrap();
    }
}

fn erased(event: &PreparedEvent) -> (AuditEvent, Option<Salt>) {
    let mut erased = event.event.clone();
    erased.metadata = Metadata::erased(detail_hash(&event.salt, &event.event.metadata.canonical().unwrap()));
    (erased, None)
}
