//! Named operations behind HTTP: read the request by the operation's table, run its function, give its answer.

use super::resources::{body_bytes, object};
use super::{answer, query};
use crate::identity::step_up;
use crate::kernel::Caller;
use crate::kernel::error::{Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, checked};
use crate::server::idempotency::{Key, Once, Turn, apart};
use poem::http::StatusCode;
use poem::{Request, Response};
use serde_json::{Map, Value as Json};

pub async fn run(caller: Caller, operation: &'static Operation, mut request: Request) -> Result<Response> {
    caller.on(operation.planes)?;
    caller.needs(operation.permission)?;
    step_up::ask(&caller, operation.id).await?;
    let id = if operation.path.contains("{id}") { Some(query::path_id(&request)?) } else { None };
    let version = query::version(&request)?;
    let (mut body, bytes) = input(operation, &mut request).await?;
    body.extend(named(operation, &request));
    let input = checked(operation, &body)?;
    let call = Call { operation, caller: caller.clone(), id, input, body, version };
    let key = if operation.keyed() { Key::of(&request, &bytes)? } else { None };
    match (&operation.run, &key) {
        (Run::Inside(inside), key) => {
            let scope = caller.kernel.door.open(&caller.context).await?;
            let mut once = match Once::begin(scope, &caller, key.as_ref()).await? {
                Turn::First(once) => once,
                Turn::Again(answer) => return Ok(answer),
            };
            let given = respond(operation, inside(&mut once.scope, &call).await?)?;
            once.end(given, operation.tells_secret()).await
        }
        (Run::Apart(run), None) => respond(operation, run(call).await?),
        (Run::Apart(run), Some(key)) => {
            let given = async move { respond(operation, run(call).await?) };
            apart(&caller, key, operation.tells_secret(), Box::pin(given)).await
        }
    }
}

async fn input(operation: &Operation, request: &mut Request) -> Result<(Map<String, Json>, Vec<u8>)> {
    if operation.method == Method::Get {
        let pairs = query::parameters(request)?;
        return Ok((pairs.into_iter().map(|(name, text)| (name, typed(text))).collect(), Vec::new()));
    }
    let bytes = body_bytes(request).await?;
    let body = if bytes.is_empty() { Map::new() } else { object(request, &bytes)? };
    Ok((body, bytes))
}

/// What the path names beside an id; a body that says otherwise is not heard.
fn named(operation: &Operation, request: &Request) -> Vec<(String, Json)> {
    let names = operation.path_names().filter(|name| *name != "id");
    names.filter_map(|name| Some((name.to_owned(), request.raw_path_param(name)?.into()))).collect()
}

/// Query texts stand for numbers and flags where the field is one.
fn typed(text: String) -> Json {
    match text.as_str() {
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        digits if digits.len() <= 18 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() => {
            digits.parse::<i64>().map_or(Json::String(text.clone()), |number| Json::Number(number.into()))
        }
        _ => Json::String(text),
    }
}

fn respond(operation: &Operation, given: Answer) -> Result<Response> {
    match given {
        Answer::Record(record) => {
            let status = if matches!(operation.gives, Gives::Created(_)) { StatusCode::CREATED } else { StatusCode::OK };
            answer::record(status, &record)
        }
        Answer::Page(records, next) => answer::page(&records, next, None),
        Answer::Object(members) => answer::json(StatusCode::OK, &Json::Object(members)),
        Answer::Made(id, members) => match operation.gives {
            Gives::Made(_, _, table) => answer::made(table, id, &Json::Object(members)),
            _ => Err(Error::internal("an operation makes what it does not announce")),
        },
        Answer::Bytes(parts) => match operation.gives {
            Gives::Bytes(media) => Ok(answer::stream(media, parts)),
            _ => Err(Error::internal("an operation streams what it does not announce")),
        },
        Answer::Nothing => Ok(answer::nothing()),
    }
}
