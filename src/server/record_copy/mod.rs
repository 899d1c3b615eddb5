//! A copy of one patient's record, whole (catalogue 3.17; GDPR Art. 15 and 20; 45 CFR 164.524): every table whose rows name
//! the patient, as the caller's own policies show them, one line of JSON a row. A copy of all of a tenant's records is the same
//! over every table (C10).
//!
//! Beside a row stands what a FHIR client sent for it, for no column holds all of that.
//! What is about a patient follows from the field tables, so a new table is in the copy without being named here. It is read
//! page by page, each in a transaction of its own: a slow receiver holds no connection, and memory is bounded by a page.

mod bytes_of;
pub mod job;

use super::fhir::extras::{self, Of};
use super::{domains, fhir, scopes};
use crate::imaging::file::FILE;
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome, PurposeOfUse};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::list::Extra;
use crate::kernel::table::value::instant_text;
use crate::kernel::table::{Cursor, List, Record, Refers, Table, Value, Verb, store};
use crate::patients::patient::PATIENT;
use crate::tenancy::tenant::TENANT;
use bytes::Bytes;
use chrono::Utc;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_postgres::types::Type;
use uuid::Uuid;

pub const NDJSON: &str = "application/x-ndjson";
/// Copies under way at once in one process.
const COPIES_MAX: usize = 16;
/// Rows read at once.
const PAGE_SIZE: usize = 50;
const TENANT_PAGE_SIZE: usize = 200;
/// Pages that wait for a slow receiver, and how long one may be waited for.
const PAGES_MAX: usize = 2;
const STALLED: Duration = Duration::from_secs(30);
static COPIES: Semaphore = Semaphore::const_new(COPIES_MAX);

pub static EXPORT: Operation = Operation {
    id: "getPatientExport",
    method: Method::Get,
    path: "/patients/{id}/export",
    tag: "Patients",
    doc: "A copy of the patient's record over all tables, as far as the caller may read them, as lines of JSON: \
          {\"type\": \"PatientExport\"} first, then {\"type\": <schema>, \"record\": {…}} a row, with \"fhir\" what a FHIR client sent \
          for it, by type, and {\"type\": \"PatientExportEnd\"} with the number of rows of each type, what the caller was not shown, what is left out and why, and the SHA-256 of all \
          lines before it: a copy without that line is not whole. Files are listed with their hashes; a file itself comes by its \
          download-link, DICOM objects by their file_id. The same record as FHIR: /fhir/r4/Patient/{id}/$everything",
    takes: &[],
    gives: Gives::Bytes(NDJSON),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewPatient,
    run: Run::Apart(|call| Box::pin(start(call))),
};

pub static OPERATIONS: &[&Operation] = &[&EXPORT];

/// Tables that name patients and are no part of a copy, each with the reason; the copy says it too.
pub static LEFT_OUT: &[(&str, &str)] = &[
    ("audit_events", "who did what is told by getPatientAccessReport"),
    ("phi_access_logs", "who did what is told by getPatientAccessReport"),
    ("change_log", "what a record was before is told by its history"),
    ("family_members", "shown as PatientProxy"),
    ("research_dataset_members", "would tie a pseudonym to a person"),
    ("sessions", "how somebody signed in"),
    ("refresh_tokens", "how somebody signed in"),
    ("oauth_authorizations", "how an application was let in"),
    ("oauth_requests", "how an application was let in"),
    ("logout_notices", "how an application heard of a sign-out"),
    ("fhir_extras", "stands beside the record it was sent for"),
    ("fhir_resources", "the other form of records that are here"),
    ("share_links", "keys to a RecordShare that is here"),
    ("share_visits", "keys to a RecordShare that is here"),
    ("notification_reads", "a mark on a Notification that is here"),
    ("search_values", "an index of records that are here"),
    ("clinical_search_values", "an index of records that are here"),
    ("search_stale", "which values of that index are to be made anew"),
    ("outbox_events", "ids of records on their way to subscribers"),
    ("encryption_keys", "keys, not what they lock"),
];

fn copied() -> impl Iterator<Item = &'static Table> {
    domains::tables().filter(|table| LEFT_OUT.iter().all(|(name, _)| *name != table.name))
}

/// How often rows may refer to rows before one names the patient.
const STEPS_MAX: usize = 2;

/// That a row of the table is about the patient `$value`: by a column, or by a reference to a record that is. None: it is about
/// nobody.
fn about(table: &'static Table, row: &str, steps: usize) -> Option<String> {
    let refers = |name: &'static str| table.fields.iter().find(|field| field.computed.is_none() && field.refers == Refers::Tenant(name));
    if let Some(column) = table.patient.or_else(|| refers(PATIENT.name).map(|field| field.name)) {
        return Some(format!("{row}.{column} = $value"));
    }
    let inner = format!("p{steps}");
    table.fields.iter().filter(|field| field.computed.is_none() && steps > 0).find_map(|field| {
        let name = match field.refers {
            // Any record may carry a document or a file, about patients or not.
            Refers::Tenant(name) if !["files", "documents"].contains(&name) => name,
            _ => return None,
        };
        let parent = domains::tables().find(|parent| parent.name == name)?;
        let condition = about(parent, &inner, steps - 1)?;
        Some(format!(
            "{row}.{} in (select {inner}.id from {name} {inner} where {inner}.tenant_id = {row}.tenant_id and {condition})",
            field.name
        ))
    })
}

/// A table and the condition that its rows `r` are of the tenant and the patient `$value`: the same id may stand in two clinics.
pub struct Part {
    pub table: &'static Table,
    condition: String,
}

impl Part {
    pub fn of(&self, tenant: Uuid, patient: Uuid) -> Extra {
        let values = vec![(Value::Uuid(tenant), Type::UUID), (Value::Uuid(patient), Type::UUID)];
        (self.condition.clone().into(), values)
    }
}

/// What a copy is made of, the patient first.
pub static PARTS: LazyLock<Vec<Part>> = LazyLock::new(|| {
    let part = |table| about(table, "r", STEPS_MAX).map(|about| Part { table, condition: format!("r.tenant_id = $value and {about}") });
    let mut parts: Vec<_> = copied().filter_map(part).collect();
    parts.sort_by_key(|part| part.table.name != PATIENT.name);
    parts
});

async fn start(call: Call) -> Result<Answer> {
    let caller = call.caller;
    let id = call.id.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let patient = caller.glance(&caller.context, &PATIENT, id).await?;
    let slot = COPIES.try_acquire().map_err(|_| Error::new(&error::RATE_LIMITED).detail("Other copies are under way."))?;
    let (sink, pages) = mpsc::channel(PAGES_MAX);
    let copy = Copying::begin(caller, Whose::Patient(patient), sink).await?;
    tokio::spawn(async move {
        copy.run().await;
        drop(slot);
    });
    Ok(Answer::Bytes(unfold(pages, async |mut pages| pages.recv().await.map(|page| (page, pages))).boxed()))
}

/// Whose records a copy holds.
enum Whose {
    Patient(Record),
    Tenant(Uuid),
}

impl Whose {
    fn tenant(&self) -> Uuid {
        match self {
            Whose::Patient(patient) => patient.tenant,
            Whose::Tenant(tenant) => *tenant,
        }
    }
    fn patient(&self) -> Option<Uuid> {
        match self {
            Whose::Patient(patient) => Some(patient.id),
            Whose::Tenant(_) => None,
        }
    }
    /// The tables it is made of, each with the condition of its rows.
    fn parts(&self) -> Vec<(&'static Table, Extra)> {
        match self {
            Whose::Patient(patient) => PARTS.iter().map(|part| (part.table, part.of(patient.tenant, patient.id))).collect(),
            Whose::Tenant(tenant) => {
                let own = || ("r.tenant_id = $value".into(), vec![(Value::Uuid(*tenant), Type::UUID)]);
                copied().filter(|table| table.has_tenant()).map(|table| (table, own())).collect()
            }
        }
    }
    /// Rows read at once.
    fn page_size(&self) -> usize {
        match self {
            Whose::Patient(_) => PAGE_SIZE,
            Whose::Tenant(_) => TENANT_PAGE_SIZE,
        }
    }
}

struct Copying {
    caller: Caller,
    whose: Whose,
    id: Uuid,
    sink: mpsc::Sender<std::io::Result<Bytes>>,
    hash: Sha256,
    counts: BTreeMap<&'static str, usize>,
    unseen: Vec<&'static str>,
    /// What files hold comes with their rows.
    with_bytes: bool,
    files: bytes_of::Files,
}

impl Copying {
    async fn begin(caller: Caller, whose: Whose, sink: mpsc::Sender<std::io::Result<Bytes>>) -> Result<Copying> {
        let id = Uuid::now_v7();
        let (hash, counts, unseen, files) = (Sha256::new(), BTreeMap::new(), Vec::new(), bytes_of::Files::default());
        let copy = Copying { caller, whose, id, sink, hash, counts, unseen, with_bytes: false, files };
        copy.tell("RECORD_EXPORT_STARTED", Outcome::Success).await?;
        Ok(copy)
    }

    fn rows(&self) -> usize {
        self.counts.values().sum()
    }

    /// The log knows before anything leaves, and how it ended.
    async fn tell(&self, kind: &'static str, outcome: Outcome) -> Result<()> {
        let mut event = audit_store::of(&self.caller.context, kind, Action::Read, outcome, Utc::now());
        (event.tenant_id, event.patient_id) = (self.whose.tenant(), self.whose.patient());
        (event.resource_type, event.resource_id) = match &self.whose {
            Whose::Patient(patient) => (Some(PATIENT.schema.into()), Some(patient.id)),
            Whose::Tenant(tenant) => (Some(TENANT.schema.into()), Some(*tenant)),
        };
        event.purpose_of_use = self.whose.patient().map(|_| PurposeOfUse::PatientRequest);
        let rows = i64::try_from(self.rows()).unwrap_or(i64::MAX);
        event.metadata = Metadata::new().text("export", self.id.to_string()).integer("count", rows);
        self.caller.kernel.audit.record(event).await
    }

    /// Sends it all; what fails breaks the body off before its last line. How it ended, and after how many rows.
    async fn run(mut self) -> (Outcome, usize) {
        let outcome = match self.send().await {
            Ok(()) => Outcome::Success,
            Err(_) if self.sink.is_closed() => Outcome::Aborted,
            Err(failure) => {
                tracing::warn!(error = %failure, "A copy of a record ended early");
                let _ = self.sink.try_send(Err(std::io::Error::other("the copy ended early")));
                Outcome::Failed
            }
        };
        if let Err(failure) = self.tell("RECORD_EXPORT_ENDED", outcome).await {
            tracing::error!(error = %failure, "The end of a copy of a record was not recorded");
        }
        (outcome, self.rows())
    }

    async fn send(&mut self) -> Result<()> {
        let mut head = json!({"id": self.id, "tenant_id": self.whose.tenant(), "format": 1, "started_at": instant_text(Utc::now())});
        let kind = match self.whose.patient() {
            Some(patient) => {
                head["patient_id"] = json!(patient);
                "PatientExport"
            }
            None => "TenantExport",
        };
        self.lines([line(kind, head, None)?]).await?;
        for (table, of) in self.whose.parts() {
            match self.part(table, of).await {
                Err(refusal) if refusal.code == &error::FORBIDDEN => self.unseen.push(table.schema),
                sent => sent?,
            }
        }
        let left_out: BTreeMap<_, _> = LEFT_OUT.iter().copied().collect();
        let mut end = json!({"counts": self.counts, "not_shown": self.unseen, "left_out": left_out,
            "sha256": hex(&self.hash.clone().finalize())});
        if self.with_bytes {
            end["files"] = self.files.told();
        }
        self.lines([line(&format!("{kind}End"), end, None)?]).await
    }

    async fn part(&mut self, table: &'static Table, of: Extra) -> Result<()> {
        self.caller.needs(table.read)?;
        scopes::on_verb(&self.caller, table, Verb::List)?;
        let mut after: Option<Cursor> = None;
        loop {
            let list = List { limit: self.whose.page_size(), after, extra: vec![of.clone()], ..List::new(table) };
            let (door, keys) = (&self.caller.kernel.door, &self.caller.kernel.keys);
            let (rows, next) = store::list(door.open(&self.caller.context).await?, &list, keys).await?;
            let asked: Vec<(usize, Of)> = rows.iter().enumerate().flat_map(|(place, row)| forms(row).map(move |of| (place, of))).collect();
            let (places, of): (Vec<usize>, Vec<Of>) = asked.into_iter().unzip();
            let mut sent: HashMap<usize, Map<String, Json>> = HashMap::new();
            if !of.is_empty() {
                let asked = extras::of_versions(&of);
                let answers = door.open(&self.caller.context).await?.once(&[(asked.query.clone(), asked.params())]).await?;
                let found = extras::placed(answers.first().map(Vec::as_slice).unwrap_or_default(), keys).await?;
                for (at, extras) in found {
                    if let (Some(place), Some(of)) = (places.get(at), of.get(at)) {
                        sent.entry(*place).or_default().insert(of.type_name.to_owned(), extras.sent);
                    }
                }
            }
            *self.counts.entry(table.schema).or_default() += rows.len();
            let held: Vec<_> = rows.iter().filter(|_| self.with_bytes && table.name == FILE.name).filter_map(bytes_of::held).collect();
            let lines = rows.into_iter().enumerate().map(|(place, row)| line(table.schema, Json::Object(row.json), sent.remove(&place)));
            self.lines(lines.collect::<Result<Vec<_>>>()?).await?;
            for file in held {
                self.bytes_of(file).await?;
            }
            match next {
                Some(end) => after = Some(end),
                None => return Ok(()),
            }
        }
    }

    async fn lines(&mut self, lines: impl IntoIterator<Item = Vec<u8>>) -> Result<()> {
        let page: Vec<u8> = lines.into_iter().flatten().collect();
        if page.is_empty() {
            return Ok(());
        }
        self.hash.update(&page);
        let sent = tokio::time::timeout(STALLED, self.sink.send(Ok(page.into()))).await;
        sent.map_err(Error::internal)?.map_err(|_| Error::internal("the receiver is gone"))
    }
}

/// The record as each type it is: one row may have been sent as several resources.
fn forms(record: &Record) -> impl Iterator<Item = Of> {
    let is_kept = |record: &&Record| fhir::other::HOMES.iter().any(|home| home.name == record.table.name);
    let kept = Some(record).filter(is_kept).and_then(|record| record.text("resource_type"));
    let names: BTreeSet<&'static str> = match kept {
        Some(kept) => fhir::types::registry().types().iter().map(|def| def.name).filter(|name| *name == kept).collect(),
        None => domains::resources().filter(|mapping| mapping.table.name == record.table.name).map(|mapping| mapping.of.name).collect(),
    };
    names.into_iter().map(|name| Of::named(name, record))
}

fn line(kind: &str, record: Json, sent: Option<Map<String, Json>>) -> Result<Vec<u8>> {
    let mut whole = json!({"type": kind, "record": record});
    if let Some(sent) = sent {
        whole["fhir"] = Json::Object(sent);
    }
    let mut line = serde_json::to_vec(&whole).map_err(Error::internal)?;
    line.push(b'\n');
    Ok(line)
}
