//! The clinic's side of a plan: present, revise, cancel; and its items (catalogue 9.05–9.07, C-T). What follows a move
//! (the frozen revision, the notices, the quote's events) is done by triggers, whoever makes it.

use super::answered::told;
use super::treatment_plan::TREATMENT_PLAN;
use super::treatment_plan_item::TREATMENT_PLAN_ITEM;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;

const REASON: &[Field] = &[Field::text("reason").required().length(1_000)];

const STEPS: Steps = Steps { tag: "Treatment plans", planes: &[Plane::Staff], permission: Permission::EditTreatment };

pub static PRESENT: Operation = STEPS.post(
    "presentTreatmentPlan",
    "/treatment-plans/{id}/present",
    "Show a draft to the patient: its revision is frozen with a hash",
    &[],
    Gives::Record(&TREATMENT_PLAN),
    Run::Inside(|scope, call| Box::pin(moved(scope, call))),
);

pub static CANCEL: Operation = STEPS.post(
    "cancelTreatmentPlan",
    "/treatment-plans/{id}/cancel",
    "End a plan: open items and payments that were only asked for are cancelled; what was paid stays for people to decide",
    REASON,
    Gives::Record(&TREATMENT_PLAN),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let answer = moved(scope, call).await?;
            if let Answer::Record(plan) = &answer {
                told(scope, call, plan);
            }
            Ok(answer)
        })
    }),
);

/// A plain move, and the plan as it is after what follows from it.
async fn moved(scope: &mut Scope, call: &Call) -> Result<Answer> {
    transition(scope, call, &TREATMENT_PLAN, vec![]).await?;
    Ok(Answer::Record(store::seen(scope, &TREATMENT_PLAN, call.id()?, &call.caller.kernel.keys).await?))
}

pub static REVISE: Operation = STEPS.post(
    "reviseTreatmentPlan",
    "/treatment-plans/{id}/revise",
    "Begin the next revision as a draft; this one is superseded. An item that is changed in the draft has to be accepted anew",
    &[],
    Gives::Created(&TREATMENT_PLAN),
    Run::Inside(|scope, call| Box::pin(revise(scope, call))),
);

sql! {
    /// $1 tenant, $2 the superseded plan, $3 its next revision. What was refused or cancelled is not offered again by
    /// itself; what was accepted says so until it is changed.
    COPY_ITEMS(UUID, UUID, UUID) = "
        with old as (
            select i.*, gen_random_uuid() as next_id from treatment_plan_items i
             where i.tenant_id = $1 and i.plan_id = $2 and i.deleted_at is null and i.status in ('PROPOSED', 'ACCEPTED'))
        insert into treatment_plan_items (tenant_id, id, plan_id, patient_id, catalog_id, code_system, cdt_code, code_version, description,
               tooth_number, tooth_system, oral_area, surface, phase, sequence_order, quantity, option_group, depends_on_item_id, currency,
               estimated_fee_minor, estimated_write_off_minor, estimated_insurance_minor, estimated_patient_portion_minor, estimate_trace,
               fee_schedule_id, provider_id, accepted_at, accepted_by, acceptance_method, signature_document_id, clinic_treatment_id, notes)
        select o.tenant_id, o.next_id, $3, o.patient_id, o.catalog_id, o.code_system, o.cdt_code, o.code_version, o.description,
               o.tooth_number, o.tooth_system, o.oral_area, o.surface, o.phase, o.sequence_order, o.quantity, o.option_group,
               (select d.next_id from old d where d.id = o.depends_on_item_id), o.currency, o.estimated_fee_minor,
               o.estimated_write_off_minor, o.estimated_insurance_minor, o.estimated_patient_portion_minor, o.estimate_trace,
               o.fee_schedule_id, o.provider_id, o.accepted_at, o.accepted_by, o.acceptance_method, o.signature_document_id,
               o.clinic_treatment_id, o.notes
          from old o";
}

/// Columns of a plan that its next revision begins with.
const KEPT: &[&str] = &[
    "patient_id",
    "title",
    "provider_id",
    "location_id",
    "currency",
    "notes",
    "internal_notes",
    "source_quote_id",
    "consultation_appointment_id",
    "expires_on",
];

async fn revise(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let Answer::Record(was) = transition(scope, call, &TREATMENT_PLAN, vec![]).await? else {
        return Err(Error::internal("a move gives its record"));
    };
    let mut draft = Draft::default().set(&TREATMENT_PLAN, "supersedes_id", Value::Uuid(was.id))?;
    for name in KEPT {
        draft = draft.set(&TREATMENT_PLAN, name, held(&was, name)?)?;
    }
    let next = store::insert(scope, &TREATMENT_PLAN, &draft, keys).await?;
    scope.exec(&COPY_ITEMS, &[&was.tenant, &was.id, &next.id]).await?;
    Ok(Answer::Record(store::again(scope, &next, keys).await?))
}

/// A value as the record holds it, ready to be stored again.
fn held(record: &Record, name: &str) -> Result<Value> {
    let field = record.table.field(name).ok_or_else(|| Error::internal(format!("{} has no field {name}", record.table.name)))?;
    crate::kernel::table::value::parse(field, record.get(name))
        .map_err(|(rule, _)| Error::internal(format!("{name} was stored against {rule}")))
}

pub static CANCEL_ITEM: Operation = STEPS.post(
    "cancelTreatmentPlanItem",
    "/treatment-plan-items/{id}/cancel",
    "Take one item out of a plan; the plan's totals and state follow",
    REASON,
    Gives::Record(&TREATMENT_PLAN_ITEM),
    Run::Inside(|scope, call| Box::pin(cancel_item(scope, call))),
);

/// The plan is locked before its item, as everywhere: so no two changes of one plan wait for each other in a ring.
async fn cancel_item(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let item = store::seen(scope, &TREATMENT_PLAN_ITEM, call.id()?, keys).await?;
    let plan = item.uuid("plan_id").ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    store::lock(scope, &TREATMENT_PLAN, plan, None, keys).await?;
    transition(scope, call, &TREATMENT_PLAN_ITEM, vec![]).await?;
    let item = store::again(scope, &item, keys).await?;
    told(scope, call, &item);
    Ok(Answer::Record(item))
}
