//! Records in the words of the requirement texts: the endpoints of their tables, spoken through a projection.

use super::resources::{self, begin, body_bytes, object};
use super::{answer, query};
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Fault, Result};
use crate::kernel::operation::{Answer, Call, Operation, Run, checked};
use crate::kernel::table::form::Broken;
use crate::kernel::table::projection::{Given, Name, Projection, Step};
use crate::kernel::table::{Draft, Field, How, List, Record, Value, Verb, store, value};
use crate::server::idempotency::Turn;
use crate::server::scopes;
use poem::http::{StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use tokio_postgres::types::Type;
use uuid::Uuid;

type Shape = &'static Projection;

pub async fn run(caller: Caller, projection: Shape, verb: Verb, request: Request) -> Result<Response> {
    match verb {
        Verb::List => list(caller, projection, request).await,
        Verb::Create => create(caller, projection, request).await,
        Verb::Read => get(caller, projection, request).await,
        Verb::Update => patch(caller, projection, request).await,
        Verb::Delete => resources::retire(caller, projection.table, |record| projection.hides(record), request).await,
    }
}

/// A list parameter of a projection: what it is called, and what it is for the table.
pub struct Parameter {
    pub name: String,
    pub of: &'static str,
    /// Compared with the record's words for one of the text's.
    pub words: Option<&'static Name>,
}

/// The table's filters, called as the text calls their fields.
pub fn parameters(projection: &Projection) -> Vec<Parameter> {
    let mut out = Vec::new();
    for name in projection.names.iter().filter(|name| name.sql.is_none()) {
        let own = name.filter.unwrap_or(name.of);
        for filter in projection.table.filters {
            let said = match filter.how {
                _ if filter.name == own => name.name.to_owned(),
                How::From(of) if of == name.of => format!("{}_from", name.name),
                How::Before(of) if of == name.of => format!("{}_to", name.name),
                _ => continue,
            };
            let words = (filter.name == own && !name.words.is_empty()).then_some(name);
            out.push(Parameter { name: said, of: filter.name, words });
        }
    }
    out
}

/// The table's sorts, called likewise.
pub fn sorts(projection: &Projection) -> Vec<(&'static str, &'static str)> {
    let named = |of: &str| projection.names.iter().find(|name| name.of == of && name.sql.is_none()).map(|name| name.name);
    projection.table.sorts.iter().filter_map(|sort| Some((named(sort.name)?, sort.name))).collect()
}

const PAGING: [&str; 4] = ["limit", "cursor", "total", "include_deleted"];

async fn list(caller: Caller, projection: Shape, request: Request) -> Result<Response> {
    let parameters = parameters(projection);
    let (mut pairs, mut states, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    let mut fault = |field: String, rule, text| wrong.push(Fault { field, rule, text });
    for (name, text) in query::parameters(&request)? {
        let parameter = parameters.iter().find(|parameter| parameter.name == name);
        match (parameter, parameter.and_then(|parameter| parameter.words)) {
            (_, Some(words)) => match meant(projection, words, &text) {
                // One word for one is the table's own question.
                Ok(meant) => match (&meant[..], parameter) {
                    ([own], Some(parameter)) => pairs.push((parameter.of.to_owned(), (*own).to_owned())),
                    _ => states.push((words, meant)),
                },
                Err((rule, text)) => fault(name, rule, text),
            },
            (Some(parameter), None) => pairs.push((parameter.of.to_owned(), text)),
            (None, _) if name == "sort" => match sorted(projection, &text) {
                Some(text) => pairs.push((name, text)),
                None => fault(name, "value", query::sort_words(sorts(projection).into_iter().map(|(said, _)| said))),
            },
            (None, _) if PAGING.contains(&name.as_str()) => pairs.push((name, text)),
            (None, _) => fault(query::shown(&name), "unknown", "There is no such parameter.".to_owned()),
        }
    }
    let read = query::list(&caller, projection.table, &pairs).await.map_err(|failure| named(failure, &parameters));
    let (mut list, with_total) = match read {
        Ok(read) if wrong.is_empty() => read,
        Ok(_) => return Err(Error::new(&error::PARAMETER_INVALID).faults(wrong)),
        Err(mut failure) => {
            failure.faults.extend(wrong);
            return Err(failure);
        }
    };
    list.table = projection.shaped().table;
    narrow(&mut list, projection, states);
    let (records, next, total) = resources::found(&caller, &list, with_total).await?;
    let shown: Vec<_> = records.iter().filter_map(|record| projection.show(record)).collect();
    answer::items(shown.iter().collect(), next, total)
}

/// The table's faults, about the text's parameters.
fn named(mut failure: Error, parameters: &[Parameter]) -> Error {
    for fault in &mut failure.faults {
        if let Some(parameter) = parameters.iter().find(|parameter| parameter.of == fault.field) {
            fault.field.clone_from(&parameter.name);
        }
    }
    failure
}

/// The table's word for a sort of the text's.
fn sorted(projection: Shape, text: &str) -> Option<String> {
    let (sign, word) = text.strip_prefix('-').map_or(("", text), |word| ("-", word));
    let own = sorts(projection).into_iter().find(|(said, _)| *said == word).map(|(_, own)| own);
    own.or((word == "id").then_some(word)).map(|own| format!("{sign}{own}"))
}

/// Only rows the text has words for, and of them those in the states it asks for.
fn narrow(list: &mut List, projection: Shape, asked: Vec<(&'static Name, Vec<&'static str>)>) {
    for (name, states) in projection.partial().chain(asked) {
        let states = Value::Texts(states.into_iter().map(str::to_owned).collect());
        list.extra.push((Cow::Owned(format!("r.{} = any ($value)", name.of)), vec![(states, Type::TEXT_ARRAY)]));
    }
    for (field, value) in projection.only {
        list.extra.push((Cow::Owned(format!("r.{field} = $value")), vec![(Value::Text((*value).to_owned()), Type::TEXT)]));
    }
}

fn meant(projection: Shape, name: &'static Name, text: &str) -> Result<Vec<&'static str>, Broken> {
    let field = projection.shaped().fields.iter().find(|field| field.name == name.name);
    field.map_or(Ok(()), |field| store::of_text(field, text).map(|_| ()))?;
    Ok(name.meant(text))
}

async fn get(caller: Caller, projection: Shape, request: Request) -> Result<Response> {
    let (table, id) = (projection.shaped().table, query::path_id(&request)?);
    if let Some((name, _)) = query::parameters(&request)?.first() {
        return Err(query::unknown(name));
    }
    let record = resources::seen(&caller, table, id, |record| record.deleted() || projection.hides(record)).await?;
    respond(projection, &record, StatusCode::OK)
}

fn respond(projection: Shape, record: &Record, status: StatusCode) -> Result<Response> {
    let shown = projection.show(record).ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let mut given = answer::json(status, &Json::Object(shown))?;
    let mut set = |name, text: String| text.parse().map(|text| given.headers_mut().insert(name, text)).map_err(Error::internal);
    set(header::ETAG, record.etag())?;
    if status == StatusCode::CREATED {
        set(header::LOCATION, format!("{}{}/{}", crate::server::app::API, projection.path, record.id))?;
    }
    Ok(given)
}

async fn create(caller: Caller, projection: Shape, mut request: Request) -> Result<Response> {
    caller.needs(projection.permission(Verb::Create))?;
    let bytes = body_bytes(&mut request).await?;
    let body = object(&request, &bytes)?;
    projection.check(&body, true)?;
    let mut once = match begin(&caller, projection.table, &request, &bytes).await? {
        Turn::First(once) => once,
        Turn::Again(answer) => return Ok(answer),
    };
    let record = stored(&mut once.scope, &caller, projection, body).await?;
    once.end(respond(projection, &record, StatusCode::CREATED)?, false).await
}

/// A new row, of a body that was checked.
pub async fn stored(scope: &mut Scope, caller: &Caller, projection: Shape, body: Map<String, Json>) -> Result<Record> {
    if let Some((operation, id)) = projection.made_by {
        return made(scope, caller, projection, operation, id, body).await;
    }
    let mut given = projection.given(&body, Field::on_create)?;
    fill(scope, projection, &mut given).await?;
    let stored = insert(scope, caller, projection, &given).await;
    stored.map_err(|failure| given.named(projection, failure))
}

async fn insert(scope: &mut Scope, caller: &Caller, projection: Shape, given: &Given) -> Result<Record> {
    let draft = Draft::create(projection.table, &given.body)?;
    let record = store::insert(scope, projection.table, &draft, &caller.kernel.keys).await?;
    finish(scope, caller, projection, &record, given).await
}

/// What the text has no name for, and what is the same in all its rows.
async fn fill(scope: &mut Scope, projection: Shape, given: &mut Given) -> Result<()> {
    for (field, value) in projection.only {
        given.put(field, field, Json::from(*value));
    }
    let tenant = scope.tenant()?;
    for (name, sql) in projection.fills {
        let Some(field) = projection.table.field(name).filter(|_| !given.body.contains_key(*name)) else { continue };
        let rows = scope.rows_once(sql, &[(&tenant, Type::UUID)]).await?;
        let said = rows.first().map_or(Ok(Json::Null), |row| value::read(row, 0, field.ty))?;
        if said.is_null() && field.required {
            return Err(
                Error::new(&error::CONFLICT).detail(format!("The clinic has to say a default first, for the {name} it needs here."))
            );
        }
        given.put(name, name, said);
    }
    Ok(())
}

/// A row that an operation makes, under its own permission.
async fn made(
    scope: &mut Scope,
    caller: &Caller,
    projection: Shape,
    operation: &'static Operation,
    id: &str,
    body: Map<String, Json>,
) -> Result<Record> {
    caller.needs(operation.permission)?;
    let given = projection.given(&body, |_| true)?;
    let mut input = given.body.clone();
    let wrong = || Error::new(&error::INVALID).fault(id, "required", "It must be a UUID.");
    let of = input.remove(id).and_then(|json| json.as_str()?.parse().ok()).ok_or_else(wrong)?;
    let done = call(scope, caller, operation, of, input).await.map_err(|failure| given.named(projection, failure))?;
    let Answer::Record(record) = done else { return Err(Error::internal("an operation makes no record")) };
    store::seen(scope, projection.shaped().table, record.id, &caller.kernel.keys).await
}

/// An operation as part of another change, under its own scopes, planes and permission.
pub async fn call(scope: &mut Scope, caller: &Caller, operation: &'static Operation, id: Uuid, body: Map<String, Json>) -> Result<Answer> {
    scopes::on_operation(caller, operation)?;
    caller.on(operation.planes)?;
    caller.needs(operation.permission)?;
    let Run::Inside(run) = operation.run else { return Err(Error::internal("an operation apart came into a projection")) };
    let input = checked(operation, &body)?;
    run(scope, &Call { operation, caller: caller.clone(), id: Some(id), input, body, version: None }).await
}

async fn patch(caller: Caller, projection: Shape, mut request: Request) -> Result<Response> {
    caller.needs(projection.permission(Verb::Update))?;
    let id = query::path_id(&request)?;
    let bytes = body_bytes(&mut request).await?;
    let body = object(&request, &bytes)?;
    projection.check(&body, false)?;
    let version = query::required_version(&request)?;
    let mut once = match begin(&caller, projection.table, &request, &bytes).await? {
        Turn::First(once) => once,
        Turn::Again(answer) => return Ok(answer),
    };
    let record = changed(&mut once.scope, &caller, projection, (id, version), body).await?;
    once.end(respond(projection, &record, StatusCode::OK)?, false).await
}

/// A row of that version, changed by a body that was checked.
pub async fn changed(
    scope: &mut Scope,
    caller: &Caller,
    projection: Shape,
    (id, version): (Uuid, i64),
    mut body: Map<String, Json>,
) -> Result<Record> {
    let keys = &caller.kernel.keys;
    let was = store::lock(scope, projection.table, id, Some(version), keys).await?;
    let record = store::seen(scope, projection.shaped().table, id, keys).await?;
    let shown = projection.show(&record).ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    // A whole object given back changes what differs.
    body.retain(|name, json| shown.get(name) != Some(json));
    let given = projection.given(&body, Field::on_patch)?;
    let changed = update(scope, caller, projection, &was, &given).await;
    changed.map_err(|failure| given.named(projection, failure))
}

async fn update(scope: &mut Scope, caller: &Caller, projection: Shape, was: &Record, given: &Given) -> Result<Record> {
    let draft = Draft::patch(was.table, &given.body)?;
    let record = store::update(scope, was, &draft, "update", &caller.kernel.keys).await?;
    finish(scope, caller, projection, &record, given).await
}

/// What is written beside the record, the states it is to reach, and whether it now says what was given.
async fn finish(scope: &mut Scope, caller: &Caller, projection: Shape, record: &Record, given: &Given) -> Result<Record> {
    let (table, keys) = (projection.shaped().table, &caller.kernel.keys);
    for (write, value) in &given.after {
        write(scope, record, value, keys).await?;
    }
    let mut now = store::seen(scope, table, record.id, keys).await?;
    let mut wrong = Error::new(&error::INVALID);
    for (name, json) in &given.claims {
        let Step { by, with, .. } = step(name, json, &now);
        for operation in by {
            if begins(projection, operation, name, &now) {
                let with = with.iter().map(|(field, text)| ((*field).to_owned(), Json::from(*text))).collect();
                call(scope, caller, operation, record.id, with).await?;
                now = store::seen(scope, table, record.id, keys).await?;
            }
        }
        if !holds(projection, name, json, &now)? {
            wrong = wrong.fault(name.name, "read_only", "The field is not set this way.");
        }
    }
    if wrong.faults.is_empty() { Ok(now) } else { Err(wrong) }
}

/// The way to the state that a word stands for; none when the record is there.
fn step(name: &'static Name, json: &Json, now: &Record) -> Step {
    let states = name.meant_by(json);
    let there = now.text(name.of).is_some_and(|state| states.contains(&state));
    let found = name.moves.iter().find(|step| !there && states.contains(&step.to));
    found.copied().unwrap_or(Step { to: "", by: &[], with: &[] })
}

/// Whether the operation's move begins where the record stands.
fn begins(projection: Shape, operation: &Operation, name: &Name, now: &Record) -> bool {
    let by = operation.word();
    let machine = projection.table.machines.iter().find(|machine| machine.column == name.of);
    machine.is_some_and(|machine| !machine.allowed(now.text(name.of).unwrap_or_default(), by).is_empty())
}

/// Whether the record says it; a state that it does not reach is refused as its machine refuses.
fn holds(projection: Shape, name: &'static Name, json: &Json, now: &Record) -> Result<bool> {
    let state = now.text(name.of).unwrap_or_default();
    if name.meant_by(json).contains(&state) || projection.show(now).unwrap_or_default().get(name.name) == Some(json) {
        return Ok(true);
    }
    let machine = projection.table.machines.iter().find(|machine| machine.column == name.of && !name.words.is_empty());
    let Some(machine) = machine else { return Ok(false) };
    let mut refusal = store::refuse_move(machine, state);
    refusal.faults.iter_mut().for_each(|fault| name.name.clone_into(&mut fault.field));
    Err(refusal)
}
