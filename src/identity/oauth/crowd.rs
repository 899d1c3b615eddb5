//! What programs ask in great numbers goes to the database together ([`group`]): who they are, that they came, and the tokens they
//! get. Identity's plane stands before all tenants, so one batch may be of many; each row names the tenant and the program it was
//! made for, and says so in its own audit event.

use crate::identity::opening::{self, Ready};
use crate::identity::token::TokenHash;
use crate::kernel::audit::PreparedEvent;
use crate::kernel::audit_store;
use crate::kernel::config::Config;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::SharedDoor;
use crate::kernel::error::Result;
use crate::kernel::group::{Group, Limits};
use crate::sql;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

sql! {
    /// Of each: $1 public id, $2 hash of what is shown, $3 the tenant that is named, $4 the tenant where somebody is.
    CLIENTS(TEXT_ARRAY, BYTEA_ARRAY, TEXT_ARRAY, UUID_ARRAY) = "
        select * from sec.clients_of($1, $2, $3, $4)";
    /// Of each: $1 tenant, $2 client.
    CAME(UUID_ARRAY, UUID_ARRAY) = "select sec.client_came(k.tenant, k.client) from unnest($1::uuid[], $2::uuid[]) k(tenant, client)";
}

/// Which client is meant.
pub struct Asked {
    pub public_id: String,
    pub shown: Option<TokenHash>,
    pub named: Option<String>,
    pub here: Option<Uuid>,
}

/// A program's session, and the event without which nobody hears of its token.
pub struct Granted {
    pub ready: Ready,
    pub event: PreparedEvent,
}

pub struct Crowd {
    asked: Group<Asked, Option<Row>>,
    came: Group<(Uuid, Uuid), ()>,
    granted: Group<Granted, ()>,
}

impl Crowd {
    pub fn start(config: &Config, door: &SharedDoor) -> Crowd {
        let limits = Limits::within(Duration::from_millis(config.database.audit_timeout_ms));
        let (to_ask, to_tell, to_grant) = (door.clone(), door.clone(), door.clone());
        Crowd {
            asked: Group::start(limits, move |asked| find(to_ask.clone(), asked)).0,
            came: Group::start(limits, move |came| tell(to_tell.clone(), came)).0,
            granted: Group::start(limits, move |granted| write(to_grant.clone(), granted)).0,
        }
    }

    /// The row of `sec.clients_of`.
    pub async fn client(&self, asked: Asked) -> Result<Option<Row>> {
        self.asked.ask(asked).await
    }

    /// That a client of that tenant has come again.
    pub async fn came(&self, tenant: Uuid, client: Uuid) -> Result<()> {
        self.came.ask((tenant, client)).await
    }

    /// Returns when the session and its audit event are durable.
    pub async fn grant(&self, granted: Granted) -> Result<()> {
        self.granted.ask(granted).await
    }
}

async fn find(door: SharedDoor, asked: Vec<Arc<Asked>>) -> Result<Vec<Option<Row>>> {
    let ids: Vec<&str> = asked.iter().map(|one| one.public_id.as_str()).collect();
    let shown: Vec<Option<&[u8]>> = asked.iter().map(|one| one.shown.as_ref().map(TokenHash::as_bytes)).collect();
    let named: Vec<Option<&str>> = asked.iter().map(|one| one.named.as_deref()).collect();
    let here: Vec<Option<Uuid>> = asked.iter().map(|one| one.here).collect();
    let scope = door.open(&Context::system(Plane::Auth, None)).await?;
    let answers = scope.once(&[((&CLIENTS).into(), vec![&ids, &shown, &named, &here])]).await?;
    let mut found: Vec<Option<Row>> = asked.iter().map(|_| None).collect();
    for row in answers.into_iter().flatten() {
        let place: i64 = row.try_get("place")?;
        if let Some(one) = usize::try_from(place - 1).ok().and_then(|place| found.get_mut(place)) {
            *one = Some(row);
        }
    }
    Ok(found)
}

async fn tell(door: SharedDoor, came: Vec<Arc<(Uuid, Uuid)>>) -> Result<Vec<()>> {
    let mut clients: Vec<(Uuid, Uuid)> = came.iter().map(|one| **one).collect();
    // In one order: servers that tell of the same clients wait for each other, never in a ring.
    clients.sort_unstable();
    clients.dedup();
    let (tenants, clients): (Vec<Uuid>, Vec<Uuid>) = clients.into_iter().unzip();
    let mut scope = door.open(&Context::system(Plane::Auth, None)).await?;
    scope.post(&CAME, vec![Box::new(tenants), Box::new(clients)]).await?;
    scope.commit().await?;
    Ok(vec![(); came.len()])
}

async fn write(door: SharedDoor, granted: Vec<Arc<Granted>>) -> Result<Vec<()>> {
    let mut scope = door.open(&Context::system(Plane::Auth, None)).await?;
    opening::write(&mut scope, &granted.iter().map(|one| &one.ready).collect::<Vec<_>>()).await?;
    audit_store::post(&mut scope, &granted.iter().map(|one| &one.event).collect::<Vec<_>>()).await?;
    scope.commit().await?;
    Ok(vec![(); granted.len()])
}
