//! Batches: each entry is a request of its own, in a transaction of its own, answered in its place.

use super::write::{self, Change};
use super::{library, read, search, transaction, types};
use crate::fhir::bundle::{self, Entry, Method, Posted, Reply};
use crate::fhir::negotiate::{Prefer, Return};
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::{Resource, check};
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::error::{self, Error, Result};
use crate::server::idempotency::{Key, Turn};
use serde_json::Value as Json;
use uuid::Uuid;

/// Entries of one batch.
const ENTRIES_MAX: usize = 2_000;

/// Each entry that changes something has a key of its own below the batch's: a batch that was cut off and is sent again
/// does only what was not done.
pub async fn run(caller: &Caller, bytes: &[u8], prefer: Prefer, base: &str, key: Option<&Key>) -> Result<Json> {
    let entries = match bundle::parse_posted(bytes, base)? {
        Posted::Batch(entries) => entries,
        Posted::Transaction(entries) => return transaction::run(caller, entries, prefer, base, key).await,
    };
    if entries.len() > ENTRIES_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A batch takes at most 2000 entries."));
    }
    let batch = Batch { caller, prefer, base };
    let mut replies = Vec::with_capacity(entries.len());
    for (place, entry) in entries.into_iter().enumerate() {
        let reply = match entry {
            Ok(entry) => batch.one(entry, key.map(|key| key.entry(place))).await,
            Err(refusal) => Err(refusal),
        };
        replies.push(reply.unwrap_or_else(|refusal| {
            if refusal.code.status >= 500 {
                tracing::error!(entry = place, error = %refusal, "An entry of a batch failed");
            }
            Reply::failed(&refusal)
        }));
    }
    Ok(bundle::batch_response(replies))
}

/// What its entries share.
struct Batch<'a> {
    caller: &'a Caller,
    prefer: Prefer,
    base: &'a str,
}

/// What an entry changes.
enum Effect {
    Create(Resource),
    Update(Uuid, Option<i64>, Resource),
    Retire(Uuid, Option<i64>),
}

impl Batch<'_> {
    async fn one(&self, entry: Entry, key: Option<Key>) -> Result<Reply> {
        let def = types::registry().find(&entry.target.type_name)?;
        let id = entry.target.id.as_deref().and_then(|id| id.parse::<Uuid>().ok());
        let method = entry.method;
        let reply = super::told(self.caller, def, id, action(method), self.done(def, entry, key).await).await;
        if method == Method::Put { reply.map_err(super::no_creation) } else { reply }
    }

    async fn done(&self, def: &TypeDef, entry: Entry, key: Option<Key>) -> Result<Reply> {
        let (caller, target, base) = (self.caller, entry.target, self.base);
        let sources = types::sources(def.name)?;
        if target.version.is_some() || entry.if_none_match.is_some() || entry.if_modified_since.is_some() || entry.if_none_exist.is_some() {
            return Err(Error::new(&error::NOT_SUPPORTED).detail("Versions and conditional requests are not served inside a batch."));
        }
        let id = || super::record_id(target.id.as_deref());
        let version = || super::version(entry.if_match.as_deref());
        match (entry.method, entry.resource, target.id.is_some()) {
            (Method::Get, None, false) => {
                super::allowed(caller, def, Interaction::SearchType)?;
                let query = search::parse(def.name, def.search, &target.query, self.prefer, base)?;
                let bundle = super::found_in(caller, def.name, &query, base).await?;
                Ok(Reply { status: 200, resource: Some(bundle), ..Reply::default() })
            }
            (Method::Get, None, true) => {
                super::allowed(caller, def, Interaction::Read)?;
                if let Some(known) = target.id.as_deref().and_then(|id| library::get(def.name, id)) {
                    return Ok(Reply { status: 200, resource: Some(known?), ..Reply::default() });
                }
                let shown = read::one(caller, sources, id()?).await?;
                Ok(reply(200, shown, def.name, Return::Representation, base))
            }
            (Method::Post, Some(resource), false) if target.query.is_empty() => {
                super::allowed(caller, def, Interaction::Create)?;
                self.change(def, Effect::Create(check::sound(resource, def.name)?), key).await
            }
            (Method::Put, Some(resource), true) => {
                super::allowed(caller, def, Interaction::Update)?;
                let resource = check::sound(resource, def.name)?;
                let id = super::same_id(target.id.as_deref(), &resource)?;
                self.change(def, Effect::Update(id, version()?, resource), key).await
            }
            (Method::Delete, None, true) => {
                super::allowed(caller, def, Interaction::Delete)?;
                self.change(def, Effect::Retire(id()?, version()?), key).await
            }
            _ => Err(Error::new(&error::METHOD_NOT_ALLOWED)),
        }
    }

    async fn change(&self, def: &TypeDef, effect: Effect, key: Option<Key>) -> Result<Reply> {
        let (caller, sources) = (self.caller, types::sources(def.name)?);
        let change = match effect {
            Effect::Create(_) => Change::Create,
            Effect::Update(..) => Change::Update,
            Effect::Retire(..) => Change::Retire,
        };
        let mut once = match write::begin_entry(caller, sources, change, key.as_ref()).await? {
            Turn::First(once) => once,
            Turn::Again(kept) => return serde_json::from_value(kept).map_err(Error::internal),
        };
        let (scope, wanted) = (&mut once.scope, self.prefer.return_);
        let reply = match effect {
            Effect::Create(resource) => {
                reply(201, write::create(scope, caller, sources, None, resource, self.base).await?, def.name, wanted, self.base)
            }
            Effect::Update(id, version, resource) => {
                reply(200, write::update(scope, caller, sources, id, version, resource, self.base).await?, def.name, wanted, self.base)
            }
            Effect::Retire(id, version) => {
                write::retire(scope, caller, sources, id, version).await?;
                Reply { status: 204, ..Reply::default() }
            }
        };
        let kept = key.map(|_| serde_json::to_value(&reply)).transpose().map_err(Error::internal)?;
        once.end_kept(reply.status, kept.as_ref()).await?;
        Ok(reply)
    }
}

pub fn action(method: Method) -> Action {
    match method {
        Method::Get | Method::Head => Action::Read,
        Method::Post => Action::Create,
        Method::Put | Method::Patch => Action::Update,
        Method::Delete => Action::Delete,
    }
}

pub fn reply(status: u16, shown: read::Shown, type_name: &str, wanted: Return, base: &str) -> Reply {
    let modified = shown.modified();
    let location = format!("{base}/{type_name}/{}/_history/{}", shown.record.id, shown.record.version);
    let mut reply = Reply {
        status,
        location: (status == 201).then_some(location),
        etag: Some(shown.record.etag()),
        last_modified: modified,
        ..Reply::default()
    };
    match wanted {
        Return::Minimal => {}
        Return::Representation => reply.resource = Some(shown.resource.into_value()),
        Return::OperationOutcome => reply.outcome = Some(crate::fhir::outcome::all_ok()),
    }
    reply
}
