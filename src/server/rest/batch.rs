//! `POST /batch`: many changes in one request and one transaction, for vendors who move a clinic's data.
//!
//! Atomic: the first refusal is the answer of the whole and nothing is stored. Not atomic: each step stands or falls alone
//! (a savepoint each), and its refusal is its own result. A step names itself with `ref`; later steps say `#name` in paths
//! and bodies where they mean the id it got.

use super::batch_step::{Names, Step, Target, operation_of, read};
use super::resources::{body_bytes, object};
use super::{answer, batch_run, operation_action, projections, verb_action};
use crate::identity::step_up;
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Fault, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, checked};
use crate::kernel::table::{Draft, Projection, Table, Verb, Width, store};
use crate::server::idempotency::{Key, Once, Turn};
use crate::server::limits::{self, cost::Kind};
use crate::server::{problem, scopes};
use poem::http::StatusCode;
use poem::{Request, Response};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

pub const PATH: &str = "/api/v1/batch";
/// Steps of one batch, and bytes of its body.
pub const STEPS_MAX: usize = 500;
pub const BYTES_MAX: usize = 8 << 20;

struct Done {
    status: StatusCode,
    id: Option<Uuid>,
    version: Option<i64>,
    body: Json,
    /// Its body tells a secret, which is shown once.
    secret: bool,
}

pub async fn run(caller: Caller, mut request: Request) -> Result<Response> {
    let bytes = body_bytes(&mut request).await?;
    let mut body = object(&request, &bytes)?;
    let atomic = flag(&mut body, "atomic")?;
    let steps = steps(&mut body)?;
    limits::steps(&caller, steps.iter().map(|_| Kind::Write)).await?;
    if let Some(name) = body.keys().next() {
        return Err(Error::new(&error::INVALID).fault(super::query::shown(name), "unknown", "There is no such field."));
    }
    for operation in steps.iter().filter_map(operation_of) {
        step_up::ask(&caller, operation.id).await?;
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
            Target::Projection(projection, verb, id) => ((projection.table.schema, verb_action(verb)), id),
            Target::Operation(operation, id) => (operation_action(operation), id),
        };
        self.caller.refused(what, id, action, refusal).await
    }

    /// Whether nothing was refused.
    async fn together(&mut self, run: batch_run::Run) -> Result<bool> {
        let (records, refusal) = store::insert_run(self.scope, &run.drafts, Width::Full, !self.atomic, &self.caller.kernel.keys).await?;
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

async fn take(scope: &mut Scope, caller: &Caller, step: &Map<String, Json>, names: &mut Names) -> Result<Done> {
    let Step { target, version, body, name } = read(step, names)?;
    let done = match target {
        Target::Record(table, verb, id) => on_record(scope, caller, table, verb, id, version, &body).await,
        Target::Projection(projection, verb, id) => on_projection(scope, caller, projection, verb, (id, version), body).await,
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
    let draft = if verb == Verb::Update { Some(Draft::patch(table, body)?) } else { None };
    let (id, version) = meant(id, version)?;
    let was = store::lock(scope, table, id, Some(version), keys).await?;
    match draft {
        Some(draft) => Ok(of_record(StatusCode::OK, store::update(scope, &was, &draft, "update", keys).await?)),
        None => {
            store::retire(scope, &was, None, keys).await?;
            Ok(retired(id))
        }
    }
}

/// The row that a change is made to, and the version it was made from.
fn meant(id: Option<Uuid>, version: Option<i64>) -> Result<(Uuid, i64)> {
    let version = version.ok_or_else(|| Error::new(&error::PRECONDITION_REQUIRED))?;
    Ok((id.ok_or_else(|| Error::new(&error::NOT_FOUND))?, version))
}

fn retired(id: Uuid) -> Done {
    Done { status: StatusCode::NO_CONTENT, id: Some(id), version: None, body: Json::Null, secret: false }
}

/// The same in the words of a text.
async fn on_projection(
    scope: &mut Scope,
    caller: &Caller,
    projection: &'static Projection,
    verb: Verb,
    (id, version): (Option<Uuid>, Option<i64>),
    body: Map<String, Json>,
) -> Result<Done> {
    scopes::on_verb(caller, projection.table, verb)?;
    caller.needs(projection.permission(verb))?;
    if verb != Verb::Delete {
        projection.check(&body, verb == Verb::Create)?;
    }
    let (status, record) = match verb {
        Verb::Create => (StatusCode::CREATED, projections::stored(scope, caller, projection, body).await?),
        Verb::Update => (StatusCode::OK, projections::changed(scope, caller, projection, meant(id, version)?, body).await?),
        _ => {
            let (id, version) = meant(id, version)?;
            let was = store::lock(scope, projection.table, id, Some(version), &caller.kernel.keys).await?;
            if projection.hides(&was) {
                return Err(Error::new(&error::NOT_FOUND));
            }
            store::retire(scope, &was, None, &caller.kernel.keys).await?;
            return Ok(retired(id));
        }
    };
    let shown = projection.show(&record).ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    Ok(Done { body: Json::Object(shown), ..of_record(status, record) })
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
