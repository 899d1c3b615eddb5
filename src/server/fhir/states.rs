//! States of records over FHIR: the way into one, by the operations that REST has for it where the mapping names them.

use crate::fhir::mapping::{Columns, Mapping};
use crate::fhir::resource::Resource;
use crate::kernel::Caller;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::projection::Step;
use crate::kernel::table::{Draft, Machine, Move, Record, Value, store};
use crate::server::rest::projections::call;
use serde_json::{Map, Value as Json};

/// A state that operations lead to, and what the resource says of why.
pub struct Goal {
    machine: &'static Machine,
    to: String,
    path: String,
    reason: Option<String>,
}

impl Goal {
    /// A new record is there by itself.
    pub fn is_where_it_begins(&self) -> bool {
        self.machine.initial == [self.to.as_str()]
    }
}

/// Whether the column is a state that operations lead to.
pub fn is_reached(mapping: &Mapping, column: &str) -> bool {
    !mapping.steps.is_empty() && mapping.table.machines.first().is_some_and(|machine| machine.column == column)
}

/// The state that the resource asks for, taken out of the columns: it is reached by operations after the rest is written.
pub fn goal(mapping: &Mapping, columns: &mut Columns, resource: &Resource) -> Option<Goal> {
    let machine = mapping.table.machines.first().filter(|_| !mapping.steps.is_empty())?;
    let to = columns.get(machine.column)?.as_str()?.to_owned();
    let (_, path) = columns.take(machine.column)?;
    Some(Goal { machine, to, path, reason: reason(resource) })
}

fn reason(resource: &Resource) -> Option<String> {
    let said = resource.as_map().get("statusReason")?;
    let said = said.get(0).unwrap_or(said);
    let text = said.get("text").or_else(|| said.get("coding")?.get(0)?.get("display"))?;
    text.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// Whether a new record can be in the state, by itself or by an operation.
pub fn begins(mapping: &Mapping, goal: &Goal) -> Result<()> {
    if goal.machine.initial.contains(&goal.to.as_str()) || step(mapping, &goal.to).is_some() {
        return Ok(());
    }
    let text = format!("A new record is {}.", goal.machine.initial.join(" or "));
    Err(Error::new(&error::INVALID).fault(&goal.path, "state", text))
}

fn step(mapping: &Mapping, to: &str) -> Option<&'static Step> {
    mapping.steps.iter().find(|step| step.to == to)
}

/// Runs the operations of the way that begin where the record stands; each judges by itself. A state that none leads to
/// from here is refused as the machine refuses.
pub async fn reach(scope: &mut Scope, caller: &Caller, mapping: &Mapping, record: Record, goal: Option<Goal>) -> Result<Record> {
    let Some(Goal { machine, to, path, reason }) = goal else { return Ok(record) };
    let (keys, id) = (&caller.kernel.keys, record.id);
    let state = |record: &Record| record.text(machine.column).unwrap_or_default().to_owned();
    let mut now = store::again(scope, &record, keys).await?;
    let step = step(mapping, &to).filter(|_| state(&now) != to);
    for operation in step.map(|step| step.by).unwrap_or_default() {
        if machine.allowed(&state(&now), operation.word()).is_empty() {
            continue;
        }
        let with = step.map(|step| step.with).unwrap_or_default();
        let mut body: Map<String, Json> = with.iter().map(|(field, text)| ((*field).to_owned(), Json::from(*text))).collect();
        if let Some(reason) = reason.as_ref().filter(|_| operation.takes.iter().any(|field| field.name == "reason")) {
            body.insert("reason".into(), Json::from(reason.as_str()));
        }
        call(scope, caller, operation, id, body).await?;
        now = store::again(scope, &now, keys).await?;
    }
    if state(&now) == to {
        return Ok(now);
    }
    let mut refusal = store::refuse_move(machine, &state(&now));
    let ways = refusal.detail.clone().unwrap_or_default();
    for fault in &mut refusal.faults {
        path.clone_into(&mut fault.field);
        fault.text.clone_from(&ways);
    }
    Err(refusal)
}

/// What happened elsewhere arrives in any state: a new row begins in one that rows begin in and goes its way from there.
pub fn arrivals(mapping: &Mapping, root: &mut Columns) -> Result<Vec<(&'static str, Vec<&'static Move>)>> {
    let mut arrivals = Vec::new();
    for machine in mapping.table.machines {
        let Some(to) = root.get(machine.column).and_then(Json::as_str).map(str::to_owned) else { continue };
        let Some((from, way)) = machine.arrival(&to) else {
            let refusal = Error::new(&error::INVALID).fault(machine.column, "state", "A new record cannot come into this state.");
            return Err(root.told(refusal));
        };
        root.replace(machine.column, from);
        arrivals.push((machine.column, way));
    }
    Ok(arrivals)
}

pub async fn walk(scope: &mut Scope, mut record: Record, column: &str, way: &[&'static Move], keys: &Keyring) -> Result<Record> {
    for step in way {
        let draft = Draft::default().set(record.table, column, Value::Text(step.to.to_owned()))?;
        record = store::update(scope, &record, &draft, step.by, keys).await?;
    }
    Ok(record)
}

/// FHIR sets a status where our operations move it: the way there is gone in the names of those operations, all but its
/// last move, which is made with the rest of the change.
pub async fn moved(scope: &mut Scope, mut was: Record, columns: &Columns, keys: &Keyring) -> Result<(Record, &'static str)> {
    let mut by = "update";
    for machine in was.table.machines {
        let Some(to) = columns.get(machine.column).and_then(Json::as_str) else { continue };
        let Some(way) = machine.way(was.text(machine.column).unwrap_or_default(), to) else { continue };
        let Some((last, before)) = way.split_last() else { continue };
        was = walk(scope, was, machine.column, before, keys).await?;
        by = last.by;
    }
    Ok((was, by))
}
