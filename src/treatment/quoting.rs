//! A patient's quote: submitted to the chosen clinic with consent, or withdrawn (catalogue 9.05, 9.10, 3.08, C01, C08). The
//! clinic is another tenant; one function makes what it needs there, in the transaction of the submission.

use super::answered;
use super::quote::QUOTE;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps};
use crate::kernel::table::{Field, Value};
use crate::sql;

sql! {
    /// $1 quote, $2 clinic (null: the one it names), $3 the wording that was ticked.
    SUBMIT_QUOTE(UUID, UUID, UUID) = "select sec.submit_quote($1, $2, $3)";
    WITHDRAW_QUOTE(UUID) = "select sec.withdraw_quote($1)";
}

const STEPS: Steps = Steps { tag: "Treatment plans", planes: &[Plane::Patient], permission: Permission::Own };

pub static SUBMIT: Operation = STEPS.post("submitQuote", "/quotes/{id}/submit", "Send a quote to the clinic: it becomes a draft plan there. The tick records two consents, for storing and for sharing with this clinic", &[
        Field::uuid("clinic_tenant_id").doc("the quote's own when left out"),
        Field::uuid("consent_text_id").required().doc("the wording that was shown"),
        Field::flag("consent_given").required().doc("true: the patient has ticked it; nothing is ticked beforehand"),
    ], Gives::Record(&QUOTE), Run::Inside(|scope, call| Box::pin(submit(scope, call))));

async fn submit(scope: &mut Scope, call: &Call) -> Result<Answer> {
    if call.value("consent_given") != Some(&Value::Bool(true)) {
        return Err(Error::new(&error::INVALID).fault("consent_given", "consent", "A quote is sent only with the patient's consent."));
    }
    let (id, nothing) = (call.id()?, Value::Null);
    let of = |name: &str| call.value(name).unwrap_or(&nothing);
    answered::by(scope, call, &QUOTE, &SUBMIT_QUOTE, &[&id, of("clinic_tenant_id"), of("consent_text_id")]).await
}

pub static WITHDRAW: Operation = STEPS.post(
    "withdrawQuote",
    "/quotes/{id}/withdraw",
    "Take a quote back: the consent to share is revoked and what was shared is closed",
    &[],
    Gives::Record(&QUOTE),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let id = call.id()?;
            answered::by(scope, call, &QUOTE, &WITHDRAW_QUOTE, &[&id]).await
        })
    }),
);
