//! The order of a job: what it is to do, sealed into its row, so that no row written by hand can order more; and who gave
//! it, who is asked again while it runs.

use crate::identity;
use crate::kernel::context::{Caps, Context, Origin, Permission, Plane, Rates};
use crate::kernel::crypto::TenantKeys;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Caller, Kernel};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::sync::Arc;
use uuid::Uuid;

/// The member of a row's params that has the order.
const MEMBER: &str = "order";

/// Adds the order to the params of a row of that table.
pub fn seal(keys: &TenantKeys, table: &str, id: Uuid, order: &impl Serialize, mut params: Json) -> Result<Json> {
    let plain = serde_json::to_vec(order).map_err(Error::internal)?;
    params[MEMBER] = BASE64_STANDARD.encode(keys.seal(table, MEMBER, id, &plain)?).into();
    Ok(params)
}

pub fn open<O: DeserializeOwned>(keys: &TenantKeys, table: &str, id: Uuid, params: &Json) -> Result<O> {
    let sealed = params[MEMBER].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
    let sealed = sealed.ok_or_else(|| Error::internal("a job without an order"))?;
    serde_json::from_slice(&keys.open(table, MEMBER, id, &sealed)?).map_err(Error::internal)
}

/// A caller of one tenant, with what they could do throughout when they ordered: what they may for a part of it orders nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct By {
    tenant: Uuid,
    actor: Option<Uuid>,
    client: Option<Uuid>,
    session: Option<Uuid>,
    request: Uuid,
    break_glass: Option<Uuid>,
    caps: i64,
    scopes: Vec<String>,
    origin: Origin,
}

impl By {
    /// For programs with system scopes, and for people with this permission.
    pub fn of(caller: &Caller, permission: Permission) -> Result<By> {
        caller.on(&[Plane::Staff])?;
        let is_system = caller.scopes.iter().any(|scope| scope.starts_with("system/"));
        if !is_system {
            caller.needs_throughout(permission)?;
        }
        let context = &caller.context;
        Ok(By {
            tenant: caller.tenant()?,
            actor: context.actor,
            client: context.client,
            session: context.session,
            request: context.request,
            break_glass: context.break_glass,
            caps: context.caps.0,
            scopes: caller.scopes.to_vec(),
            origin: context.origin.as_deref().cloned().unwrap_or_default(),
        })
    }

    pub fn caller(&self, kernel: &Arc<Kernel>) -> Caller {
        let context = Context {
            actor: self.actor,
            client: self.client,
            session: self.session,
            request: self.request,
            break_glass: self.break_glass,
            rates: Rates::default(),
            caps: Caps(self.caps),
            origin: Some(Arc::new(self.origin.clone())),
            ..Context::system(Plane::Staff, Some(self.tenant))
        };
        Caller { kernel: kernel.clone(), context, reads_subtree: false, scopes: self.scopes.clone().into() }
    }

    /// The same person or program, whichever of their tokens they ask with.
    pub fn is(&self, caller: &Caller) -> bool {
        let context = &caller.context;
        (Some(self.tenant), self.actor, self.client) == (context.tenant, context.actor, context.client) && context.plane == Plane::Staff
    }

    /// Whether they may still do all that they could.
    pub async fn stands(&self, kernel: &Kernel) -> Result<()> {
        let Some(session) = self.session else { return Ok(()) };
        let now = identity::holder(kernel, session).await?;
        let is_as_it_was = now.is_some_and(|now| {
            now.plane == Plane::Staff && now.tenant == Some(self.tenant) && now.caps.and(Caps(self.caps)) == Caps(self.caps)
        });
        if is_as_it_was {
            return Ok(());
        }
        Err(Error::new(&error::FORBIDDEN).detail("Whoever ordered the job may no longer do what it needs."))
    }
}
