//! Transactions: all entries in one transaction of the database, or none (R4 §3.1.0.11.2).
//!
//! New resources are given their ids before anything is written, so that entries may name each other in any order and in
//! rings; conditional references are answered from what is stored before.

use super::batch::{Batch, done};
use super::effect::{self, Aim, Done, Effect, What};
use super::run::{self, Refused};
use super::way::Way;
use super::write::{self, Change};
use super::{search, types};
use crate::fhir::bundle::{self, Entry, Reply, Target};
use crate::fhir::link;
use crate::fhir::negotiate::Prefer;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::server::idempotency::{Key, Once, Turn};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Entries of one transaction.
const ENTRIES_MAX: usize = 5_000;
/// Creates that travel together: the longest statement.
const RUN_MAX: usize = 500;
/// Conditional references of one transaction; each is a search.
const CONDITIONS_MAX: usize = 500;

/// An entry that was read: what it changes, and whose it is.
struct Step {
    def: &'static TypeDef,
    interaction: Interaction,
    aim: Aim,
    target: Target,
    version: Option<i64>,
    known: (Option<String>, Option<String>),
    resource: Option<Json>,
    full_url: Option<String>,
}

impl Step {
    /// Of what it changes.
    fn id(&self) -> Option<Uuid> {
        match self.aim {
            _ if self.is_read() => None,
            Aim::New(id) | Aim::There(id) => Some(id),
            Aim::Condition(_) => None,
        }
    }
    /// Makes a resource.
    fn is_new(&self) -> bool {
        matches!(self.aim, Aim::New(_)) && !self.is_read()
    }
    fn is_read(&self) -> bool {
        Change::of(self.interaction).is_none()
    }
    /// Of what stands already, for those who are told of a refusal.
    fn standing(&self) -> Option<Uuid> {
        let known = || self.target.id.as_deref().and_then(|id| id.parse().ok());
        self.id().or_else(known).filter(|_| !self.is_new())
    }
    /// Leaves everything as it is.
    fn is_idle(&self) -> bool {
        self.is_read() || self.interaction == Interaction::Create && !self.is_new()
    }
}

pub async fn run(caller: &Caller, entries: Vec<Entry>, prefer: Prefer, base: &str, key: Option<&Key>) -> Result<Json> {
    if entries.len() > ENTRIES_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A transaction takes at most 5000 entries."));
    }
    let mut steps = Vec::with_capacity(entries.len());
    for (place, entry) in entries.into_iter().enumerate() {
        steps.push(step(caller, entry, base).await.map_err(|refusal| placed(refusal, place))?);
    }
    let names = referred(caller, &steps, base).await?;
    let turns = turns(&steps)?;
    let scope = caller.kernel.door.open(&caller.context).await?;
    // Below the request's own key, as each entry of a batch: what was committed and not told is told by the next attempt.
    let key = key.map(|key| key.entry(0));
    let mut once = match Once::begin_kept(scope, caller, key.as_ref()).await? {
        Turn::First(once) => once,
        Turn::Again(kept) => return Ok(kept),
    };
    settle(&mut once.scope, caller, &mut steps, turns).await?;
    each_once(&steps)?;
    let order = linked(&mut steps, names);
    let mut replies: BTreeMap<usize, Reply> = BTreeMap::new();
    for run in runs(&steps, &order) {
        match carry_out(&mut once.scope, caller, &mut steps, &run, prefer, base).await {
            Ok(done) => replies.extend(run.into_iter().zip(done)),
            Err(Refused { place, refusal }) => {
                let place = run.get(place).copied().unwrap_or_default();
                told(caller, steps.get(place), &refusal).await?;
                return Err(placed(refusal, place));
            }
        }
    }
    let answer = bundle::transaction_response(replies.into_values().collect());
    once.end_kept(200, key.as_ref().map(|_| &answer)).await?;
    Ok(answer)
}

/// Those of the order that travel together: creates of one type, none of which needs another.
fn runs(steps: &[Step], order: &[usize]) -> Vec<Vec<usize>> {
    let is_create = |place: &usize| steps.get(*place).is_some_and(|step| step.is_new() && step.interaction == Interaction::Create);
    let type_of = |place: &usize| steps.get(*place).map(|step| step.def.name);
    let joined = |one: &usize, next: &usize| is_create(one) && is_create(next) && type_of(one) == type_of(next);
    order.chunk_by(joined).flat_map(|run| run.chunks(RUN_MAX)).map(<[usize]>::to_vec).collect()
}

/// The audit log is told what was refused.
async fn told(caller: &Caller, step: Option<&Step>, refusal: &Error) -> Result<()> {
    let Some(step) = step else { return Ok(()) };
    let Some(mapping) = types::sources(step.def.name)?.first() else { return Ok(()) };
    caller.refused(mapping.table.schema, step.standing(), super::action(step.interaction), refusal).await
}

/// The conditions that are asked, in one order for everybody, so that no two transactions wait for each other. Two entries
/// under one condition would make two resources that meet it.
fn turns(steps: &[Step]) -> Result<BTreeSet<String>> {
    let mut turns = BTreeSet::new();
    for (place, step) in steps.iter().enumerate() {
        if step.aim.turn(step.def).is_some_and(|turn| !turns.insert(turn)) {
            let text = "An entry before it has the same condition.";
            return Err(Error::new(&error::INVALID).fault(format!("Bundle.entry[{place}]"), "duplicate", text));
        }
    }
    if turns.len() > CONDITIONS_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A transaction takes at most 500 conditions."));
    }
    Ok(turns)
}

/// What the conditions mean, all of them before anything is written.
async fn settle(scope: &mut Scope, caller: &Caller, steps: &mut [Step], turns: BTreeSet<String>) -> Result<()> {
    for turn in turns {
        effect::alone(scope, &turn).await?;
    }
    for (place, step) in steps.iter_mut().enumerate() {
        let aim = std::mem::replace(&mut step.aim, Aim::New(Uuid::nil()));
        let aim = aim.settled(scope, caller, step.def).await;
        let aim = match aim.map_err(|refusal| placed(refusal, place))? {
            // What is not there yet is made under the id it is sent to.
            Aim::There(id) if step.interaction == Interaction::Update && !write::stands(scope, caller, step.def, id).await? => Aim::New(id),
            aim => aim,
        };
        step.aim = aim;
    }
    Ok(())
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

async fn step(caller: &Caller, entry: Entry, base: &str) -> Result<Step> {
    let def = types::registry().find(&entry.target.type_name)?;
    let target = &entry.target;
    let interaction = Interaction::of(&entry.method, target)?;
    let change = Change::of(interaction);
    super::allowed_some(caller, def, interaction)?;
    if let Some(change) = change {
        write::permitted(caller, types::sources(def.name)?, change)?;
    }
    Ok(Step {
        def,
        interaction,
        aim: match change {
            // It is aimed at nothing: what it asks is no condition.
            None => Aim::New(Uuid::nil()),
            Some(_) => Aim::of(caller, def, interaction, target, entry.if_none_exist.as_deref(), base)?,
        },
        version: super::version(entry.if_match.as_deref())?,
        known: (entry.if_none_match, entry.if_modified_since),
        resource: entry.resource,
        full_url: entry.full_url,
        target: entry.target,
    })
}

/// No resource is changed twice, and no name given twice.
fn each_once(steps: &[Step]) -> Result<()> {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for (place, step) in steps.iter().enumerate() {
        let is_new = step.is_idle() || ids.insert((step.def.name, step.id()));
        let is_named_once = step.full_url.as_ref().is_none_or(|name| names.insert(name.clone()));
        if !is_new || !is_named_once {
            let text = "An entry before it is about the same resource.";
            return Err(Error::new(&error::INVALID).fault(format!("Bundle.entry[{place}]"), "duplicate", text));
        }
    }
    Ok(())
}

/// What the conditional references of the entries mean.
async fn referred(caller: &Caller, steps: &[Step], base: &str) -> Result<HashMap<String, String>> {
    let asked: BTreeSet<String> = steps.iter().filter_map(|step| step.resource.as_ref()).flat_map(link::conditional).collect();
    if asked.len() > CONDITIONS_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A transaction takes at most 500 conditional references."));
    }
    let mut names = HashMap::with_capacity(asked.len());
    for condition in asked {
        let found = search::single(caller, &condition, base).await?;
        names.insert(condition, found);
    }
    Ok(names)
}

/// Every name in the resources becomes the reference it stands for; the order in which to carry the steps out: removals,
/// creates with what they need before them, updates, reads.
fn linked(steps: &mut [Step], mut names: HashMap<String, String>) -> Vec<usize> {
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, step) in steps.iter().enumerate() {
        let Some(id) = step.id() else { continue };
        let reference = format!("{}/{id}", step.def.name);
        names.extend(step.full_url.clone().map(|name| (name, reference.clone())));
        if step.is_new() {
            // One that brought its id is named by it.
            names.insert(reference.clone(), reference.clone());
        }
        places.insert(reference, place);
    }
    let mut needs = Vec::with_capacity(steps.len());
    for step in steps.iter_mut() {
        let named = step.resource.as_mut().map(|resource| link::resolve(resource, &names)).unwrap_or_default();
        let is_new = step.is_new();
        needs.push(named.iter().filter(|_| is_new).filter_map(|reference| places.get(reference).copied()).collect());
    }
    let order = link::order(&needs);
    // How many others in a row have to be there before: what is as deep does not need each other.
    let mut depths = vec![0usize; steps.len()];
    for place in &order {
        let before = needs.get(*place).into_iter().flatten().filter_map(|need| depths.get(*need)).max();
        let depth = before.map_or(0, |before| before + 1);
        depths.get_mut(*place).into_iter().for_each(|slot| *slot = depth);
    }
    let mut order: Vec<(usize, &str, usize)> =
        order.into_iter().filter_map(|place| Some((depths.get(place).copied()?, steps.get(place)?.def.name, place))).collect();
    order.sort_by_key(|(depth, type_name, place)| match steps.get(*place).map(|step| (step.interaction, step.is_new())) {
        Some((Interaction::Delete, _)) => (0, 0, ""),
        Some((_, true)) => (1, *depth, *type_name),
        Some((Interaction::Update | Interaction::Patch, _)) => (2, 0, ""),
        _ => (3, 0, ""),
    });
    order.into_iter().map(|(.., place)| place).collect()
}

/// Of several, creates of one type.
async fn carry_out(
    scope: &mut Scope,
    caller: &Caller,
    steps: &mut [Step],
    run: &[usize],
    prefer: Prefer,
    base: &str,
) -> Result<Vec<Reply>, Refused> {
    let first = run.first().and_then(|place| steps.get(*place)).map(|step| (step.def, step.interaction, step.is_new()));
    let Some((def, Interaction::Create, true)) = first else {
        let mut done = Vec::with_capacity(run.len());
        for (at, place) in run.iter().enumerate() {
            let Some(step) = steps.get_mut(*place) else { continue };
            done.push(alone(scope, caller, step, prefer, base).await.map_err(|refusal| Refused { place: at, refusal })?);
        }
        return Ok(done);
    };
    let mut new = Vec::with_capacity(run.len());
    for (at, place) in run.iter().enumerate() {
        let Some(step) = steps.get_mut(*place) else { continue };
        let refused = |refusal| Refused { place: at, refusal };
        let What::Create(resource) = What::of(def, Interaction::Create, step.resource.take(), None).map_err(refused)? else { continue };
        new.push((step.id().unwrap_or_default(), resource));
    }
    let sources = types::sources(def.name).map_err(|refusal| Refused { place: 0, refusal })?;
    let made = run::create(scope, caller, sources, new, base).await?;
    Ok(made.into_iter().map(|shown| done(Done::Made(shown), def.name, prefer.return_, base)).collect())
}

async fn alone(scope: &mut Scope, caller: &Caller, step: &mut Step, prefer: Prefer, base: &str) -> Result<Reply> {
    let (def, interaction) = (step.def, step.interaction);
    if step.is_read() {
        let own = Caller { reads_subtree: false, ..caller.clone() };
        let known = (step.known.0.as_deref(), step.known.1.as_deref());
        let batch = Batch { caller: &own, prefer, base };
        return batch.seen(&mut Way::Within(scope), def, interaction, &step.target, known).await;
    }
    let named = step.id().filter(|_| step.target.id.is_some()).map(|id| id.to_string());
    let what = What::of(def, interaction, step.resource.take(), named.as_deref())?;
    let aim = std::mem::replace(&mut step.aim, Aim::New(Uuid::nil()));
    let effect = Effect { def, what, aim, version: step.version };
    Ok(done(effect.run(scope, caller, base).await?, def.name, prefer.return_, base))
}
