//! Who is asking, and the scopes they may open. A handler that could forget the tenant does not compile: without a
//! [`Caller`] there is no [`Scope`].

use crate::kernel::Kernel;
use crate::kernel::audit::{Action, AuditEvent, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Caps, Context, Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::{Record, Table, store};
use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, FutureExt, TryFutureExt, try_join_all};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Patient ids a search event names; of more it keeps the count.
const NAMED_PATIENTS_MAX: usize = 200;

#[derive(Clone)]
pub struct Caller {
    pub kernel: Arc<Kernel>,
    /// Staff of a DSO have a staff context in the DSO's own tenant; what a DSO reads it reads on the group plane.
    pub context: Context,
    pub reads_subtree: bool,
    /// OAuth scopes of the grant; empty for a person's own session.
    pub scopes: Arc<[String]>,
}

impl Caller {
    /// The context in which this caller reads that table.
    pub fn reading(&self, table: &Table) -> Result<Context> {
        self.needs(table.read)?;
        let mut context = self.context.clone();
        if self.reads_subtree && table.group && context.plane == Plane::Staff {
            context.plane = Plane::Group;
        }
        Ok(context)
    }
    pub async fn read(&self, table: &Table) -> Result<Scope> {
        self.kernel.door.open(&self.reading(table)?).await
    }
    /// One record in one round trip, as that context shows it; retired ones too.
    pub async fn glance(&self, context: &Context, table: &'static Table, id: Uuid) -> Result<Record> {
        let built = store::get_query(table, context.plane, context.tenant, id, false)?;
        let answers = self.kernel.door.open(context).await?.once(&[built.asked()]).await?;
        store::one(table, context.plane, answers.first().map(Vec::as_slice).unwrap_or_default(), &self.kernel.keys).await
    }
    pub async fn write(&self, permission: Permission) -> Result<Scope> {
        self.needs(permission)?;
        self.kernel.door.open(&self.context).await
    }
    /// PostgreSQL enforces it too, by showing nothing; a staff caller is told.
    pub fn needs(&self, permission: Permission) -> Result<()> {
        self.told(self.context.caps.or(self.context.part), permission)
    }
    /// Where no policy asks for which part of the tenant a role is: a permission for a part is not enough.
    pub fn needs_throughout(&self, permission: Permission) -> Result<()> {
        self.told(self.context.caps, permission)
    }
    fn told(&self, caps: Caps, permission: Permission) -> Result<()> {
        let told = matches!(self.context.plane, Plane::Staff | Plane::Group);
        match told && !caps.allows(permission) {
            true => Err(Error::new(&error::FORBIDDEN).detail(format!("The permission {} is needed.", permission.word()))),
            false => Ok(()),
        }
    }
    /// A plane that may not call an operation at all.
    pub fn on(&self, planes: &[Plane]) -> Result<()> {
        if planes.contains(&self.context.plane) { Ok(()) } else { Err(Error::new(&error::FORBIDDEN)) }
    }
    /// The server itself in that tenant, on behalf of this caller: for looking up what belongs to something the caller's own
    /// eyes have found. What the caller may do there is not asked; to do something use [`Self::acting`].
    pub fn server(&self, tenant: Uuid) -> Context {
        Context { plane: Plane::Jobs, tenant: Some(tenant), caps: Caps::NONE, part: Caps::NONE, subject: None, ..self.context.clone() }
    }
    /// The server itself in that tenant, doing for this caller what the permission allows.
    pub fn acting(&self, tenant: Uuid, permission: Permission) -> Result<Context> {
        self.needs_throughout(permission)?;
        Ok(self.server(tenant))
    }
    pub fn tenant(&self) -> Result<Uuid> {
        self.context.tenant.ok_or_else(Error::no_tenant)
    }

    /// One record was read: durable before its first byte leaves.
    pub async fn saw(&self, context: &Context, record: &Record) -> Result<()> {
        self.kernel.audit.record(audit_store::of_record(context, Action::Read, record, Utc::now())).await
    }

    /// A list was read: one event for each tenant whose rows are in it, with the patients it shows. What becomes of the records
    /// meanwhile is no concern of what is awaited; nothing of them may be sent before.
    pub fn searched<'r>(
        &self,
        context: &Context,
        table: &Table,
        records: impl IntoIterator<Item = &'r Record>,
    ) -> BoxFuture<'_, Result<()>> {
        let mut by_tenant: BTreeMap<Uuid, Vec<&Record>> = BTreeMap::new();
        for record in records {
            by_tenant.entry(audit_store::log_of(context, record)).or_default().push(record);
        }
        let now = Utc::now();
        let mut events: Vec<AuditEvent> =
            by_tenant.into_iter().map(|(tenant, rows)| searched(context, table, tenant, &rows, now)).collect();
        if events.is_empty() {
            let tenant = context.tenant.unwrap_or(crate::kernel::context::PLATFORM_TENANT);
            events.push(searched(context, table, tenant, &[], now));
        }
        let recorded = events.into_iter().map(|event| self.kernel.audit.record(event));
        try_join_all(recorded).map_ok(drop).boxed()
    }

    /// Something was refused or not found; the refusal is remembered before it is told. `what`: the kind of record, or the operation.
    pub async fn refused(&self, what: &'static str, id: Option<Uuid>, action: Action, refusal: &Error) -> Result<()> {
        let outcome = match refusal.code.status {
            401 | 403 => Outcome::Denied,
            404 => Outcome::Failed,
            _ => return Ok(()),
        };
        let kind = if outcome == Outcome::Denied { "ACCESS_DENIED" } else { "RECORD_READ" };
        let mut event = audit_store::of(&self.context, kind, action, outcome, Utc::now());
        event.resource_type = Some(std::borrow::Cow::Borrowed(what));
        event.resource_id = id;
        event.metadata = Metadata::new().text("code", refusal.code.code);
        self.kernel.audit.record(event).await
    }
}

fn searched(context: &Context, table: &Table, tenant: Uuid, rows: &[&Record], now: DateTime<Utc>) -> AuditEvent {
    let mut patients: Vec<String> = rows.iter().filter_map(|record| record.patient).map(|id| id.to_string()).collect();
    patients.sort();
    patients.dedup();
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let mut event = audit_store::of(context, "RECORD_SEARCHED", Action::Search, Outcome::Success, now);
    event.tenant_id = tenant;
    event.resource_type = Some(std::borrow::Cow::Borrowed(table.schema));
    event.patient_id = match rows {
        [only] => only.patient,
        _ => None,
    };
    event.metadata = Metadata::new().integer("count", count).texts("patients", patients.into_iter().take(NAMED_PATIENTS_MAX));
    event
}
