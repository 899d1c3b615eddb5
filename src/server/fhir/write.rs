//! Creating, changing and retiring the records that a resource is, each in one transaction that the contract commits.

use super::attach;
use super::extras::Extras;
use super::finish;
use super::indexed;
use super::parts::{self, children, parents};
use super::profiles;
use super::read::{self, Shown};
use super::stale;
use super::states::{self, Goal, arrivals, moved, walk};
use super::types;
use super::unsaid::{settled, unsaid};
use crate::fhir::mapping::{Columns, Link, Mapping, Taken, Whole};
use crate::fhir::patch::Patch;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::{Resource, check, subset};
use crate::kernel::Caller;
use crate::kernel::context::Plane;
use crate::kernel::db::{Param, Scope};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::{Draft, Table, Value, Verb, store};
use crate::server::idempotency::{Key, Once, Turn};
use poem::Response;
use serde_json::Value as Json;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Create,
    Update,
    Retire,
}

impl Change {
    pub fn of(interaction: Interaction) -> Option<Change> {
        match interaction {
            Interaction::Create => Some(Change::Create),
            Interaction::Update | Interaction::Patch => Some(Change::Update),
            Interaction::Delete => Some(Change::Retire),
            _ => None,
        }
    }

    fn is_offered(self, mapping: &Mapping) -> bool {
        mapping.writes
            && match self {
                Change::Create => mapping.creates,
                Change::Update => true,
                // What has no contract of its own beside FHIR is retired through FHIR.
                Change::Retire => mapping.table.offers(Verb::Delete) || mapping.table.verbs.is_empty(),
            }
    }
}

/// A transaction of that change with its idempotency key in it, or the answer the key has had: for those only who may make
/// such a change now.
pub async fn begin(caller: &Caller, sources: &[&'static Mapping], change: Change, key: Option<&Key>) -> Result<Turn<Response>> {
    permitted(caller, sources, change)?;
    Once::begin(caller.kernel.door.open(&caller.context).await?, caller, key).await
}

/// The same for an entry of a batch.
pub async fn begin_entry(caller: &Caller, sources: &[&'static Mapping], change: Change, key: Option<&Key>) -> Result<Turn<Json>> {
    permitted(caller, sources, change)?;
    Once::begin_kept(caller.kernel.door.open(&caller.context).await?, caller, key).await
}

pub fn permitted(caller: &Caller, sources: &[&'static Mapping], change: Change) -> Result<()> {
    caller.on(&[Plane::Staff])?;
    let mut offered = sources.iter().filter(|mapping| change.is_offered(mapping)).map(|mapping| caller.needs(mapping.table.write));
    let none = if change == Change::Create { &error::METHOD_NOT_ALLOWED } else { &error::NOT_FOUND };
    let first = offered.next().unwrap_or_else(|| Err(Error::new(none)));
    if first.is_ok() || offered.any(|other| other.is_ok()) { Ok(()) } else { first }
}

/// Whether the caller's tenant has, or had, such a resource, as far as the caller sees.
pub async fn stands(scope: &mut Scope, caller: &Caller, def: &TypeDef, id: Uuid) -> Result<bool> {
    for mapping in types::sources(def.name)? {
        if caller.reading(mapping.table).is_err() {
            continue;
        }
        match store::seen(scope, mapping.table, id, &caller.kernel.keys).await {
            Ok(record) if mapping.is_of(&record) => return Ok(true),
            Err(why) if why.code != &error::NOT_FOUND => return Err(why),
            _ => {}
        }
    }
    Ok(false)
}

/// A new record, with the id given here whatever the resource says. It becomes a record of the first table of the type that
/// has what it needs from it.
pub async fn create(
    scope: &mut Scope,
    caller: &Caller,
    sources: &[&'static Mapping],
    id: Uuid,
    resource: Resource,
    base: &str,
) -> Result<Shown> {
    let chosen = chosen(scope, caller, sources, id, resource, base).await?;
    make(scope, caller, id, chosen, base).await
}

/// What a new resource becomes.
pub struct Chosen {
    pub mapping: &'static Mapping,
    pub taken: Taken,
    /// As it is kept: without the bytes it brought.
    pub said: Resource,
    goal: Option<Goal>,
    /// Bytes, and the file they become.
    found: Option<(attach::Found, Uuid)>,
}

impl Chosen {
    /// Nothing but what is said of its columns and parts.
    pub fn is_settled(&self) -> bool {
        self.goal.is_none() && self.found.is_none()
    }
}

/// The table whose record it becomes, and what it says of its columns.
pub async fn chosen(
    scope: &mut Scope,
    caller: &Caller,
    sources: &[&'static Mapping],
    id: Uuid,
    resource: Resource,
    base: &str,
) -> Result<Chosen> {
    profiles::judge(scope, caller, &resource, base).await?;
    let mut lacking = Error::new(&error::METHOD_NOT_ALLOWED);
    for mapping in sources.iter().copied().filter(|mapping| mapping.creates && mapping.is_meant(&resource)) {
        let file = if is_file(mapping) { id } else { Uuid::now_v7() };
        let (said, found) = attach::split(mapping, &resource, file).unzip();
        let found = found.map(|found| (found, file));
        let mut taken = mapping.taken(said.as_ref().unwrap_or(&resource), base)?;
        if found.is_some() && is_file(mapping) {
            return Ok(Chosen { mapping, taken, said: said.unwrap_or(resource), goal: None, found });
        }
        complete(scope, mapping, &mut taken).await?;
        let goal = states::goal(mapping, &mut taken.root, said.as_ref().unwrap_or(&resource)).filter(|goal| !goal.is_where_it_begins());
        // What the columns cannot hold is as little ours as what they lack.
        let holds = needed(mapping, &taken).and_then(|()| taken.root.draft(mapping.table).map(drop));
        match holds.and_then(|()| goal.as_ref().map_or(Ok(()), |goal| states::begins(mapping, goal))) {
            Ok(()) => return Ok(Chosen { mapping, taken, said: said.unwrap_or(resource), goal, found }),
            Err(refusal) => lacking = refusal,
        }
    }
    Err(lacking)
}

/// A file by its bytes: what else it is, the registry says.
fn is_file(mapping: &Mapping) -> bool {
    mapping.of.name == "Binary"
}

pub async fn make(scope: &mut Scope, caller: &Caller, id: Uuid, chosen: Chosen, base: &str) -> Result<Shown> {
    let Chosen { mapping, mut taken, said, goal, found } = chosen;
    let keys = &caller.kernel.keys;
    if let Some((found, file)) = found {
        attach::keep(scope, caller, &taken.root, found, file).await.map_err(|refusal| taken.root.told(refusal))?;
        if is_file(mapping) {
            let root = store::seen(scope, mapping.table, id, keys).await?;
            let written = finish::standing(scope, mapping, vec![Whole::alone(mapping, root)], false, None, keys).await?;
            return finish::one(scope, mapping, written, said, base, keys).await;
        }
    }
    caller.needs(mapping.table.write)?;
    let parts = std::mem::take(&mut taken.parts);
    let has_parents = parents(scope, mapping, &mut taken.root, &parts, None, keys).await?;
    let arrivals = arrivals(mapping, &mut taken.root)?;
    let draft = Draft { id: Some(id), ..taken.root.draft(mapping.table)? };
    let mut below = parts::new(mapping, id, &parts)?;
    let stays = arrivals.iter().all(|(_, way)| way.is_empty());
    let is_alone = stays && !has_parents && below.is_empty() && goal.is_none() && store::is_plain(&draft);
    // Where it goes its way from the state it begins in, what is below it comes when it has arrived.
    let first = if stays { std::mem::take(&mut below) } else { Vec::new() };
    let new = std::iter::once(parts::New { table: mapping.table, row: taken.root.clone(), draft }).chain(first).collect();
    let made = parts::insert(scope, new, keys).await?.into_iter().next();
    let mut root = made.ok_or_else(|| Error::internal("a record became nothing"))?;
    for (column, way) in arrivals {
        root = walk(scope, root, column, &way, keys).await.map_err(|refusal| taken.root.told(refusal))?;
    }
    parts::insert(scope, below, keys).await?;
    let root = states::reach(scope, caller, mapping, root, goal).await?;
    let written = finish::standing(scope, mapping, vec![Whole::alone(mapping, root)], is_alone, None, keys).await?;
    finish::one(scope, mapping, written, said, base, keys).await
}

/// What a new record needs and FHIR does not say.
async fn complete(scope: &mut Scope, mapping: &Mapping, taken: &mut Taken) -> Result<()> {
    for (column, value) in mapping.presumed {
        taken.root.set(column, *value, mapping.of.name.to_owned());
    }
    let Some(complete) = &mapping.complete else { return Ok(()) };
    let mut values = vec![Value::Uuid(scope.tenant()?)];
    values.extend((complete.asks)(taken));
    let params: Vec<Param<'_>> = values.iter().map(|value| value as Param<'_>).collect();
    let row = scope.one(complete.query, &params).await?;
    (complete.fill)(&row, taken)
}

/// Columns of rows it points to are set with those rows.
fn needed(mapping: &Mapping, taken: &Taken) -> Result<()> {
    let linked = |name: &str| mapping.parts.iter().any(|part| matches!(part.link, Link::Parent(column) if column == name));
    lacks_nothing(mapping, mapping.table, &taken.root, &linked)?;
    for (part, rows) in mapping.parts.iter().zip(&taken.parts) {
        // What it is not asked for is given with the record.
        rows.iter().flatten().try_for_each(|row| lacks_nothing(mapping, part.table, row, &|name: &str| row.get(name).is_none()))?;
    }
    let columns = &taken.root;
    match mapping.fits {
        Some(fits) if !fits(columns) => {
            Err(Error::new(&error::INVALID).fault(mapping.of.name, "invariant", "The record cannot be as the resource says."))
        }
        _ => Ok(()),
    }
}

fn lacks_nothing(mapping: &Mapping, table: &Table, columns: &Columns, linked: &dyn Fn(&str) -> bool) -> Result<()> {
    let needs = table.fields.iter().filter(|field| field.required && field.on_create() && !linked(field.name));
    for field in needs {
        if columns.get(field.name).is_none_or(Json::is_null) {
            let refusal = Error::new(&error::INVALID).fault(field.name, "required", "The record needs this element.");
            let mut told = columns.told(refusal);
            for fault in told.faults.iter_mut().filter(|fault| fault.field.is_empty()) {
                mapping.of.name.clone_into(&mut fault.field);
            }
            return Err(told);
        }
    }
    Ok(())
}

/// Replaces what the resource says of a record; columns that FHIR does not speak about stay.
pub async fn update(
    scope: &mut Scope,
    caller: &Caller,
    sources: &[&'static Mapping],
    id: Uuid,
    version: Option<i64>,
    resource: Resource,
    base: &str,
) -> Result<Shown> {
    if subset::is_cut(&resource) {
        let text = "A resource that was cut down is not stored.";
        return Err(Error::new(&error::INVALID).fault(format!("{}.meta.tag", resource.type_name()), "invariant", text));
    }
    let (mapping, stood) = locked(scope, caller, sources, id, version, Change::Update).await?;
    replace(scope, caller, mapping, stood, resource, base).await
}

/// The same with what a patch makes of the resource as the caller reads it.
pub async fn patch(
    scope: &mut Scope,
    caller: &Caller,
    def: &TypeDef,
    id: Uuid,
    version: Option<i64>,
    patch: &Patch,
    base: &str,
) -> Result<Shown> {
    let sources = types::sources(def.name)?;
    let (mapping, stood) = locked(scope, caller, sources, id, version, Change::Update).await?;
    caller.saw(&caller.reading(mapping.table)?, &stood.0.root).await?;
    let resource = read::shown(mapping, stood.0.clone(), stood.1.clone())?.resource.into_value();
    let patched = patch.apply(&resource)?;
    for key in ["resourceType", "id"] {
        if patched.get(key) != resource.get(key) {
            let text = "A patch leaves the type and the id as they are.";
            return Err(Error::new(&error::INVALID).fault(format!("{}.{key}", def.name), "fixed", text));
        }
    }
    replace(scope, caller, mapping, stood, check::sound(patched, def.name)?, base).await
}

async fn replace(
    scope: &mut Scope,
    caller: &Caller,
    mapping: &'static Mapping,
    stood: Stood,
    resource: Resource,
    base: &str,
) -> Result<Shown> {
    profiles::judge(scope, caller, &resource, base).await?;
    if !mapping.is_meant(&resource) {
        let text = "The record stays of the kind it is: create another resource.";
        return Err(Error::new(&error::INVALID).fault(resource.type_name(), "invariant", text));
    }
    let keys = &caller.kernel.keys;
    let mut taken = mapping.taken(&resource, base)?;
    let was = stood.0.root.clone();
    unsaid(mapping, &mut taken.root, &stood, base)?;
    let goal = states::goal(mapping, &mut taken.root, &resource);
    settled(mapping, &mut taken.root, &was)?;
    let parts = std::mem::take(&mut taken.parts);
    let has_parents = parents(scope, mapping, &mut taken.root, &parts, Some(&was), keys).await?;
    stale::renewing(scope, mapping, &was).await?;
    let (was, by) = moved(scope, was, &taken.root, keys).await.map_err(|refusal| taken.root.told(refusal))?;
    let draft = taken.root.draft(mapping.table)?;
    // Written even when no column differs: what was sent differs, and a new version says so.
    let root = store::update(scope, &was, &draft, by, keys).await.map_err(|refusal| taken.root.told(refusal))?;
    let (whole, kept) = stood;
    let has_children = children(scope, mapping, &root, &whole, &parts, keys).await?;
    let is_alone = !has_parents && !has_children && goal.is_none() && store::is_plain(&draft);
    let root = states::reach(scope, caller, mapping, root, goal).await?;
    let whole = Whole { root, ..whole };
    let known = kept.map(|_| whole.root.id).into_iter().collect();
    let written = finish::standing(scope, mapping, vec![whole], is_alone, Some(known), keys).await?;
    let shown = finish::one(scope, mapping, written, resource, base, keys).await?;
    stale::renewed(scope).await?;
    Ok(shown)
}

/// Retiring is idempotent: what is retired already stays so.
pub async fn retire(scope: &mut Scope, caller: &Caller, sources: &[&'static Mapping], id: Uuid, version: Option<i64>) -> Result<()> {
    let (mapping, (Whole { root: was, .. }, _)) = match locked(scope, caller, sources, id, version, Change::Retire).await {
        Err(refusal) if refusal.code == &error::GONE => return Ok(()),
        other => other?,
    };
    // The row first, as whatever changes one: so nobody waits for another in a ring.
    stale::renewing(scope, mapping, &was).await?;
    store::retire(scope, &was, None, &caller.kernel.keys).await?;
    indexed::forget(scope, mapping, &was).await?;
    stale::renewed(scope).await
}

/// A record as it stands, and what was sent beyond our columns.
type Stood = (Whole, Option<Extras>);

/// The record of that id in whichever table of the type has it, locked.
async fn locked(
    scope: &mut Scope,
    caller: &Caller,
    sources: &[&'static Mapping],
    id: Uuid,
    version: Option<i64>,
    change: Change,
) -> Result<(&'static Mapping, Stood)> {
    let keys = &caller.kernel.keys;
    let mut refusal = Error::new(&error::NOT_FOUND);
    for mapping in sources.iter().copied() {
        if !change.is_offered(mapping) {
            elsewhere(scope, caller, mapping, id).await?;
            continue;
        }
        if let Err(why) = caller.needs(mapping.table.write) {
            refusal = why;
            continue;
        }
        if let Some((whole, kept)) = read::locked(scope, mapping, id, keys).await? {
            match store::to_change(whole.root.clone(), version) {
                Ok(root) => return Ok((mapping, (Whole { root, ..whole }, kept))),
                Err(why) if why.code == &error::NOT_FOUND => {}
                Err(why) => return Err(why),
            }
        }
        match store::seen(scope, mapping.table, id, keys).await {
            Ok(other) if !mapping.is_of(&other) => {}
            // Only a retired row is read and cannot be locked, apart from shared rows of the platform.
            Ok(_) => return Err(Error::new(if mapping.table.soft_delete { &error::GONE } else { &error::FORBIDDEN })),
            Err(why) if why.code == &error::NOT_FOUND => {}
            Err(why) => return Err(why),
        }
    }
    Err(refusal)
}

/// A record that the caller sees and that is changed by operations of its own is no unknown id.
async fn elsewhere(scope: &mut Scope, caller: &Caller, mapping: &Mapping, id: Uuid) -> Result<()> {
    if caller.reading(mapping.table).is_err() {
        return Ok(());
    }
    match store::seen(scope, mapping.table, id, &caller.kernel.keys).await {
        Ok(record) if mapping.is_of(&record) => {
            let text =
                format!("The record is not changed this way over FHIR: use the operations of {} in the REST API.", mapping.table.path);
            Err(Error::new(&error::METHOD_NOT_ALLOWED).detail(text))
        }
        Err(why) if why.code != &error::NOT_FOUND => Err(why),
        _ => Ok(()),
    }
}
