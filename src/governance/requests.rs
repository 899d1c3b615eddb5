//! What callers ask of the audit log: packages, keys, counts; and the end of a mandate.

use super::audit_event::AUDIT_EVENT;
use super::audit_mandate::AUDIT_MANDATE;
use super::export::{Counts, connection, export, may_read};
use super::keys::AuditKeys;
use crate::kernel::Kernel;
use crate::kernel::audit::{Action, AuditEvent, Metadata, Outcome, Range};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, PLATFORM_TENANT, Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Value, store};
use crate::sql;
use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};
use futures_util::StreamExt;
use futures_util::stream::unfold;
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio_postgres::Client;
use uuid::Uuid;

/// Exports that run at once in one process; each has a connection of its own.
const EXPORTS_MAX: usize = 2;
/// Parts of a package that wait for a slow receiver.
const PARTS_MAX: usize = 4;
const SUMMARY_DAYS_MAX: i64 = 366;
static EXPORTS: Semaphore = Semaphore::const_new(EXPORTS_MAX);

pub static EXPORT: Operation = Operation {
    id: "exportAuditEvents",
    method: Method::Post,
    path: "/audit-events/export",
    tag: "Audit",
    doc: "Events, digests, seals and paths of a tenant as one package that an offline verifier proves",
    takes: &[
        Field::instant("from").required().doc("a full hour"),
        Field::instant("to").required().doc("a full hour; not included"),
        Field::uuid("tenant_id").doc("whose log; a regulator names a tenant of a mandate"),
    ],
    gives: Gives::Bytes("application/gzip"),
    planes: &[Plane::Staff, Plane::Audit],
    permission: Permission::ViewAudit,
    run: Run::Apart(|call| Box::pin(start_export(call))),
};

pub static KEYS: Operation = Operation {
    id: "getAuditKeys",
    method: Method::Get,
    path: "/audit-keys",
    tag: "Audit",
    doc: "Ed25519 public keys this installation signs its audit log with, by use; verifiers pin them",
    takes: &[],
    gives: Gives::Object(
        "AuditKeys",
        &[
            Field::text("sealing_key_id").required(),
            Field::text("sealing_key").required().doc("base64"),
            Field::text("anchoring_key_id").required(),
            Field::text("anchoring_key").required().doc("base64"),
            Field::text("export_key_id").required(),
            Field::text("export_key").required().doc("base64"),
        ],
    ),
    planes: &Plane::ALL,
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(async move { keys(&call.caller.kernel) })),
};

pub static SUMMARY: Operation = Operation {
    id: "summarizeAuditEvents",
    method: Method::Get,
    path: "/audit-events/summary",
    tag: "Audit",
    doc: "How many events of each type on each day (UTC)",
    takes: &[
        Field::instant("from").required(),
        Field::instant("to").required().doc("not included; at most 366 days later"),
        Field::uuid("tenant_id").doc("one of the tenants the caller covers; all of them when left out"),
    ],
    gives: Gives::Object(
        "AuditEventSummary",
        &[Field::json("days").required().doc("counts by type, by day"), Field::big("total").required()],
    ),
    planes: &[Plane::Staff, Plane::Group, Plane::Audit],
    permission: Permission::ViewAudit,
    run: Run::Apart(|call| Box::pin(summary(call))),
};

pub static REVOKE: Operation = Operation {
    id: "revokeAuditMandate",
    method: Method::Post,
    path: "/audit-mandates/{id}/revoke",
    tag: "Audit",
    doc: "End a mandate; the auditor's next statement sees nothing of the tenant",
    takes: &[],
    gives: Gives::Record(&AUDIT_MANDATE),
    planes: &[Plane::Staff, Plane::Platform],
    permission: Permission::ManageGovernance,
    run: Run::Inside(|scope, call| Box::pin(revoke(scope, call))),
};

sql! {
    /// $1 from, $2 to, $3 tenant or none. Policies decide which tenants there are.
    SUMMARY_COUNTS(TIMESTAMPTZ, TIMESTAMPTZ, UUID) = "
        select tenant_id, (occurred_at at time zone 'UTC')::date, event_type, count(*) from audit_events
         where occurred_at >= $1 and occurred_at < $2 and ($3 is null or tenant_id = $3)
         group by 1, 2, 3 order by 2, 3";
}

async fn revoke(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &AUDIT_MANDATE, call.id()?, call.version, keys).await?;
    if was.text("revoked_at").is_some() {
        return Err(Error::new(&error::MOVE_REFUSED).fault("revoked_at", "state", "The mandate is revoked already."));
    }
    let draft = Draft::default().set(&AUDIT_MANDATE, "revoked_at", Value::Instant(scope.now()))?;
    Ok(Answer::Record(store::update(scope, &was, &draft, "revoke", keys).await?))
}

fn keys(kernel: &Kernel) -> Result<Answer> {
    let keys = AuditKeys::from_seed(&kernel.config.secrets.audit_signing_key)?;
    let mut members = Map::new();
    for (usage, signer) in keys.named() {
        members.insert(format!("{usage}_key_id"), Json::from(signer.key_id()));
        members.insert(format!("{usage}_key"), Json::from(signer.public_key()));
    }
    Ok(Answer::Object(members))
}

async fn summary(call: Call) -> Result<Answer> {
    let (from, to) = span(&call)?;
    if to - from > TimeDelta::days(SUMMARY_DAYS_MAX) {
        return Err(Error::new(&error::TOO_COSTLY).detail("A summary spans at most 366 days."));
    }
    let (caller, only) = (&call.caller, call.uuid("tenant_id"));
    let context = caller.reading(&AUDIT_EVENT)?;
    let scope = caller.kernel.door.open(&context).await?;
    let answers = scope.once(&[((&SUMMARY_COUNTS).into(), vec![&from, &to, &only])]).await?;
    let (mut days, mut total, mut tenants) = (Map::new(), 0, Vec::new());
    for row in answers.iter().flatten() {
        let (tenant, day, kind, count): (Uuid, NaiveDate, String, i64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let of_day = days.entry(day.to_string()).or_insert_with(|| Json::Object(Map::new()));
        if let Some(of_day) = of_day.as_object_mut() {
            let so_far = of_day.get(&kind).and_then(Json::as_i64).unwrap_or(0);
            of_day.insert(kind, Json::from(so_far + count));
        }
        total += count;
        if !tenants.contains(&tenant) {
            tenants.push(tenant);
        }
    }
    if tenants.is_empty() {
        tenants.push(context.tenant.unwrap_or(PLATFORM_TENANT));
    }
    for tenant in tenants {
        let mut event = of_log(&context, "RECORD_SEARCHED", Action::Search, Outcome::Success, tenant);
        event.metadata = Metadata::new().text("view", "summary").text("from", from.to_rfc3339()).text("to", to.to_rfc3339());
        caller.kernel.audit.record(event).await?;
    }
    Ok(Answer::Object(Map::from_iter([("days".to_owned(), Json::Object(days)), ("total".to_owned(), Json::from(total))])))
}

fn span(call: &Call) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let needed = || Error::internal("a required field was not checked");
    let (from, to) = (call.instant("from").ok_or_else(needed)?, call.instant("to").ok_or_else(needed)?);
    match from < to {
        true => Ok((from, to)),
        false => Err(Error::new(&error::INVALID).fault("to", "range", "It must be later than from.")),
    }
}

/// The range of a package: full hours, as digests are.
pub fn hours(tenant_id: Uuid, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Range> {
    let mut wrong = Error::new(&error::INVALID);
    for (name, at) in [("from", from), ("to", to)] {
        if at.minute() != 0 || at.second() != 0 || at.nanosecond() != 0 {
            wrong = wrong.fault(name, "format", "It must be a full hour.");
        }
    }
    if from >= to {
        wrong = wrong.fault("to", "range", "It must be later than from.");
    }
    if wrong.faults.is_empty() { Ok(Range { tenant_id, from, to }) } else { Err(wrong) }
}

/// An event about the log itself, in the log it is about.
fn of_log(context: &Context, kind: &'static str, action: Action, outcome: Outcome, tenant: Uuid) -> AuditEvent {
    let mut event = audit_store::of(context, kind, action, outcome, Utc::now());
    event.tenant_id = tenant;
    event.resource_type = Some(AUDIT_EVENT.schema.into());
    event
}

async fn start_export(call: Call) -> Result<Answer> {
    let (from, to) = span(&call)?;
    let own = match call.caller.context.plane {
        Plane::Audit => None,
        _ => Some(call.caller.tenant()?),
    };
    let tenant = call.uuid("tenant_id").or(own);
    let tenant = tenant.ok_or_else(|| Error::new(&error::INVALID).fault("tenant_id", "required", "Name a tenant of a mandate."))?;
    let range = hours(tenant, from, to)?;
    may_read(&call.caller.kernel, &call.caller.context, tenant).await?;
    let slot = EXPORTS.try_acquire().map_err(|_| Error::new(&error::RATE_LIMITED).detail("Other exports are under way."))?;
    let export = Recorded::start(call.caller.kernel.clone(), call.caller.context.clone(), range).await?;
    let (sink, parts) = mpsc::channel(PARTS_MAX);
    tokio::spawn(async move {
        export.run(&sink).await;
        drop(slot);
    });
    Ok(Answer::Bytes(unfold(parts, async |mut parts| parts.recv().await.map(|part| (part, parts))).boxed()))
}

/// An export with an event before its first byte and one before its last.
pub struct Recorded {
    kernel: Arc<Kernel>,
    context: Context,
    range: Range,
    id: Uuid,
    /// Held from before the first event until behind the last.
    client: Client,
}

impl Recorded {
    pub async fn start(kernel: Arc<Kernel>, context: Context, range: Range) -> Result<Recorded> {
        let id = Uuid::now_v7();
        let client = connection(&kernel, id).await?;
        let export = Recorded { kernel, context, range, id, client };
        export.record("EXPORT_STARTED", Outcome::Success, Counts::default()).await?;
        Ok(export)
    }

    async fn record(&self, kind: &'static str, outcome: Outcome, counts: Counts) -> Result<()> {
        let mut event = of_log(&self.context, kind, Action::Execute, outcome, self.range.tenant_id);
        event.resource_id = Some(self.id);
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        event.metadata = Metadata::new().text("from", self.range.from.to_rfc3339()).text("to", self.range.to.to_rfc3339());
        if kind == "EXPORT_COMPLETED" {
            event.metadata = event
                .metadata
                .integer("events", number(counts.events))
                .integer("digests", number(counts.digests))
                .integer("anchors", number(counts.anchors));
        }
        self.kernel.audit.record(event).await
    }

    /// Sends the package; what fails breaks it off, and a package that is broken off proves nothing.
    pub async fn run(self, sink: &super::export::Sink) {
        let asker = (self.context.plane != Plane::Jobs).then_some(&self.context);
        let made = match export(&self.kernel, &self.client, self.range, sink, asker).await {
            Ok((counts, last)) => self.record("EXPORT_COMPLETED", Outcome::Success, counts).await.map(|()| last),
            Err(failure) => {
                let outcome = match failure.code {
                    code if code == &error::NOT_FOUND => Outcome::Denied,
                    _ if sink.is_closed() => Outcome::Aborted,
                    _ => Outcome::Failed,
                };
                if let Err(unrecorded) = self.record("EXPORT_COMPLETED", outcome, Counts::default()).await {
                    tracing::error!(error = %unrecorded, "The end of an audit export was not recorded");
                }
                Err(failure)
            }
        };
        let last = made.map_err(|failure| {
            tracing::warn!(error = %failure, "An audit export ended early");
            std::io::Error::other("the export ended early")
        });
        // The receiver may be gone; its event says so.
        let _ = sink.send(last).await;
    }
}
