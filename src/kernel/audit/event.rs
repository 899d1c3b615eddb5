//! One audit event: its columns, and the leaf that stands for it in every tree.

use super::bytes::{Fields, Hash, Salt, instant_text};
use super::metadata::{ERASED, Metadata};
use crate::kernel::{Error, Result};
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::net::IpAddr;
use uuid::Uuid;

const LEAF_PREFIX: &str = "enamel audit event v1\n";
const USER_AGENT_CHARS_MAX: usize = 256;
const WORD_LENGTH_MAX: usize = 64;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($variant),* }
        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words!(ActorType { User "USER", System "SYSTEM", ApiClient "API_CLIENT" });
words!(
    /// The door the caller came through.
    Plane {
        Staff "STAFF", Group "GROUP", Patient "PATIENT", Share "SHARE", Audit "AUDIT", Auth "AUTH", Jobs "JOBS",
        Platform "PLATFORM",
    }
);
words!(Action {
    Create "CREATE", Read "READ", Update "UPDATE", Delete "DELETE", Execute "EXECUTE", Search "SEARCH",
});
words!(Outcome { Success "SUCCESS", Denied "DENIED", Failed "FAILED", Aborted "ABORTED" });
words!(PurposeOfUse {
    Treatment "TREATMENT", Payment "PAYMENT", Operations "OPERATIONS", PatientRequest "PATIENT_REQUEST",
    Research "RESEARCH", Legal "LEGAL", Emergency "EMERGENCY", Audit "AUDIT",
});

/// Who did what to which record, when and through which door. Never holds what the record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub user_id: Option<Uuid>,
    pub actor_type: ActorType,
    pub api_client_id: Option<Uuid>,
    pub plane: Plane,
    pub event_type: Cow<'static, str>,
    pub resource_type: Option<Cow<'static, str>>,
    pub resource_id: Option<Uuid>,
    pub patient_id: Option<Uuid>,
    pub action: Action,
    pub outcome: Outcome,
    pub purpose_of_use: Option<PurposeOfUse>,
    pub occurred_at: DateTime<Utc>,
    pub request_id: Uuid,
    pub session_id: Option<Uuid>,
    pub ip_address: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub break_glass_id: Option<Uuid>,
    pub metadata: Metadata,
}

/// The columns that are hashed as they are, in the order they are hashed. `metadata` goes in by its salted hash.
pub const FIELD_NAMES: [&str; 19] = [
    "id",
    "tenant_id",
    "user_id",
    "actor_type",
    "api_client_id",
    "plane",
    "event_type",
    "resource_type",
    "resource_id",
    "patient_id",
    "action",
    "outcome",
    "purpose_of_use",
    "occurred_at",
    "request_id",
    "session_id",
    "ip_address",
    "user_agent",
    "break_glass_id",
];

impl AuditEvent {
    fn fields(&self) -> [Option<String>; FIELD_NAMES.len()] {
        let uuid = |id: Option<Uuid>| id.map(|id| id.to_string());
        [
            uuid(Some(self.id)),
            uuid(Some(self.tenant_id)),
            uuid(self.user_id),
            Some(self.actor_type.as_str().to_owned()),
            uuid(self.api_client_id),
            Some(self.plane.as_str().to_owned()),
            Some(self.event_type.to_string()),
            self.resource_type.as_ref().map(|name| name.to_string()),
            uuid(self.resource_id),
            uuid(self.patient_id),
            Some(self.action.as_str().to_owned()),
            Some(self.outcome.as_str().to_owned()),
            self.purpose_of_use.map(|purpose| purpose.as_str().to_owned()),
            Some(instant_text(self.occurred_at)),
            uuid(Some(self.request_id)),
            uuid(self.session_id),
            self.ip_address.map(|ip| ip.to_string()),
            self.user_agent.clone(),
            uuid(self.break_glass_id),
        ]
    }

    /// The event as a package carries it: every hashed field by name, and the metadata.
    pub fn to_json(&self) -> Map<String, Json> {
        let members = FIELD_NAMES.iter().zip(self.fields());
        let mut json: Map<_, _> = members.map(|(name, field)| (name.to_string(), Json::from(field))).collect();
        json.insert("metadata".to_owned(), self.metadata.to_json());
        json
    }

    /// The leaf recomputed from stored columns; `salt` is absent when the details were erased.
    pub fn leaf(&self, salt: Option<&Salt>) -> Result<Hash> {
        let detail = match salt {
            Some(salt) => detail_hash(salt, &self.metadata.canonical()?),
            None => self.metadata.erased_hash().ok_or_else(|| Error::internal("an audit event without its salt"))?,
        };
        Ok(leaf_hash(self.fields().iter().map(Option::as_deref), detail))
    }

    /// Storage keeps microseconds and no control characters; what is hashed must be what is read back.
    fn settled(mut self) -> Result<Self> {
        self.occurred_at = self.occurred_at.trunc_subsecs(6);
        self.user_agent = self.user_agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect());
        let word = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            plain && (1..=WORD_LENGTH_MAX).contains(&text.len())
        };
        if !word(&self.event_type) || !self.resource_type.as_deref().is_none_or(word) {
            return Err(Error::internal("an audit event's type is not a short word"));
        }
        if self.metadata.to_json().get(ERASED).is_some() {
            return Err(Error::internal("a new audit event cannot be an erased one"));
        }
        Ok(self)
    }
}

/// SHA-256(salt || canonical metadata): what the leaf holds in place of the details.
pub fn detail_hash(salt: &Salt, canonical_metadata: &[u8]) -> Hash {
    Hash::of(&[&salt.0, canonical_metadata])
}

/// SHA-256(0x00 || prefix || fields || detail hash); 0x00 keeps leaves apart from nodes (RFC 6962 §2.1).
pub fn leaf_hash<'a>(fields: impl Iterator<Item = Option<&'a str>>, detail: Hash) -> Hash {
    let encoded = fields.fold(Fields::new(LEAF_PREFIX), Fields::optional).finish();
    Hash::of(&[&[0], &encoded, &detail.0])
}

/// An event that is ready for its row: settled, salted, hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedEvent {
    pub event: AuditEvent,
    pub salt: Salt,
    pub leaf: Hash,
}

impl PreparedEvent {
    pub fn new(event: AuditEvent, salt: Salt) -> Result<Self> {
        let event = event.settled()?;
        let leaf = event.leaf(Some(&salt))?;
        Ok(Self { event, salt, leaf })
    }

    /// With a salt of its own from the system's random source.
    pub fn salted(event: AuditEvent) -> Result<Self> {
        let mut salt = Salt::ZERO;
        aws_lc_rs::rand::fill(&mut salt.0).map_err(|_| Error::internal("the system gives no random bytes"))?;
        Self::new(event, salt)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use std::collections::HashSet;

    const SALT: Salt = super::super::bytes::Hex([7; 16]);

    #[test]
    fn every_field_moves_the_leaf() {
        let base = sample::event(1);
        let mut leaves = HashSet::from([base.leaf(Some(&SALT)).unwrap()]);
        for (name, changed) in sample::changed_in_each_field(&base) {
            assert!(leaves.insert(changed.leaf(Some(&SALT)).unwrap()), "{name} does not count");
        }
        assert_eq!(leaves.len(), FIELD_NAMES.len() + 2);
        assert!(leaves.insert(base.leaf(Some(&Salt::ZERO)).unwrap()), "the salt does not count");
    }

    #[test]
    fn erasing_the_details_keeps_the_leaf() {
        let kept = PreparedEvent::new(sample::event(2), SALT).unwrap();
        let mut erased = kept.event.clone();
        erased.metadata = Metadata::erased(detail_hash(&SALT, &kept.event.metadata.canonical().unwrap()));
        assert_eq!(erased.leaf(None).unwrap(), kept.leaf);
        assert!(kept.event.leaf(None).is_err(), "a lost salt is not an erasure");
        assert!(PreparedEvent::new(erased, SALT).is_err());
    }

    #[test]
    fn what_is_hashed_is_what_storage_gives_back() {
        let mut event = sample::event(3);
        event.occurred_at += chrono::TimeDelta::nanoseconds(1_234);
        event.user_agent = Some(format!("x\0\n{}", "é".repeat(400)));
        let settled = PreparedEvent::new(event, SALT).unwrap().event;
        assert_eq!(settled.occurred_at.timestamp_subsec_nanos() % 1_000, 0);
        assert_eq!(settled.user_agent.unwrap().chars().count(), USER_AGENT_CHARS_MAX);
        let mut event = sample::event(3);
        event.event_type = "two words".into();
        assert!(PreparedEvent::new(event, SALT).is_err());
    }

    #[test]
    fn words_read_back() {
        for plane in Plane::ALL {
            assert_eq!(Plane::parse(plane.as_str()), Some(*plane));
        }
        assert_eq!(Action::parse("read"), None);
    }
}
