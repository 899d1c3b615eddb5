//! Tenants, subscriptions and places along their states (catalogue 1.07, 1.16, 1.19).

use super::location::LOCATION;
use super::subscription_plan::SUBSCRIPTION_PLAN;
use super::tenant::TENANT;
use super::tenant_subscription::TENANT_SUBSCRIPTION;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, Steps, transition};
use crate::kernel::table::{Field, Value, store};
use crate::sql;
use chrono::TimeDelta;
use serde_json::json;

sql! {
    /// $1 tenant.
    HAS_COPY(UUID) = "select from export_jobs where tenant_id = $1 and export_type = 'TENANT_FULL' and status = 'COMPLETED' limit 1";
}

const STEPS: Steps = Steps { tag: "Tenancy", planes: &[Plane::Platform], permission: Permission::Own };

const REASON: &[Field] = &[Field::text("reason").required().length(1_000)];

pub static SUSPEND: Operation = STEPS.post(
    "suspendTenant",
    "/tenants/{id}/suspend",
    "Refuse sign-in and API calls of a tenant within 5 seconds; the data stays",
    REASON,
    Gives::Record(&TENANT),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            told(scope, call);
            transition(scope, call, &TENANT, vec![("suspended_at", Value::Instant(now))]).await
        })
    }),
);
pub static REINSTATE: Operation = STEPS.post(
    "reinstateTenant",
    "/tenants/{id}/reinstate",
    "End a suspension",
    &[],
    Gives::Record(&TENANT),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            told(scope, call);
            transition(scope, call, &TENANT, vec![("suspended_at", Value::Null)]).await
        })
    }),
);
/// Years a closed tenant's rows stay before the retention job may look at them.
const KEPT_AFTER_CLOSING_DAYS: i64 = 365 * 10;
pub static CLOSE: Operation = STEPS.on(&[Plane::Platform, Plane::Staff]).by(Permission::ManageTenant).post(
    "closeTenant",
    "/tenants/{id}/close",
    "Close a tenant for good. Nobody of it can sign in from then on, so a copy of all its records comes first (createExportJob, \
     TENANT_FULL); nothing is deleted before its retention ends",
    &[
        Field::text("confirm").required().doc("the tenant's slug, once more"),
        Field::text("without_copy").length(1_000).doc("why the tenant goes without a copy of its records, where it has none"),
    ],
    Gives::Record(&TENANT),
    Run::Apart(|call| Box::pin(close(call))),
);

async fn close(call: Call) -> Result<Answer> {
    let (caller, id) = (&call.caller, call.id()?);
    // A tenant's people do not change its state themselves; the server does it for who manages the tenant.
    let context = match caller.context.plane {
        Plane::Staff if caller.tenant()? == id => caller.acting(id, call.operation.permission)?,
        Plane::Staff => return Err(Error::new(&error::NOT_FOUND)),
        _ => caller.context.clone(),
    };
    let mut scope = caller.kernel.door.open(&context).await?;
    let was = store::lock(&mut scope, &TENANT, id, call.version, &caller.kernel.keys).await?;
    if was.text("slug") != call.text("confirm") {
        return Err(Error::new(&error::INVALID).fault("confirm", "value", "It must be the tenant's slug."));
    }
    if call.text("without_copy").is_none() && scope.optional(&HAS_COPY, &[&was.id]).await?.is_none() {
        let text =
            "Order a copy of all records first (createExportJob, TENANT_FULL) and wait until it is whole, or say why none is needed.";
        return Err(Error::new(&error::CONFLICT).detail(text).fault("without_copy", "copy", "There is no copy of its records to fetch."));
    }
    told(&mut scope, &call);
    let (now, later) = (scope.now(), scope.now() + TimeDelta::days(KEPT_AFTER_CLOSING_DAYS));
    let answer =
        transition(&mut scope, &call, &TENANT, vec![("closed_at", Value::Instant(now)), ("purge_after", Value::Instant(later))]).await?;
    scope.commit().await?;
    Ok(answer)
}

/// The tenant's own log says who stopped or started it, and why.
fn told(scope: &mut Scope, call: &Call) {
    let mut event = audit_store::of(scope.context(), "CONFIG_CHANGED", Action::Execute, Outcome::Success, scope.now());
    event.tenant_id = call.id.unwrap_or(event.tenant_id);
    event.resource_type = Some("Tenant".into());
    event.resource_id = call.id;
    let reason = call.text("reason").or(call.text("without_copy")).unwrap_or_default();
    event.metadata = Metadata::new().text("operation", call.operation.id).text("reason", reason);
    scope.audit(event);
}

pub static CLOSE_LOCATION: Operation = STEPS.on(&[Plane::Staff]).by(Permission::ManageTenant).post(
    "closeLocation",
    "/locations/{id}/close",
    "Close a place for good",
    &[],
    Gives::Record(&LOCATION),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &LOCATION, vec![]))),
);
pub static RETIRE_PLAN: Operation = STEPS.post(
    "retireSubscriptionPlan",
    "/subscription-plans/{id}/retire",
    "Offer a plan no more; running subscriptions go on",
    &[],
    Gives::Record(&SUBSCRIPTION_PLAN),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &SUBSCRIPTION_PLAN, vec![]))),
);
pub static CANCEL_SUBSCRIPTION: Operation = STEPS.on(&[Plane::Staff, Plane::Platform]).by(Permission::ManageBilling).post(
    "cancelTenantSubscription",
    "/tenant-subscriptions/{id}/cancel",
    "Cancel; it runs to its end",
    REASON,
    Gives::Record(&TENANT_SUBSCRIPTION),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let (now, reason) = (scope.now(), call.text("reason").unwrap_or_default().to_owned());
            let columns =
                vec![("cancelled_at", Value::Instant(now)), ("cancel_reason", Value::Text(reason)), ("auto_renew", Value::Bool(false))];
            transition(scope, call, &TENANT_SUBSCRIPTION, columns).await
        })
    }),
);

sql! {
    /// The tenants the caller covers.
    SUBTREE() = "
        select t.id, t.slug, t.name, t.type, t.status, t.parent_tenant_id from tenants t
         where t.id = any ((select sec.tenants(0))::uuid[]) order by t.created_at, t.id";
}

static TREE: &[Field] =
    &[Field::json("tenants").required().doc("id, slug, name, type, status, parent_tenant_id and depth below the asked one")];
pub static GET_SUBTREE: Operation = Operation {
    id: "getTenantSubtree",
    method: Method::Get,
    path: "/tenants/{id}/subtree",
    tag: "Tenancy",
    doc: "The tenants of a subtree with their depth",
    takes: &[],
    gives: Gives::Object("TenantSubtree", TREE),
    planes: &[Plane::Staff],
    permission: Permission::ViewTenant,
    run: Run::Apart(|call| Box::pin(subtree(call))),
};

async fn subtree(call: Call) -> Result<Answer> {
    let root = call.id()?;
    let context = call.caller.reading(&TENANT)?;
    let scope = call.caller.kernel.door.open(&context).await?;
    let answers = scope.once(&[((&SUBTREE).into(), vec![])]).await?;
    let mut nodes = Vec::new();
    for row in answers.iter().flatten() {
        let (id, parent): (uuid::Uuid, Option<uuid::Uuid>) = (row.try_get(0)?, row.try_get(5)?);
        let words = [row.try_get::<_, String>(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?];
        nodes.push((id, parent, words));
    }
    let depth_of = |mut id: uuid::Uuid| {
        let mut depth = 0;
        while id != root {
            let (_, parent, _) = nodes.iter().find(|(node, ..)| *node == id)?;
            id = (*parent)?;
            depth += 1;
        }
        Some(depth)
    };
    let tree: Vec<_> = nodes
        .iter()
        .filter_map(|(id, parent, [slug, name, kind, status])| {
            let depth = depth_of(*id)?;
            Some(json!({"id": id, "slug": slug, "name": name, "type": kind, "status": status, "parent_tenant_id": parent, "depth": depth}))
        })
        .collect();
    // Who sees only what stands below it does not see the tree.
    if !nodes.iter().any(|(id, ..)| *id == root) {
        return Err(Error::new(&error::NOT_FOUND));
    }
    Ok(Answer::Object([("tenants".to_owned(), tree.into())].into_iter().collect()))
}
