//! Storing new records: one, or a run of them in one pipeline.

use super::draft::Draft;
use super::field::Table;
use super::record::{self, Record, Width};
use super::references::References;
use super::store::{one, unfold};
use super::value::Value;
use crate::kernel::audit::Action;
use crate::kernel::context::PLATFORM_TENANT;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Param, Scope, Shaped};
use crate::kernel::error::{self, Error, Result};
use std::collections::HashMap;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// A new row on its way: its statement and the values.
struct Creation {
    id: Uuid,
    text: String,
    columns: Vec<(String, Value, Type)>,
}

impl Creation {
    async fn of(
        scope: &Scope,
        table: &'static Table,
        draft: &Draft,
        width: Width,
        shared: &References,
        keys: &Keyring,
    ) -> Result<Creation> {
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
            record::columns_of(table, scope.context().plane, width)
        );
        Ok(Creation { id, text, columns })
    }

    fn params(&self) -> Vec<(Param<'_>, Type)> {
        self.columns.iter().map(|(_, value, ty)| (value as Param<'_>, ty.clone())).collect()
    }

    /// It can go in one statement with these: it has their shape, and none of them says another's id, for the rows of a
    /// statement are judged together.
    fn joins(&self, group: &[Creation]) -> bool {
        let says = |creation: &Creation, id: Uuid| {
            creation.columns.iter().any(|(name, value, _)| name != "id" && matches!(value, Value::Uuid(said) if *said == id))
        };
        group.first().is_some_and(|first| first.text == self.text)
            && self.columns.iter().all(|(_, _, ty)| list_of(ty).is_some())
            && !group.iter().any(|other| other.id == self.id || says(self, other.id) || says(other, self.id))
    }
}

/// Stores a new record and returns it as read. References are looked up under the caller's own policies first.
pub async fn insert(scope: &mut Scope, table: &'static Table, draft: &Draft, keys: &Keyring) -> Result<Record> {
    let shared = References::of(scope, [draft]).await?;
    let creation = Creation::of(scope, table, draft, Width::Full, &shared, keys).await?;
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
    width: Width,
    marked: bool,
    keys: &Keyring,
) -> Result<(Vec<Record>, Option<Error>)> {
    let shared = References::of(scope, drafts.iter().map(|(_, draft)| draft)).await?;
    let mut creations = Vec::with_capacity(drafts.len());
    for (table, draft) in drafts {
        let Ok(creation) = Creation::of(scope, table, draft, width, &shared, keys).await else { break };
        creations.push(creation);
    }
    let (rows, refusal) = match grouped(scope, drafts, width, &creations).await? {
        Some(rows) => (rows, None),
        None => {
            let steps: Vec<Shaped<'_>> =
                creations.iter().map(|creation| Shaped { text: &creation.text, params: creation.params() }).collect();
            let (answers, refusal) = scope.pipeline(&steps, marked).await?;
            (answers.into_iter().flatten().collect(), refusal)
        }
    };
    let mut records = Vec::with_capacity(drafts.len());
    for (row, (table, _)) in rows.iter().zip(drafts) {
        let record = record::decode_of(table, scope.context().plane, width, row, keys).await?;
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

/// Stores them all in this order, or gives the first that is refused, by its place. What costs much to compute is not read.
pub async fn insert_all(scope: &mut Scope, drafts: &[(&'static Table, Draft)], keys: &Keyring) -> Result<Vec<Record>, (usize, Error)> {
    let mut made: Vec<Record> = Vec::with_capacity(drafts.len());
    while let Some((table, draft)) = drafts.get(made.len()) {
        let place = made.len();
        let rest = drafts.get(place..).unwrap_or_default();
        let plain = rest.iter().take_while(|(_, draft)| is_plain(draft)).count();
        if plain > 0 {
            let run = rest.get(..plain).unwrap_or_default();
            let (records, refusal) = insert_run(scope, run, Width::Lean, false, keys).await.map_err(|refusal| (place, refusal))?;
            made.extend(records);
            if let Some(refusal) = refusal {
                return Err((made.len(), refusal));
            }
        }
        if made.len() == place {
            made.push(insert(scope, table, draft, keys).await.map_err(|refusal| (place, refusal))?);
        }
    }
    Ok(made)
}

/// Neighbours of one table and shape go in one statement: what PostgreSQL prepares for a statement (checks, generated columns,
/// conditions of triggers) costs more than the row. When anything is refused, it never was: the steps then go one by one,
/// and each gets its own answer.
async fn grouped(scope: &mut Scope, drafts: &[(&'static Table, Draft)], width: Width, creations: &[Creation]) -> Result<Option<Vec<Row>>> {
    let plane = scope.context().plane;
    let mut groups: Vec<&[Creation]> = Vec::new();
    let mut from = 0;
    for place in 1..=creations.len() {
        let group = creations.get(from..place).unwrap_or_default();
        let table = drafts.get(from).map(|(table, _)| *table);
        let joins = |next: &Creation| table.is_some_and(|table| next.joins(group) && !record::computes(table, plane, width));
        if !creations.get(place).is_some_and(joins) {
            groups.push(group);
            from = place;
        }
    }
    if groups.len() == creations.len() {
        return Ok(None);
    }
    let many: Vec<Option<Many<'_>>> = groups.iter().map(|group| (group.len() > 1).then(|| Many::of(group))).collect();
    let steps: Vec<Shaped<'_>> = many
        .iter()
        .zip(&groups)
        .flat_map(|(many, group)| match many {
            Some(many) => vec![Shaped { text: &many.text, params: many.params() }],
            None => group.iter().map(|creation| Shaped { text: &creation.text, params: creation.params() }).collect(),
        })
        .collect();
    let mark = scope.mark().await?;
    let (answers, refusal) = scope.pipeline(&steps, false).await?;
    let mut rows: HashMap<Uuid, Row> = HashMap::with_capacity(creations.len());
    for row in answers.into_iter().flatten() {
        rows.insert(row.try_get(0)?, row);
    }
    let in_turn: Option<Vec<Row>> = creations.iter().map(|creation| rows.remove(&creation.id)).collect();
    if refusal.is_some() || in_turn.is_none() {
        scope.undo(mark).await?;
        return Ok(None);
    }
    scope.keep(mark).await?;
    Ok(in_turn)
}

/// One statement for a group, a list of values for each column.
struct Many<'c> {
    text: String,
    columns: Vec<(Vec<&'c Value>, Type)>,
}

impl<'c> Many<'c> {
    fn of(group: &'c [Creation]) -> Many<'c> {
        let Some(first) = group.first() else { return Many { text: String::new(), columns: Vec::new() } };
        let places: Vec<String> = (1..=first.columns.len()).map(|place| format!("${place}")).collect();
        let text = first.text.replacen(
            &format!(") values ({}) returning", places.join(", ")),
            &format!(") select * from unnest({}) returning", places.join(", ")),
            1,
        );
        let column = |place: usize, ty: &Type| {
            let values = group.iter().filter_map(|creation| creation.columns.get(place).map(|(_, value, _)| value)).collect();
            Some((values, list_of(ty)?))
        };
        let columns = first.columns.iter().enumerate().filter_map(|(place, (_, _, ty))| column(place, ty)).collect();
        Many { text, columns }
    }
    fn params(&self) -> Vec<(Param<'_>, Type)> {
        self.columns.iter().map(|(values, ty)| (values as Param<'_>, ty.clone())).collect()
    }
}

/// Lists of lists would be one long list.
fn list_of(ty: &Type) -> Option<Type> {
    Some(match *ty {
        Type::UUID => Type::UUID_ARRAY,
        Type::TEXT => Type::TEXT_ARRAY,
        Type::BOOL => Type::BOOL_ARRAY,
        Type::INT4 => Type::INT4_ARRAY,
        Type::INT8 => Type::INT8_ARRAY,
        Type::FLOAT8 => Type::FLOAT8_ARRAY,
        Type::DATE => Type::DATE_ARRAY,
        Type::TIME => Type::TIME_ARRAY,
        Type::TIMESTAMPTZ => Type::TIMESTAMPTZ_ARRAY,
        Type::JSONB => Type::JSONB_ARRAY,
        Type::BYTEA => Type::BYTEA_ARRAY,
        _ => return None,
    })
}

/// A client-made id that is taken answers like any other key, by its field; a key of several fields names each.
pub(super) fn taken(failure: Error, table: &Table, draft: &Draft) -> Error {
    if failure.code != &error::DUPLICATE {
        return failure;
    }
    let ends = |with: &str| failure.cause.as_ref().is_some_and(|cause| cause.to_string().ends_with(with));
    if draft.id.is_some() && ends(&format!("{}_pkey", table.name)) {
        return Error::new(&error::DUPLICATE).fault("id", "unique", "The id is taken.");
    }
    let Some(key) = failure.faults.first().map(|fault| fault.field.clone()).filter(|key| table.field(key).is_none()) else {
        return failure;
    };
    let named = table.fields.iter().filter(|field| format!("_{key}_").contains(&format!("_{}_", field.name)));
    let mut told = Error { faults: Vec::new(), ..failure };
    for field in named {
        told = told.fault(field.name, "unique", "Another resource has this key.");
    }
    told
}
