//! The signed URL that a record shows of its file when it is read by itself (C36): the file is looked up under the reader's
//! own policies, the audit log knows of the URL before it is told, and it opens the object for five minutes at most. Lists
//! tell none.

use super::access;
use super::document::DOCUMENT;
use super::download::handed_out;
use super::file::FILE;
use super::imaging_object::IMAGING_OBJECT;
use crate::governance::consent::CONSENT;
use crate::integrations::export_job::EXPORT_JOB;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::{Record, Table};
use crate::referrals::referral_file::REFERRAL_FILE;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// SQL of every such field: nothing is stored.
pub const MINTED: &str = "null::text";
pub const MINTED_LIST: &str = "null::jsonb";

/// Files of one record whose URLs are shown; of more, each has its own link.
const LISTED_MAX: usize = 20;

struct Link {
    table: &'static Table,
    field: &'static str,
    /// The record's field that names the file.
    of: &'static str,
    /// It names a document, whose file it is.
    by_document: bool,
    /// Shown as a list of objects: the files that the record's params name.
    list: bool,
}

const fn link(table: &'static Table, field: &'static str, of: &'static str) -> Link {
    Link { table, field, of, by_document: false, list: false }
}

static LINKS: &[Link] = &[
    link(&FILE, "file_url", "id"),
    link(&IMAGING_OBJECT, "storage_uri", "file_id"),
    link(&DOCUMENT, "storage_uri", "file_id"),
    link(&REFERRAL_FILE, "file_url", "file_id"),
    Link { by_document: true, ..link(&CONSENT, "document_uri", "document_id") },
    Link { list: true, ..link(&EXPORT_JOB, "output_files", "file_id") },
];

/// Puts its URL into a record that shows one, where the reader may have it.
pub async fn mint(caller: &Caller, record: &mut Record) -> Result<()> {
    let shows = |link: &&Link| link.table.name == record.table.name && record.table.field(link.field).is_some();
    let Some(link) = LINKS.iter().find(shows) else { return Ok(()) };
    let id_in = |json: Option<&Json>| json.and_then(Json::as_str).and_then(|id| id.parse::<Uuid>().ok());
    let Some(id) = id_in(record.json.get(link.of)).filter(|_| !record.deleted()) else { return Ok(()) };
    let url = if link.list {
        let files = record.json.get("params").and_then(|params| params["files"].as_array()).cloned().unwrap_or_default();
        let mut urls = Vec::new();
        for file in files.iter().take(LISTED_MAX) {
            let Some(id) = id_in(file.get("file_id")) else { continue };
            let Some(url) = allowed(open(caller, link, id).await)? else { return Ok(()) };
            urls.push(json!({"name": file["name"], "file_id": id, "url": url}));
        }
        Json::Array(urls)
    } else {
        let Some(url) = allowed(open(caller, link, id).await)? else { return Ok(()) };
        url.into()
    };
    record.json.insert(link.field.to_owned(), url);
    Ok(())
}

/// None where the reader may not have it: the record is shown without.
fn allowed(opened: Result<String>) -> Result<Option<String>> {
    match opened {
        Err(refusal) if refusal.code.status < 500 => Ok(None),
        opened => opened.map(Some),
    }
}

async fn open(caller: &Caller, link: &Link, id: Uuid) -> Result<String> {
    let id = if link.by_document { document_file(caller, id).await? } else { id };
    let file = access::read(caller, &caller.reading(&FILE)?, id).await?;
    handed_out(caller, &file).await.map(|signed| signed.url)
}

async fn document_file(caller: &Caller, id: Uuid) -> Result<Uuid> {
    let context = caller.reading(&DOCUMENT)?;
    let document = caller.glance(&context, &DOCUMENT, id).await?;
    document.uuid("file_id").filter(|_| !document.deleted()).ok_or_else(|| Error::new(&error::NOT_FOUND))
}
