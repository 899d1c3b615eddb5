//! Batches: each entry is a request of its own, in a transaction of its own, answered in its place.

use super::{read, search, types, write};
use crate::fhir::bundle::{self, Entry, Method, Reply};
use crate::fhir::check;
use crate::fhir::negotiate::{Prefer, Return};
use crate::fhir::registry::{Interaction, TypeDef};
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::error::{self, Error, Result};
use serde_json::Value as Json;
use uuid::Uuid;

/// Entries of one batch.
const ENTRIES_MAX: usize = 2_000;

pub async fn run(caller: &Caller, bytes: &[u8], prefer: Prefer, base: &str) -> Result<Json> {
    let entries = bundle::parse_batch(bytes, base)?;
    if entries.len() > ENTRIES_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A batch takes at most 2000 entries."));
    }
    let mut replies = Vec::with_capacity(entries.len());
    for (place, entry) in entries.into_iter().enumerate() {
        let reply = match entry {
            Ok(entry) => one(caller, entry, prefer, base).await,
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

async fn one(caller: &Caller, entry: Entry, prefer: Prefer, base: &str) -> Result<Reply> {
    let def = types::registry().find(&entry.target.type_name)?;
    let id = entry.target.id.as_deref().and_then(|id| id.parse::<Uuid>().ok());
    let method = entry.method;
    let reply = super::told(caller, def, id, action(method), done(caller, def, entry, prefer, base).await).await;
    if method == Method::Put { reply.map_err(super::no_creation) } else { reply }
}

async fn done(caller: &Caller, def: &TypeDef, entry: Entry, prefer: Prefer, base: &str) -> Result<Reply> {
    let target = entry.target;
    let sources = types::sources(def.name)?;
    if target.version.is_some() || entry.if_none_match.is_some() || entry.if_modified_since.is_some() || entry.if_none_exist.is_some() {
        return Err(Error::new(&error::NOT_SUPPORTED).detail("Versions and conditional requests are not served inside a batch."));
    }
    let id = || super::record_id(target.id.as_deref());
    match (entry.method, entry.resource, target.id.is_some()) {
        (Method::Get, None, false) => {
            super::allowed(caller, def, Interaction::SearchType)?;
            let query = search::parse(def.name, def.search, &target.query, prefer, base)?;
            let bundle = search::run(caller, def.name, &query, base).await?;
            Ok(Reply { status: 200, resource: Some(bundle), ..Reply::default() })
        }
        (Method::Get, None, true) => {
            super::allowed(caller, def, Interaction::Read)?;
            let shown = read::one(caller, sources, id()?).await?;
            Ok(reply(200, shown, def.name, Return::Representation, base))
        }
        (Method::Post, Some(resource), false) if target.query.is_empty() => {
            super::allowed(caller, def, Interaction::Create)?;
            let resource = check::sound(resource, def.name)?;
            let shown = write::create(caller, sources, resource, base).await?;
            Ok(reply(201, shown, def.name, prefer.return_, base))
        }
        (Method::Put, Some(resource), true) => {
            super::allowed(caller, def, Interaction::Update)?;
            let resource = check::sound(resource, def.name)?;
            let id = super::same_id(target.id.as_deref(), &resource)?;
            let version = super::version(entry.if_match.as_deref())?;
            let shown = write::update(caller, sources, id, version, resource, base).await?;
            Ok(reply(200, shown, def.name, prefer.return_, base))
        }
        (Method::Delete, None, true) => {
            super::allowed(caller, def, Interaction::Delete)?;
            write::retire(caller, sources, id()?, super::version(entry.if_match.as_deref())?).await?;
            Ok(Reply { status: 204, ..Reply::default() })
        }
        _ => Err(Error::new(&error::METHOD_NOT_ALLOWED)),
    }
}

fn action(method: Method) -> Action {
    match method {
        Method::Get | Method::Head => Action::Read,
        Method::Post => Action::Create,
        Method::Put | Method::Patch => Action::Update,
        Method::Delete => Action::Delete,
    }
}

fn reply(status: u16, shown: read::Shown, type_name: &str, wanted: Return, base: &str) -> Reply {
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
