//! Reports counted from the records themselves: referrals by month, use of chairs, acceptance of plans (catalogue 15.16).

use super::analytics_rollup::ANALYTICS_ROLLUP;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Sql;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Value};
use crate::sql;
use chrono::{NaiveDate, TimeDelta};
use serde_json::{Value as Json, json};
use tokio_postgres::Row;

const DAYS_MAX: i64 = 366 * 2;

sql! {
    /// $1 from, $2 to. Months as the tenant's own clock has them.
    REFERRALS(DATE, DATE) = "
        select to_char(made.day, 'YYYY-MM'), r.referral_type, count(*), count(*) filter (where r.status = 'COMPLETED')
          from referrals r
          join tenants t on t.id = r.tenant_id
          cross join lateral (select (coalesce(r.sent_at, r.created_at) at time zone t.time_zone)::date as day) made
         where r.tenant_id = any ((select sec.tenants(0))::uuid[]) and r.status <> 'DRAFT' and made.day >= $1 and made.day < $2
         group by 1, 2 order by 1, 2";
    /// $1 from, $2 to. Open is when a provider is there: weekly hours and extra ones, less what is blocked or closed.
    CHAIRS(DATE, DATE) = "
        with place as (
            select l.tenant_id, l.id, l.name, l.time_zone, tstzrange($1::timestamp at time zone l.time_zone, $2::timestamp at time zone l.time_zone) as span
              from locations l where l.tenant_id = any ((select sec.tenants(0))::uuid[]) and l.deleted_at is null),
        day as (select d::date as day from generate_series($1::timestamp, $2::timestamp - interval '1 day', interval '1 day') d),
        block as (
            select b.tenant_id, coalesce(b.location_id, o.location_id) as location_id, b.provider_id, b.kind, d.day,
                   coalesce(b.start_time, '00:00') as begins, coalesce(b.end_time, '24:00') as ends
              from availability_blocks b
              left join operatories o on o.tenant_id = b.tenant_id and o.id = b.operatory_id
              join day d on case when b.day_of_week is null then d.day = b.exception_date else extract(isodow from d.day) = b.day_of_week end
                   and coalesce(d.day >= b.valid_from, true) and coalesce(d.day <= b.valid_until, true)
             where b.deleted_at is null),
        open as (
            select p.tenant_id, p.id, b.provider_id,
                   range_agg(tstzrange((b.day + b.begins) at time zone p.time_zone, (b.day + b.ends) at time zone p.time_zone)) as hours
              from place p join block b on b.tenant_id = p.tenant_id and b.location_id = p.id and b.kind <> 'BLOCKED' group by 1, 2, 3),
        shut as (
            select p.tenant_id, p.id, b.provider_id,
                   range_agg(tstzrange((b.day + b.begins) at time zone p.time_zone, (b.day + b.ends) at time zone p.time_zone)) as hours
              from place p join block b on b.tenant_id = p.tenant_id and coalesce(b.location_id, p.id) = p.id and b.kind = 'BLOCKED' group by 1, 2, 3),
        closed as (
            select p.tenant_id, p.id, range_agg(tstzrange(c.starts_at, c.ends_at)) as hours
              from place p join schedule_closures c on c.tenant_id = p.tenant_id and coalesce(c.location_id, p.id) = p.id
             where c.deleted_at is null group by 1, 2),
        opened as (
            select o.tenant_id, o.id, sum(extract(epoch from upper(h) - lower(h)) / 60)::bigint as minutes
              from open o
              left join shut s using (tenant_id, id, provider_id)
              left join closed c using (tenant_id, id)
              cross join lateral unnest(o.hours - coalesce(s.hours, '{}') - coalesce(c.hours, '{}')) h
             group by 1, 2),
        booked as (
            select p.tenant_id, p.id, count(*) as appointments, sum(a.duration_minutes)::bigint as minutes
              from place p join appointments a on a.tenant_id = p.tenant_id and a.location_id = p.id and a.start_at <@ p.span
             where a.status not in ('HELD', 'CANCELLED', 'NO_SHOW') group by 1, 2)
        select p.id, p.name, coalesce(b.appointments, 0), coalesce(b.minutes, 0), coalesce(o.minutes, 0)
          from place p left join booked b using (tenant_id, id) left join opened o using (tenant_id, id)
         where b.minutes is not null or o.minutes is not null order by p.name, p.id";
    /// $1 from, $2 to. Accepted is what patients took of it, also in part.
    PLANS(DATE, DATE) = "
        select p.currency, count(*), sum(p.total_estimated_cost_minor)::bigint, count(*) filter (where p.accepted_at is not null),
               coalesce(sum(case when p.accepted_at is null then 0 when p.status = 'PARTIALLY_ACCEPTED' then taken.minor
                                 else p.total_estimated_cost_minor end), 0)::bigint
          from treatment_plans p
          join tenants t on t.id = p.tenant_id
          cross join lateral (
              select coalesce(sum(i.estimated_fee_minor * i.quantity), 0)::bigint as minor from treatment_plan_items i
               where i.tenant_id = p.tenant_id and i.plan_id = p.id and i.deleted_at is null
                 and i.status in ('ACCEPTED', 'SCHEDULED', 'IN_PROGRESS', 'COMPLETED')) taken
         where p.tenant_id = any ((select sec.tenants(0))::uuid[]) and p.status <> 'SUPERSEDED'
           and (p.presented_at at time zone t.time_zone)::date >= $1 and (p.presented_at at time zone t.time_zone)::date < $2
         group by 1 order by 1";
}

static SPAN: &[Field] = &[Field::date("from").required(), Field::date("to").required().doc("not included; at most two years later")];

const fn view(id: &'static str, path: &'static str, doc: &'static str, gives: Gives, run: Run) -> Operation {
    Operation {
        id,
        method: Method::Get,
        path,
        tag: "Analytics",
        doc,
        takes: SPAN,
        gives,
        planes: &[Plane::Staff],
        permission: Permission::ViewAnalytics,
        run,
    }
}

pub static REFERRALS_PER_MONTH: Operation = view(
    "getReferralsPerMonth",
    "/analytics-rollups/referrals-per-month",
    "Referrals by month and direction; needs view_referral too",
    Gives::Object("ReferralsPerMonth", &[Field::json("months").required().doc("month, referral_type, count and completed, one line each")]),
    Run::Apart(|call| {
        Box::pin(async move {
            let rows = counted(&call, Permission::ViewReferral, &REFERRALS).await?;
            told("months", &rows, |row| {
                let (month, kind): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
                let (count, completed): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
                Ok(json!({"month": month, "referral_type": kind, "count": count, "completed": completed}))
            })
        })
    }),
);
pub static CHAIR_UTILISATION: Operation = view(
    "getChairUtilisation",
    "/analytics-rollups/chair-utilisation",
    "Booked over open hours by location; needs view_schedule too",
    Gives::Object(
        "ChairUtilisation",
        &[Field::json("locations").required().doc("location_id, name, appointments, booked_minutes, open_minutes, utilisation")],
    ),
    Run::Apart(|call| {
        Box::pin(async move {
            let rows = counted(&call, Permission::ViewSchedule, &CHAIRS).await?;
            told("locations", &rows, |row| {
                let (id, name): (uuid::Uuid, &str) = (row.try_get(0)?, row.try_get(1)?);
                let (appointments, booked, open): (i64, i64, i64) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
                Ok(json!({
                    "location_id": id, "name": name, "appointments": appointments, "booked_minutes": booked, "open_minutes": open,
                    "utilisation": share(booked, open),
                }))
            })
        })
    }),
);
pub static PLAN_ACCEPTANCE: Operation = view(
    "getPlanAcceptance",
    "/analytics-rollups/plan-acceptance",
    "Plans presented in that time and what became of them, by currency; needs view_treatment too",
    Gives::Object(
        "PlanAcceptance",
        &[Field::json("currencies").required().doc("currency, presented, presented_minor, accepted, accepted_minor, acceptance")],
    ),
    Run::Apart(|call| {
        Box::pin(async move {
            let rows = counted(&call, Permission::ViewTreatment, &PLANS).await?;
            told("currencies", &rows, |row| {
                let currency: &str = row.try_get(0)?;
                let (presented, presented_minor): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
                let (accepted, accepted_minor): (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
                Ok(json!({
                    "currency": currency, "presented": presented, "presented_minor": presented_minor, "accepted": accepted,
                    "accepted_minor": accepted_minor, "acceptance": share(accepted, presented),
                }))
            })
        })
    }),
);

fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Policies count only what the caller may see, so who may not see the records is told so instead of shown nothing.
async fn counted(call: &Call, also: Permission, query: &'static Sql) -> Result<Vec<Row>> {
    let caller = &call.caller;
    caller.needs(also)?;
    let (from, to) = span(call)?;
    let context = caller.reading(&ANALYTICS_ROLLUP)?;
    let scope = caller.kernel.door.open(&context).await?;
    let answers = scope.once(&[(query.into(), vec![&from, &to])]).await?;
    caller.searched(&context, &ANALYTICS_ROLLUP, &[]).await?;
    Ok(answers.into_iter().flatten().collect())
}

fn span(call: &Call) -> Result<(NaiveDate, NaiveDate)> {
    let (Some(Value::Date(from)), Some(Value::Date(to))) = (call.value("from"), call.value("to")) else {
        return Err(Error::new(&error::PARAMETER_INVALID).fault("from", "required", "The field is needed."));
    };
    if from >= to {
        return Err(Error::new(&error::PARAMETER_INVALID).fault("to", "range", "It must lie after the beginning."));
    }
    if *to - *from > TimeDelta::days(DAYS_MAX) {
        return Err(Error::new(&error::TOO_COSTLY).detail("A report spans at most two years."));
    }
    Ok((*from, *to))
}

fn told(name: &str, rows: &[Row], line: fn(&Row) -> Result<Json>) -> Result<Answer> {
    let lines = rows.iter().map(line).collect::<Result<Vec<_>>>()?;
    Ok(Answer::Object([(name.to_owned(), Json::Array(lines))].into_iter().collect()))
}
