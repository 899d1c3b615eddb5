//! Payments without a gateway: taken by hand, given back, called off (catalogue 9.08, 12.3). A paid deposit opens its booking
//! by trigger, whoever took it.

use super::answered::{self, told};
use super::payment::{PAYMENT, PURPOSE};
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Form, Value, store};
use crate::sql;

sql! {
    CANCEL_PAYMENT(UUID) = "select sec.cancel_payment($1)";
    /// $1 tenant.
    DEFAULT_CURRENCY(UUID) = "select default_currency from tenants where id = $1";
}

pub static RECORD_MANUAL: Operation = Operation {
    id: "recordManualPayment",
    method: Method::Post,
    path: "/payments/record-manual",
    tag: "Treatment plans",
    doc: "Record money that was taken by hand: cash, cheque, transfer. Cards are the gateway's",
    takes: &[
        Field::uuid("patient_id").required(),
        Field::big("amount_minor").required().at_least(1).doc("unit: minor currency unit"),
        Field::choice("method", &["BANK_TRANSFER", "CASH", "CHECK", "WALLET", "INSURANCE", "OTHER"])
            .means(&[
                "from account to account",
                "notes and coins",
                "written on a bank",
                "payment application",
                "paid by the insurer",
                "another",
            ])
            .required(),
        Field::text("currency").form(Form::Currency).doc("the tenant's when left out"),
        PURPOSE.doc("OTHER when left out"),
        Field::uuid("plan_id"),
        Field::uuid("booking_id"),
        Field::uuid("claim_id"),
        Field::instant("paid_at").doc("now when left out; not in the future"),
    ],
    gives: Gives::Created(&PAYMENT),
    planes: &[Plane::Staff],
    permission: Permission::EditPayments,
    run: Run::Inside(|scope, call| Box::pin(record_manual(scope, call))),
};

async fn record_manual(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let paid_at = call.instant("paid_at").unwrap_or(scope.now());
    if paid_at > scope.now() {
        return Err(Error::new(&error::INVALID).fault("paid_at", "range", "It may not lie in the future."));
    }
    let mut draft = Draft::default()
        .set(&PAYMENT, "status", Value::Text("SUCCEEDED".into()))?
        .set(&PAYMENT, "paid_at", Value::Instant(paid_at))?
        .set(&PAYMENT, "purpose", Value::Text(call.text("purpose").unwrap_or("OTHER").to_owned()))?
        .set(&PAYMENT, "currency", Value::Text(currency(scope, call).await?))?;
    for name in ["patient_id", "amount_minor", "method", "plan_id", "booking_id", "claim_id"] {
        if let Some(value) = call.value(name) {
            draft = draft.set(&PAYMENT, name, value.clone())?;
        }
    }
    let payment = store::insert(scope, &PAYMENT, &draft, keys).await?;
    Ok(Answer::Record(payment))
}

async fn currency(scope: &mut Scope, call: &Call) -> Result<String> {
    if let Some(currency) = call.text("currency") {
        return Ok(currency.to_owned());
    }
    let tenant = scope.tenant()?;
    let row = scope.optional(&DEFAULT_CURRENCY, &[&tenant]).await?;
    let row = row.ok_or_else(|| Error::new(&error::INVALID).fault("currency", "required", "The field is needed."))?;
    Ok(row.try_get(0)?)
}

pub static CANCEL: Operation = Operation {
    id: "cancelPayment",
    method: Method::Post,
    path: "/payments/{id}/cancel",
    tag: "Treatment plans",
    doc: "Call off a payment that is not paid",
    takes: &[],
    gives: Gives::Record(&PAYMENT),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::EditPayments,
    run: Run::Inside(|scope, call| {
        Box::pin(async move {
            let id = call.id()?;
            answered::by(scope, call, &PAYMENT, &CANCEL_PAYMENT, &[&id]).await
        })
    }),
};

pub static REFUND: Operation = Operation {
    id: "refundPayment",
    method: Method::Post,
    path: "/payments/{id}/refund",
    tag: "Treatment plans",
    doc: "Record that money taken by hand was given back, whole or in part. What a gateway took it gives back itself",
    takes: &[
        Field::big("amount_minor").required().at_least(1).doc("unit: minor currency unit"),
        Field::text("reason").required().length(1_000),
    ],
    gives: Gives::Record(&PAYMENT),
    planes: &[Plane::Staff],
    permission: Permission::EditPayments,
    run: Run::Inside(|scope, call| Box::pin(refund(scope, call))),
};

async fn refund(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &PAYMENT, call.id()?, call.version, keys).await?;
    if was.text("method") == Some("CARD") || !was.get("gateway").is_null() {
        return Err(Error::new(&error::NOT_SUPPORTED).detail("The gateway that took it gives it back."));
    }
    let (held, given) = (was.int("amount_minor").unwrap_or_default(), was.int("refunded_minor").unwrap_or_default());
    let back = match call.value("amount_minor") {
        Some(Value::BigInt(amount)) => *amount,
        _ => return Err(Error::internal("the amount was checked")),
    };
    let state = was.text("status").unwrap_or_default();
    if let (false, Some(machine)) = (matches!(state, "SUCCEEDED" | "PARTIALLY_REFUNDED"), PAYMENT.machines.first()) {
        return Err(store::refuse_move(machine, state));
    }
    let next = refunded(held, given, back)
        .ok_or_else(|| Error::new(&error::INVALID).fault("amount_minor", "sum", "More than what is left cannot be given back."))?;
    let draft =
        Draft::default().set(&PAYMENT, "status", Value::Text(next.into()))?.set(&PAYMENT, "refunded_minor", Value::BigInt(given + back))?;
    let payment = store::update(scope, &was, &draft, "refund", keys).await?;
    told(scope, call, &payment);
    Ok(Answer::Record(payment))
}

/// The state after giving `back` of what is `held` and not yet `given` back; none when that is too much.
fn refunded(held: i64, given: i64, back: i64) -> Option<&'static str> {
    match held.checked_sub(given)?.checked_sub(back)? {
        0 => Some("REFUNDED"),
        left if left > 0 => Some("PARTIALLY_REFUNDED"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::refunded;
    use proptest::prelude::*;

    #[test]
    fn a_refund_never_exceeds_what_was_taken() {
        assert_eq!(refunded(100, 0, 100), Some("REFUNDED"));
        assert_eq!(refunded(100, 40, 59), Some("PARTIALLY_REFUNDED"));
        assert_eq!(refunded(100, 40, 61), None);
    }

    proptest! {
        #[test]
        fn parts_that_fit_add_up(held in 1i64..=1_000_000, parts in prop::collection::vec(1i64..=400_000, 1..8)) {
            let mut given = 0;
            for part in parts {
                match refunded(held, given, part) {
                    None => prop_assert!(given + part > held),
                    Some(state) => {
                        given += part;
                        prop_assert!(given <= held && (state == "REFUNDED") == (given == held));
                    }
                }
            }
        }
    }
}
