//! Writing the rows that belong to a record, and those it points to.

use super::run::Refused;
use crate::fhir::mapping::{Columns, Link, Mapping, Part, Whole};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::{Access, Draft, Record, Table, store};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Rows the record points to: changed where it points to one already, made where it does not. Whether any was written.
pub async fn parents(
    scope: &mut Scope,
    mapping: &'static Mapping,
    root: &mut Columns,
    parts: &[Option<Vec<Columns>>],
    was: Option<&Record>,
    keys: &Keyring,
) -> Result<bool> {
    let mut wrote = false;
    for (part, rows) in mapping.parts.iter().zip(parts) {
        let (Link::Parent(column), Some(row)) = (part.link, rows.as_ref().and_then(|rows| rows.first())) else { continue };
        let id = root.get(column).cloned().or_else(|| was.map(|was| was.get(column).clone())).unwrap_or(Json::Null);
        let id: Option<Uuid> = id.as_str().and_then(|id| id.parse().ok());
        // A relation to another patient shows that patient's own name; it is not written from here.
        let linked_elsewhere = was.is_some() && id.is_none();
        if linked_elsewhere {
            continue;
        }
        match id {
            Some(id) => {
                let there = store::lock(scope, part.table, id, None, keys).await;
                let there = there.map_err(|why| if why.code == &error::NOT_FOUND { unknown(root, column) } else { why })?;
                let mut row = row.clone();
                settled_part(part, &mut row);
                if !row.are_in(&there) {
                    wrote = true;
                    store::update(scope, &there, &row.draft(part.table)?, "update", keys).await.map_err(|refusal| row.told(refusal))?;
                }
            }
            None => {
                let made = store::insert(scope, part.table, &row.draft(part.table)?, keys).await.map_err(|refusal| row.told(refusal))?;
                root.set(column, json!(made.id), mapping.of.name.to_owned());
                wrote = true;
            }
        }
    }
    Ok(wrote)
}

fn unknown(root: &Columns, column: &'static str) -> Error {
    root.told(Error::new(&error::REFERENCE_UNKNOWN).fault(column, "reference", "It points to nothing the caller can see."))
}

fn settled_part(part: &Part, row: &mut Columns) {
    let fixed: Vec<&'static str> =
        row.names().filter(|name| part.table.field(name).is_some_and(|field| field.access == Access::Fixed)).collect();
    fixed.into_iter().for_each(|name| row.remove(name));
}

/// Rows that belong to the record as it stood: equal ones stay, alike ones are changed, the others made and retired. Whether any
/// was written.
pub async fn children(
    scope: &mut Scope,
    mapping: &'static Mapping,
    root: &Record,
    whole: &Whole,
    parts: &[Option<Vec<Columns>>],
    keys: &Keyring,
) -> Result<bool> {
    let (mut made, mut wrote) = (Vec::new(), false);
    for ((place, part), rows) in mapping.parts.iter().enumerate().zip(parts) {
        let (Link::Child(column), Some(rows)) = (part.link, rows) else { continue };
        let mut there: Vec<&Record> = whole.part(place).iter().collect();
        let mut wanted: Vec<&Columns> = Vec::new();
        for row in rows {
            match there.iter().position(|record| row.are_in(record)) {
                Some(known) => {
                    there.remove(known);
                }
                None => wanted.push(row),
            }
        }
        let mut new = Vec::new();
        let mut changed = Vec::new();
        for row in wanted {
            match there.iter().position(|record| row.agree(record, part.alike)) {
                Some(known) => changed.push((row, there.remove(known))),
                None => new.push(row),
            }
        }
        // Keys that go make room before keys that come.
        wrote |= !there.is_empty() || !changed.is_empty() || !new.is_empty();
        for record in there {
            store::retire(scope, record, None, keys).await?;
        }
        for (row, record) in changed {
            store::update(scope, record, &row.draft(part.table)?, "update", keys).await.map_err(|refusal| row.told(refusal))?;
        }
        for row in new {
            made.push(below(mapping, part, column, root.id, row)?);
        }
    }
    insert(scope, made, keys).await?;
    Ok(wrote)
}

/// A row on its way.
pub struct New {
    pub table: &'static Table,
    pub row: Columns,
    pub draft: Draft,
}

/// All rows below a new record.
pub fn new(mapping: &'static Mapping, root: Uuid, parts: &[Option<Vec<Columns>>]) -> Result<Vec<New>> {
    let mut new = Vec::new();
    for (part, rows) in mapping.parts.iter().zip(parts) {
        let (Link::Child(column), Some(rows)) = (part.link, rows) else { continue };
        for row in rows {
            new.push(below(mapping, part, column, root, row)?);
        }
    }
    Ok(new)
}

fn below(mapping: &'static Mapping, part: &Part, column: &'static str, root: Uuid, row: &Columns) -> Result<New> {
    let mut row = row.clone();
    row.set(column, json!(root), mapping.of.name.to_owned());
    Ok(New { table: part.table, draft: row.draft(part.table)?, row })
}

/// Stores them together; a refusal names what the resource says of its row.
pub async fn insert(scope: &mut Scope, new: Vec<New>, keys: &Keyring) -> Result<Vec<Record>, Refused> {
    let (rows, drafts): (Vec<Columns>, Vec<(&'static Table, Draft)>) = new.into_iter().map(|new| (new.row, (new.table, new.draft))).unzip();
    store::insert_all(scope, &drafts, keys).await.map_err(|(place, refusal)| Refused {
        place,
        refusal: match rows.get(place) {
            Some(row) => row.told(refusal),
            None => refusal,
        },
    })
}
