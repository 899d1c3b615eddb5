//! Creates of one type that travel together: those that are one row each go in one statement for each table, and so does what is
//! kept and searched beside them.

use super::finish;
use super::parts::{self, New};
use super::read::Shown;
use super::states;
use super::write::{self, Chosen};
use crate::fhir::Resource;
use crate::fhir::mapping::{Mapping, Whole};
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::kernel::table::{Draft, store};
use uuid::Uuid;

/// The first that was refused, by its place among those that travel.
pub struct Refused {
    pub place: usize,
    pub refusal: Error,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        refused.refusal
    }
}

/// One that is a row and nothing besides.
struct Plain {
    place: usize,
    row: New,
    resource: Resource,
}

/// All of them, or the first refusal: in this order those of one table, and whatever is more than a row behind all before it.
pub async fn create(
    scope: &mut Scope,
    caller: &Caller,
    sources: &[&'static Mapping],
    new: Vec<(Uuid, Resource)>,
    base: &str,
) -> Result<Vec<Shown>, Refused> {
    let mut shown: Vec<(usize, Shown)> = Vec::with_capacity(new.len());
    let mut runs: Vec<(&'static Mapping, Vec<Plain>)> = Vec::new();
    for (place, (id, resource)) in new.into_iter().enumerate() {
        let refused = |refusal| Refused { place, refusal };
        let chosen = write::chosen(scope, caller, sources, id, resource, base).await.map_err(refused)?;
        let mapping = chosen.mapping;
        let draft = plain(&chosen, id).map_err(refused)?;
        match draft {
            Some(draft) => {
                let row = New { table: mapping.table, row: chosen.taken.root, draft };
                let plain = Plain { place, row, resource: chosen.said };
                match runs.iter_mut().find(|(known, _)| std::ptr::eq(*known, mapping)) {
                    Some((_, run)) => run.push(plain),
                    None => runs.push((mapping, vec![plain])),
                }
            }
            None => {
                for (mapping, run) in runs.drain(..) {
                    shown.extend(store_run(scope, caller, mapping, run, base).await?);
                }
                shown.push((place, write::make(scope, caller, id, chosen, base).await.map_err(refused)?));
            }
        }
    }
    for (mapping, run) in runs {
        shown.extend(store_run(scope, caller, mapping, run, base).await?);
    }
    shown.sort_by_key(|(place, _)| *place);
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
    let (places, new): (Vec<usize>, Vec<(New, Resource)>) = run.into_iter().map(|plain| (plain.place, (plain.row, plain.resource))).unzip();
    let (rows, sent): (Vec<New>, Vec<Resource>) = new.into_iter().unzip();
    let in_run = |refused: Refused| Refused { place: places.get(refused.place).copied().unwrap_or(first), ..refused };
    let written = parts::insert(scope, rows, keys).await.map_err(in_run)?;
    let written = written.into_iter().map(|root| Whole::alone(mapping, root)).collect();
    let written = finish::standing(scope, mapping, written, true, None, keys).await.map_err(refused)?;
    let shown = finish::all(scope, mapping, written, sent, base, keys).await.map_err(refused)?;
    Ok(places.into_iter().zip(shown).collect())
}
