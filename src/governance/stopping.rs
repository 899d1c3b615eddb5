//! What ends a share and a hold (catalogue C24, 3.10).

use super::legal_hold::LEGAL_HOLD;
use super::record_share::RECORD_SHARE;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Value, store};

pub static REVOKE_SHARE: Operation = Operation {
    id: "revokeRecordShare",
    method: Method::Post,
    path: "/record-shares/{id}/revoke",
    tag: RECORD_SHARE.tag,
    doc: "End a share; the other clinic's next statement sees nothing",
    takes: &[],
    gives: Gives::Record(&RECORD_SHARE),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::EditPatient,
    run: Run::Inside(|scope, call| Box::pin(revoke_share(scope, call))),
};

async fn revoke_share(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &RECORD_SHARE, call.id()?, call.version, keys).await?;
    if was.text("revoked_at").is_some() {
        return Err(Error::new(&error::MOVE_REFUSED).fault("revoked_at", "state", "The share is revoked already."));
    }
    let draft = Draft::default().set(&RECORD_SHARE, "revoked_at", Value::Instant(scope.now()))?;
    Ok(Answer::Record(store::update(scope, &was, &draft, "revoke", keys).await?))
}

pub static RELEASE_HOLD: Operation = Operation {
    id: "releaseLegalHold",
    method: Method::Post,
    path: "/legal-holds/{id}/release",
    tag: LEGAL_HOLD.tag,
    doc: "Release a hold, by somebody else than who placed it; retention applies again",
    takes: &[Field::text("reason").required().length(4_000)],
    gives: Gives::Record(&LEGAL_HOLD),
    planes: &[Plane::Staff],
    permission: Permission::ManageGovernance,
    run: Run::Inside(|scope, call| Box::pin(release_hold(scope, call))),
};

async fn release_hold(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &LEGAL_HOLD, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let person = second_person(call, was.uuid("placed_by"), "released_by")?;
    let columns = vec![
        ("released_at", Value::Instant(scope.now())),
        ("released_by", person),
        ("release_reason", Value::Text(call.text("reason").unwrap_or_default().to_owned())),
    ];
    transition(scope, call, &LEGAL_HOLD, columns).await
}

/// The caller, who is not the first person.
pub fn second_person(call: &Call, first: Option<uuid::Uuid>, column: &'static str) -> Result<Value> {
    match call.caller.context.actor {
        Some(actor) if Some(actor) != first => Ok(Value::Uuid(actor)),
        _ => Err(Error::new(&error::MOVE_REFUSED).fault(column, "second_person", "A second person has to do this.")),
    }
}
