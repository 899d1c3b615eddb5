//! Transactions: all entries in one transaction of the database, or none (R4 §3.1.0.11.2).
//!
//! New resources are given their ids before anything is written, so that entries may name each other in any order and in
//! rings; conditional references are answered from what is stored before.

use super::batch::{action, reply};
use super::write::{self, Change};
use super::{read, search, types};
use crate::fhir::bundle::{self, Entry, Method, Reply};
use crate::fhir::negotiate::Prefer;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::{Resource, check, link};
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::server::idempotency::{Key, Once, Turn};
use serde_json::Value as Json;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Entries of one transaction.
const ENTRIES_MAX: usize = 5_000;
/// Conditional references of one transaction; each is a search.
const CONDITIONS_MAX: usize = 500;

/// An entry that was read: what it changes, and whose it is.
struct Step {
    def: &'static TypeDef,
    method: Method,
    /// Of a create the id it is given.
    id: Uuid,
    version: Option<i64>,
    resource: Option<Json>,
    full_url: Option<String>,
}

pub async fn run(caller: &Caller, entries: Vec<Entry>, prefer: Prefer, base: &str, key: Option<&Key>) -> Result<Json> {
    if entries.len() > ENTRIES_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A transaction takes at most 5000 entries."));
    }
    let mut steps = Vec::with_capacity(entries.len());
    for (place, entry) in entries.into_iter().enumerate() {
        steps.push(step(caller, entry).await.map_err(|refusal| placed(refusal, place))?);
    }
    each_once(&steps)?;
    let order = linked(caller, &mut steps, base).await?;
    let scope = caller.kernel.door.open(&caller.context).await?;
    // Below the request's own key, as each entry of a batch: what was committed and not told is told by the next attempt.
    let key = key.map(|key| key.entry(0));
    let mut once = match Once::begin_kept(scope, caller, key.as_ref()).await? {
        Turn::First(once) => once,
        Turn::Again(kept) => return Ok(kept),
    };
    let mut replies: Vec<Option<Reply>> = steps.iter().map(|_| None).collect();
    for place in order {
        let (Some(step), Some(slot)) = (steps.get_mut(place), replies.get_mut(place)) else { continue };
        let (def, id, method) = (step.def, step.id, step.method);
        let done = carry_out(&mut once.scope, caller, step, prefer, base).await;
        if let Err(refusal) = &done
            && let Some(mapping) = types::sources(def.name)?.first()
        {
            caller.refused(mapping.table.schema, (method != Method::Post).then_some(id), action(method), refusal).await?;
        }
        *slot = Some(done.map_err(|refusal| placed(refusal, place))?);
    }
    let answer = bundle::transaction_response(replies.into_iter().flatten().collect());
    once.end_kept(200, key.as_ref().map(|_| &answer)).await?;
    Ok(answer)
}

/// Faults name the entry they are in.
fn placed(mut refusal: Error, place: usize) -> Error {
    for fault in &mut refusal.faults {
        let within = match fault.field.split_once('.') {
            _ if fault.field.starts_with("Bundle.") => continue,
            Some((name, rest)) if name.starts_with(|first: char| first.is_ascii_uppercase()) => format!(".resource.{rest}"),
            _ if fault.field.starts_with(|first: char| first.is_ascii_uppercase()) => ".resource".to_owned(),
            _ => ".request".to_owned(),
        };
        fault.field = format!("Bundle.entry[{place}]{within}");
    }
    if refusal.faults.is_empty() {
        let (rule, text) = (refusal.code.code, refusal.code.title);
        refusal = refusal.fault(format!("Bundle.entry[{place}]"), rule, text);
    }
    refusal
}

async fn step(caller: &Caller, entry: Entry) -> Result<Step> {
    let def = types::registry().find(&entry.target.type_name)?;
    let target = entry.target;
    if target.version.is_some() || !target.query.is_empty() || entry.if_none_match.is_some() || entry.if_modified_since.is_some() {
        return Err(
            Error::new(&error::NOT_SUPPORTED).detail("Searches, versions and conditional changes are not served inside a transaction.")
        );
    }
    if entry.if_none_exist.is_some() {
        return Err(Error::new(&error::NOT_SUPPORTED).detail("Conditional creates are not served; search first."));
    }
    let version = super::version(entry.if_match.as_deref())?;
    let (interaction, change) = match (entry.method, target.id.is_some()) {
        (Method::Post, false) => (Interaction::Create, Some(Change::Create)),
        (Method::Put, true) => (Interaction::Update, Some(Change::Update)),
        (Method::Delete, true) => (Interaction::Delete, Some(Change::Retire)),
        (Method::Get, true) => (Interaction::Read, None),
        _ => return Err(Error::new(&error::METHOD_NOT_ALLOWED)),
    };
    super::allowed(caller, def, interaction)?;
    if let Some(change) = change {
        write::permitted(caller, types::sources(def.name)?, change)?;
    }
    let id = match target.id {
        None => Uuid::now_v7(),
        Some(id) => super::record_id(Some(&id))?,
    };
    Ok(Step { def, method: entry.method, id, version, resource: entry.resource, full_url: entry.full_url })
}

/// No resource is changed twice, and no name given twice.
fn each_once(steps: &[Step]) -> Result<()> {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for (place, step) in steps.iter().enumerate() {
        let is_new = step.method == Method::Get || ids.insert((step.def.name, step.id));
        let is_named_once = step.full_url.as_ref().is_none_or(|name| names.insert(name.clone()));
        if !is_new || !is_named_once {
            let text = "An entry before it is about the same resource.";
            return Err(Error::new(&error::INVALID).fault(format!("Bundle.entry[{place}]"), "duplicate", text));
        }
    }
    Ok(())
}

/// Every name in the resources becomes the reference it stands for; the order in which to carry the steps out: removals,
/// creates with what they need before them, updates, reads.
async fn linked(caller: &Caller, steps: &mut [Step], base: &str) -> Result<Vec<usize>> {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, step) in steps.iter().enumerate() {
        let reference = format!("{}/{}", step.def.name, step.id);
        names.extend(step.full_url.clone().map(|name| (name, reference.clone())));
        places.insert(reference, place);
    }
    let asked: BTreeSet<String> = steps.iter().filter_map(|step| step.resource.as_ref()).flat_map(link::conditional).collect();
    if asked.len() > CONDITIONS_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A transaction takes at most 500 conditional references."));
    }
    for condition in asked {
        let found = search::single(caller, &condition, base).await?;
        names.insert(condition, found);
    }
    let mut needs = Vec::with_capacity(steps.len());
    for step in steps.iter_mut() {
        let named = step.resource.as_mut().map(|resource| link::resolve(resource, &names)).unwrap_or_default();
        let is_create = step.method == Method::Post;
        needs.push(named.iter().filter(|_| is_create).filter_map(|reference| places.get(reference).copied()).collect());
    }
    let mut order = link::order(&needs);
    order.sort_by_key(|place| match steps.get(*place).map(|step| step.method) {
        Some(Method::Delete) => 0,
        Some(Method::Post) => 1,
        Some(Method::Put | Method::Patch) => 2,
        _ => 3,
    });
    Ok(order)
}

async fn carry_out(scope: &mut Scope, caller: &Caller, step: &mut Step, prefer: Prefer, base: &str) -> Result<Reply> {
    let (def, id, wanted) = (step.def, step.id, prefer.return_);
    let sources = types::sources(def.name)?;
    let sound = |resource: Option<Json>| -> Result<Resource> {
        let resource =
            resource.ok_or_else(|| Error::new(&error::MALFORMED).fault(def.name, "required", "The entry carries a resource."))?;
        check::sound(resource, def.name)
    };
    Ok(match step.method {
        Method::Post => {
            let resource = sound(step.resource.take())?;
            reply(201, write::create(scope, caller, sources, Some(id), resource, base).await?, def.name, wanted, base)
        }
        Method::Put => {
            let resource = sound(step.resource.take())?;
            super::same_id(Some(&id.to_string()), &resource)?;
            reply(200, write::update(scope, caller, sources, id, step.version, resource, base).await?, def.name, wanted, base)
        }
        Method::Delete => {
            write::retire(scope, caller, sources, id, step.version).await?;
            Reply { status: 204, ..Reply::default() }
        }
        _ => reply(200, read::within(scope, caller, sources, id).await?, def.name, crate::fhir::negotiate::Return::Representation, base),
    })
}
