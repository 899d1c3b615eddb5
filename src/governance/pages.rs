//! A page of a record behind a named view: the caller's own limit and cursor over a list the view has narrowed.

use crate::kernel::context::Context;
use crate::kernel::error::Result;
use crate::kernel::operation::Call;
use crate::kernel::table::list::{PAGE_SIZE, PAGE_SIZE_MAX};
use crate::kernel::table::{Cursor, Field, List, Record, Value, store};

/// What every such view takes beside its own fields.
pub const LIMIT: Field = Field::int("limit").at_least(1).at_most(PAGE_SIZE_MAX as i64);
pub const CURSOR: Field = Field::text("cursor").length(4_000);

/// Reads one page and remembers who looked.
pub async fn page(call: &Call, context: &Context, mut list: List) -> Result<(Vec<Record>, Option<String>)> {
    let (caller, keys) = (&call.caller, &call.caller.kernel.keys);
    list.limit = match call.value("limit") {
        Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(PAGE_SIZE),
        _ => PAGE_SIZE,
    };
    for filter in list.table.filters {
        if let Some(value) = call.value(filter.name) {
            list.filters.push((filter, value.clone()));
        }
    }
    if let Some(cursor) = call.text("cursor") {
        list.after = Some(Cursor::open(cursor, &list, keys.own())?);
    }
    let scope = caller.kernel.door.open(context).await?;
    let (records, next) = store::list(scope, &list, keys).await?;
    let next = next.map(|cursor| cursor.seal(&list, keys.own())).transpose()?;
    caller.searched(context, list.table, &records).await?;
    Ok((records, next))
}
