//! Creates of one type that travel together: neighbours that are one row each go in one statement, and so does what is kept
//! and searched beside them.

use super::read::owner;
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

/// One that is a row and nothing besides.
struct Plain {
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
) -> Result<()> {
    let mut run: Option<(&'static Mapping, Vec<Plain>)> = None;
    for (id, resource) in new {
        let chosen = write::chosen(scope, caller, sources, id, resource, base).await?;
        let mapping = chosen.mapping;
        let plain = plain(&chosen, id)?;
        // Another table begins another run; what is more than a row waits for all before it.
        let goes_on = plain.is_some() && run.as_ref().is_some_and(|(known, _)| std::ptr::eq(*known, mapping));
        if !goes_on && let Some((mapping, run)) = run.take() {
            store_run(scope, caller, mapping, run, base).await?;
        }
        match plain {
            Some(draft) => {
                let plain = Plain { taken: chosen.taken, draft, resource: chosen.said };
                run.get_or_insert_with(|| (mapping, Vec::new())).1.push(plain);
            }
            None => drop(write::make(scope, caller, id, chosen, base).await?),
        }
    }
    match run {
        Some((mapping, run)) => store_run(scope, caller, mapping, run, base).await,
        None => Ok(()),
    }
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

async fn store_run(scope: &mut Scope, caller: &Caller, mapping: &'static Mapping, run: Vec<Plain>, base: &str) -> Result<()> {
    caller.needs(mapping.table.write)?;
    let keys = &caller.kernel.keys;
    let drafts: Vec<(&'static Table, Draft)> = run.iter().map(|plain| (mapping.table, plain.draft.clone())).collect();
    let mut made = 0;
    while made < drafts.len() {
        let (records, refusal) = store::insert_run(scope, drafts.get(made..).unwrap_or_default(), false, keys).await?;
        made += records.len();
        match (refusal, run.get(made)) {
            (Some(refusal), Some(refused)) => return Err(refused.taken.root.told(refusal)),
            (Some(refusal), None) => return Err(refusal),
            (None, _) if records.is_empty() => {
                let Some((table, draft)) = drafts.get(made) else { break };
                store::insert(scope, table, draft, keys).await?;
                made += 1;
            }
            (None, _) => {}
        }
    }
    let ids: Vec<Uuid> = drafts.iter().filter_map(|(_, draft)| draft.id).collect();
    let mut stored = again(scope, mapping, &ids, keys).await?;
    let roots = run.into_iter().zip(&ids).filter_map(|(plain, id)| Some((stored.remove(id)?, plain.resource)));
    write::finished(scope, mapping, roots.collect(), base, keys).await.map(drop)
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
