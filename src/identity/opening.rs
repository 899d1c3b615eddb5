//! A session as it begins, with its tokens: made ready in memory, and written alone or together with others.

use super::scope;
use super::token::{Kind, Token};
use crate::kernel::config::IdentityConfig;
use crate::kernel::context::{Caps, Origin};
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::sql;
use chrono::{DateTime, TimeDelta, Utc};
use std::borrow::Cow;
use std::net::IpAddr;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

const OFFLINE_DAYS: i64 = 30;
/// A program's own token cannot be renewed and need not live long.
const CLIENT_TOKEN_S: u32 = 300;

sql! {
    /// Of each session: what its columns are called below, its scopes in one text with blanks between.
    SESSIONS_ADD(UUID_ARRAY, UUID_ARRAY, UUID_ARRAY, UUID_ARRAY, INET_ARRAY, TEXT_ARRAY, TIMESTAMPTZ_ARRAY, BYTEA_ARRAY, TEXT_ARRAY,
                 TIMESTAMPTZ_ARRAY, TIMESTAMPTZ_ARRAY, TEXT_ARRAY, INT8_ARRAY, UUID_ARRAY, TEXT_ARRAY, UUID_ARRAY, TEXT_ARRAY,
                 TIMESTAMPTZ_ARRAY, UUID_ARRAY, UUID_ARRAY, BYTEA_ARRAY, UUID_ARRAY, TEXT_ARRAY) = "
        insert into sessions (id, user_id, active_tenant_id, api_client_id, ip_address, user_agent, last_activity_at, token_hash,
                              auth_method, expires_at, token_expires_at, scopes, scope_caps, patient_id, mfa_level, encounter_id, dpop_thumbprint,
                              proved_at, parent_session_id, provider_id, provider_session_hash, from_tenant_id,
                              certificate_thumbprint)
        select s.id, s.login, s.tenant, s.client, s.ip, s.agent, s.began, s.hash, s.method, s.ends, s.token_ends, string_to_array(s.scopes, ' '),
               s.caps, s.patient, s.factor, s.encounter, s.dpop, s.proved, s.parent, s.provider, s.provider_session, s.from_tenant, s.certificate
          from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::inet[], $6::text[], $7::timestamptz[], $8::bytea[], $9::text[],
                      $10::timestamptz[], $11::timestamptz[], $12::text[], $13::int8[], $14::uuid[], $15::text[], $16::uuid[], $17::text[],
                      $18::timestamptz[], $19::uuid[], $20::uuid[], $21::bytea[], $22::uuid[], $23::text[])
            s(id, login, tenant, client, ip, agent, began, hash, method, ends, token_ends, scopes, caps, patient, factor, encounter,
              dpop, proved, parent, provider, provider_session, from_tenant, certificate)";
    pub(super) REFRESH_ADD(UUID, UUID, UUID, BYTEA, UUID, TIMESTAMPTZ) = "
        insert into refresh_tokens (id, session_id, user_id, token_hash, family_id, expires_at) values ($1, $2, $3, $4, $5, $6)";
}

/// What a session is opened for.
pub struct Opening {
    pub user: Uuid,
    pub tenant: Uuid,
    pub client: Option<Uuid>,
    /// A word of `sessions.auth_method`.
    pub method: &'static str,
    /// A word of `sessions.mfa_level`.
    pub factor: Cow<'static, str>,
    pub kind: Kind,
    /// Empty for a person's own session, which may do what the person may.
    pub scopes: Vec<String>,
    pub patient: Option<Uuid>,
    pub encounter: Option<Uuid>,
    /// The thumbprint of the key without which its tokens are of no use.
    pub dpop: Option<String>,
    /// The thumbprint of the certificate without which its tokens are of no use.
    pub certificate: Option<String>,
    pub renewable: bool,
    /// When the person proved who they are, if that was not just now.
    pub proved: Option<DateTime<Utc>>,
    /// The session it comes from, with which it ends.
    pub parent: Option<Parent>,
    pub vouched: Option<Vouched>,
    /// Of an exchanged token: the tenant of the application, where that is not the one it acts in.
    pub from: Option<Uuid>,
}

impl Opening {
    /// A person's own session, or a program's, with nothing more to be said of it.
    pub fn of(user: Uuid, tenant: Uuid, method: &'static str, kind: Kind) -> Opening {
        Opening {
            user,
            tenant,
            client: None,
            method,
            factor: "NONE".into(),
            kind,
            scopes: vec![],
            patient: None,
            encounter: None,
            dpop: None,
            certificate: None,
            renewable: false,
            proved: None,
            parent: None,
            vouched: None,
            from: None,
        }
    }
}

/// What a session comes from. Without `offline_access` it lasts no longer.
pub struct Parent {
    pub session: Uuid,
    pub until: DateTime<Utc>,
}

/// The tenant's identity provider that has vouched for a person.
#[derive(Clone)]
pub struct Vouched {
    pub provider: Uuid,
    /// SHA-256 of what it calls the session there.
    pub session: Option<Vec<u8>>,
}

/// What its bearer gets, once.
pub struct Issued {
    pub session: Uuid,
    pub tenant: Uuid,
    pub access: Token,
    pub refresh: Option<Token>,
    pub expires_in_s: i64,
    pub scopes: Vec<String>,
    pub patient: Option<Uuid>,
    pub encounter: Option<Uuid>,
    /// Whether a key goes with it.
    pub dpop: bool,
}

/// A session that is to be written.
pub struct Ready {
    opening: Opening,
    session: Uuid,
    hash: Vec<u8>,
    began: DateTime<Utc>,
    ends: DateTime<Utc>,
    token_ends: DateTime<Utc>,
    ip: Option<IpAddr>,
    agent: Option<String>,
}

impl Opening {
    /// What is written, and what its bearer gets once it is.
    pub fn ready(self, config: &IdentityConfig, origin: Option<&Origin>, now: DateTime<Utc>) -> Result<(Ready, Issued)> {
        if scope::of_a_patient(&self.scopes) && self.patient.is_none() {
            return Err(Error::internal("nobody speaks for a patient whom nobody has named"));
        }
        let session = Uuid::now_v7();
        let access = Token::new(self.kind)?;
        let refresh = if self.renewable { Some(Token::new(Kind::Refresh)?) } else { None };
        let offline = self.scopes.iter().any(|word| word == scope::OFFLINE);
        let token_lives = match self.method {
            "API_CLIENT" => config.access_token_s.min(CLIENT_TOKEN_S),
            _ if self.kind == Kind::Session => config.session_absolute_s,
            _ => config.access_token_s,
        };
        let most = self.parent.as_ref().filter(|_| !offline).map_or(DateTime::<Utc>::MAX_UTC, |parent| parent.until);
        let token_ends = most.min(now + TimeDelta::seconds(token_lives.into()));
        let ends = match self.renewable || self.kind == Kind::Session {
            true if offline => now + TimeDelta::days(OFFLINE_DAYS),
            true => now + TimeDelta::seconds(config.session_absolute_s.into()),
            false => token_ends,
        };
        let issued = Issued {
            session,
            tenant: self.tenant,
            refresh,
            expires_in_s: (token_ends - now).num_seconds(),
            scopes: self.scopes.clone(),
            patient: self.patient,
            encounter: self.encounter,
            dpop: self.dpop.is_some(),
            access,
        };
        let ready = Ready {
            session,
            hash: issued.access.hash().as_bytes().to_vec(),
            began: now,
            ends: ends.min(most),
            token_ends,
            ip: origin.and_then(|origin| origin.ip),
            agent: origin.and_then(|origin| origin.user_agent.clone()),
            opening: self,
        };
        Ok((ready, issued))
    }
}

/// Writes sessions inside `scope`; nobody waits for them, they travel with what follows and are there when it is committed.
pub async fn write(scope: &mut Scope, all: &[&Ready]) -> Result<()> {
    type Column = Box<dyn ToSql + Sync + Send>;
    fn of<T: ToSql + Sync + Send + 'static>(all: &[&Ready], value: impl Fn(&Ready) -> T) -> Column {
        Box::new(all.iter().map(|one| value(one)).collect::<Vec<T>>())
    }
    let caps = |one: &Ready| if one.opening.client.is_some() { scope::caps(&one.opening.scopes) } else { Caps::ALL };
    let columns: [Column; 23] = [
        of(all, |one| one.session),
        of(all, |one| one.opening.user),
        of(all, |one| one.opening.tenant),
        of(all, |one| one.opening.client),
        of(all, |one| one.ip),
        of(all, |one| one.agent.clone()),
        of(all, |one| one.began),
        of(all, |one| one.hash.clone()),
        of(all, |one| one.opening.method),
        of(all, |one| one.ends),
        of(all, |one| one.token_ends),
        of(all, |one| one.opening.scopes.join(" ")),
        of(all, |one| caps(one).0),
        of(all, |one| one.opening.patient),
        of(all, |one| one.opening.factor.to_string()),
        of(all, |one| one.opening.encounter),
        of(all, |one| one.opening.dpop.clone()),
        of(all, |one| one.opening.proved.unwrap_or(one.began)),
        of(all, |one| one.opening.parent.as_ref().map(|parent| parent.session)),
        of(all, |one| one.opening.vouched.as_ref().map(|by| by.provider)),
        of(all, |one| one.opening.vouched.as_ref().and_then(|by| by.session.clone())),
        of(all, |one| one.opening.from),
        of(all, |one| one.opening.certificate.clone()),
    ];
    scope.post(&SESSIONS_ADD, columns.into()).await
}

/// Opens a session inside `scope`; it is there when the scope is committed.
pub async fn open(scope: &mut Scope, config: &IdentityConfig, opening: Opening) -> Result<Issued> {
    let origin = scope.context().origin.clone();
    let (ready, issued) = opening.ready(config, origin.as_deref(), scope.now())?;
    write(scope, &[&ready]).await?;
    if let Some(refresh) = &issued.refresh {
        let (id, family, hash) = (scope.new_id(), scope.new_id(), refresh.hash().as_bytes().to_vec());
        let added: [Box<dyn ToSql + Sync + Send>; 6] =
            [Box::new(id), Box::new(ready.session), Box::new(ready.opening.user), Box::new(hash), Box::new(family), Box::new(ready.ends)];
        scope.post(&REFRESH_ADD, added.into()).await?;
    }
    Ok(issued)
}
