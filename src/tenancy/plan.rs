//! What a subscription brings: its limits and features, its change, and how much of the limits is used (catalogue 1.16–1.18).

use super::subscription_plan::SUBSCRIPTION_PLAN;
use super::tenant_quota::TENANT_QUOTA;
use super::tenant_subscription::TENANT_SUBSCRIPTION;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;
use serde_json::json;

sql! {
    /// $1 subscription. Only the security role writes a tenant's limits; it reads the plan from the running subscription.
    APPLY_PLAN(UUID) = "select sec.apply_plan($1)";
    /// $1 tenant.
    QUOTA_USAGE(UUID) = "select quota, most, used from sec.quota_usage($1)";
}

pub static ACTIVATE: Operation = Operation {
    id: "activateTenantSubscription",
    method: Method::Post,
    path: "/tenant-subscriptions/{id}/activate",
    tag: "Tenancy",
    doc: "End the trial and begin to pay; the plan's limits and features apply",
    takes: &[],
    gives: Gives::Record(&TENANT_SUBSCRIPTION),
    planes: &[Plane::Staff, Plane::Platform],
    permission: Permission::ManageBilling,
    run: Run::Inside(|scope, call| Box::pin(activate(scope, call))),
};

async fn activate(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let answer = transition(scope, call, &TENANT_SUBSCRIPTION, vec![("is_trial", Value::Bool(false))]).await?;
    scope.exec(&APPLY_PLAN, &[&call.id()?]).await?;
    Ok(answer)
}

pub static CHANGE_PLAN: Operation = Operation {
    id: "changeTenantSubscriptionPlan",
    method: Method::Post,
    path: "/tenant-subscriptions/{id}/change-plan",
    tag: "Tenancy",
    doc: "End this subscription now and begin one of another plan; its limits and features apply at once",
    takes: &[
        Field::uuid("plan_id").required(),
        Field::choice("billing_cycle", &["MONTHLY", "YEARLY"]).means(&["by the month", "by the year"]).doc("as before when left out"),
        Field::int("seats").at_least(1).doc("the plan's when left out"),
    ],
    gives: Gives::Created(&TENANT_SUBSCRIPTION),
    planes: &[Plane::Staff, Plane::Platform],
    permission: Permission::ManageBilling,
    run: Run::Inside(|scope, call| Box::pin(change_plan(scope, call))),
};

async fn change_plan(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &TENANT_SUBSCRIPTION, call.id()?, call.version, keys).await?;
    let now = Value::Instant(scope.now());
    let state = was.text("status").unwrap_or_default();
    if let (true, Some(machine)) = (state != "ACTIVE", TENANT_SUBSCRIPTION.machines.first()) {
        return Err(store::refuse_move(machine, state));
    }
    let plan = offered(scope, call).await?;
    let ended = Draft::default()
        .set(&TENANT_SUBSCRIPTION, "status", Value::Text("EXPIRED".into()))?
        .set(&TENANT_SUBSCRIPTION, "end_at", now.clone())?
        .set(&TENANT_SUBSCRIPTION, "auto_renew", Value::Bool(false))?;
    store::update(scope, &was, &ended, "system", keys).await?;
    let cycle = call.text("billing_cycle").or(was.text("billing_cycle")).unwrap_or("MONTHLY").to_owned();
    let mut next = Draft::default()
        .set(&TENANT_SUBSCRIPTION, "plan_id", Value::Uuid(plan.id))?
        .set(&TENANT_SUBSCRIPTION, "start_at", now)?
        .set(&TENANT_SUBSCRIPTION, "billing_cycle", Value::Text(cycle))?
        .set(&TENANT_SUBSCRIPTION, "auto_renew", Value::Bool(was.flag("auto_renew")))?;
    if let Some(seats) = call.value("seats") {
        next = next.set(&TENANT_SUBSCRIPTION, "seats", seats.clone())?;
    }
    let begun = store::insert(scope, &TENANT_SUBSCRIPTION, &next, keys).await?;
    scope.exec(&APPLY_PLAN, &[&begun.id]).await?;
    Ok(Answer::Record(begun))
}

/// The plan asked for, when it is still offered.
async fn offered(scope: &mut Scope, call: &Call) -> Result<Record> {
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault("plan_id", "reference", "There is no such plan on offer.");
    let id = call.uuid("plan_id").ok_or_else(unknown)?;
    let plan = store::seen(scope, &SUBSCRIPTION_PLAN, id, &call.caller.kernel.keys).await.map_err(|_| unknown())?;
    if plan.text("status") == Some("ACTIVE") { Ok(plan) } else { Err(unknown()) }
}

static USAGE: &[Field] = &[
    Field::uuid("tenant_id").required(),
    Field::json("limits").required().doc("limit, most (null: unlimited) and used (null: counted elsewhere), one line each"),
];

pub static QUOTA_USE: Operation = Operation {
    id: "getTenantQuotaUsage",
    method: Method::Get,
    path: "/tenant-quotas/{id}/usage",
    tag: "Tenancy",
    doc: "What is used now, beside each limit",
    takes: &[],
    gives: Gives::Object("TenantQuotaUsage", USAGE),
    planes: &[Plane::Staff, Plane::Platform],
    permission: Permission::ViewTenant,
    run: Run::Apart(|call| Box::pin(quota_use(call))),
};

async fn quota_use(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&TENANT_QUOTA)?;
    let mut scope = caller.kernel.door.open(&context).await?;
    let quota = store::seen(&mut scope, &TENANT_QUOTA, call.id()?, &caller.kernel.keys).await?;
    let rows = scope.rows(&QUOTA_USAGE, &[&quota.tenant]).await?;
    scope.commit().await?;
    caller.saw(&context, &quota).await?;
    let mut limits = Vec::with_capacity(rows.len());
    for row in &rows {
        let (limit, most, used): (String, Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        limits.push(json!({"limit": limit, "most": most, "used": used}));
    }
    Ok(Answer::Object([("tenant_id".to_owned(), json!(quota.tenant)), ("limits".to_owned(), limits.into())].into_iter().collect()))
}
