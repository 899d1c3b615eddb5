//! A page behind a named operation: the caller's own limit and cursor over a list the operation has narrowed.

use crate::kernel::context::Context;
use crate::kernel::error::Result;
use crate::kernel::operation::Call;
use crate::kernel::table::list::{PAGE_SIZE, PAGE_SIZE_MAX};
use crate::kernel::table::{Cursor, Field, List, Record, Value, store};

/// What every such operation takes beside its own fields.
pub const LIMIT: Field = Field::int("limit").at_least(1).at_most(PAGE_SIZE_MAX as i64);
pub const CURSOR: Field = Field::text("cursor").length(4_000);

/// How many the caller wants.
pub fn limit(call: &Call) -> usize {
    match call.value(LIMIT.name) {
        Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(PAGE_SIZE),
        _ => PAGE_SIZE,
    }
}

/// Reads one page and remembers who looked. Fields of the call that are filters of the table narrow the list.
pub async fn page(call: &Call, context: &Context, mut list: List) -> Result<(Vec<Record>, Option<String>)> {
    let (caller, keys) = (&call.caller, &call.caller.kernel.keys);
    (list.limit, list.question) = (limit(call), caller.context.who());
    for filter in list.table.filters {
        if let Some(value) = call.value(filter.name) {
            list.filters.push((filter, value.clone()));
        }
    }
    list.hash_blind(caller).await?;
    if let Some(cursor) = call.text(CURSOR.name) {
        list.after = Some(Cursor::open(cursor, &list, keys.own())?);
    }
    let (records, next) = store::list(caller.kernel.door.open(context).await?, &list, keys).await?;
    let next = next.map(|cursor| cursor.seal(&list, keys.own())).transpose()?;
    caller.searched(context, list.table, &records).await?;
    Ok((records, next))
}
