mod consents;
mod emergency;
mod logs;
mod requests;
mod retention;
mod shares;

use crate::world::operations::run;
use enamel::kernel::Caller;
use enamel::kernel::error::Error;
use enamel::kernel::operation::Answer;
use serde_json::Value as Json;
use uuid::Uuid;

/// How an operation was refused.
pub async fn refused(caller: &Caller, operation: &str, id: Uuid, body: Json) -> Error {
    match run(caller, operation, Some(id), body).await {
        Ok(_) => panic!("{operation} was not refused"),
        Err(refusal) => refusal,
    }
}

/// The rule that refused it.
pub async fn rule(caller: &Caller, operation: &str, id: Uuid, body: Json) -> (u16, &'static str) {
    let refusal = refused(caller, operation, id, body).await;
    (refusal.code.status, refusal.faults.first().map_or(refusal.code.code, |fault| fault.rule))
}

pub fn object(answer: Answer) -> serde_json::Map<String, Json> {
    match answer {
        Answer::Object(members) => members,
        _ => panic!("no object"),
    }
}
