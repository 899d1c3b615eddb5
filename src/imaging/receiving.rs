//! Opening what another clinic shared, and taking a copy of it. The grant decides at every opening, and both clinics' logs
//! tell of it; the bytes stay with the one that shared them until a copy is taken, which is checked like an upload.

use super::download::{SIGNED, handed_out};
use super::file::FILE;
use super::received_document::RECEIVED_DOCUMENT;
use super::{access, completion, media, upload};
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::storage::object_key;
use crate::kernel::table::{Draft, Record, Value, store};
use crate::sql;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 booking.
    CONFIRMED(UUID, UUID) = "select from bookings where tenant_id = $1 and id = $2 and status = 'CONFIRMED'";
    /// $1 tenant that shared, $2 grant, $3 tenant it was given to.
    GRANTED(UUID, UUID, UUID) = "
        select g.file_id from document_grants g
         where g.tenant_id = $1 and g.id = $2 and g.grantee_tenant_id = $3 and g.revoked_at is null
           and (g.expires_at is null or g.expires_at > now())";
}

pub static CREATE_RECEIVED_LINK: Operation = Operation {
    id: "createReceivedDocumentDownloadLink",
    method: Method::Post,
    path: "/received-documents/{id}/download-link",
    tag: "Imaging",
    doc: "Get a signed URL of a document another clinic shared, while it is shared; good for at most five minutes",
    takes: &[],
    gives: Gives::Object("ReceivedDocumentDownload", SIGNED),
    planes: &[Plane::Staff],
    permission: Permission::ViewClinical,
    run: Run::Apart(|call| Box::pin(link(call))),
};

pub static KEEP_RECEIVED: Operation = Operation {
    id: "keepReceivedDocument",
    method: Method::Post,
    path: "/received-documents/{id}/keep",
    tag: "Imaging",
    doc: "Copy the bytes of a shared document into this clinic's own record, where they stay when the sharing ends",
    takes: &[],
    gives: Gives::Record(&FILE),
    planes: &[Plane::Staff],
    permission: Permission::EditClinical,
    run: Run::Apart(|call| Box::pin(keep(call))),
};

/// A received document whose sharing stands, its entry here and its file there.
struct Shared {
    document: Record,
    entry: Record,
    source: Record,
}

async fn shared(call: &Call) -> Result<Shared> {
    let (caller, id) = (&call.caller, call.id()?);
    let ended = || Error::new(&error::MOVE_REFUSED).detail("It is shared no more.").fault("revoked_at", "state", "The sharing has ended.");
    let document = caller.glance(&caller.context, &RECEIVED_DOCUMENT, id).await?;
    if !document.get("revoked_at").is_null() {
        return Err(ended());
    }
    let (Some(from), Some(grant), Some(entry)) = (document.uuid("source_tenant_id"), document.uuid("grant_id"), document.uuid("file_id"))
    else {
        return Err(Error::internal("a received document leads nowhere"));
    };
    let here = caller.server(document.tenant);
    if let Some(booking) = document.uuid("booking_id") {
        let confirmed = caller.kernel.door.open(&here).await?.once(&[((&CONFIRMED).into(), vec![&document.tenant, &booking])]).await?;
        if confirmed.iter().flatten().next().is_none() {
            let refusal = Error::new(&error::MOVE_REFUSED).detail("The booking is not confirmed.");
            return Err(refusal.fault("booking_id", "state", "It is not confirmed."));
        }
    }
    // Nobody here may look across; the server asks there whether the grant still stands.
    let there = caller.server(from);
    let granted = caller.kernel.door.open(&there).await?.once(&[((&GRANTED).into(), vec![&from, &grant, &document.tenant])]).await?;
    let file: Uuid = granted.iter().flatten().next().ok_or_else(ended)?.try_get(0)?;
    let source = access::read(caller, &there, file).await?;
    let entry = access::read(caller, &here, entry).await?;
    Ok(Shared { document, entry, source })
}

async fn link(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let found = shared(&call).await?;
    remember(caller, &found.document, "FILE_LINK_MINTED").await?;
    let file = if found.entry.text("status") == Some("READY") { &found.entry } else { &found.source };
    handed_out(caller, file).await.map(|signed| Answer::Object(upload::shown(&signed)))
}

/// The receiver's log tells of the document; the file's own event stands in the log of the clinic whose file it is.
async fn remember(caller: &Caller, record: &Record, kind: &'static str) -> Result<()> {
    let mut event = audit_store::of_record(&caller.context, Action::Read, record, chrono::Utc::now());
    event.event_type = kind.into();
    caller.kernel.audit.record(event).await
}

async fn keep(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let Shared { document, entry, source } = shared(&call).await?;
    access::acts_in_chart(caller, &document, call.operation.permission).await?;
    if entry.text("status") != Some("SCANNING") {
        return Ok(Answer::Record(entry));
    }
    if source.text("status") != Some("READY") {
        return Err(Error::new(&error::FILE_NOT_READY));
    }
    upload::within_limits(caller, entry.tenant, source.int("file_size").unwrap_or_default()).await?;
    remember(caller, &source, "FILE_COPIED").await?;
    remember(caller, &document, "FILE_COPIED").await?;
    let from = access::object_key(caller, source.tenant, source.id).await?;
    // A place of its own: of two who copy at once, one is too late and takes away what it brought.
    let to = object_key(entry.tenant, entry.patient, None, Uuid::now_v7());
    let storage = &caller.kernel.storage;
    storage.copy(&from, &to).await?;
    let settled = settle(caller, &entry, &source, &to).await;
    if !settled.as_ref().is_ok_and(|(_, ours)| *ours) {
        storage.delete(&to).await?;
    }
    settled.map(|(kept, _)| Answer::Record(kept))
}

/// The entry as it is now, and whether the copy is what it leads to. The copy counts against the clinic's storage from here on.
async fn settle(caller: &Caller, entry: &Record, source: &Record, key: &str) -> Result<(Record, bool)> {
    let bytes = caller.kernel.storage.verify(key).await?;
    if source.text("sha256") != Some(bytes.sha256_hex.as_str()) || source.int("file_size") != i64::try_from(bytes.size).ok() {
        return Err(Error::new(&error::UPLOAD_MISMATCH).detail("The bytes are not those that were shared."));
    }
    let is_good = media::is(source.text("file_type").unwrap_or_default(), &bytes.first_bytes, bytes.size);
    let (status, word) = if is_good { ("READY", completion::VERIFIED) } else { ("QUARANTINED", completion::TYPE_MISMATCH) };
    let mut scope = caller.kernel.door.open(&caller.server(entry.tenant)).await?;
    let was = store::lock(&mut scope, &FILE, entry.id, None, &caller.kernel.keys).await?;
    if was.text("status") != Some("SCANNING") {
        return Ok((was, false));
    }
    let text = |text: &str| Value::Text(text.to_owned());
    let draft = Draft::default()
        .set(&FILE, "status", text(status))?
        .set(&FILE, "scan_result", text(word))?
        .set(&FILE, "storage_key", text(key))?
        .set(&FILE, "storage_region", text(&caller.kernel.config.storage.region))?;
    let kept = store::update(&mut scope, &was, &draft, "system", &caller.kernel.keys).await?;
    scope.commit().await?;
    Ok((kept, true))
}
