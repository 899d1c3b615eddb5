//! What the platform does with an invoice: issue it, see it paid, take it back, give it up (catalogue 14.09, B12).

use super::invoice::INVOICE;
use super::tenant_billing_account::TENANT_BILLING_ACCOUNT;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;
use chrono::{Datelike, TimeDelta};
use uuid::Uuid;

sql! {
    /// $1 invoice.
    HOME(UUID) = "select sec.tenant_of_invoice($1)";
    /// $1 tenant, $2 invoice.
    LINES(UUID, UUID) = "
        select count(*), coalesce(sum(amount_minor), 0)::bigint from invoice_line_items where tenant_id = $1 and invoice_id = $2";
    /// $1 tenant, $2 prefix of the year.
    LAST_NUMBER(UUID, TEXT) = "
        select coalesce(max(substr(invoice_number, char_length($2) + 1)::bigint), 0) from invoices
         where tenant_id = $1 and starts_with(invoice_number, $2)";
}

const STEPS: Steps = Steps { tag: "Platform billing of tenants", planes: &[Plane::Platform], permission: Permission::ManagePlatform };

pub static ISSUE: Operation = STEPS.post(
    "issueInvoice",
    "/invoices/{id}/issue",
    "Give a draft its number and its due date; it stays as it is from then on",
    &[],
    Gives::Record(&INVOICE),
    Run::Apart(|call| Box::pin(issue(call))),
);

pub static RECORD_PAYMENT: Operation = STEPS.post(
    "recordInvoicePayment",
    "/invoices/{id}/record-payment",
    "The invoice was paid in full",
    &[Field::big("amount_minor").required().at_least(0), Field::text("reference").required().doc("of the payment, at the bank or gateway")],
    Gives::Record(&INVOICE),
    Run::Apart(|call| Box::pin(record_payment(call))),
);

pub static VOID: Operation = STEPS.post(
    "voidInvoice",
    "/invoices/{id}/void",
    "Take an invoice back; its period can be billed again",
    &[Field::text("reason").required().length(1_000)],
    Gives::Record(&INVOICE),
    Run::Apart(|call| Box::pin(plain(call, "void"))),
);

pub static WRITE_OFF: Operation = STEPS.post(
    "writeOffInvoice",
    "/invoices/{id}/write-off",
    "Give up an overdue invoice",
    &[],
    Gives::Record(&INVOICE),
    Run::Apart(|call| Box::pin(plain(call, "write-off"))),
);

/// The invoice, locked, in a scope of its tenant.
async fn opened(call: &Call) -> Result<(Scope, Record)> {
    let (caller, id) = (&call.caller, call.id()?);
    let answers = caller.kernel.door.open(&caller.context).await?.once(&[((&HOME).into(), vec![&id])]).await?;
    let home: Option<Uuid> = answers.iter().flatten().next().map(|row| row.try_get(0)).transpose()?.flatten();
    let context = Context { tenant: Some(home.ok_or_else(|| Error::new(&error::NOT_FOUND))?), ..caller.context.clone() };
    let mut scope = caller.kernel.door.open(&context).await?;
    let invoice = store::lock(&mut scope, &INVOICE, id, call.version, &caller.kernel.keys).await?;
    Ok((scope, invoice))
}

/// The move `by` makes from where the invoice stands.
fn towards(invoice: &Record, by: &str) -> Result<Draft> {
    let machine = INVOICE.machines.first().ok_or_else(|| Error::internal("invoices have no states"))?;
    let from = invoice.text("status").unwrap_or_default();
    let to = machine.allowed(from, by).first().copied().ok_or_else(|| store::refuse_move(machine, from))?;
    Draft::default().set(&INVOICE, "status", Value::Text(to.to_owned()))
}

async fn finish(call: &Call, mut scope: Scope, invoice: Record, draft: Draft, by: &str) -> Result<Answer> {
    let done = store::update(&mut scope, &invoice, &draft, by, &call.caller.kernel.keys).await?;
    let mut event = audit_store::of_record(scope.context(), Action::Execute, &done, scope.now());
    event.metadata = Metadata::new().text("operation", call.operation.id);
    for name in ["reason", "reference"] {
        if let Some(text) = call.text(name) {
            event.metadata = event.metadata.text(name, text);
        }
    }
    scope.audit(event);
    scope.commit().await?;
    Ok(Answer::Record(done))
}

async fn issue(call: Call) -> Result<Answer> {
    let (mut scope, invoice) = opened(&call).await?;
    let draft = towards(&invoice, "issue")?;
    let row = scope.one(&LINES, &[&invoice.tenant, &invoice.id]).await?;
    let (count, sum): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if count == 0 || Some(sum) != invoice.int("total_amount_minor") {
        return Err(Error::new(&error::INVALID).fault("total_amount_minor", "sum", "It is not the sum of the invoice's lines."));
    }
    // Invoices of one account take turns, so its numbers have no gap and none stands twice.
    let account = invoice.uuid("billing_account_id").ok_or_else(|| Error::internal("an invoice without an account"))?;
    let account = store::lock(&mut scope, &TENANT_BILLING_ACCOUNT, account, None, &call.caller.kernel.keys).await?;
    let now = scope.now();
    let prefix = format!("INV-{}-", now.year());
    let last: i64 = scope.one(&LAST_NUMBER, &[&invoice.tenant, &prefix]).await?.try_get(0)?;
    let due = now.date_naive() + TimeDelta::days(account.int("payment_terms_days").unwrap_or_default());
    let draft = draft
        .set(&INVOICE, "invoice_number", Value::Text(format!("{prefix}{:06}", last + 1)))?
        .set(&INVOICE, "issued_at", Value::Instant(now))?
        .set(&INVOICE, "due_date", Value::Date(due))?;
    finish(&call, scope, invoice, draft, "issue").await
}

async fn record_payment(call: Call) -> Result<Answer> {
    let (scope, invoice) = opened(&call).await?;
    let draft = towards(&invoice, "record-payment")?;
    if call.value("amount_minor") != invoice.int("total_amount_minor").map(Value::BigInt).as_ref() {
        return Err(Error::new(&error::INVALID).fault("amount_minor", "amount", "It must be the invoice's total."));
    }
    let draft = draft.set(&INVOICE, "paid_at", Value::Instant(scope.now()))?;
    finish(&call, scope, invoice, draft, "record-payment").await
}

async fn plain(call: Call, by: &'static str) -> Result<Answer> {
    let (scope, invoice) = opened(&call).await?;
    let draft = towards(&invoice, by)?;
    finish(&call, scope, invoice, draft, by).await
}
