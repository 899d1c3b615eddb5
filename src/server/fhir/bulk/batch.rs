//! Some lines of an import in one transaction, written as the entries of a transaction are. Where one is refused, all is
//! taken back and written again, each behind a savepoint of its own, so that every line has the answer it would have alone.

use super::lines::Line;
use crate::fhir::definitions::Definitions;
use crate::fhir::outcome::outcome;
use crate::fhir::reference::Literal;
use crate::fhir::registry::Interaction;
use crate::fhir::{DOCUMENT, Resource, check, link};
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::json;
use crate::kernel::table::store;
use crate::server::fhir::{allowed, run, search, types, write};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// The resources of an import by the names they have in its files.
#[derive(Default)]
pub struct Names {
    job: Uuid,
    pub base: String,
    known: HashSet<u64>,
    /// The place of the type among all types, by the UUID that is the whole name in a `urn:uuid:`.
    urns: HashMap<u64, u16>,
}

fn short(name: &str) -> u64 {
    Sha256::digest(name).iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

impl Names {
    pub fn new(job: Uuid, base: String) -> Names {
        Names { job, base, known: HashSet::new(), urns: HashMap::new() }
    }
    pub fn add(&mut self, type_name: &str, id: &str) {
        self.known.insert(short(&format!("{type_name}/{id}")));
        let place = Definitions::r4().resources().position(|known| known == type_name).and_then(|place| u16::try_from(place).ok());
        if let Some(place) = place.filter(|_| Uuid::try_parse(id).is_ok()) {
            self.urns.insert(short(id), place);
        }
    }
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// The id of that resource here: in another import it has another.
    fn id(&self, name: &str) -> Uuid {
        let hash = Sha256::new().chain_update(self.job).chain_update(name).finalize();
        let mut bytes = [0u8; 16];
        bytes.iter_mut().zip(&hash).for_each(|(byte, hash)| *byte = *hash);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// What the references of a resource mean that lead to another of the import.
    fn meant(&self, resource: &Json) -> HashMap<String, String> {
        let named = link::references(resource).into_iter().filter_map(|text| Some((text.to_owned(), self.local(&self.name(text)?))));
        named.collect()
    }

    fn local(&self, name: &str) -> String {
        let type_name = name.split('/').next().unwrap_or_default();
        format!("{type_name}/{}", self.id(name))
    }

    /// `Type/id`, when it is one of the import; a URL of elsewhere by its end.
    fn name(&self, text: &str) -> Option<String> {
        let is_ours = |name: &String| self.known.contains(&short(name));
        let name = match Literal::parse(text, &self.base) {
            Literal::Local { type_name, id, .. } => format!("{type_name}/{id}"),
            Literal::Urn(urn) => {
                let id = urn.rsplit(':').next().unwrap_or_default();
                let place = self.urns.get(&short(id))?;
                return Some(format!("{}/{id}", Definitions::r4().resources().nth(usize::from(*place))?));
            }
            Literal::Foreign(url) => {
                let mut parts = url.rsplit('/');
                let (id, type_name) = (parts.next()?, parts.next()?);
                format!("{type_name}/{id}")
            }
            Literal::Fragment(_) => return None,
        };
        Some(name).filter(is_ours)
    }
}

pub struct Batch {
    pub caller: Caller,
    pub names: Arc<Names>,
    pub type_name: String,
    pub lines: Vec<Line>,
}

/// What became of a line.
pub struct Read {
    pub line: i64,
    pub refusal: Option<Error>,
}

/// A line that is a sound resource.
struct Ready {
    line: i64,
    id: Uuid,
    resource: Resource,
}

/// A refusal as a line of the error file; nothing of what was sent is repeated.
pub fn tell(into: &mut Vec<u8>, slice: &str, line: i64, refusal: &Error) -> Result<()> {
    let mut told = outcome(refusal);
    told["id"] = Json::String(format!("{}-line-{line}", slice.replace('/', "-")));
    serde_json::to_writer(&mut *into, &told).map_err(Error::internal)?;
    into.push(b'\n');
    Ok(())
}

impl Batch {
    pub async fn store(mut self) -> Result<Vec<Read>> {
        let (mut read, mut ready) = (Vec::new(), Vec::new());
        let mut conditions = HashMap::new();
        for (line, bytes) in std::mem::take(&mut self.lines) {
            match self.sound(line, bytes.as_deref(), &mut conditions).await {
                Ok(sound) => ready.push(sound),
                Err(refusal) if refusal.code.status >= 500 => return Err(refusal),
                Err(refusal) => read.push(Read { line, refusal: Some(refusal) }),
            }
        }
        let ready = ordered(ready);
        match self.together(&ready).await {
            Ok(()) => read.extend(ready.iter().map(|one| Read { line: one.line, refusal: None })),
            Err(refusal) if refusal.code.status >= 500 => return Err(refusal),
            Err(_) => read.extend(self.apart(&ready).await?),
        }
        Ok(read)
    }

    /// `conditions`: what the conditional references of the lines before it mean.
    async fn sound(&self, line: i64, bytes: Option<&[u8]>, conditions: &mut HashMap<String, String>) -> Result<Ready> {
        let bytes = bytes.ok_or_else(|| Error::new(&error::TOO_LARGE))?;
        let mut value = json::parse(bytes, DOCUMENT)?;
        let id = value.get("id").and_then(Json::as_str).map(str::to_owned).unwrap_or_else(|| format!("line {line}"));
        let mut meant = self.names.meant(&value);
        for condition in link::conditional(&value) {
            let found = match conditions.get(&condition) {
                Some(found) => found.clone(),
                None => search::single(&self.caller, &condition, &self.names.base).await?,
            };
            conditions.insert(condition.clone(), found.clone());
            meant.insert(condition, found);
        }
        link::resolve(&mut value, &meant);
        let resource = check::sound(value, &self.type_name)?;
        Ok(Ready { line, id: self.names.id(&format!("{}/{id}", self.type_name)), resource })
    }

    async fn one(&self, scope: &mut Scope, one: &Ready) -> Result<()> {
        let def = types::registry().find(&self.type_name)?;
        allowed(&self.caller, def, Interaction::Create)?;
        let sources = types::sources(def.name)?;
        write::create(scope, &self.caller, sources, one.id, one.resource.clone(), &self.names.base).await.map(drop)
    }

    async fn is_there(&self, scope: &mut Scope, id: Uuid) -> Result<bool> {
        for mapping in types::sources(&self.type_name)? {
            match store::seen(scope, mapping.table, id, &self.caller.kernel.keys).await {
                Err(refusal) if refusal.code == &error::NOT_FOUND => {}
                found => return found.map(|_| true),
            }
        }
        Ok(false)
    }

    async fn together(&self, ready: &[Ready]) -> Result<()> {
        let def = types::registry().find(&self.type_name)?;
        allowed(&self.caller, def, Interaction::Create)?;
        let mut scope = self.caller.kernel.door.open(&self.caller.context).await?;
        let new = ready.iter().map(|one| (one.id, one.resource.clone())).collect();
        run::create(&mut scope, &self.caller, types::sources(def.name)?, new, &self.names.base).await.map_err(|refused| refused.refusal)?;
        scope.commit().await
    }

    async fn apart(&self, ready: &[Ready]) -> Result<Vec<Read>> {
        let mut read = Vec::with_capacity(ready.len());
        let mut scope = self.caller.kernel.door.open(&self.caller.context).await?;
        for one in ready {
            let mark = scope.mark().await?;
            let refusal = match self.one(&mut scope, one).await {
                Ok(()) => {
                    scope.keep(mark).await?;
                    None
                }
                Err(refusal) if refusal.code.status >= 500 => return Err(refusal),
                Err(refusal) => {
                    scope.undo(mark).await?;
                    // An attempt before this one may have made it.
                    let is_there = refusal.code == &error::DUPLICATE && self.is_there(&mut scope, one.id).await?;
                    (!is_there).then_some(refusal)
                }
            };
            read.push(Read { line: one.line, refusal });
        }
        scope.commit().await?;
        Ok(read)
    }
}

/// Each behind those of the batch that it names.
fn ordered(ready: Vec<Ready>) -> Vec<Ready> {
    let places: HashMap<String, usize> =
        ready.iter().enumerate().map(|(place, one)| (format!("{}/{}", one.resource.type_name(), one.id), place)).collect();
    let needs: Vec<BTreeSet<usize>> = ready
        .iter()
        .map(|one| {
            let named = one.resource.as_map().values().flat_map(link::references);
            named.filter_map(|text| places.get(text).copied()).collect()
        })
        .collect();
    let mut slots: Vec<Option<Ready>> = ready.into_iter().map(Some).collect();
    link::order(&needs).into_iter().filter_map(|place| slots.get_mut(place).and_then(Option::take)).collect()
}
