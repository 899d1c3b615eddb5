//! The sealed context: who is asking, signed by the server and checked by PostgreSQL for every statement.
//!
//! `policies/kernel.sql` holds the other half (`sec.claims`). The seal is HMAC-SHA-256 over the payload and is bound to
//! the backend pid, the plane and an expiry, so injected SQL can neither forge nor replay another caller's.

use crate::kernel::error::{Error, Result};
use crate::kernel::hex::hex;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// The tenant that owns shared rows (catalogue C54).
pub const PLATFORM_TENANT: Uuid = Uuid::from_u128(0x00000000_0000_7000_8000_000000000001);

/// One LOGIN role and one pool each; a request lives on exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plane {
    Staff,
    Group,
    Patient,
    Share,
    Audit,
    Auth,
    Jobs,
    Platform,
}

impl Plane {
    pub const ALL: [Plane; 8] =
        [Plane::Staff, Plane::Group, Plane::Patient, Plane::Share, Plane::Audit, Plane::Auth, Plane::Jobs, Plane::Platform];

    pub fn word(self) -> &'static str {
        match self {
            Plane::Staff => "staff",
            Plane::Group => "group",
            Plane::Patient => "patient",
            Plane::Share => "share",
            Plane::Audit => "audit",
            Plane::Auth => "auth",
            Plane::Jobs => "jobs",
            Plane::Platform => "platform",
        }
    }
    /// As the audit log spells it.
    pub fn upper(self) -> &'static str {
        match self {
            Plane::Staff => "STAFF",
            Plane::Group => "GROUP",
            Plane::Patient => "PATIENT",
            Plane::Share => "SHARE",
            Plane::Audit => "AUDIT",
            Plane::Auth => "AUTH",
            Plane::Jobs => "JOBS",
            Plane::Platform => "PLATFORM",
        }
    }
    /// A caller of one tenant; the others see rows of several.
    pub fn single_tenant(self) -> bool {
        matches!(self, Plane::Staff | Plane::Auth | Plane::Jobs | Plane::Platform)
    }
    pub fn read_only(self) -> bool {
        matches!(self, Plane::Group | Plane::Share | Plane::Audit)
    }
    fn scope(self) -> &'static str {
        match self {
            Plane::Staff | Plane::Auth | Plane::Jobs | Plane::Platform => "tenant",
            Plane::Group => "subtree",
            Plane::Patient => "patient",
            Plane::Share => "share",
            Plane::Audit => "audit",
        }
    }
}

macro_rules! permissions {
    ($($name:ident $word:literal;)*) => {
        /// What a role allows, one bit each, in the order of `kernel.permissions()` in policies/kernel.sql.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission { $($name),* }
        impl Permission {
            pub const ALL: &'static [Permission] = &[$(Permission::$name),*];
            pub const fn word(self) -> &'static str { match self { $(Permission::$name => $word),* } }
        }
    };
}

permissions! {
    Own "self";
    ViewTenant "view_tenant";
    ViewPatient "view_patient";
    EditPatient "edit_patient";
    ViewSchedule "view_schedule";
    EditSchedule "edit_schedule";
    Overbook "overbook";
    ViewClinical "view_clinical";
    EditClinical "edit_clinical";
    SignClinical "sign_clinical";
    ViewTreatment "view_treatment";
    EditTreatment "edit_treatment";
    ViewImaging "view_imaging";
    EditImaging "edit_imaging";
    RunAiAnalysis "run_ai_analysis";
    ReviewAi "review_ai";
    ViewReferral "view_referral";
    EditReferral "edit_referral";
    ViewMessages "view_messages";
    SendMessages "send_messages";
    ViewClaims "view_claims";
    EditClaims "edit_claims";
    ViewPayments "view_payments";
    EditPayments "edit_payments";
    ManageBilling "manage_billing";
    ManageUsers "manage_users";
    ManageTenant "manage_tenant";
    ManageDirectory "manage_directory";
    ManageIntegrations "manage_integrations";
    ViewAudit "view_audit";
    ManageGovernance "manage_governance";
    DeleteData "delete_data";
    ViewAnalytics "view_analytics";
    UseResearchData "use_research_data";
    ManageKnowledge "manage_knowledge";
    ManageReference "manage_reference";
    ManageWorkflow "manage_workflow";
    ManagePlatform "manage_platform";
}

impl Permission {
    pub const fn bit(self) -> i64 {
        match self {
            Permission::Own => 0,
            other => 1 << (other as u8),
        }
    }
    /// Whoever has it sees more and changes nothing.
    pub fn only_reads(self) -> bool {
        self.word().starts_with("view_")
    }
    pub fn parse(word: &str) -> Option<Permission> {
        Permission::ALL.iter().copied().find(|permission| permission.word() == word)
    }
}

/// A set of permissions as PostgreSQL sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caps(pub i64);

impl Caps {
    pub const ALL: Caps = Caps(i64::MAX);
    pub const NONE: Caps = Caps(0);
    pub fn of(list: &[Permission]) -> Caps {
        Caps(list.iter().fold(0, |bits, permission| bits | permission.bit()))
    }
    pub fn allows(self, permission: Permission) -> bool {
        self.0 & permission.bit() == permission.bit()
    }
    pub fn and(self, other: Caps) -> Caps {
        Caps(self.0 & other.0)
    }
    pub fn or(self, other: Caps) -> Caps {
        Caps(self.0 | other.0)
    }
    pub fn words(self) -> Vec<&'static str> {
        Permission::ALL.iter().filter(|permission| self.allows(**permission)).map(|permission| permission.word()).collect()
    }
}

/// What is sealed. Ids only: nothing in it is a secret, everything in it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub plane: Plane,
    pub actor: Option<Uuid>,
    pub tenant: Option<Uuid>,
    /// What the caller may throughout.
    pub caps: Caps,
    /// What they may for a part of the tenant: at a location, for a team's patients or their own.
    pub part: Caps,
    /// The one patient a SMART launch narrows a patient login to.
    pub subject: Option<Uuid>,
    pub request: Uuid,
    pub client: Option<Uuid>,
    pub session: Option<Uuid>,
    /// For the audit trail only; not sealed.
    pub origin: Option<Arc<Origin>>,
    /// Emergency access that is open, for the audit trail only.
    pub break_glass: Option<Uuid>,
    /// What the caller may spend, for the server only.
    pub rates: Rates,
}

/// Limits a caller's own records set, in units a minute; where one is not set there is none of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    pub client: Option<u32>,
    pub tenant: Option<u32>,
    /// A program that acts by itself is no person beside it.
    pub program: bool,
}

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Origin {
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
}

impl Context {
    /// Where the request came from, as far as that is known.
    pub fn ip(&self) -> Option<IpAddr> {
        self.origin.as_ref().and_then(|origin| origin.ip)
    }
    /// The server itself, for one tenant.
    pub fn system(plane: Plane, tenant: Option<Uuid>) -> Context {
        Context {
            plane,
            actor: None,
            tenant,
            caps: Caps::NONE,
            part: Caps::NONE,
            subject: None,
            request: Uuid::now_v7(),
            client: None,
            session: None,
            origin: None,
            break_glass: None,
            rates: Rates::default(),
        }
    }
}

/// Holds the sealing key. The only code that can make a context PostgreSQL believes.
#[derive(Clone)]
pub struct Sealer {
    kid: String,
    mac: Hmac<Sha256>,
    pads: (Vec<u8>, Vec<u8>),
}

/// SHA-256 works on blocks of 64 bytes; the database stores the key as the two HMAC pads (RFC 2104).
const BLOCK: usize = 64;

impl Sealer {
    pub fn new(key: &[u8; 32]) -> Result<Sealer> {
        let kid = hex(&Sha256::digest([b"enamel context key id".as_slice(), key].concat())[..4]);
        let mac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::internal)?;
        let pad = |byte: u8| (0..BLOCK).map(|place| key.get(place).copied().unwrap_or(0) ^ byte).collect::<Vec<u8>>();
        Ok(Sealer { kid, mac, pads: (pad(0x36), pad(0x5c)) })
    }

    /// `(kid, inner pad, outer pad)` for `sec_priv.ctx_key`.
    pub fn key_row(&self) -> (&str, &[u8], &[u8]) {
        (&self.kid, &self.pads.0, &self.pads.1)
    }

    /// The value of `app.ctx` for one transaction on the backend `pid`, believed until `expires`.
    pub fn seal(&self, context: &Context, pid: i32, expires: DateTime<Utc>) -> String {
        let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        let payload = format!(
            "1|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            self.kid,
            expires.timestamp(),
            pid,
            context.plane.word(),
            id(context.actor),
            id(context.tenant),
            context.plane.scope(),
            context.caps.0,
            id(context.subject),
            context.request,
            id(context.client),
            id(context.session),
            context.part.0,
        );
        let mut mac = self.mac.clone();
        mac.update(payload.as_bytes());
        format!("{}.{payload}", hex(&mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({})", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_stand_in_the_order_the_database_has_them() {
        let sql = include_str!("../../policies/kernel.sql");
        let list = sql.split("select array['self'").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
        let words: Vec<&str> = list.split('\'').filter(|word| word.contains(|c: char| c.is_ascii_lowercase())).collect();
        let ours: Vec<&str> = Permission::ALL.iter().skip(1).map(|permission| permission.word()).collect();
        assert_eq!(words, ours);
    }

    #[test]
    fn a_seal_is_the_hmac_of_its_payload() {
        let sealer = Sealer::new(&[7; 32]).unwrap();
        let context = Context {
            plane: Plane::Staff,
            actor: None,
            tenant: Some(PLATFORM_TENANT),
            caps: Caps(5),
            part: Caps(9),
            subject: None,
            request: Uuid::nil(),
            client: None,
            session: None,
            origin: None,
            break_glass: None,
            rates: Rates::default(),
        };
        let sealed = sealer.seal(&context, 42, DateTime::from_timestamp(1_000, 0).unwrap());
        let (mac, payload) = sealed.split_once('.').unwrap();
        let (_, inner, outer) = sealer.key_row();
        let by_pads = Sha256::digest([outer, &Sha256::digest([inner, payload.as_bytes()].concat())].concat());
        assert_eq!(mac, hex(&by_pads));
        assert!(payload.contains("|1000|42|staff||00000000-0000-7000-8000-000000000001|tenant|5|"));
        assert!(payload.ends_with("|9"));
    }
}
