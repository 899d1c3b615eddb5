//! A change of a resource, however it was asked for: over HTTP, in a batch, in a transaction.

use super::read::Shown;
use super::write::{self, Change};
use super::{allowed, no_creation, read, record_id, same_id, search, types};
use crate::fhir::bundle::Target;
use crate::fhir::negotiate::Prefer;
use crate::fhir::patch::Patch;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::Query;
use crate::fhir::{Resource, check};
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use serde_json::Value as Json;
use uuid::Uuid;

sql! {
    /// $1 the condition.
    ONE_BY_ONE(TEXT) = "select sec.one_by_one($1)";
}

pub enum What {
    Create(Resource),
    Update(Resource),
    Patch(Patch),
    Delete,
}

/// Which resource is meant.
pub enum Aim {
    /// None that is there; a new one has this id.
    New(Uuid),
    There(Uuid),
    /// The one that meets it.
    Condition(Box<Query>),
}

pub struct Effect {
    pub def: &'static TypeDef,
    pub what: What,
    pub aim: Aim,
    pub version: Option<i64>,
}

pub enum Done {
    Made(Shown),
    Changed(Shown),
    /// A create whose condition a resource meets.
    There(Shown),
    Removed,
}

impl Aim {
    /// `text` is the condition of a create, or the query of a URL without an id.
    pub fn of(
        caller: &Caller,
        def: &'static TypeDef,
        interaction: Interaction,
        target: &Target,
        unless: Option<&str>,
        base: &str,
    ) -> Result<Aim> {
        if interaction == Interaction::Create || target.id.is_some() {
            shapes_the_answer(def, &target.query, base)?;
        }
        let text = match (interaction, &target.id) {
            (Interaction::Create, _) => unless,
            (Interaction::Update, Some(id)) => return record_id(Some(id)).map(Aim::There).map_err(|_| no_creation()),
            (_, Some(id)) => return record_id(Some(id)).map(Aim::There),
            (_, None) => Some(target.query.as_str()),
        };
        match text {
            None => Ok(Aim::New(Uuid::now_v7())),
            Some(text) => search::condition(caller, def, text, base).map(|query| Aim::Condition(Box::new(query))),
        }
    }

    /// What others who ask the same wait for; the order of its parameters says nothing.
    pub fn turn(&self, def: &TypeDef) -> Option<String> {
        let Aim::Condition(query) = self else { return None };
        let mut parts: Vec<String> = query.applied.iter().map(|(name, value)| format!("{name}={value}")).collect();
        parts.sort_unstable();
        Some(format!("{}?{}", def.name, parts.join("&")))
    }

    /// Answers the condition: by the caller's own eyes, in the caller's own tenant.
    pub async fn settled(self, scope: &mut Scope, caller: &Caller, def: &'static TypeDef) -> Result<Aim> {
        let Aim::Condition(query) = self else { return Ok(self) };
        match search::matches(scope, caller, def, &query).await?.as_slice() {
            [] => Ok(Aim::New(Uuid::now_v7())),
            [one] => Ok(Aim::There(*one)),
            _ => Err(Error::new(&error::SEVERAL)),
        }
    }
}

/// What is no condition stands in a query only where it shapes the answer: passed over, it would be taken for one.
fn shapes_the_answer(def: &TypeDef, text: &str, base: &str) -> Result<()> {
    let query = search::parse(def.name, &[], text, Prefer::STRICT, base)?;
    if query.conditions.is_empty() && query.filters.is_empty() && query.includes.is_empty() {
        return Ok(());
    }
    Err(Error::new(&error::PARAMETER_INVALID).detail("A condition of a create stands in the header If-None-Exist; an id is one already."))
}

/// Until the end of the transaction, nobody else in the tenant acts on this condition.
pub async fn alone(scope: &mut Scope, condition: &str) -> Result<()> {
    scope.rows(&ONE_BY_ONE, &[&condition]).await.map(drop)
}

impl Effect {
    /// In a transaction of the caller, which is committed afterwards.
    pub async fn run(self, scope: &mut Scope, caller: &Caller, base: &str) -> Result<Done> {
        let Effect { def, what, aim, version } = self;
        if let Some(turn) = aim.turn(def) {
            alone(scope, &turn).await?;
        }
        let sources = types::sources(def.name)?;
        Ok(match (what, aim.settled(scope, caller, def).await?) {
            (What::Create(resource), Aim::New(id)) => Done::Made(write::create(scope, caller, sources, id, resource, base).await?),
            (What::Create(_), Aim::There(id)) => Done::There(read::within(scope, caller, sources, id).await?),
            (What::Update(resource), Aim::New(id)) => {
                let id = resource.id().map_or(Ok(id), |own| own.parse().map_err(|_| no_creation()))?;
                made(scope, caller, def, (id, version), resource, base).await?
            }
            (What::Update(resource), Aim::There(id)) => {
                if resource.id().is_some_and(|own| own != id.to_string()) {
                    let text = "The resource that meets the condition has another id.";
                    return Err(Error::new(&error::MALFORMED).fault(format!("{}.id", def.name), "invariant", text));
                }
                match write::update(scope, caller, sources, id, version, resource.clone(), base).await {
                    Err(refusal) if refusal.code == &error::NOT_FOUND => made(scope, caller, def, (id, version), resource, base).await?,
                    changed => Done::Changed(changed?),
                }
            }
            (What::Patch(patch), Aim::There(id)) => Done::Changed(write::patch(scope, caller, def, id, version, &patch, base).await?),
            (What::Delete, Aim::There(id)) => {
                write::retire(scope, caller, sources, id, version).await?;
                Done::Removed
            }
            (What::Patch(_) | What::Delete, _) | (_, Aim::Condition(_)) => return Err(Error::new(&error::NOT_FOUND)),
        })
    }
}

/// What is put where nothing is becomes a new resource under that id. Keys carry the tenant, so an id that another clinic
/// uses is as good as any.
async fn made(
    scope: &mut Scope,
    caller: &Caller,
    def: &'static TypeDef,
    (id, version): (Uuid, Option<i64>),
    resource: Resource,
    base: &str,
) -> Result<Done> {
    let sources = types::sources(def.name)?;
    allowed(caller, def, Interaction::Create)?;
    write::permitted(caller, sources, Change::Create)?;
    if version.is_some() {
        return Err(Error::new(&error::STALE));
    }
    Ok(Done::Made(write::create(scope, caller, sources, id, resource, base).await?))
}

impl What {
    pub fn of(def: &TypeDef, interaction: Interaction, resource: Option<Json>, id: Option<&str>) -> Result<What> {
        let sent = || resource.ok_or_else(|| Error::new(&error::MALFORMED).fault(def.name, "required", "The entry carries a resource."));
        Ok(match interaction {
            Interaction::Create => What::Create(check::sound(sent()?, def.name)?),
            Interaction::Update => {
                let resource = check::sound(sent()?, def.name)?;
                if id.is_some() {
                    same_id(id, &resource)?;
                }
                What::Update(resource)
            }
            Interaction::Patch => What::Patch(Patch::of_resource(sent()?)?),
            Interaction::Delete => What::Delete,
            _ => return Err(Error::new(&error::METHOD_NOT_ALLOWED)),
        })
    }
}
