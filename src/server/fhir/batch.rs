//! Batches: each entry is a request of its own, in a transaction of its own, answered in its place.

use super::effect::{Aim, Done, Effect, What};
use super::history::{self, Of};
use super::way::Way;
use super::write::{self, Change};
use super::{library, narrow, read, search, transaction, types};
use crate::fhir::bundle::{self, Entry, Posted, Reply, Target};
use crate::fhir::negotiate::{Prefer, Return};
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::temporal;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::server::idempotency::{Key, Turn};
use crate::server::limits::{self, cost::Kind};
use poem::http::Method;
use serde_json::Value as Json;
use uuid::Uuid;

/// Entries of one batch.
const ENTRIES_MAX: usize = 2_000;

/// Each entry that changes something has a key of its own below the batch's: a batch that was cut off and is sent again
/// does only what was not done.
pub async fn run(caller: &Caller, bytes: &[u8], prefer: Prefer, base: &str, key: Option<&Key>) -> Result<Json> {
    let entries = match bundle::parse_posted(bytes, base)? {
        Posted::Batch(entries) => entries,
        Posted::Transaction(entries) => {
            limits::steps(caller, entries.iter().map(kind)).await?;
            return transaction::run(caller, entries, prefer, base, key).await;
        }
    };
    if entries.len() > ENTRIES_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A batch takes at most 2000 entries."));
    }
    limits::steps(caller, entries.iter().flatten().map(kind)).await?;
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

/// As the request it could have been.
fn kind(entry: &Entry) -> Kind {
    match (entry.method != Method::GET, &entry.target.id) {
        (true, _) => Kind::Write,
        (false, Some(_)) => Kind::Read,
        (false, None) => Kind::Search,
    }
}

/// What its entries share.
pub struct Batch<'a> {
    pub caller: &'a Caller,
    pub prefer: Prefer,
    pub base: &'a str,
}

/// What an entry says of what its sender has already: the tags, or the time.
pub type Known<'e> = (Option<&'e str>, Option<&'e str>);

impl Batch<'_> {
    async fn one(&self, entry: Entry, key: Option<Key>) -> Result<Reply> {
        let def = types::registry().find(&entry.target.type_name)?;
        let interaction = Interaction::of(&entry.method, &entry.target)?;
        let id = entry.target.id.as_deref().and_then(|id| id.parse::<Uuid>().ok());
        let done = self.done(def, interaction, entry, key).await;
        super::told(self.caller, def, id, super::action(interaction), done).await
    }

    async fn done(&self, def: &'static TypeDef, interaction: Interaction, entry: Entry, key: Option<Key>) -> Result<Reply> {
        super::allowed_some(self.caller, def, interaction)?;
        match Change::of(interaction) {
            Some(kind) => self.change(def, (interaction, kind), entry, key).await,
            None => {
                let known = (entry.if_none_match.as_deref(), entry.if_modified_since.as_deref());
                self.seen(&mut Way::Apart, def, interaction, &entry.target, known).await
            }
        }
    }

    /// What an entry that changes nothing is answered.
    pub async fn seen(
        &self,
        way: &mut Way<'_>,
        def: &'static TypeDef,
        interaction: Interaction,
        target: &Target,
        known: Known<'_>,
    ) -> Result<Reply> {
        let (caller, prefer, base) = (self.caller, self.prefer, self.base);
        let id = || super::record_id(target.id.as_deref());
        let page = |bundle| Ok(Reply { status: 200, resource: Some(bundle), ..Reply::default() });
        let shown = match interaction {
            Interaction::SearchType => {
                let query = search::parse(def.name, def.search, &target.query, prefer, base)?;
                return page(super::found_in(caller, way, def.name, &query, base).await?);
            }
            Interaction::HistoryType => return page(history::run(caller, way, Of::Type(def), &target.query, prefer, base).await?.0),
            Interaction::HistoryInstance => {
                return page(history::run(caller, way, Of::One(def, id()?), &target.query, prefer, base).await?.0);
            }
            Interaction::Vread => history::version(caller, way, def, id()?, target.version.as_deref()).await?,
            Interaction::Read => match target.id.as_deref().and_then(|id| library::get(def.name, id)) {
                Some(known) => return page(known?),
                None => narrow::one(caller, way, def, id()?).await?,
            },
            _ => return Err(Error::new(&error::METHOD_NOT_ALLOWED)),
        };
        Ok(read_reply(shown, def.name, known, base))
    }

    async fn change(
        &self,
        def: &'static TypeDef,
        (interaction, kind): (Interaction, Change),
        entry: Entry,
        key: Option<Key>,
    ) -> Result<Reply> {
        let (caller, base, target) = (self.caller, self.base, &entry.target);
        let what = What::of(def, interaction, entry.resource, target.id.as_deref())?;
        let aim = Aim::of(caller, def, interaction, target, entry.if_none_exist.as_deref(), base)?;
        let effect = Effect { def, what, aim, version: super::version(entry.if_match.as_deref())? };
        let mut once = match write::begin_entry(caller, types::sources(def.name)?, kind, key.as_ref()).await? {
            Turn::First(once) => once,
            Turn::Again(kept) => return serde_json::from_value(kept).map_err(Error::internal),
        };
        let reply = done(effect.run(&mut once.scope, caller, base).await?, def.name, self.prefer.return_, base);
        let kept = key.map(|_| serde_json::to_value(&reply)).transpose().map_err(Error::internal)?;
        once.end_kept(reply.status, kept.as_ref()).await?;
        Ok(reply)
    }
}

pub fn done(done: Done, type_name: &str, wanted: Return, base: &str) -> Reply {
    match done {
        Done::Made(shown) => reply(201, shown, type_name, wanted, base),
        Done::Changed(shown) | Done::There(shown) => reply(200, shown, type_name, wanted, base),
        Done::Removed => Reply { status: 204, ..Reply::default() },
    }
}

/// What an entry that reads is answered; nothing but 304 to whoever has it.
fn read_reply(shown: read::Shown, type_name: &str, (tags, since): Known<'_>, base: &str) -> Reply {
    if shown.is_known(tags, since.and_then(temporal::instant)) {
        return reply(304, shown, type_name, Return::Minimal, base);
    }
    reply(200, shown, type_name, Return::Representation, base)
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
