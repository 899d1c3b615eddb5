//! What a plan will cost the patient, with every step of the sum (catalogue 9.03, 9.04). Nothing is stored.

use super::treatment_plan::TREATMENT_PLAN;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, store};
use crate::sql;
use serde_json::{Value as Json, json};
use tokio_postgres::Row;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 plan.
    PRICED_ITEMS(UUID, UUID) = "
        select i.id, i.estimated_fee_minor, i.estimated_write_off_minor, i.estimated_insurance_minor, c.category
          from treatment_plan_items i left join procedure_catalog c on c.tenant_id = i.tenant_id and c.id = i.catalog_id
         where i.tenant_id = $1 and i.plan_id = $2 and i.deleted_at is null and i.status not in ('DECLINED', 'CANCELLED')
         order by i.phase, i.sequence_order, i.id";
    /// $1 tenant, $2 patient, $3 currency of the plan.
    FIRST_POLICY(UUID, UUID, TEXT) = "
        select benefit_rules -> 'percent', deductible_minor, annual_maximum_minor from patient_insurance_policies
         where tenant_id = $1 and patient_id = $2 and currency = $3 and status = 'ACTIVE' and deleted_at is null
           and (coverage_start is null or coverage_start <= current_date) and (coverage_end is null or coverage_end >= current_date)
         order by array_position(array['PRIMARY', 'SECONDARY', 'TERTIARY'], coverage_order) limit 1";
}

static ESTIMATE_FIELDS: &[Field] = &[
    Field::text("currency").required(),
    Field::big("fee_minor").required().doc("unit: minor currency unit"),
    Field::big("write_off_minor").required().doc("unit: minor currency unit"),
    Field::big("insurance_minor").required().doc("unit: minor currency unit"),
    Field::big("patient_portion_minor").required().doc("unit: minor currency unit"),
    Field::json("items").required().doc("the same for each item, with the steps of its sum"),
];

pub static ESTIMATE: Operation = Operation {
    id: "estimateTreatmentPlan",
    method: Method::Post,
    path: "/treatment-plans/{id}/estimate",
    tag: "Treatment plans",
    doc: "Fee, write-off, insurance and patient portion, with the trace of the calculation. A policy's benefit_rules.percent gives the part \
          of each category that it pays (`*` for all others), after its deductible and up to its annual maximum",
    takes: &[],
    gives: Gives::Object("TreatmentPlanEstimate", ESTIMATE_FIELDS),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewTreatment,
    run: Run::Inside(|scope, call| Box::pin(estimate(scope, call))),
};

async fn estimate(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let plan = store::seen(scope, &TREATMENT_PLAN, call.id()?, &call.caller.kernel.keys).await?;
    let rows = scope.rows(&PRICED_ITEMS, &[&plan.tenant, &plan.id]).await?;
    let items = rows.iter().map(Priced::read).collect::<Result<Vec<_>>>()?;
    if items.is_empty() {
        return Err(Error::new(&error::INVALID).fault("treatment_details", "priced", "The plan has no item with a price."));
    }
    let (patient, currency) = (plan.uuid("patient_id"), plan.text("currency").unwrap_or_default());
    let policy = scope.optional(&FIRST_POLICY, &[&plan.tenant, &patient, &currency]).await?;
    let cover = policy.as_ref().map(Cover::read).transpose()?.flatten();
    scope.did(Action::Read, &plan);
    let lines = sums(&items, cover);
    let total = |part: fn(&Line) -> i64| lines.iter().map(part).fold(0i64, i64::saturating_add);
    let answer = json!({
        "currency": currency,
        "fee_minor": total(|line| line.fee),
        "write_off_minor": total(|line| line.write_off),
        "insurance_minor": total(|line| line.insurance),
        "patient_portion_minor": total(|line| line.portion),
        "items": lines.iter().map(Line::json).collect::<Vec<_>>(),
    });
    match answer {
        Json::Object(members) => Ok(Answer::Object(members)),
        _ => Err(Error::internal("an estimate is an object")),
    }
}

#[derive(Debug, Clone)]
struct Priced {
    id: Uuid,
    fee: i64,
    write_off: i64,
    /// What the plan itself expects of an insurer; counts when there is no policy to reckon with.
    expected: i64,
    category: Option<String>,
}

impl Priced {
    fn read(row: &Row) -> Result<Priced> {
        let (id, fee, write_off, expected, category) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        Ok(Priced { id, fee, write_off, expected, category })
    }
}

/// What a policy pays: parts in percent by category, once its deductible is used up and until its maximum is.
#[derive(Debug, Clone)]
struct Cover {
    percent: Vec<(String, i64)>,
    deductible: i64,
    left: i64,
}

impl Cover {
    /// None when the policy says no percentages.
    fn read(row: &Row) -> Result<Option<Cover>> {
        let rules: Option<Json> = row.try_get(0)?;
        let (deductible, most): (Option<i64>, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
        let percent = rules
            .as_ref()
            .and_then(Json::as_object)
            .map(|rules| rules.iter().filter_map(|(category, part)| Some((category.clone(), part.as_i64()?.clamp(0, 100)))).collect());
        Ok(percent.map(|percent| Cover { percent, deductible: deductible.unwrap_or(0).max(0), left: most.unwrap_or(i64::MAX).max(0) }))
    }

    fn percent_of(&self, category: Option<&str>) -> i64 {
        let part = |name: &str| self.percent.iter().find(|(held, _)| held == name).map(|(_, part)| *part);
        category.and_then(part).or_else(|| part("*")).unwrap_or(0)
    }
}

#[derive(Debug, PartialEq)]
struct Line {
    id: Uuid,
    fee: i64,
    write_off: i64,
    insurance: i64,
    portion: i64,
    steps: Vec<(&'static str, i64)>,
}

impl Line {
    fn json(&self) -> Json {
        let trace: Vec<Json> = self.steps.iter().map(|(step, value)| json!({"step": step, "value": value})).collect();
        json!({"item_id": self.id, "fee_minor": self.fee, "write_off_minor": self.write_off, "insurance_minor": self.insurance,
               "patient_portion_minor": self.portion, "trace": trace})
    }
}

/// Item by item, in the order of the plan: an earlier item uses up the deductible and the maximum first.
fn sums(items: &[Priced], mut cover: Option<Cover>) -> Vec<Line> {
    items.iter().map(|item| line(item, cover.as_mut())).collect()
}

fn line(item: &Priced, cover: Option<&mut Cover>) -> Line {
    let write_off = item.write_off.clamp(0, item.fee);
    let charged = item.fee - write_off;
    let mut steps = vec![("fee_minor", item.fee), ("write_off_minor", write_off), ("charged_minor", charged)];
    let insurance = match cover {
        None => item.expected.clamp(0, charged),
        Some(cover) => {
            let percent = cover.percent_of(item.category.as_deref());
            let deductible = if percent > 0 { cover.deductible.min(charged) } else { 0 };
            let paid = part_of(charged - deductible, percent).min(cover.left);
            cover.deductible -= deductible;
            cover.left -= paid;
            steps.extend([("deductible_minor", deductible), ("percent", percent), ("maximum_left_minor", cover.left)]);
            paid
        }
    };
    steps.extend([("insurance_minor", insurance), ("patient_portion_minor", charged - insurance)]);
    Line { id: item.id, fee: item.fee, write_off, insurance, portion: charged - insurance, steps }
}

/// Percent of an amount, half a minor unit rounded up.
fn part_of(amount: i64, percent: i64) -> i64 {
    let exact = i128::from(amount) * i128::from(percent);
    i64::try_from((exact + 50) / 100).unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(fee: i64, write_off: i64, category: &str) -> Priced {
        Priced { id: Uuid::nil(), fee, write_off, expected: fee / 4, category: Some(category.to_owned()) }
    }
    fn cover(deductible: i64, left: i64) -> Cover {
        Cover { percent: vec![("PREVENTIVE".into(), 100), ("*".into(), 50)], deductible, left }
    }
    fn portions(items: &[Priced], cover: Option<Cover>) -> Vec<(i64, i64)> {
        sums(items, cover).iter().map(|line| (line.insurance, line.portion)).collect()
    }

    #[test]
    fn the_deductible_comes_first_and_the_maximum_ends_it() {
        let items = [item(10_000, 1_000, "PREVENTIVE"), item(30_000, 0, "RESTORATIVE"), item(50_001, 0, "RESTORATIVE")];
        assert_eq!(portions(&items, Some(cover(5_000, i64::MAX))), [(4_000, 5_000), (15_000, 15_000), (25_001, 25_000)]);
        assert_eq!(portions(&items, Some(cover(0, 20_000))), [(9_000, 0), (11_000, 19_000), (0, 50_001)]);
        assert_eq!(portions(&items, None), [(2_500, 6_500), (7_500, 22_500), (12_500, 37_501)]);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole(
            prices in prop::collection::vec((0i64..=i64::MAX / 8, 0i64..=1_000_000), 1..6),
            deductible in 0i64..=1_000_000, most in 0i64..=10_000_000_000,
        ) {
            let items: Vec<_> = prices.iter().map(|(fee, off)| item(*fee, *off, "X")).collect();
            let lines = sums(&items, Some(cover(deductible, most)));
            for line in &lines {
                prop_assert_eq!(line.write_off + line.insurance + line.portion, line.fee);
                prop_assert!(line.write_off >= 0 && line.insurance >= 0 && line.portion >= 0);
            }
            prop_assert!(lines.iter().map(|line| i128::from(line.insurance)).sum::<i128>() <= i128::from(most));
        }
    }
}
