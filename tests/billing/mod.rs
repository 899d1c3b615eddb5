//! The platform's bill: drafted from meters as often as anybody runs it, issued once, paid.

use crate::referrals::count;
use crate::world::operations::{create, patch, read, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use chrono::{NaiveDate, Utc};
use enamel::billing::invoice::INVOICE;
use enamel::billing::tenant_billing_account::TENANT_BILLING_ACCOUNT;
use enamel::kernel::context::{PLATFORM_TENANT, Permission, Plane};
use enamel::kernel::error::Result;
use enamel::kernel::table::Record;
use serde_json::{Value as Json, json};
use uuid::Uuid;

const JUNE: &str = "2026-06-01";

/// A clinic that pays 100.00 a month for two seats, ten AI calls included; 0.05 for each further one.
async fn customer(world: &'static World) -> Clinic {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let truth = world.truth().await;
    let plan = Uuid::now_v7();
    truth
        .execute(
            "insert into enamel.subscription_plans (id, code, name, currency, price_per_month_minor, included_ai_calls, included_seats)
             values ($1, $1::uuid::text, 'Ten', 'EUR', 10000, 10, 2)",
            &[&plan],
        )
        .await
        .unwrap();
    truth
        .execute(
            "insert into enamel.tenant_subscriptions (tenant_id, id, plan_id, start_at) values ($1, gen_random_uuid(), $2, '2026-01-01')",
            &[&clinic.id, &plan],
        )
        .await
        .unwrap();
    truth.batch_execute("update enamel.usage_meters set overage_prices = '{\"EUR\": 5}' where code = 'AI_INFERENCES'").await.unwrap();
    let account = json!({"invoicing_contact_name": "Pay Desk", "invoicing_contact_email": "pay@clinic.example", "billing_address": {},
        "currency": "EUR", "payment_terms_days": 30});
    create(&clinic.staff(), &TENANT_BILLING_ACCOUNT, account).await.unwrap();
    clinic
}

async fn used(clinic: &Clinic, calls: f64, at: &str) {
    let truth = clinic.world.truth().await;
    truth
        .execute(
            "insert into enamel.usage_events (tenant_id, id, meter_code, quantity, source_id, occurred_at)
             values ($1, gen_random_uuid(), 'AI_INFERENCES', $2, gen_random_uuid(), $3::text::timestamptz)",
            &[&clinic.id, &calls, &at],
        )
        .await
        .unwrap();
}

async fn bill(clinic: &Clinic, month: &str) -> Result<Option<Uuid>> {
    enamel::billing::run::tenant_month(&clinic.world.kernel, clinic.id, month.parse().unwrap(), Utc::now()).await
}

async fn does(world: &'static World, id: Uuid, operation: &str, body: Json) -> Result<Record> {
    // The platform's people sign in to the platform, not to the clinic.
    run(&world.caller(Plane::Platform, PLATFORM_TENANT, None, Permission::ALL), operation, Some(id), body).await.map(record)
}

#[test]
fn a_month_is_billed_once_however_often_it_is_run() {
    world::with(async |world| {
        let clinic = customer(world).await;
        used(&clinic, 12.0, "2026-06-10T00:00:00Z").await;
        used(&clinic, 3.0, "2026-06-30T23:59:59Z").await;
        used(&clinic, 100.0, "2026-07-01T00:00:00Z").await;
        let both = futures_util::future::join_all((0..3).map(|_| bill(&clinic, JUNE))).await;
        let made: Vec<Uuid> = both.into_iter().filter_map(|drafted| drafted.unwrap()).collect();
        assert_eq!(made.len(), 1);
        assert_eq!(bill(&clinic, JUNE).await.unwrap(), None);
        let draft = read(&clinic.staff(), &INVOICE, made[0]).await.unwrap();
        assert_eq!(
            (draft.text("status"), draft.int("total_amount_minor"), draft.text("period_end")),
            (Some("DRAFT"), Some(10_025), Some("2026-06-30"))
        );
        let reading = "value = 15 and included_value = 10 and overage_value = 5";
        assert_eq!((count(&clinic, "usage_meter_readings", reading).await, count(&clinic, "usage_meter_readings", "true").await), (1, 4));
        assert_eq!(
            count(&clinic, "invoice_line_items", "kind = 'AI_OVERAGE' and quantity = 5 and amount_minor = 25 and line_no = 2").await,
            1
        );
        // Taken back, the period can be billed again; the readings stay as they were read.
        does(world, draft.id, "voidInvoice", json!({"reason": "wrong address"})).await.unwrap();
        used(&clinic, 50.0, "2026-06-11T00:00:00Z").await;
        let again = bill(&clinic, JUNE).await.unwrap().unwrap();
        assert_eq!(read(&clinic.staff(), &INVOICE, again).await.unwrap().int("total_amount_minor"), Some(10_025));
        // A tenant without an account, and one whose plan is sold in another currency.
        let free = world.tenant("SOLO_PRACTICE", None).await;
        assert_eq!(bill(&free, JUNE).await.unwrap(), None);
        world
            .truth()
            .await
            .execute("update enamel.tenant_billing_accounts set currency = 'USD' where tenant_id = $1", &[&clinic.id])
            .await
            .unwrap();
        assert_eq!(bill(&clinic, "2026-07-01").await.unwrap_err().code.status, 409);
    });
}

#[test]
fn an_invoice_is_issued_by_number_and_paid_in_full() {
    world::with(async |world| {
        let clinic = customer(world).await;
        let (june, july) = (bill(&clinic, JUNE).await.unwrap().unwrap(), bill(&clinic, "2026-07-01").await.unwrap().unwrap());
        assert_eq!(
            does(world, june, "recordInvoicePayment", json!({"amount_minor": 10_000, "reference": "B1"})).await.unwrap_err().code.status,
            409
        );
        let (first, second) = tokio::join!(does(world, june, "issueInvoice", json!({})), does(world, july, "issueInvoice", json!({})));
        let (first, second) = (first.unwrap(), second.unwrap());
        let mut numbers = [first.text("invoice_number").unwrap(), second.text("invoice_number").unwrap()];
        numbers.sort_unstable();
        let year = Utc::now().format("%Y");
        assert_eq!(numbers, [format!("INV-{year}-000001"), format!("INV-{year}-000002")]);
        let due: NaiveDate = first.text("due_date").unwrap().parse().unwrap();
        assert_eq!((due - Utc::now().date_naive()).num_days(), 30);
        assert_eq!(does(world, june, "issueInvoice", json!({})).await.unwrap_err().code.code, "state.move_refused");
        let short = does(world, june, "recordInvoicePayment", json!({"amount_minor": 9_999, "reference": "B1"})).await.unwrap_err();
        assert_eq!((short.code.status, short.faults[0].rule), (422, "amount"));
        let paid = does(world, june, "recordInvoicePayment", json!({"amount_minor": 10_000, "reference": "B1"})).await.unwrap();
        assert_eq!((paid.text("status"), paid.get("paid_at").is_null()), (Some("PAID"), false));
        assert_eq!(does(world, june, "voidInvoice", json!({"reason": "x"})).await.unwrap_err().code.code, "state.move_refused");
        // What was issued stays, also for the server's own SQL.
        let staff = clinic.staff();
        let mut scope = staff.kernel.door.open(&staff.server(clinic.id)).await.unwrap();
        let changed = scope.rows_once(&format!("update invoice_line_items set amount_minor = 1 where invoice_id = '{july}'"), &[]).await;
        assert_eq!(changed.unwrap_err().code.code, "record.append_only");
        drop(scope);
        // Not paid in time, then given up.
        assert_eq!(does(world, july, "writeOffInvoice", json!({})).await.unwrap_err().code.code, "state.move_refused");
        let truth = world.truth().await;
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        truth.execute("update enamel.invoices set due_date = '2026-01-01' where id = $1", &[&july]).await.unwrap();
        bill(&clinic, JUNE).await.unwrap();
        assert_eq!(read(&staff, &INVOICE, july).await.unwrap().text("status"), Some("OVERDUE"));
        let cover = async || -> String {
            let sql = "select status from enamel.tenant_subscriptions where tenant_id = $1";
            truth.query_one(sql, &[&clinic.id]).await.unwrap().get(0)
        };
        assert_eq!(cover().await, "PAST_DUE");
        assert_eq!(does(world, july, "writeOffInvoice", json!({})).await.unwrap().text("status"), Some("UNCOLLECTIBLE"));
        assert_eq!(cover().await, "ACTIVE");
    });
}

#[test]
fn only_the_platform_settles_and_an_empty_draft_is_not_issued() {
    world::with(async |world| {
        let clinic = customer(world).await;
        let draft = bill(&clinic, JUNE).await.unwrap().unwrap();
        assert_eq!(run(&clinic.staff(), "issueInvoice", Some(draft), json!({})).await.err().unwrap().code.status, 403);
        assert_eq!(does(world, Uuid::now_v7(), "issueInvoice", json!({})).await.unwrap_err().code.status, 404);
        let staff = clinic.staff();
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        assert_eq!(scope.rows_once(&format!("select sec.tenant_of_invoice('{draft}')"), &[]).await.unwrap_err().code.status, 403);
        drop(scope);
        let truth = world.truth().await;
        truth.execute("delete from enamel.invoice_line_items where invoice_id = $1", &[&draft]).await.unwrap();
        assert_eq!(does(world, draft, "issueInvoice", json!({})).await.unwrap_err().faults[0].rule, "sum");
        // The clinic sees its own invoice, and its account is its own to change.
        let other = world.tenant("SOLO_PRACTICE", None).await;
        assert_eq!(read(&other.staff(), &INVOICE, draft).await.unwrap_err().code.status, 404);
        let invoice = read(&staff, &INVOICE, draft).await.unwrap();
        let account = read(&staff, &TENANT_BILLING_ACCOUNT, invoice.uuid("billing_account_id").unwrap()).await.unwrap();
        patch(&staff, &TENANT_BILLING_ACCOUNT, account.id, account.version, json!({"status": "ON_HOLD"})).await.unwrap();
    });
}
