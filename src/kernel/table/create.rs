//! Storing new records: one, or a run of them in one pipeline.

use super::draft::Draft;
use super::field::Table;
use super::record::{self, Record};
use super::references::References;
use super::store::{one, unfold};
use super::value::Value;
use crate::kernel::audit::Action;
use crate::kernel::context::PLATFORM_TENANT;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Param, Scope, Shaped};
use crate::kernel::error::{self, Error, Result};
use tokio_postgres::types::Type;

/// A new row on its way: its statement and the values.
struct Creation {
    text: String,
    columns: Vec<(String, Value, Type)>,
}

impl Creation {
    async fn of(scope: &Scope, table: &'static Table, draft: &Draft, shared: &References, keys: &Keyring) -> Result<Creation> {
        let tenant = scope.tenant()?;
        let id = draft.id.unwrap_or_else(|| scope.new_id());
        let shared = shared.columns(draft)?;
        let tenant_keys = keys.of(if table.has_tenant() { tenant } else { PLATFORM_TENANT }).await?;
        let mut columns = vec![("id".to_owned(), Value::Uuid(id), Type::UUID)];
        if table.has_tenant() {
            columns.push(("tenant_id".to_owned(), Value::Uuid(tenant), Type::UUID));
        }
        columns.extend(draft.stored(table, id, &tenant_keys)?);
        columns.extend(shared);
        let names: Vec<&str> = columns.iter().map(|(name, ..)| name.as_str()).collect();
        let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
        let text = format!(
            "insert into {} as r ({}) values ({}) returning {}",
            table.name,
            names.join(", "),
            places.join(", "),
            record::columns(table, scope.context().plane)
        );
        Ok(Creation { text, columns })
    }

    fn params(&self) -> Vec<(Param<'_>, Type)> {
        self.columns.iter().map(|(_, value, ty)| (value as Param<'_>, ty.clone())).collect()
    }
}

/// Stores a new record and returns it as read. References are looked up under the caller's own policies first.
pub async fn insert(scope: &mut Scope, table: &'static Table, draft: &Draft, keys: &Keyring) -> Result<Record> {
    let shared = References::of(scope, [draft]).await?;
    let creation = Creation::of(scope, table, draft, &shared, keys).await?;
    let rows = scope.rows_shaped(&creation.text, &creation.params()).await.map_err(|failure| taken(failure, table, draft))?;
    let record = one(table, scope.context().plane, &rows, keys).await?;
    let record = unfold(scope, record, draft, keys).await?;
    scope.did(Action::Create, &record);
    Ok(record)
}

/// It is one row and nothing besides, so it can be stored in a run.
pub fn is_plain(draft: &Draft) -> bool {
    draft.values.iter().all(|(field, _)| field.unfolds.is_none())
}

/// Stores records one after the other without waiting for each, up to the first that is refused, and gives that refusal.
/// It ends without one before a draft that the rows ahead of it have to stand for. `marked` as in [`Scope::pipeline`].
pub async fn insert_run(
    scope: &mut Scope,
    drafts: &[(&'static Table, Draft)],
    marked: bool,
    keys: &Keyring,
) -> Result<(Vec<Record>, Option<Error>)> {
    let shared = References::of(scope, drafts.iter().map(|(_, draft)| draft)).await?;
    let mut creations = Vec::with_capacity(drafts.len());
    for (table, draft) in drafts {
        let Ok(creation) = Creation::of(scope, table, draft, &shared, keys).await else { break };
        creations.push(creation);
    }
    let steps: Vec<Shaped<'_>> = creations.iter().map(|creation| Shaped { text: &creation.text, params: creation.params() }).collect();
    let (answers, refusal) = scope.pipeline(&steps, marked).await?;
    let mut records = Vec::with_capacity(drafts.len());
    for (rows, (table, _)) in answers.iter().zip(drafts) {
        let record = one(table, scope.context().plane, rows, keys).await?;
        scope.did(Action::Create, &record);
        records.push(record);
    }
    let refused = drafts.get(records.len());
    Ok((
        records,
        refusal
            .map(|refusal| refused.map_or_else(|| Error::internal("nothing was refused"), |(table, draft)| taken(refusal, table, draft))),
    ))
}

/// A client-made id that is taken answers like any other key, by its field.
fn taken(failure: Error, table: &Table, draft: &Draft) -> Error {
    let pkey = failure.code == &error::DUPLICATE
        && draft.id.is_some()
        && failure.cause.as_ref().is_some_and(|cause| cause.to_string().ends_with(&format!("{}_pkey", table.name)));
    if pkey { Error::new(&error::DUPLICATE).fault("id", "unique", "The id is taken.") } else { failure }
}
