//! Creates of one type that travel together: neighbours that are one row each go in one statement, and so does what is kept
//! and searched beside them.

use super::read::{Shown, owner};
use super::states;
use super::write::{self, Chosen};
use crate::fhir::Resource;
use crate::fhir::mapping::{Mapping, Taken};
use crate::kernel::Caller;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Query, Scope};
use crate::kernel::error::{Error, Result};
use crate::kernel::table::{Draft, Record, Table, record, store};
use std::borrow::Cow;
use std::collections::HashMap;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// The first that was refused, by its place among those that travel.
pub struct Refused {
    pub place: usize,
    pub refusal: Error,
}

/// One that is a row and nothing besides.
struct Plain {
    place: usize,
    taken: Taken,
    draft: Draft,
    resource: Resource,
}

/// All of them, in this order, or the first refusal.
pub async fn create(
    scope: &mut Scope,
    caller: &Caller,
    sources: &[&'static Mapping],
    new: Vec<(Uuid, Resource)>,
    base: &str,
) -> Result<Vec<Shown>, Refused> {
    let mut shown: Vec<(usize, Shown)> = Vec::with_capacity(new.len());
    let mut run: Option<(&'static Mapping, Vec<Plain>)> = None;
    for (place, (id, resource)) in new.into_iter().enumerate() {
        let refused = |refusal| Refused { place, refusal };
        let chosen = write::chosen(scope, caller, sources, id, resource, base).await.map_err(refused)?;
        let mapping = chosen.mapping;
        let draft = plain(&chosen, id).map_err(refused)?;
        // Another table begins another run; what is more than a row waits for all before it.
        let goes_on = draft.is_some() && run.as_ref().is_some_and(|(known, _)| std::ptr::eq(*known, mapping));
        if !goes_on && let Some((mapping, run)) = run.take() {
            shown.extend(store_run(scope, caller, mapping, run, base).await?);
        }
        match draft {
            Some(draft) => {
                let plain = Plain { place, taken: chosen.taken, draft, resource: chosen.said };
                run.get_or_insert_with(|| (mapping, Vec::new())).1.push(plain);
            }
            None => shown.push((place, write::make(scope, caller, id, chosen, base).await.map_err(refused)?)),
        }
    }
    if let Some((mapping, run)) = run {
        shown.extend(store_run(scope, caller, mapping, run, base).await?);
    }
    Ok(shown.into_iter().map(|(_, shown)| shown).collect())
}

fn plain(chosen: &Chosen, id: Uuid) -> Result<Option<Draft>> {
    let (mapping, taken) = (chosen.mapping, &chosen.taken);
    let has_parts = taken.parts.iter().flatten().any(|rows| !rows.is_empty());
    let mut root = taken.root.clone();
    let arrivals = states::arrivals(mapping, &mut root)?;
    let draft = Draft { id: Some(id), ..root.draft(mapping.table)? };
    let is_plain = chosen.is_settled() && !has_parts && arrivals.iter().all(|(_, way)| way.is_empty()) && store::is_plain(&draft);
    Ok(is_plain.then_some(draft))
}

async fn store_run(
    scope: &mut Scope,
    caller: &Caller,
    mapping: &'static Mapping,
    run: Vec<Plain>,
    base: &str,
) -> Result<Vec<(usize, Shown)>, Refused> {
    let first = run.first().map_or(0, |plain| plain.place);
    let refused = |refusal| Refused { place: first, refusal };
    caller.needs(mapping.table.write).map_err(refused)?;
    let keys = &caller.kernel.keys;
    let drafts: Vec<(&'static Table, Draft)> = run.iter().map(|plain| (mapping.table, plain.draft.clone())).collect();
    let mut made = 0;
    while made < drafts.len() {
        let (records, refusal) = store::insert_run(scope, drafts.get(made..).unwrap_or_default(), false, keys).await.map_err(refused)?;
        made += records.len();
        let (Some(next), false) = (run.get(made), refusal.is_none() && !records.is_empty()) else { continue };
        let told = |refusal| Refused { place: next.place, refusal: next.taken.root.told(refusal) };
        match refusal {
            Some(refusal) => return Err(told(refusal)),
            None => drop(store::insert(scope, mapping.table, &next.draft, keys).await.map_err(told)?),
        }
        made += 1;
    }
    let ids: Vec<Uuid> = drafts.iter().filter_map(|(_, draft)| draft.id).collect();
    let mut stored = again(scope, mapping, &ids, keys).await.map_err(refused)?;
    let places: Vec<usize> = run.iter().map(|plain| plain.place).collect();
    let roots = run.into_iter().zip(&ids).filter_map(|(plain, id)| Some((stored.remove(id)?, plain.resource)));
    let shown = write::finished(scope, mapping, roots.collect(), base, keys).await.map_err(refused)?;
    Ok(places.into_iter().zip(shown).collect())
}

/// The records as they stand now: triggers may have changed them after they were written.
async fn again(scope: &mut Scope, mapping: &'static Mapping, ids: &[Uuid], keys: &Keyring) -> Result<HashMap<Uuid, Record>> {
    let (table, plane, tenant) = (mapping.table, scope.context().plane, scope.tenant()?);
    let home = if table.has_tenant() { "r.tenant_id = $2" } else { "$2 is not null" };
    let text = format!("select {} from {} r where {home} and r.id = any ($1)", record::columns(table, plane), table.name);
    let query = Query { text: Cow::Owned(text), types: Cow::Owned(vec![Type::UUID_ARRAY, Type::UUID]) };
    let mut stored = HashMap::with_capacity(ids.len());
    for row in scope.rows(query, &[&ids, &tenant]).await? {
        let root = record::decode(table, plane, &row, keys).await?;
        if !table.has_tenant() || owner(&root) == tenant {
            stored.insert(root.id, root);
        }
    }
    if stored.len() == ids.len() { Ok(stored) } else { Err(Error::internal("a record that was stored is not seen")) }
}
