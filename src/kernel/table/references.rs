//! Foreign keys cannot tell a row of another tenant's people from our own, and a shared row has two homes: what a draft
//! points to must be visible under the caller's policies.

use super::draft::Draft;
use super::field::{Field, Refers};
use super::value::Value;
use crate::kernel::db::{Param, Scope, Shaped};
use crate::kernel::error::{self, Error, Result};
use std::collections::HashMap;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// What the rows that drafts point to were found to be: the tenant of a shared one, of another nothing.
pub struct References(HashMap<(Refers, Uuid), Option<Option<Uuid>>>);

impl References {
    /// Looks all of them up in one pipeline.
    pub async fn of<'d>(scope: &mut Scope, drafts: impl IntoIterator<Item = &'d Draft>) -> Result<References> {
        let mut found: HashMap<(Refers, Uuid), Option<Option<Uuid>>> =
            drafts.into_iter().flat_map(named).map(|(field, id)| ((field.refers, id), None)).collect();
        if found.is_empty() {
            return Ok(References(found));
        }
        let asked: Vec<(Refers, Uuid)> = found.keys().copied().collect();
        let texts: Vec<String> = asked.iter().map(|(refers, _)| lookup(*refers)).collect();
        let tenant = scope.context().tenant;
        let steps = asked.iter().zip(&texts).map(|((refers, id), text)| {
            let mut params = vec![(id as Param<'_>, Type::UUID)];
            params.extend(matches!(refers, Refers::Tenant(_)).then_some((&tenant as Param<'_>, Type::UUID)));
            Shaped { text, params }
        });
        let (answers, refusal) = scope.pipeline(&steps.collect::<Vec<_>>(), false).await?;
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        for (key, rows) in asked.into_iter().zip(answers) {
            let owner = rows.first().map(|row| if row.is_empty() { Ok(None) } else { row.try_get(0).map(Some) }).transpose()?;
            found.insert(key, owner);
        }
        Ok(References(found))
    }

    /// The tenant columns of the draft's shared references.
    pub fn columns(&self, draft: &Draft) -> Result<Vec<(String, Value, Type)>> {
        let mut out = Vec::new();
        for (field, id) in named(draft) {
            let owner = self.0.get(&(field.refers, id)).copied().flatten().ok_or_else(|| {
                Error::new(&error::REFERENCE_UNKNOWN).fault(field.name, "reference", "It points to nothing the caller can see.")
            })?;
            if let (Refers::Shared(_, column), Some(owner)) = (field.refers, owner) {
                out.push((column.to_owned(), Value::Uuid(owner), Type::UUID));
            }
        }
        Ok(out)
    }
}

/// Where no foreign key decides: none holds a list of ids either.
fn named(draft: &Draft) -> impl Iterator<Item = (&'static Field, Uuid)> {
    draft.values.iter().flat_map(|(field, value)| {
        let ids: &[Uuid] = match (field.refers, value) {
            (Refers::Shared(..) | Refers::Installation(_), Value::Uuid(id)) => std::slice::from_ref(id),
            (Refers::Tenant(_), Value::Uuids(ids)) => ids,
            _ => &[],
        };
        ids.iter().map(|id| (*field, *id))
    })
}

fn lookup(refers: Refers) -> String {
    match refers {
        // Where the target has no such column, `deleted_at` is that of the row outside.
        Refers::Shared(target, _) => format!(
            "select x.tenant_id from (select null::timestamptz as deleted_at) o cross join lateral (
                 select t.tenant_id from {target} t
                  where t.tenant_id = any ((select sec.shared(0))::uuid[]) and t.id = $1 and deleted_at is null) x"
        ),
        Refers::Installation(target) => format!("select from {target} where id = $1"),
        Refers::Tenant(target) => format!("select from {target} where id = $1 and tenant_id = $2"),
        Refers::Nothing => String::new(),
    }
}
