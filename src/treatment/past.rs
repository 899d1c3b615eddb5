//! What a plan was: its frozen revisions and every change of it (catalogue 9.06, 9.09).

use super::treatment_plan::TREATMENT_PLAN;
use super::treatment_plan_revision::TREATMENT_PLAN_REVISION;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::value::instant_text;
use crate::kernel::table::{Field, Width, record, store};
use crate::sql;
use serde_json::{Value as Json, json};
use tokio_postgres::types::Type;
use uuid::Uuid;

pub static REVISIONS: Operation = Operation {
    id: "listRevisionsOfTreatmentPlan",
    method: Method::Get,
    path: "/treatment-plans/{id}/revisions",
    tag: "Treatment plans",
    doc: "The revisions that were presented, of this plan and those it supersedes or is superseded by, newest first, with their hash \
          (SHA-256 over the content as PostgreSQL prints jsonb)",
    takes: &[],
    gives: Gives::Page(&TREATMENT_PLAN_REVISION),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewTreatment,
    run: Run::Apart(|call| Box::pin(revisions(call))),
};

/// Plans linked by supersedes_id, in both directions; $1 tenant, $2 plan.
const LINKED: &str = "
    with recursive linked as (
        select p.tenant_id, p.id, p.supersedes_id from treatment_plans p where p.tenant_id = $1 and p.id = $2
        union
        select p.tenant_id, p.id, p.supersedes_id from treatment_plans p join linked l
            on p.tenant_id = l.tenant_id and (p.id = l.supersedes_id or p.supersedes_id = l.id))";

async fn revisions(call: Call) -> Result<Answer> {
    let (caller, keys) = (&call.caller, &call.caller.kernel.keys);
    let context = caller.reading(&TREATMENT_PLAN)?;
    let mut scope = caller.kernel.door.open(&context).await?;
    let plan = store::seen(&mut scope, &TREATMENT_PLAN, call.id()?, keys).await?;
    let columns = record::columns(&TREATMENT_PLAN_REVISION, context.plane, Width::Full);
    let sql = format!(
        "{LINKED} select {columns} from treatment_plan_revisions r join linked l on r.tenant_id = l.tenant_id and r.plan_id = l.id \
         order by r.revision_no desc limit 200"
    );
    let rows = scope.rows_once(&sql, &[(&plan.tenant, Type::UUID), (&plan.id, Type::UUID)]).await?;
    scope.commit().await?;
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        records.push(record::decode(&TREATMENT_PLAN_REVISION, context.plane, Width::Full, row, keys).await?);
    }
    caller.searched(&context, &TREATMENT_PLAN_REVISION, &records).await?;
    Ok(Answer::Page(records, None))
}

sql! {
    /// $1 plan.
    PLAN_HISTORY(UUID) = "
        select occurred_at, table_name, record_id, action, record_version, changed_fields, old_values, new_values, user_id
          from sec.plan_history($1)";
}

static CHANGES: &[Field] = &[Field::json("changes").required().doc(
    "oldest first: occurred_at, resource (treatment_plans or treatment_plan_items), resource_id, action, version, changed_fields, \
     old_values and new_values of those fields, user_id",
)];

pub static HISTORY: Operation = Operation {
    id: "getTreatmentPlanHistory",
    method: Method::Get,
    path: "/treatment-plans/{id}/history",
    tag: "Treatment plans",
    doc: "Every change of the plan and its items, with who made it",
    takes: &[],
    gives: Gives::Object("TreatmentPlanHistory", CHANGES),
    planes: &[Plane::Staff],
    permission: Permission::ViewTreatment,
    run: Run::Apart(|call| Box::pin(history(call))),
};

async fn history(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let mut scope = caller.kernel.door.open(&caller.context).await?;
    let plan = store::seen(&mut scope, &TREATMENT_PLAN, call.id()?, &caller.kernel.keys).await?;
    let rows = scope.rows(&PLAN_HISTORY, &[&plan.id]).await?;
    scope.commit().await?;
    caller.saw(&caller.context, &plan).await?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let (table, action): (&str, &str) = (row.try_get(1)?, row.try_get(3)?);
        let (id, user): (Uuid, Option<Uuid>) = (row.try_get(2)?, row.try_get(8)?);
        let (fields, old, new): (Vec<String>, Option<Json>, Option<Json>) = (row.try_get(5)?, row.try_get(6)?, row.try_get(7)?);
        changes.push(json!({
            "occurred_at": instant_text(row.try_get(0)?), "resource": table, "resource_id": id, "action": action,
            "version": row.try_get::<_, i64>(4)?, "changed_fields": fields, "old_values": old, "new_values": new, "user_id": user,
        }));
    }
    Ok(Answer::Object([("changes".to_owned(), Json::Array(changes))].into_iter().collect()))
}
