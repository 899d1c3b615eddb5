//! Records in the words of the requirement texts: the endpoints of their tables, spoken through a projection.

use super::resources::{self, begin, body_bytes, object};
use super::{answer, query};
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Operation, Run, checked};
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
        Verb::Delete => resources::delete(caller, projection.table, request).await,
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

async fn list(caller: Caller, projection: Shape, request: Request) -> Result<Response> {
    let parameters = parameters(projection);
    let (mut pairs, mut states) = (Vec::new(), Vec::new());
    for (name, text) in query::parameters(&request)? {
        if let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) {
            match parameter.words {
                Some(words) => states.push((words, meant(words, &text, &name)?)),
                None => pairs.push((parameter.of.to_owned(), text)),
            }
        } else if name == "sort" {
            let (sign, word) = text.strip_prefix('-').map_or(("", text.as_str()), |word| ("-", word));
            let sorts = sorts(projection);
            let of = sorts.iter().find(|(said, _)| *said == word).map_or("", |(_, of)| *of);
            pairs.push((name, format!("{sign}{}", if word == "id" { word } else { of })));
        } else if ["limit", "cursor", "total", "include_deleted"].contains(&name.as_str()) {
            pairs.push((name, text));
        } else {
            return Err(query::unknown(&name));
        }
    }
    let named = |mut failure: Error| {
        for fault in &mut failure.faults {
            if let Some(parameter) = parameters.iter().find(|parameter| parameter.of == fault.field) {
                fault.field.clone_from(&parameter.name);
            }
        }
        failure
    };
    let (mut list, with_total) = query::list(&caller, projection.table, &pairs).await.map_err(named)?;
    list.table = projection.shaped().table;
    narrow(&mut list, projection, states);
    let (records, next, total) = resources::found(&caller, &list, with_total).await?;
    let shown: Vec<_> = records.iter().filter_map(|record| projection.show(record)).collect();
    answer::items(shown.iter().collect(), next, total)
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

fn meant(name: &'static Name, word: &str, parameter: &str) -> Result<Vec<&'static str>> {
    let states = name.meant(word);
    let wrong = || Error::new(&error::PARAMETER_INVALID).fault(parameter, "value", "It is none of the words of this field.");
    if states.is_empty() { Err(wrong()) } else { Ok(states) }
}

async fn get(caller: Caller, projection: Shape, request: Request) -> Result<Response> {
    let (table, id) = (projection.shaped().table, query::path_id(&request)?);
    if let Some((name, _)) = query::parameters(&request)?.first() {
        return Err(query::unknown(name));
    }
    let hidden = |record: &Record| projection.show(record).is_none();
    let record = resources::seen(&caller, table, id, |record| record.deleted() || hidden(record)).await?;
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
    let bytes = body_bytes(&mut request).await?;
    let body = object(&request, &bytes)?;
    let mut once = match begin(&caller, projection.table, &request, &bytes).await? {
        Turn::First(once) => once,
        Turn::Again(answer) => return Ok(answer),
    };
    let scope = &mut once.scope;
    let record = match projection.made_by {
        Some((operation, id)) => made(scope, &caller, projection, operation, id, body).await?,
        None => {
            let mut given = projection.given(&body, Field::on_create)?;
            fill(scope, projection, &mut given).await?;
            let stored = insert(scope, &caller, projection, &given).await;
            stored.map_err(|failure| given.named(projection, failure))?
        }
    };
    once.end(respond(projection, &record, StatusCode::CREATED)?, false).await
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
        if let Some(row) = rows.first() {
            given.put(name, name, value::read(row, 0, field.ty)?);
        }
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
    let given = projection.given(&body, |_| true)?;
    let mut input = given.body.clone();
    let wrong = || Error::new(&error::INVALID).fault(id, "required", "It must be a UUID.");
    let of = input.remove(id).and_then(|json| json.as_str()?.parse().ok()).ok_or_else(wrong)?;
    let done = call(scope, caller, operation, of, input).await.map_err(|failure| given.named(projection, failure))?;
    let Answer::Record(record) = done else { return Err(Error::internal("an operation makes no record")) };
    store::seen(scope, projection.shaped().table, record.id, &caller.kernel.keys).await
}

async fn call(scope: &mut Scope, caller: &Caller, operation: &'static Operation, id: Uuid, body: Map<String, Json>) -> Result<Answer> {
    scopes::on_operation(caller, operation)?;
    caller.on(operation.planes)?;
    caller.needs(operation.permission)?;
    let Run::Inside(run) = operation.run else { return Err(Error::internal("an operation apart came into a projection")) };
    let input = checked(operation, &body)?;
    run(scope, &Call { operation, caller: caller.clone(), id: Some(id), input, body, version: None }).await
}

async fn patch(caller: Caller, projection: Shape, mut request: Request) -> Result<Response> {
    let id = query::path_id(&request)?;
    let bytes = body_bytes(&mut request).await?;
    let mut body = object(&request, &bytes)?;
    let version = query::required_version(&request)?;
    let mut once = match begin(&caller, projection.table, &request, &bytes).await? {
        Turn::First(once) => once,
        Turn::Again(answer) => return Ok(answer),
    };
    let (scope, keys) = (&mut once.scope, &caller.kernel.keys);
    let was = store::lock(scope, projection.table, id, Some(version), keys).await?;
    let record = store::seen(scope, projection.shaped().table, id, keys).await?;
    let shown = projection.show(&record).ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    // A whole object given back changes what differs.
    body.retain(|name, json| shown.get(name) != Some(json));
    let given = projection.given(&body, Field::on_patch)?;
    let changed = update(scope, &caller, projection, &was, &given).await;
    let record = changed.map_err(|failure| given.named(projection, failure))?;
    once.end(respond(projection, &record, StatusCode::OK)?, false).await
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
    for (name, json) in &given.claims {
        let Step { by, with, .. } = step(name, json, &now);
        for operation in by {
            if begins(projection, operation, name, &now) {
                let with = with.iter().map(|(field, text)| ((*field).to_owned(), Json::from(*text))).collect();
                call(scope, caller, operation, record.id, with).await?;
                now = store::seen(scope, table, record.id, keys).await?;
            }
        }
        holds(projection, name, json, &now)?;
    }
    Ok(now)
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
    let by = operation.path.rsplit('/').next().unwrap_or_default();
    let machine = projection.table.machines.iter().find(|machine| machine.column == name.of);
    machine.is_some_and(|machine| !machine.allowed(now.text(name.of).unwrap_or_default(), by).is_empty())
}

fn holds(projection: Shape, name: &'static Name, json: &Json, now: &Record) -> Result<()> {
    let state = now.text(name.of).unwrap_or_default();
    let shown = projection.show(now).unwrap_or_default();
    let said = name.meant_by(json).contains(&state);
    if said || shown.get(name.name) == Some(json) {
        return Ok(());
    }
    let machine = projection.table.machines.iter().find(|machine| machine.column == name.of);
    match machine.filter(|_| !name.words.is_empty()) {
        Some(machine) => {
            let mut refusal = store::refuse_move(machine, state);
            refusal.faults.iter_mut().for_each(|fault| name.name.clone_into(&mut fault.field));
            Err(refusal)
        }
        None => Err(Error::new(&error::INVALID).fault(name.name, "read_only", "The field is not set this way.")),
    }
}
