//! A named operation: what it takes, what it gives, who may call it, and the plain function that does it.
//!
//! The REST contract, its OpenAPI document and the isolation matrix are made from this table; the function knows no HTTP.

use crate::kernel::Caller;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::field::{Move, Sensitivity};
use crate::kernel::table::{Draft, Field, Record, Table, Value, store};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

/// What an operation answers.
#[derive(Debug, Clone, Copy)]
pub enum Gives {
    /// 200 with the record.
    Record(&'static Table),
    /// 201 with the record.
    Created(&'static Table),
    /// 200 with a page of records.
    Page(&'static Table),
    /// 200 with an object of these fields; the first word is its schema name.
    Object(&'static str, &'static [Field]),
    /// 201 with such an object about a new record of that table.
    Made(&'static str, &'static [Field], &'static Table),
    /// 200 with a stream of that media type.
    Bytes(&'static str),
    /// 204.
    Nothing,
}

pub struct Operation {
    /// operationId, as generated SDKs spell it: `deactivatePatient`.
    pub id: &'static str,
    pub method: Method,
    /// Below `/api/v1`, with `{id}` where it works on one record.
    pub path: &'static str,
    pub tag: &'static str,
    pub doc: &'static str,
    /// Body of a POST, query of a GET.
    pub takes: &'static [Field],
    pub gives: Gives,
    /// Who may call it at all; `Plane::Auth` marks operations without a token.
    pub planes: &'static [Plane],
    pub permission: Permission,
    pub run: Run,
}

/// What several operations of one room have in common.
#[derive(Clone, Copy)]
pub struct Steps {
    pub tag: &'static str,
    pub planes: &'static [Plane],
    pub permission: Permission,
}

impl Steps {
    /// The same on other planes.
    pub const fn on(self, planes: &'static [Plane]) -> Self {
        Self { planes, ..self }
    }
    /// The same for who has another permission.
    pub const fn by(self, permission: Permission) -> Self {
        Self { permission, ..self }
    }
    pub const fn post(
        &self,
        id: &'static str,
        path: &'static str,
        doc: &'static str,
        takes: &'static [Field],
        gives: Gives,
        run: Run,
    ) -> Operation {
        Operation {
            id,
            method: Method::Post,
            path,
            tag: self.tag,
            doc,
            takes,
            gives,
            planes: self.planes,
            permission: self.permission,
            run,
        }
    }
}

impl Operation {
    /// The last word of its path, which names the move it makes.
    pub fn word(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
    /// The names in braces of its path.
    pub fn path_names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
    /// What it takes beside its path.
    pub fn input(&self) -> impl Iterator<Item = &'static Field> + Clone {
        self.takes.iter().filter(|field| self.path_names().all(|name| name != field.name))
    }
}

/// How an operation is done.
pub enum Run {
    /// In one transaction that the contract opens and commits, with the idempotency key's row in it.
    Inside(for<'a> fn(&'a mut Scope, &'a Call) -> BoxFuture<'a, Result<Answer>>),
    /// In transactions of its own, because it waits for something outside between them (the object store, hashing) or
    /// works on another plane. May run again after a crash, with the same idempotency key: its guards have to bear that.
    Apart(fn(Call) -> BoxFuture<'static, Result<Answer>>),
}

impl Operation {
    /// Whether an idempotency key holds: for all that may change something. What only looks may run as often as it likes;
    /// before anybody is known a key would be nobody's, and what can be done then has guards of its own.
    pub fn keyed(&self) -> bool {
        let changes = matches!(self.run, Run::Inside(_)) || !self.permission.only_reads();
        self.method == Method::Post && changes && !self.planes.contains(&Plane::Auth)
    }
    /// Whether its answer tells a secret, which is shown once.
    pub fn tells_secret(&self) -> bool {
        match self.gives {
            Gives::Object(_, fields) | Gives::Made(_, fields, _) => fields.iter().any(|field| field.sensitivity == Sensitivity::Secret),
            _ => false,
        }
    }
}

/// One call, checked against the table.
pub struct Call {
    pub operation: &'static Operation,
    pub caller: Caller,
    pub id: Option<Uuid>,
    pub input: BTreeMap<&'static str, Value>,
    /// The fields as sent; for operations that hand them to a record.
    pub body: Map<String, Json>,
    /// From If-Match.
    pub version: Option<i64>,
}

pub enum Answer {
    Record(Record),
    Page(Vec<Record>, Option<String>),
    Object(Map<String, Json>),
    /// About the new record of that id.
    Made(Uuid, Map<String, Json>),
    /// Sent as it is made; an error breaks the body off.
    Bytes(BoxStream<'static, std::io::Result<Bytes>>),
    Nothing,
}

impl Call {
    pub fn id(&self) -> Result<Uuid> {
        self.id.ok_or_else(|| Error::new(&error::NOT_FOUND))
    }
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.input.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
    pub fn uuid(&self, name: &str) -> Option<Uuid> {
        match self.input.get(name) {
            Some(Value::Uuid(id)) => Some(*id),
            _ => None,
        }
    }
    pub fn instant(&self, name: &str) -> Option<DateTime<Utc>> {
        match self.input.get(name) {
            Some(Value::Instant(at)) => Some(*at),
            _ => None,
        }
    }
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.input.get(name)
    }
}

/// Checks a body (or a query) against the operation's fields; every fault is named at once.
pub fn checked(operation: &Operation, body: &Map<String, Json>) -> Result<BTreeMap<&'static str, Value>> {
    let mut input = BTreeMap::new();
    let mut wrong = Error::new(if operation.method == Method::Get { &error::PARAMETER_INVALID } else { &error::INVALID });
    for (name, json) in body {
        match operation.takes.iter().find(|field| field.name == name) {
            None => wrong = wrong.fault(plain(name), "unknown", "There is no such field."),
            Some(field) if json.is_null() && field.required => wrong = wrong.fault(field.name, "required", "The field is needed."),
            Some(_) if json.is_null() => {}
            Some(field) => match crate::kernel::table::value::parse(field, json) {
                Ok(value) => {
                    input.insert(field.name, value);
                }
                Err((rule, text)) => wrong = wrong.fault(field.name, rule, text),
            },
        }
    }
    for field in operation.takes.iter().filter(|field| field.required && !body.contains_key(field.name)) {
        wrong = wrong.fault(field.name, "required", "The field is needed.");
    }
    if wrong.faults.is_empty() { Ok(input) } else { Err(wrong) }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect()
}

/// Moves a record along its state machine, as the operation's last path word names the move. What else changes with it
/// is given as columns.
pub async fn transition(scope: &mut Scope, call: &Call, table: &'static Table, columns: Vec<(&'static str, Value)>) -> Result<Answer> {
    let by = call.operation.word();
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, table, call.id()?, call.version, keys).await?;
    let machine = table.machines.first().ok_or_else(|| Error::internal(format!("{} has no states", table.name)))?;
    let from = was.text(machine.column).unwrap_or_default().to_owned();
    let to = machine.moves.iter().find(|step: &&Move| step.from == from && step.by == by).map(|step| step.to);
    let to = to.ok_or_else(|| store::refuse_move(machine, &from))?;
    let mut draft = Draft::default().set(table, machine.column, Value::Text(to.to_owned()))?;
    for (name, value) in columns {
        draft = draft.set(table, name, value)?;
    }
    Ok(Answer::Record(store::update(scope, &was, &draft, by, keys).await?))
}
