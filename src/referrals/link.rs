//! A form's address: named by `sec.name_link`, never given to another clinic again (catalogue 12.11, C40).

use super::referral_link::REFERRAL_LINK;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Form, Value, store};

pub static REGENERATE: Operation = Operation {
    id: "regenerateReferralLink",
    method: Method::Post,
    path: "/referral-links/{id}/regenerate",
    tag: "Referrals and public referral links",
    doc: "Give a form another address; the old one leads to it still",
    takes: &[Field::text("slug").form(Form::Slug).doc("made of the clinic's name when left out")],
    gives: Gives::Record(&REFERRAL_LINK),
    planes: &[Plane::Staff],
    permission: Permission::ManageTenant,
    run: Run::Inside(|scope, call| Box::pin(regenerate(scope, call))),
};

async fn regenerate(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &REFERRAL_LINK, call.id()?, call.version, keys).await?;
    let slug = call.value("slug").cloned().unwrap_or(Value::Null);
    let draft = Draft::default().set(&REFERRAL_LINK, "slug", slug)?;
    Ok(Answer::Record(store::update(scope, &was, &draft, "regenerate", keys).await?))
}
