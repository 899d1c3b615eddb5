//! The end of an upload: the store's word is never taken. The object is read back, hashed and looked at with no
//! transaction open; then one short transaction moves the file on. Whoever completes twice gets the same answer twice.

use super::file::FILE;
use super::intake::{self, Incoming, Taken};
use super::{access, media, subject};
use crate::dicom::{self, Header};
use crate::kernel::Caller;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Code, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::storage::object_key;
use crate::kernel::table::{Draft, Record, Value, store};
use crate::sql;
use chrono::{DateTime, Utc};
use uuid::Uuid;

pub const VERIFIED: &str = "VERIFIED";
/// READY for staff, hidden from the patient until somebody says whose image it is.
pub const PATIENT_MISMATCH: &str = "PATIENT_MISMATCH";
pub const TYPE_MISMATCH: &str = "TYPE_MISMATCH";
const UNREADABLE: &str = "DICOM_";
/// Each round lost means that another upload won it.
const ATTEMPTS: u32 = 10;

sql! {
    /// $1 tenant.
    ZONE(UUID) = "select time_zone from tenants where id = $1";
}

pub static COMPLETE_FILE_UPLOAD: Operation = Operation {
    id: "completeFileUpload",
    method: Method::Post,
    path: "/files/{id}/complete-upload",
    tag: "Imaging",
    doc: "Verify an uploaded file by its size, SHA-256 and content, and make it READY or QUARANTINED",
    takes: &[],
    gives: Gives::Record(&FILE),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::EditImaging,
    run: Run::Apart(|call| Box::pin(complete(call))),
};

/// What the bytes turned out to be.
enum Finding {
    Good(Option<Box<Header>>),
    Bad(String),
}

async fn complete(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let file = access::upload(caller, call.id()?).await?;
    if let Some(answer) = settled(&file) {
        return answer;
    }
    let key = access::object_key(caller, file.tenant, file.id).await?;
    let found = caller.kernel.storage.verify(&key).await?;
    let as_announced = u64::try_from(file.int("file_size").unwrap_or_default()) == Ok(found.size)
        && file.text("sha256") == Some(found.sha256_hex.as_str());
    if !as_announced {
        return Err(clear(caller, &file, &key).await?);
    }
    let media_type = file.text("file_type").unwrap_or_default();
    let finding = match media::is(media_type, &found.first_bytes, found.size) {
        false => Finding::Bad(TYPE_MISMATCH.to_owned()),
        true if media_type == media::DICOM => header(caller, &key, found.size).await?,
        true => Finding::Good(None),
    };
    let incoming = match (&finding, file.patient) {
        (Finding::Good(Some(header)), Some(patient)) => Some(incoming(caller, file.tenant, patient, header).await?),
        _ => None,
    };
    let mut done = finish(caller, &file, &finding, incoming.as_ref()).await;
    for attempt in 1..ATTEMPTS {
        if !matches!(&done, Err(failure) if is_race(failure)) {
            break;
        }
        // Those that met step apart, each for a time of its own, or they would meet again.
        let jitter_ms = u64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 4;
        tokio::time::sleep(std::time::Duration::from_millis(u64::from(attempt) * 20 + jitter_ms)).await;
        done = finish(caller, &file, &finding, incoming.as_ref()).await;
    }
    let file = done?;
    settled(&file).unwrap_or_else(|| Err(Error::internal("a completed file has no end state")))
}

/// Another upload made the same study, series or object at the same moment; PostgreSQL said so, not we.
fn is_race(failure: &Error) -> bool {
    failure.cause.is_some() && (failure.code == &error::DUPLICATE || failure.code == &error::CONFLICT)
}

/// The answer of a file whose upload has ended, now or before.
fn settled(file: &Record) -> Option<Result<Answer>> {
    let word = file.text("scan_result").unwrap_or_default();
    let refused = |code: &'static Code, text: &str| Some(Err(Error::new(code).detail(format!("The file is quarantined: {text}."))));
    match file.text("status")? {
        "READY" => Some(Ok(Answer::Record(file.clone()))),
        "QUARANTINED" if word == TYPE_MISMATCH => Some(Ok(Answer::Record(file.clone()))),
        "QUARANTINED" if word.starts_with(UNREADABLE) => refused(&error::DICOM_UNREADABLE, word),
        "QUARANTINED" => refused(&error::CONFLICT, word),
        "DELETED" => Some(Err(Error::new(&error::NOT_FOUND))),
        _ => None,
    }
}

/// The row goes on to a fresh key before the wrong object is removed, so that a removal that comes late can never meet
/// an upload that came after. A new upload link leads to the new key.
async fn clear(caller: &Caller, file: &Record, key: &str) -> Result<Error> {
    let mut scope = caller.kernel.door.open(&access::writer(caller, file.tenant)).await?;
    let was = store::lock(&mut scope, &FILE, file.id, None, &caller.kernel.keys).await?;
    if was.version == file.version {
        let fresh = object_key(file.tenant, file.patient, None, scope.new_id());
        let draft = Draft::default().set(&FILE, "storage_key", Value::Text(fresh))?;
        store::update(&mut scope, &was, &draft, "complete-upload", &caller.kernel.keys).await?;
        scope.commit().await?;
        caller.kernel.storage.delete(key).await?;
    }
    Ok(Error::new(&error::UPLOAD_MISMATCH).detail("Its size or SHA-256 differs and it was removed; ask for a new upload link."))
}

/// Parsing is work for the processor: off the async threads, and bounded by what is given to it.
async fn header(caller: &Caller, key: &str, size: u64) -> Result<Finding> {
    let prefix = caller.kernel.storage.read_prefix(key, dicom::header::HEADER_BYTES_MAX).await?;
    let read = tokio::task::spawn_blocking(move || dicom::read(&prefix, size)).await.map_err(Error::internal)?;
    Ok(match read {
        Ok(header) => Finding::Good(Some(Box::new(header))),
        Err(why) => Finding::Bad(format!("{UNREADABLE}{}", why.word())),
    })
}

async fn incoming<'a>(caller: &Caller, tenant: Uuid, patient: Uuid, header: &'a Header) -> Result<Incoming<'a>> {
    let differences = subject::differences(caller, tenant, patient, header).await?;
    let acquired = match header.acquired {
        Some(acquired) => acquired.at(&zone(caller, tenant).await?),
        None => None,
    };
    Ok(Incoming { header, differences, acquired, patient })
}

/// Devices write the clock on their wall: the clinic's.
async fn zone(caller: &Caller, tenant: Uuid) -> Result<chrono_tz::Tz> {
    let scope = caller.kernel.door.open(&caller.server(tenant)).await?;
    let answers = scope.once(&[((&ZONE).into(), vec![&tenant])]).await?;
    let name: Option<String> = answers.iter().flatten().next().map(|row| row.try_get(0)).transpose()?;
    Ok(name.and_then(|name| name.parse().ok()).unwrap_or(chrono_tz::UTC))
}

async fn finish(caller: &Caller, file: &Record, finding: &Finding, incoming: Option<&Incoming<'_>>) -> Result<Record> {
    let keys = &caller.kernel.keys;
    let mut scope = caller.kernel.door.open(&access::writer(caller, file.tenant)).await?;
    let was = store::lock(&mut scope, &FILE, file.id, None, keys).await?;
    if settled(&was).is_some() {
        return Ok(was);
    }
    // Another completion cleared the object away while this one read it.
    if was.version != file.version {
        return Err(Error::new(&error::CONFLICT).detail("The upload changed while it was verified; try again."));
    }
    let scanning = Draft::default().set(&FILE, "status", Value::Text("SCANNING".to_owned()))?;
    let scanning = store::update(&mut scope, &was, &scanning, "complete-upload", keys).await?;
    let end = match (finding, incoming) {
        (Finding::Bad(word), _) => End::quarantined(word),
        (Finding::Good(_), None) => End::ready(true),
        (Finding::Good(_), Some(incoming)) => match intake::take(&mut scope, keys, &scanning, incoming).await? {
            Taken::Stored { open } | Taken::Same { open } => End::ready(open),
            Taken::Refused(word) => End::quarantined(word),
        },
    };
    let now = scope.now();
    let done = store::update(&mut scope, &scanning, &end.draft(&scanning, now)?, "system", keys).await?;
    scope.commit().await?;
    Ok(done)
}

struct End {
    status: &'static str,
    word: String,
    open: bool,
}

impl End {
    fn ready(open: bool) -> End {
        End { status: "READY", word: VERIFIED.to_owned(), open }
    }
    fn quarantined(word: &str) -> End {
        End { status: "QUARANTINED", word: word.to_owned(), open: true }
    }
    fn draft(self, file: &Record, now: DateTime<Utc>) -> Result<Draft> {
        let hides = !self.open && file.flag("is_patient_visible");
        let word = if hides { PATIENT_MISMATCH.to_owned() } else { self.word };
        let mut draft = Draft::default()
            .set(&FILE, "status", Value::Text(self.status.to_owned()))?
            .set(&FILE, "scan_result", Value::Text(word))?
            .set(&FILE, "uploaded_at", Value::Instant(now))?;
        if hides {
            draft = draft.set(&FILE, "is_patient_visible", Value::Bool(false))?;
        }
        Ok(draft)
    }
}
