//! `POST /batch`: many changes in one request and one transaction, for vendors who move a clinic's data.
//!
//! Atomic: the first refusal is the answer of the whole and nothing is stored. Not atomic: each step stands or falls alone
//! (a savepoint each), and its refusal is its own result. A step names itself with `ref`; later steps say `#name` in paths
//! and bodies where they mean the id it got.

use super::answer;
use super::batch_run;
use super::resources::{body_bytes, object};
use super::{operation_action, verb_action};
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Fault, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, checked};
use crate::kernel::table::{Draft, Table, Verb, store};
use crate::server::idempotency::{Key, Once, Turn};
use crate::server::{problem, scopes};
use poem::http::StatusCode;
use poem::{Request, Response};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use std::sync::LazyLock;
use uuid::Uuid;

pub const PATH: &str = "/api/v1/batch";
/// Steps of one batch, and bytes of its body.
pub const STEPS_MAX: usize = 500;
pub const BYTES_MAX: usize = 8 << 20;

/// What a step can name: collections of records, and operations by the words after the id.
static PLACES: LazyLock<Places> = LazyLock::new(Places::new);

struct Places {
    tables: HashMap<&'static str, &'static Table>,
    operations: HashMap<&'static str, &'static Operation>,
}

impl Places {
    fn new() -> Places {
        let posts = super::all_operations().filter(|operation| operation.method == Method::Post);
        Places {
            tables: super::tables().map(|table| (table.path, table)).collect(),
            operations: posts.map(|operation| (operation.path, operation)).collect(),
        }
    }
}

pub(super) enum Target {
    Record(&'static Table, Verb, Option<Uuid>),
    Operation(&'static Operation, Option<Uuid>),
}

struct Done {
    status: StatusCode,
    id: Option<Uuid>,
    version: Option<i64>,
    body: Json,
    /// Its body tells a secret, which is shown once.
    secret: bool,
}

pub(super) type Names = HashMap<String, Uuid>;

pub async fn run(caller: Caller, mut request: Request) -> Result<Response> {
    let bytes = body_bytes(&mut request).await?;
    let mut body = object(&request, &bytes)?;
    let atomic = flag(&mut body, "atomic")?;
    let steps = steps(&mut body)?;
    if let Some(name) = body.keys().next() {
        return Err(Error::new(&error::INVALID).fault(super::query::shown(name), "unknown", "There is no such field."));
    }
    let scope = caller.kernel.door.open(&caller.context).await?;
    let mut once = match Once::begin(scope, &caller, Key::of(&request, &bytes)?.as_ref()).await? {
        Turn::First(once) => once,
        Turn::Again(answer) => return Ok(answer),
    };
    let done =
        Running { scope: &mut once.scope, caller: &caller, atomic, steps: &steps, names: Names::new(), results: Vec::new(), secret: false };
    let (results, secret) = done.all().await?;
    once.end(answer::json(StatusCode::OK, &json!({"atomic": atomic, "results": results}))?, secret).await
}

/// A batch on its way.
struct Running<'b> {
    scope: &'b mut Scope,
    caller: &'b Caller,
    atomic: bool,
    steps: &'b [Map<String, Json>],
    names: Names,
    results: Vec<Json>,
    secret: bool,
}

impl Running<'_> {
    async fn all(mut self) -> Result<(Vec<Json>, bool)> {
        let mut most = batch_run::MOST;
        while self.results.len() < self.steps.len() {
            let run = batch_run::Run::of(self.caller, self.steps, self.results.len(), most, &self.names);
            if run.len() > 1 {
                // What follows a refused step was sent for nothing, so many refusals make the runs short.
                most = if self.together(run).await? { (most * 2).min(batch_run::MOST) } else { (most / 2).max(1) };
            } else {
                self.alone().await?;
                most = (most * 2).min(batch_run::MOST);
            }
        }
        Ok((self.results, self.secret))
    }

    async fn alone(&mut self) -> Result<()> {
        let place = self.results.len();
        let Some(step) = self.steps.get(place) else { return Ok(()) };
        let mark = if self.atomic { None } else { Some(self.scope.mark().await?) };
        let done = take(self.scope, self.caller, step, &mut self.names).await;
        self.secret |= done.as_ref().is_ok_and(|done| done.secret);
        let result = match (done, mark) {
            (Ok(done), None) => told(&done),
            (Ok(done), Some(mark)) => {
                self.scope.keep(mark).await?;
                told(&done)
            }
            (Err(refusal), None) => {
                self.denied(place, &refusal).await?;
                return Err(of_step(refusal, place));
            }
            (Err(refusal), Some(mark)) => {
                self.scope.undo(mark).await?;
                self.denied(place, &refusal).await?;
                refused(&refusal)?
            }
        };
        self.results.push(result);
        Ok(())
    }

    /// What a step may not do is remembered like a request of its own.
    async fn denied(&self, place: usize, refusal: &Error) -> Result<()> {
        let Some(Ok(step)) = self.steps.get(place).map(|step| read(step, &self.names)) else { return Ok(()) };
        let ((what, action), id) = match step.target {
            Target::Record(table, verb, id) => ((table.schema, verb_action(verb)), id),
            Target::Operation(operation, id) => (operation_action(operation), id),
        };
        self.caller.refused(what, id, action, refusal).await
    }

    /// Whether nothing was refused.
    async fn together(&mut self, run: batch_run::Run) -> Result<bool> {
        let (records, refusal) = store::insert_run(self.scope, &run.drafts, !self.atomic, &self.caller.kernel.keys).await?;
        let whole = records.len() == run.len();
        for (record, name) in records.into_iter().zip(run.names) {
            self.names.extend(name.map(|name| (name, record.id)));
            self.results.push(told(&of_record(StatusCode::CREATED, record)));
        }
        if let Some(refusal) = &refusal {
            self.denied(self.results.len(), refusal).await?;
        }
        match refusal.map(|refusal| below(refusal, "body")) {
            Some(refusal) if self.atomic => return Err(of_step(refusal, self.results.len())),
            Some(refusal) => self.results.push(refused(&refusal)?),
            // The next may point to a row of this run.
            None if !whole => self.alone().await?,
            None => return Ok(true),
        }
        Ok(false)
    }
}

fn refused(refusal: &Error) -> Result<Json> {
    let (_, problem) = problem::problem(refusal, Uuid::nil());
    let problem: Json = serde_json::from_slice(&problem).map_err(Error::internal)?;
    Ok(json!({"status": refusal.code.status, "id": null, "version": null, "body": problem}))
}

fn flag(body: &mut Map<String, Json>, name: &str) -> Result<bool> {
    match body.remove(name) {
        None => Ok(true),
        Some(Json::Bool(flag)) => Ok(flag),
        Some(_) => Err(Error::new(&error::INVALID).fault(name, "type", "It must be true or false.")),
    }
}

fn steps(body: &mut Map<String, Json>) -> Result<Vec<Map<String, Json>>> {
    let wrong = |rule, text| Error::new(&error::INVALID).fault("operations", rule, text);
    let Some(Json::Array(steps)) = body.remove("operations") else { return Err(wrong("type", "It must be a list.")) };
    if steps.is_empty() || steps.len() > STEPS_MAX {
        return Err(wrong("length", "It must have 1 to 500 entries."));
    }
    let object = |(place, step)| match step {
        Json::Object(members) => Ok(members),
        _ => Err(Error::new(&error::INVALID).fault(format!("operations[{place}]"), "type", "It must be an object.")),
    };
    steps.into_iter().enumerate().map(object).collect()
}

/// The refusal of a whole batch says which step it was.
fn of_step(mut refusal: Error, place: usize) -> Error {
    if refusal.faults.is_empty() {
        let text = refusal.code.title.to_owned();
        refusal.faults.push(Fault { field: format!("operations[{place}]"), rule: refusal.code.code, text });
    } else {
        for fault in &mut refusal.faults {
            fault.field = format!("operations[{place}].{}", fault.field);
        }
    }
    refusal
}

fn told(done: &Done) -> Json {
    json!({"status": done.status.as_u16(), "id": done.id, "version": done.version, "body": done.body})
}

/// One step as it was read.
pub(super) struct Step {
    pub target: Target,
    pub version: Option<i64>,
    pub body: Map<String, Json>,
    pub name: Option<String>,
}

pub(super) fn read(step: &Map<String, Json>, names: &Names) -> Result<Step> {
    let invalid = |field: &str, rule, text: &str| Error::new(&error::INVALID).fault(field, rule, text);
    if let Some(name) = step.keys().find(|name| !["method", "path", "body", "if_match", "ref"].contains(&name.as_str())) {
        return Err(invalid(&super::query::shown(name), "unknown", "There is no such field."));
    }
    let path = step.get("path").and_then(Json::as_str).ok_or_else(|| invalid("path", "required", "The field is needed."))?;
    let method = step.get("method").and_then(Json::as_str).ok_or_else(|| invalid("method", "required", "The field is needed."))?;
    let target = target(method, path, names)?;
    let version = match step.get("if_match") {
        None | Some(Json::Null) => None,
        Some(number) => Some(number.as_i64().ok_or_else(|| invalid("if_match", "type", "It must be the record's version."))?),
    };
    let body = match step.get("body") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(members)) => members.iter().map(|(name, value)| (name.clone(), named(value, names))).collect(),
        Some(_) => return Err(invalid("body", "type", "It must be an object.")),
    };
    let name = match step.get("ref") {
        None | Some(Json::Null) => None,
        Some(Json::String(name)) if is_name(name) && !names.contains_key(name) => Some(name.clone()),
        Some(_) => return Err(invalid("ref", "format", "It must be a new name of letters, digits, - and _, at most 64.")),
    };
    Ok(Step { target, version, body, name })
}

async fn take(scope: &mut Scope, caller: &Caller, step: &Map<String, Json>, names: &mut Names) -> Result<Done> {
    let Step { target, version, body, name } = read(step, names)?;
    let done = match target {
        Target::Record(table, verb, id) => on_record(scope, caller, table, verb, id, version, &body).await,
        Target::Operation(operation, id) => on_operation(scope, caller, operation, id, version, body).await,
    };
    let done = done.map_err(|refusal| below(refusal, "body"))?;
    if let (Some(name), Some(id)) = (name, done.id) {
        names.insert(name, id);
    }
    Ok(done)
}

fn below(mut refusal: Error, part: &str) -> Error {
    for fault in &mut refusal.faults {
        fault.field = format!("{part}.{}", fault.field);
    }
    refusal
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// `#name` stands for the id that step got.
fn named(value: &Json, names: &Names) -> Json {
    match value {
        Json::String(text) => {
            let id = text.strip_prefix('#').and_then(|name| names.get(name));
            id.map_or_else(|| value.clone(), |id| Json::String(id.to_string()))
        }
        Json::Array(items) => items.iter().map(|item| named(item, names)).collect(),
        Json::Object(members) => Json::Object(members.iter().map(|(name, item)| (name.clone(), named(item, names))).collect()),
        _ => value.clone(),
    }
}

/// `/patients`, `/patients/{id}`, `/patients/{id}/deactivate`; a `/api/v1` before it is no fault.
fn target(method: &str, path: &str, names: &Names) -> Result<Target> {
    let wrong = |field, rule, text: &str| Err(Error::new(&error::INVALID).fault(field, rule, text));
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let mut words: Vec<String> = path.split('/').map(str::to_owned).collect();
    let mut id = None;
    for word in &mut words {
        let known = word.strip_prefix('#').and_then(|name| names.get(name).copied()).or_else(|| word.parse().ok());
        if known.is_some() && id.is_none() {
            id = known;
            "{id}".clone_into(word);
        }
    }
    let shape = words.join("/");
    let table = |path: &str| PLACES.tables.get(path).copied();
    let one = shape.strip_suffix("/{id}").and_then(table);
    let found = match (method, table(&shape), one) {
        ("POST", Some(table), _) if table.offers(Verb::Create) => Some(Target::Record(table, Verb::Create, None)),
        ("PATCH", _, Some(table)) if table.offers(Verb::Update) => Some(Target::Record(table, Verb::Update, id)),
        ("DELETE", _, Some(table)) if table.offers(Verb::Delete) => Some(Target::Record(table, Verb::Delete, id)),
        ("POST", _, _) => PLACES.operations.get(shape.as_str()).map(|operation| Target::Operation(operation, id)),
        _ => None,
    };
    match found {
        Some(Target::Operation(Operation { run: Run::Apart(_), .. }, _)) => {
            wrong("path", "batch", "The operation waits for something outside; call it by itself.")
        }
        Some(target) => Ok(target),
        None if !["POST", "PATCH", "DELETE"].contains(&method) => wrong("method", "value", "It must be POST, PATCH or DELETE."),
        None => wrong("path", "unknown", "Nothing is changed there by that method."),
    }
}

async fn on_record(
    scope: &mut Scope,
    caller: &Caller,
    table: &'static Table,
    verb: Verb,
    id: Option<Uuid>,
    version: Option<i64>,
    body: &Map<String, Json>,
) -> Result<Done> {
    let keys = &caller.kernel.keys;
    if verb == Verb::Create {
        let record = store::insert(scope, table, &creating(caller, table, body)?, keys).await?;
        return Ok(of_record(StatusCode::CREATED, record));
    }
    scopes::on_verb(caller, table, verb)?;
    caller.needs(table.write)?;
    let version = version.ok_or_else(|| Error::new(&error::PRECONDITION_REQUIRED))?;
    let id = id.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let draft = if verb == Verb::Update { Some(Draft::patch(table, body)?) } else { None };
    let was = store::lock(scope, table, id, Some(version), keys).await?;
    match draft {
        Some(draft) => Ok(of_record(StatusCode::OK, store::update(scope, &was, &draft, "update", keys).await?)),
        None => {
            store::retire(scope, &was, None, keys).await?;
            Ok(Done { status: StatusCode::NO_CONTENT, id: Some(id), version: None, body: Json::Null, secret: false })
        }
    }
}

pub(super) fn creating(caller: &Caller, table: &'static Table, body: &Map<String, Json>) -> Result<Draft> {
    scopes::on_verb(caller, table, Verb::Create)?;
    caller.needs(table.write)?;
    Draft::create(table, body)
}

fn of_record(status: StatusCode, record: crate::kernel::table::Record) -> Done {
    Done { status, id: Some(record.id), version: Some(record.version), body: Json::Object(record.json), secret: false }
}

async fn on_operation(
    scope: &mut Scope,
    caller: &Caller,
    operation: &'static Operation,
    id: Option<Uuid>,
    version: Option<i64>,
    body: Map<String, Json>,
) -> Result<Done> {
    scopes::on_operation(caller, operation)?;
    caller.on(operation.planes)?;
    caller.needs(operation.permission)?;
    let Run::Inside(run) = operation.run else { return Err(Error::internal("an operation apart came into a batch")) };
    let call = Call { operation, caller: caller.clone(), id, input: checked(operation, &body)?, body, version };
    let secret = operation.tells_secret();
    let status = if matches!(operation.gives, Gives::Created(_) | Gives::Made(..)) { StatusCode::CREATED } else { StatusCode::OK };
    Ok(match run(scope, &call).await? {
        Answer::Record(record) => of_record(status, record),
        Answer::Object(members) => Done { status, id, version: None, body: Json::Object(members), secret },
        Answer::Made(id, members) => Done { status, id: Some(id), version: None, body: Json::Object(members), secret },
        Answer::Nothing => Done { status: StatusCode::NO_CONTENT, id, version: None, body: Json::Null, secret },
        Answer::Page(records, next) => {
            let items: Vec<Json> = records.into_iter().map(|record| Json::Object(record.json)).collect();
            Done { status, id, version: None, body: json!({"items": items, "next": next}), secret }
        }
        Answer::Bytes(_) => return Err(Error::internal("an operation inside a transaction streams nothing")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(method: &str, path: &str, names: &Names) -> String {
        match target(method, path, names) {
            Ok(Target::Record(table, verb, id)) => format!("{} {verb:?} {}", table.name, id.is_some()),
            Ok(Target::Operation(operation, id)) => format!("{} {}", operation.id, id.is_some()),
            Err(refusal) => refusal.faults.first().map(|fault| format!("{} {}", fault.field, fault.rule)).unwrap_or_default(),
        }
    }

    #[test]
    fn a_path_names_a_collection_a_record_or_an_operation() {
        let id = Uuid::from_u128(7);
        let names = Names::from([("p".to_owned(), id)]);
        assert_eq!(shape("POST", "/patients", &names), "patients Create false");
        assert_eq!(shape("POST", "/api/v1/patients", &names), "patients Create false");
        assert_eq!(shape("PATCH", &format!("/patients/{id}"), &names), "patients Update true");
        assert_eq!(shape("DELETE", "/patients/#p", &names), shape("DELETE", &format!("/patients/{id}"), &names));
        assert_eq!(shape("POST", "/patients/#p/deactivate", &names), "deactivatePatient true");
        assert_eq!(shape("POST", "/patients/#q/deactivate", &names), "path unknown");
        assert_eq!(shape("GET", "/patients", &names), "method value");
        assert_eq!(shape("PATCH", "/patients", &names), "path unknown");
        assert_eq!(shape("POST", "/nothing", &names), "path unknown");
    }

    #[test]
    fn a_name_becomes_its_id_and_other_words_stay() {
        let names = Names::from([("p".to_owned(), Uuid::from_u128(7))]);
        let value = json!({"a": "#p", "b": ["#p", "#q", "p"], "c": {"d": "#p"}});
        let id = Uuid::from_u128(7).to_string();
        assert_eq!(named(&value, &names), json!({"a": id, "b": [id, "#q", "p"], "c": {"d": id}}));
    }
}
