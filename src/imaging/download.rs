//! Handing out a file: policies decide, the audit log knows, then the store is told by a signature.

use super::file::FILE;
use super::{access, upload};
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::storage::{GET_VALID_S_MAX, Presigned};
use crate::kernel::table::{Field, Record};
use uuid::Uuid;

/// Where files come from that hold a whole record, more than their readers may see of it.
pub const RECORD_COPY: &str = "patient-record";
/// Research data, whose every use is logged by the operation that gives it out.
pub const RESEARCH: &str = "research";

/// A signed URL and how to use it.
pub const SIGNED: &[Field] = &[
    Field::text("url").required().length(4_000),
    Field::text("method").required(),
    Field::json("headers").required(),
    Field::instant("expires_at").required(),
];

pub static CREATE_FILE_DOWNLOAD_LINK: Operation = Operation {
    id: "createFileDownloadLink",
    method: Method::Post,
    path: "/files/{id}/download-link",
    tag: "Imaging",
    doc: "Get a signed URL to download a READY file, good for at most five minutes",
    takes: &[],
    gives: Gives::Object("FileDownload", SIGNED),
    planes: &[Plane::Staff, Plane::Patient, Plane::Share],
    permission: Permission::ViewImaging,
    run: Run::Apart(|call| Box::pin(link(call))),
};

async fn link(call: Call) -> Result<Answer> {
    signed(&call.caller, call.id()?).await.map(|signed| Answer::Object(upload::shown(&signed)))
}

/// The URL of the file of that id, for those who may read it.
pub async fn signed(caller: &Caller, id: Uuid) -> Result<Presigned> {
    let context = caller.reading(&FILE)?;
    let file = access::read(caller, &context, id).await?;
    handed_out(caller, &file).await
}

/// The URL of a file whose reader was authorised; the event is durable before it exists.
pub async fn handed_out(caller: &Caller, file: &Record) -> Result<Presigned> {
    if file.text("status") != Some("READY") {
        return Err(Error::new(&error::FILE_NOT_READY));
    }
    match file.text("source") {
        Some(RECORD_COPY) => caller.needs_throughout(Permission::ManageGovernance)?,
        Some(RESEARCH) => return Err(Error::new(&error::FORBIDDEN).detail("Research data is given out by downloadResearchDataset.")),
        _ => {}
    }
    let key = access::object_key(caller, file.tenant, file.id).await?;
    upload::minted(caller, file, Action::Read, "GET", GET_VALID_S_MAX).await?;
    let (media_type, name) = (file.text("file_type").unwrap_or_default(), file.text("file_name").unwrap_or_default());
    caller.kernel.storage.presign_get(&key, media_type, name, GET_VALID_S_MAX).await
}
