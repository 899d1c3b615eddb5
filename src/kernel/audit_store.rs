//! From what a request did to rows of `audit_events`: the words, and the way in.

use crate::kernel::audit::{Action, ActorType, AuditEvent, Metadata, Outcome, Plane as AuditPlane, PreparedEvent, PurposeOfUse};
use crate::kernel::context::{Context, PLATFORM_TENANT, Plane};
use crate::kernel::db::{Param, Scope, SharedDoor};
use crate::kernel::error::{Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::table::{Home, Record};
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use std::borrow::{Borrow, Cow};
use std::sync::Arc;
use uuid::Uuid;

/// An event of this caller, to be narrowed by its maker.
pub fn of(context: &Context, event_type: &'static str, action: Action, outcome: Outcome, at: DateTime<Utc>) -> AuditEvent {
    let origin = context.origin.as_deref();
    AuditEvent {
        id: Uuid::now_v7(),
        tenant_id: context.tenant.unwrap_or(PLATFORM_TENANT),
        user_id: context.actor,
        actor_type: match (context.client, context.actor) {
            (Some(_), _) => ActorType::ApiClient,
            (None, Some(_)) => ActorType::User,
            (None, None) => ActorType::System,
        },
        api_client_id: context.client,
        plane: AuditPlane::parse(context.plane.upper()).unwrap_or(AuditPlane::Auth),
        event_type: Cow::Borrowed(event_type),
        resource_type: None,
        resource_id: None,
        patient_id: None,
        action,
        outcome,
        purpose_of_use: match context.plane {
            _ if context.break_glass.is_some() => Some(PurposeOfUse::Emergency),
            Plane::Staff | Plane::Share => Some(PurposeOfUse::Treatment),
            Plane::Group => Some(PurposeOfUse::Operations),
            Plane::Patient => Some(PurposeOfUse::PatientRequest),
            Plane::Audit => Some(PurposeOfUse::Audit),
            Plane::Auth | Plane::Jobs | Plane::Platform => None,
        },
        occurred_at: at,
        request_id: context.request,
        session_id: context.session,
        ip_address: origin.and_then(|origin| origin.ip),
        user_agent: origin.and_then(|origin| origin.user_agent.clone()),
        break_glass_id: context.break_glass,
        metadata: Metadata::new(),
    }
}

/// A record was read or changed. The event belongs to the tenant whose row it is, when it is a tenant's.
pub fn of_record(context: &Context, action: Action, record: &Record, at: DateTime<Utc>) -> AuditEvent {
    let event_type = match (action, record.table.name) {
        (Action::Read, "patients") => "PATIENT_VIEWED",
        (Action::Create, "patients") => "PATIENT_CREATED",
        (Action::Update, "patients") => "PATIENT_UPDATED",
        (Action::Read, _) => "RECORD_READ",
        (Action::Create, "consents") => "CONSENT_GRANTED",
        (Action::Create, "break_glass_grants") => "BREAK_GLASS_OPENED",
        (Action::Create, _) => "RECORD_CREATED",
        (Action::Delete, _) => "RECORD_DELETED",
        (Action::Search, _) => "RECORD_SEARCHED",
        (Action::Update | Action::Execute, "tenant_settings" | "identity_providers" | "tenant_features") => "CONFIG_CHANGED",
        (Action::Update | Action::Execute, "user_roles" | "role_permissions") => "ROLE_CHANGED",
        (Action::Update | Action::Execute, _) => "RECORD_UPDATED",
    };
    let mut event = of(context, event_type, action, Outcome::Success, at);
    event.tenant_id = log_of(context, record);
    event.resource_type = Some(Cow::Borrowed(record.table.schema));
    event.resource_id = Some(record.id);
    event.patient_id = record.patient;
    event
}

/// Whose log tells about a record: the tenant whose row it is. A row of the installation (a login, a plan) was met in
/// the caller's tenant; a tenant is told about in its own log.
pub fn log_of(context: &Context, record: &Record) -> Uuid {
    match record.table.home {
        _ if record.table.name == "tenants" => record.id,
        Home::Installation => context.tenant.unwrap_or(PLATFORM_TENANT),
        Home::Tenant | Home::Shared => record.tenant,
    }
}

/// The rows `sec.audit_append` takes.
pub fn rows(events: &[AuditEvent]) -> Result<Json> {
    let prepared = events.iter().cloned().map(PreparedEvent::salted).collect::<Result<Vec<_>>>()?;
    Ok(prepared_rows(&prepared))
}

pub fn prepared_rows<P: Borrow<PreparedEvent>>(events: &[P]) -> Json {
    events
        .iter()
        .map(|prepared| {
            let prepared: &PreparedEvent = prepared.borrow();
            let mut row = prepared.event.to_json();
            row.insert("detail_salt".into(), json!(hex(&prepared.salt.0)));
            row.insert("leaf_hash".into(), json!(hex(&prepared.leaf.0)));
            Json::Object(row)
        })
        .collect()
}

crate::sql! {
    /// $1 rows.
    AUDIT_APPEND(JSONB) = "select sec.audit_append($1)";
}

/// Written in this scope's transaction. What the database refuses of it is told apart from a database that is away.
pub async fn post<P: Borrow<PreparedEvent>>(scope: &mut Scope, events: &[P]) -> Result<()> {
    scope.post(&AUDIT_APPEND, vec![Box::new(prepared_rows(events))]).await
}

/// The group inserter's way in: one statement, one commit, on the role that can do nothing else.
pub async fn append(door: SharedDoor, events: Vec<Arc<PreparedEvent>>) -> Result<Vec<()>> {
    let conn = door.pools.take("log").await?;
    conn.mark_dirty(true);
    let statement = conn.prepared(AUDIT_APPEND.text, AUDIT_APPEND.types).await.map_err(Error::unavailable)?;
    let rows = prepared_rows(&events);
    let params: [Param<'_>; 1] = [&rows];
    // What the database refuses is told apart from a database that is away: the log then finds the one bad event.
    conn.client.query(&statement, &params).await?;
    conn.mark_dirty(false);
    Ok(vec![(); events.len()])
}
