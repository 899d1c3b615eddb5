//! The treatment plan in the words of a requirement text (catalogue 9.02, C21, C22, C58, C-T).

use super::plan::PRESENT;
use super::treatment_plan::TREATMENT_PLAN;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::form::Broken;
use crate::kernel::table::projection::{Name, Projection, Step};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use futures_util::future::BoxFuture;
use serde_json::{Value as Json, json};
use tokio_postgres::types::Type;

/// ISO 4217's decimals, where they are not two.
const TOTAL: &str = "select round(r.total_estimated_cost_minor / 10::numeric ^ d, d)::text || ' ' || r.currency from (select case
    when r.currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 0
    when r.currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3 else 2 end as d) x";

pub static PORTAL_TREATMENT_PLAN: Projection = Projection::new(
    &TREATMENT_PLAN,
    "PatientPortalTreatmentPlan",
    "PatientPortalTreatmentPlans",
    "/projections/patient-portal/treatment-plans",
    &[
        Name::of("treatment_plan_id", "id"),
        Name::same("patient_id"),
        Name::same("clinic_id"),
        Name::of("created_by", "created_by_party").words(&[("Patient", "PATIENT"), ("Clinic", "CLINIC")]),
        Name::same("status")
            .words(&[
                ("Draft", "DRAFT"),
                ("Finalised", "PRESENTED"),
                ("Finalised", "ACCEPTED"),
                ("Finalised", "PARTIALLY_ACCEPTED"),
                ("Finalised", "DECLINED"),
                ("In Treatment", "IN_TREATMENT"),
                ("Completed", "COMPLETED"),
            ])
            .moves(&[Step { to: "PRESENTED", by: &[&PRESENT], with: &[] }])
            .doc("In Treatment and Completed follow from the procedures; plans that were called off or replaced are not shown"),
        Name::sql(
            Field::text("outcome")
                .computed(
                    "case r.status when 'ACCEPTED' then 'accepted' when 'PARTIALLY_ACCEPTED' then 'partially accepted'
                           when 'DECLINED' then 'declined' end",
                )
                .doc("not one of the text's: what became of a finalised plan"),
        ),
        Name::same("treatment_details").split(selected, &["treatment_details"]).doc("objects, or the plain names of treatments"),
        Name::sql(
            Field::text("estimated_total_cost")
                .phi()
                .length(300)
                .computed(TOTAL)
                .doc("the sum of the treatments; another text is kept as a note, another number refused"),
        )
        .after(say_total),
        Name::same("notes"),
        Name::of("last_updated", "updated_at"),
    ],
)
.fills(&[("currency", "select default_currency from tenants where id = $1")]);

/// A plain name is a treatment of that description.
fn selected(json: &Json) -> Result<Vec<(&'static str, Json)>, Broken> {
    let items = json.as_array().ok_or(("type", "It must be a list.".to_owned()))?;
    let items = items.iter().map(|item| if item.is_string() { json!({"description": item}) } else { item.clone() });
    Ok(vec![("treatment_details", items.collect())])
}

fn say_total<'a>(scope: &'a mut Scope, plan: &'a Record, value: &'a Value, keys: &'a Keyring) -> BoxFuture<'a, Result<()>> {
    Box::pin(keep_total(scope, plan, value, keys))
}

/// Totals are sums of items. What a text says instead is told to people; a number that is not the sum would be a second truth.
async fn keep_total(scope: &mut Scope, plan: &Record, value: &Value, keys: &Keyring) -> Result<()> {
    let Value::Text(said) = value else { return Ok(()) };
    let was = store::lock(scope, &TREATMENT_PLAN, plan.id, None, keys).await?;
    let sql = format!("select ({TOTAL}) from treatment_plans r where r.tenant_id = $1 and r.id = $2");
    let rows = scope.rows_once(&sql, &[(&plan.tenant, Type::UUID), (&plan.id, Type::UUID)]).await?;
    let total: String = rows.first().ok_or_else(|| Error::new(&error::NOT_FOUND))?.try_get(0)?;
    let number = |text: &str| text.trim().trim_end_matches(|c: char| c.is_ascii_uppercase() || c == ' ').parse::<f64>().ok();
    match number(said) {
        Some(amount) if number(&total) == Some(amount) => Ok(()),
        Some(_) => Err(Error::new(&error::INVALID).fault("estimated_total_cost", "sum", "It is not the sum of the treatments.")),
        None => {
            let notes = [was.text("notes"), Some(said)].into_iter().flatten().collect::<Vec<_>>().join("\n");
            let mut body = serde_json::Map::new();
            body.insert("notes".to_owned(), notes.into());
            store::update(scope, &was, &Draft::patch(&TREATMENT_PLAN, &body)?, "update", keys).await.map(|_| ())
        }
    }
}
