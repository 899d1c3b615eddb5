//! The month's bill: meters are read, an invoice is drafted (catalogue 14.10, 14.11, B12). Repeatable: a reading and an invoice
//! of a period are made once, whoever runs and however often. People of the platform issue what they have looked at.

use crate::kernel::Kernel;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

sql! {
    /// The tenants that may have something to pay.
    TENANTS() = "select id from tenants where status <> 'CLOSED' order by id";
    /// $1 tenant.
    ACCOUNT(UUID) = "select id, currency from tenant_billing_accounts where tenant_id = $1 for no key update";
    /// $1 tenant, $2 from, $3 until: subscriptions that run in it, with their plan.
    SUBSCRIPTIONS(UUID, TIMESTAMPTZ, TIMESTAMPTZ) = "
        select greatest(s.start_at, $2), least(coalesce(s.end_at, $3), $3), s.start_at, s.billing_cycle, p.name, p.currency,
               p.price_per_month_minor, p.price_per_year_minor
          from tenant_subscriptions s join subscription_plans p on p.id = s.plan_id
         where s.tenant_id = $1 and not s.is_trial and s.status <> 'TRIALING' and s.start_at < $3 and coalesce(s.end_at, $3) > $2
         order by s.start_at";
    /// $1 tenant, $2 from, $3 until: each meter once a period, against what the plan at its end includes.
    READ_METERS(UUID, TIMESTAMPTZ, TIMESTAMPTZ) = "
        insert into usage_meter_readings (tenant_id, id, meter_id, period_start, period_end, value, included_value, overage_value)
        select $1, gen_random_uuid(), m.id, $2, $3, v.value, i.included, greatest(v.value - coalesce(i.included, v.value), 0)
          from usage_meters m
          cross join lateral (select case m.code
              when 'STORAGE_GB' then (select coalesce(sum(f.file_size), 0)::float8 / 1e9 from files f
                                       where f.tenant_id = $1 and f.created_at < $3 and f.status <> 'DELETED' and f.deleted_at is null)
              when 'ACTIVE_USERS' then (select count(*)::float8 from user_tenants u
                                         where u.tenant_id = $1 and u.created_at < $3 and u.status = 'ACTIVE' and u.deleted_at is null)
              else (select coalesce(case m.aggregation when 'MAX' then max(e.quantity) else sum(e.quantity) end, 0) from usage_events e
                     where e.tenant_id = $1 and e.meter_code = m.code and e.occurred_at >= $2 and e.occurred_at < $3) end as value) v
          left join lateral (select case m.code when 'AI_INFERENCES' then p.included_ai_calls::float8
                      when 'STORAGE_GB' then p.included_storage_bytes::float8 / 1e9
                      when 'ACTIVE_USERS' then coalesce(s.seats, p.included_seats)::float8 end as included
                 from tenant_subscriptions s join subscription_plans p on p.id = s.plan_id
                where s.tenant_id = $1 and s.start_at < $3 order by s.start_at desc limit 1) i on true
        on conflict (tenant_id, meter_id, period_start, period_end) do nothing";
    /// $1 tenant, $2 account, $3 first day, $4 last day, $5 currency. Nothing when the period has its invoice.
    DRAFT(UUID, UUID, DATE, DATE, TEXT) = "
        insert into invoices (tenant_id, id, billing_account_id, period_start, period_end, currency)
        select $1, gen_random_uuid(), $2, $3, $4, $5
        on conflict (tenant_id, period_start, period_end) where status <> 'VOID' do nothing returning id";
    /// $1 tenant, $2 invoice, $3 words, $4 amount, $5 currency, $6 place.
    ADD_SUBSCRIPTION(UUID, UUID, TEXT, INT8, TEXT, INT4) = "
        insert into invoice_line_items (tenant_id, id, invoice_id, kind, description, quantity, unit_price_minor, amount_minor, currency, line_no)
        values ($1, gen_random_uuid(), $2, 'SUBSCRIPTION', $3, 1, $4, $4, $5, $6)";
    /// $1 tenant, $2 invoice, $3 from, $4 until, $5 currency, $6 places before: what was used beyond the plan, where it has a price.
    ADD_OVERAGE(UUID, UUID, TIMESTAMPTZ, TIMESTAMPTZ, TEXT, INT4) = "
        insert into invoice_line_items (tenant_id, id, invoice_id, kind, description, meter_id, quantity, unit_price_minor, amount_minor,
               currency, line_no)
        select $1, gen_random_uuid(), $2, case m.code when 'AI_INFERENCES' then 'AI_OVERAGE' when 'STORAGE_GB' then 'STORAGE_OVERAGE'
                   when 'ACTIVE_USERS' then 'SEAT_OVERAGE' else 'API_OVERAGE' end,
               m.name || ' beyond the plan', m.id, o.units, p.price, round(o.units::numeric * p.price)::bigint, $5,
               $6 + row_number() over (order by m.code)::int
          from usage_meter_readings r join usage_meters m on m.id = r.meter_id
          cross join lateral (select (m.overage_prices ->> $5)::bigint as price) p
          -- What was begun is used: part of a unit counts as one.
          cross join lateral (select ceil(r.overage_value) as units) o
         where r.tenant_id = $1 and r.period_start = $3 and r.period_end = $4 and o.units > 0 and p.price is not null";
    /// $1 tenant, $2 today.
    OVERDUE(UUID, DATE) = "update invoices set status = 'OVERDUE' where tenant_id = $1 and status = 'OPEN' and due_date < $2";
}

/// The calendar month before that of `now`, billed for every tenant; invoices whose day has passed are overdue. One tenant's
/// failure is told and stops no other.
pub async fn month_before(kernel: &Kernel, now: DateTime<Utc>) -> Result<()> {
    let first = first_of_month(now.date_naive()) - Months::new(1);
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let answers = scope.once(&[((&TENANTS).into(), vec![])]).await?;
    for row in answers.iter().flatten() {
        let tenant: Uuid = row.try_get(0)?;
        if let Err(failure) = tenant_month(kernel, tenant, first, now).await {
            tracing::warn!(%tenant, error = %failure, "Could not bill a tenant");
        }
    }
    Ok(())
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// One tenant's month; the invoice that was drafted now, if it was.
pub async fn tenant_month(kernel: &Kernel, tenant: Uuid, first: NaiveDate, now: DateTime<Utc>) -> Result<Option<Uuid>> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, Some(tenant))).await?;
    // Two that run at once take turns here.
    let Some(row) = scope.optional(&ACCOUNT, &[&tenant]).await? else { return scope.commit().await.map(|()| None) };
    let (account, currency): (Uuid, String) = (row.try_get(0)?, row.try_get(1)?);
    scope.exec(&OVERDUE, &[&tenant, &now.date_naive()]).await?;
    let next = first + Months::new(1);
    let (from, until) = (midnight(first), midnight(next));
    scope.exec(&READ_METERS, &[&tenant, &from, &until]).await?;
    let fees = fees(&mut scope, tenant, (from, until), &currency).await?;
    let last = next - TimeDelta::days(1);
    let drafted = match fees.is_empty() {
        true => None,
        false => scope.optional(&DRAFT, &[&tenant, &account, &first, &last, &currency]).await?,
    };
    let invoice: Option<Uuid> = drafted.map(|row| row.try_get(0)).transpose()?;
    if let Some(invoice) = invoice {
        let mut place = 0;
        for (words, amount) in &fees {
            place += 1;
            scope.exec(&ADD_SUBSCRIPTION, &[&tenant, &invoice, words, amount, &currency, &place]).await?;
        }
        scope.exec(&ADD_OVERAGE, &[&tenant, &invoice, &from, &until, &currency, &place]).await?;
    }
    scope.commit().await?;
    Ok(invoice)
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// What each subscription costs in the period, in words and money.
async fn fees(
    scope: &mut Scope,
    tenant: Uuid,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    currency: &str,
) -> Result<Vec<(String, i64)>> {
    let mut fees = Vec::new();
    for row in scope.rows(&SUBSCRIPTIONS, &[&tenant, &from, &until]).await? {
        let (begins, ends, started): (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (cycle, name, of): (String, String, String) = (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        if of != currency {
            return Err(Error::new(&error::CONFLICT).detail("The plan is sold in another currency than the account pays in."));
        }
        let fee = match cycle.as_str() {
            "YEARLY" => row.try_get::<_, Option<i64>>(7)?.filter(|_| anniversary(started, from)),
            _ => row.try_get::<_, Option<i64>>(6)?.map(|price| share(price, (begins, ends), (from, until))),
        };
        fees.extend(fee.map(|fee| (format!("{name}, {} to {}", begins.date_naive(), (ends - TimeDelta::seconds(1)).date_naive()), fee)));
    }
    Ok(fees)
}

/// A year is paid in the month it begins in.
fn anniversary(started: DateTime<Utc>, from: DateTime<Utc>) -> bool {
    started.month() == from.month() && started.year() <= from.year()
}

/// The part of a month's price for the part of the month, rounded to the nearest minor unit.
fn share(price: i64, (begins, ends): (DateTime<Utc>, DateTime<Utc>), (from, until): (DateTime<Utc>, DateTime<Utc>)) -> i64 {
    let (used, whole) = (i128::from((ends - begins).num_seconds()), i128::from((until - from).num_seconds()));
    let part = (i128::from(price) * used * 2 + whole) / (whole * 2);
    i64::try_from(part).unwrap_or(price)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> DateTime<Utc> {
        midnight(text.parse().unwrap())
    }

    #[test]
    fn a_month_costs_its_price_and_a_part_its_part() {
        let june = (day("2026-06-01"), day("2026-07-01"));
        assert_eq!(share(9_900, june, june), 9_900);
        assert_eq!(share(9_900, (day("2026-06-16"), june.1), june), 4_950);
        assert_eq!(share(100, (day("2026-06-21"), june.1), june), 33);
        assert!(
            anniversary(day("2025-06-10"), june.0) && !anniversary(day("2025-07-10"), june.0) && !anniversary(day("2027-06-10"), june.0)
        );
        assert_eq!(first_of_month("2026-03-31".parse().unwrap()) - Months::new(1), "2026-02-01".parse::<NaiveDate>().unwrap());
    }

    proptest! {
        /// A plan that is changed in the month costs no more than the whole and loses at most a minor unit.
        #[test]
        fn the_parts_of_a_month_are_the_month(price in 0..10_000_000i64, cut in 1..30i64) {
            let june = (day("2026-06-01"), day("2026-07-01"));
            let middle = june.0 + TimeDelta::days(cut);
            let parts = share(price, (june.0, middle), june) + share(price, (middle, june.1), june);
            prop_assert!((parts - price).abs() <= 1);
        }
    }
}
