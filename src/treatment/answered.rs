//! Operations that end in one function of the security role, because they reach beyond what the caller's plane may write:
//! the function asks the sealed context again, and what it did is read back under the caller's own policies.

use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::db::{Param, Scope, Sql};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call};
use crate::kernel::table::{Record, Table, store};
use uuid::Uuid;

/// Calls the function; it gives the id of the record it changed, or null when the caller has none of that id.
pub(super) async fn by(
    scope: &mut Scope,
    call: &Call,
    table: &'static Table,
    function: &'static Sql,
    params: &[Param<'_>],
) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    if let Some(version) = call.version
        && store::seen(scope, table, call.id()?, keys).await?.version != version
    {
        return Err(Error::new(&error::STALE));
    }
    let changed: Option<Uuid> = scope.one(function, params).await?.try_get(0)?;
    let id = changed.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let record = store::seen(scope, table, id, keys).await?;
    told(scope, call, &record);
    Ok(Answer::Record(record))
}

/// The log says which operation it was, and why where a reason was given.
pub(super) fn told(scope: &mut Scope, call: &Call, record: &Record) {
    let mut event = audit_store::of_record(scope.context(), Action::Execute, record, scope.now());
    event.metadata = Metadata::new().text("operation", call.operation.id);
    if let Some(reason) = call.text("reason") {
        event.metadata = event.metadata.text("reason", reason);
    }
    scope.audit(event);
}
