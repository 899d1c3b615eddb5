//! Announcing a file: its row first, then a signed URL that takes exactly the announced bytes.

use super::file::{FILE, KIND};
use super::{access, media};
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::unhex;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::storage::{PUT_VALID_S_MAX, Presigned, object_key};
use crate::kernel::table::{Draft, Field, Record, Refers, Value, store};
use crate::sql;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

sql! {
    /// $1 tenant. What all files take together is counted when one is announced, in its transaction.
    LIMITS(UUID) = "select max_file_bytes from tenant_quotas where tenant_id = $1 and hard_limit";
}

const TICKET: &[Field] = &[
    Field::json("file").required().doc("The File, PENDING until its upload is completed."),
    Field::text("url").required().length(4000),
    Field::text("method").required(),
    Field::json("headers").required().doc("All are signed: send each exactly as it stands here."),
    Field::instant("expires_at").required(),
];

pub static CREATE_FILE: Operation = Operation {
    id: "createFile",
    method: Method::Post,
    path: "/files",
    tag: "Imaging",
    doc: "Announce a file and get a signed URL to upload exactly these bytes",
    takes: &[
        Field::uuid("patient_id").refers(Refers::Tenant("patients")),
        KIND,
        Field::text("file_name").required().pii(),
        Field::choice("file_type", media::TYPES).required(),
        Field::big("file_size").required().at_least(1).at_most(media::SIZE_MAX).doc("unit: bytes"),
        Field::text("sha256")
            .example(r#""9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08""#)
            .required()
            .length(64)
            .doc("of the bytes, 64 hex digits"),
        Field::flag("is_patient_visible").doc("true when left out; what a patient uploads, the patient sees"),
        Field::text("source"),
    ],
    gives: Gives::Made("FileUpload", TICKET, &FILE),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::EditImaging,
    run: Run::Apart(|call| Box::pin(create(call))),
};

pub static CREATE_FILE_UPLOAD_LINK: Operation = Operation {
    id: "createFileUploadLink",
    method: Method::Post,
    path: "/files/{id}/upload-link",
    tag: "Imaging",
    doc: "Get a new signed URL for a file that is still PENDING",
    takes: &[],
    gives: Gives::Object("FileUpload", TICKET),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::EditImaging,
    run: Run::Apart(|call| Box::pin(link(call))),
};

async fn create(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let patient = call.uuid("patient_id");
    let sha256 = call.text("sha256").unwrap_or_default().to_ascii_lowercase();
    let mut wrong = Error::new(&error::INVALID);
    if sha256.len() != 64 || unhex(&sha256).is_none() {
        wrong = wrong.fault("sha256", "format", "It must be the 64 hex digits of a SHA-256.");
    }
    let whose = caller.context.plane == Plane::Patient || call.text("file_type") == Some(media::DICOM);
    if whose && patient.is_none() {
        wrong = wrong.fault("patient_id", "required", "The field is needed.");
    }
    if !wrong.faults.is_empty() {
        return Err(wrong);
    }
    let tenant = match (caller.context.plane, patient) {
        (Plane::Patient, Some(patient)) => access::home_of_chart(caller, patient).await?,
        _ => caller.tenant()?,
    };
    let size = match call.value("file_size") {
        Some(Value::BigInt(size)) => *size,
        _ => 0,
    };
    within_limits(caller, tenant, size).await?;
    let file = announce(&call, tenant, patient, sha256).await?;
    let id = file.id;
    Ok(Answer::Made(id, ticket(caller, file).await?))
}

async fn announce(call: &Call, tenant: Uuid, patient: Option<Uuid>, sha256: String) -> Result<Record> {
    let caller = &call.caller;
    let mut scope = caller.kernel.door.open(&access::writer(caller, tenant)).await?;
    let id = scope.new_id();
    let by_patient = caller.context.plane == Plane::Patient;
    let mut draft = Draft { id: Some(id), values: Vec::new() };
    for name in ["patient_id", "kind", "file_name", "file_type", "file_size", "is_patient_visible", "source"] {
        if let Some(value) = call.value(name) {
            draft = draft.set(&FILE, name, value.clone())?;
        }
    }
    if by_patient {
        draft = draft.set(&FILE, "is_patient_visible", Value::Bool(true))?;
    }
    let text = |text: &str| Value::Text(text.to_owned());
    let draft = draft
        .set(&FILE, "sha256", Value::Text(sha256))?
        .set(&FILE, "storage_key", Value::Text(object_key(tenant, patient, None, id)))?
        .set(&FILE, "storage_region", text(&caller.kernel.config.storage.region))?
        .set(&FILE, "uploaded_by_party", text(if by_patient { "PATIENT" } else { "STAFF" }))?;
    let file = store::insert(&mut scope, &FILE, &draft, &caller.kernel.keys).await?;
    scope.commit().await?;
    Ok(file)
}

async fn link(call: Call) -> Result<Answer> {
    let file = access::upload(&call.caller, call.id()?).await?;
    if file.text("status") != Some("PENDING") {
        return Err(Error::new(&error::MOVE_REFUSED).detail("Its upload has ended."));
    }
    Ok(Answer::Object(ticket(&call.caller, file).await?))
}

/// Limits that are billed instead of refused (`hard_limit` off) are not the caller's concern here.
pub async fn within_limits(caller: &Caller, tenant: Uuid, size: i64) -> Result<()> {
    let scope = caller.kernel.door.open(&caller.server(tenant)).await?;
    let answers = scope.once(&[((&LIMITS).into(), vec![&tenant])]).await?;
    let Some(row) = answers.iter().flatten().next() else { return Ok(()) };
    match row.try_get::<_, Option<i64>>(0)? {
        Some(most) if size > most => {
            Err(Error::new(&error::QUOTA_EXCEEDED).fault("file_size", "quota", "A file of the tenant may not be that large."))
        }
        _ => Ok(()),
    }
}

/// The event is durable before the URL exists.
async fn ticket(caller: &Caller, file: Record) -> Result<Map<String, Json>> {
    let (Some(size), Some(sha256)) = (file.int("file_size"), file.text("sha256")) else {
        return Err(Error::internal("a file was announced without its size and hash"));
    };
    let key = access::object_key(caller, file.tenant, file.id).await?;
    minted(caller, &file, Action::Create, "PUT", PUT_VALID_S_MAX).await?;
    let media_type = file.text("file_type").unwrap_or_default();
    let size = u64::try_from(size).map_err(Error::internal)?;
    let signed = caller.kernel.storage.presign_put(&key, media_type, size, sha256, PUT_VALID_S_MAX).await?;
    let mut members = shown(&signed);
    members.insert("file".into(), Json::Object(file.json));
    Ok(members)
}

/// Remembers that whoever holds the URL about to be signed can move the bytes of this file.
pub async fn minted(caller: &Caller, file: &Record, action: Action, method: &str, valid_s: u32) -> Result<()> {
    let mut event = audit_store::of_record(&caller.context, action, file, chrono::Utc::now());
    event.event_type = "FILE_LINK_MINTED".into();
    event.metadata = Metadata::new().text("method", method).integer("valid_s", i64::from(valid_s));
    caller.kernel.audit.record(event).await
}

pub fn shown(signed: &Presigned) -> Map<String, Json> {
    let headers: Map<String, Json> = signed.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let mut members = Map::new();
    members.insert("url".into(), json!(signed.url));
    members.insert("method".into(), json!(signed.method));
    members.insert("headers".into(), Json::Object(headers));
    members.insert("expires_at".into(), json!(crate::kernel::table::value::instant_text(signed.expires_at)));
    members
}
