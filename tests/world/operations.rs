//! Operations called as the contract calls them, below HTTP: checked input, one scope, committed.

use enamel::kernel::Caller;
use enamel::kernel::error::Result;
use enamel::kernel::operation::{Answer, Call, Operation, Run, checked};
use enamel::kernel::table::{Draft, Record, Table, store};
use enamel::server::domains;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

pub fn operation(id: &str) -> &'static Operation {
    domains::operations().find(|operation| operation.id == id).unwrap_or_else(|| panic!("there is no operation {id}"))
}

pub async fn run(caller: &Caller, name: &str, id: Option<Uuid>, body: Json) -> Result<Answer> {
    run_at(caller, name, id, None, body).await
}

/// With the version of If-Match.
pub async fn run_at(caller: &Caller, name: &str, id: Option<Uuid>, version: Option<i64>, body: Json) -> Result<Answer> {
    let operation = operation(name);
    caller.on(operation.planes)?;
    caller.needs(operation.permission)?;
    let body: Map<String, Json> = body.as_object().cloned().unwrap_or_default();
    let call = Call { operation, caller: caller.clone(), id, input: checked(operation, &body)?, body, version };
    match operation.run {
        Run::Apart(run) => run(call).await,
        Run::Inside(run) => {
            let mut scope = caller.kernel.door.open(&caller.context).await?;
            let answer = run(&mut scope, &call).await?;
            scope.commit().await?;
            Ok(answer)
        }
    }
}

pub fn record(answer: Answer) -> Record {
    match answer {
        Answer::Record(record) => record,
        _ => panic!("no record"),
    }
}

pub async fn create(caller: &Caller, table: &'static Table, body: Json) -> Result<Record> {
    let draft = Draft::create(table, body.as_object().unwrap())?;
    let mut scope = caller.write(table.write).await?;
    let record = store::insert(&mut scope, table, &draft, &caller.kernel.keys).await?;
    scope.commit().await?;
    Ok(record)
}

pub async fn read(caller: &Caller, table: &'static Table, id: Uuid) -> Result<Record> {
    caller.glance(&caller.reading(table)?, table, id).await
}

/// A PATCH, as the contract does it.
pub async fn patch(caller: &Caller, table: &'static Table, id: Uuid, version: i64, body: Json) -> Result<Record> {
    let draft = Draft::patch(table, body.as_object().unwrap())?;
    let mut scope = caller.write(table.write).await?;
    let was = store::lock(&mut scope, table, id, Some(version), &caller.kernel.keys).await?;
    let record = store::update(&mut scope, &was, &draft, "update", &caller.kernel.keys).await?;
    scope.commit().await?;
    Ok(record)
}

pub async fn retire(caller: &Caller, table: &'static Table, id: Uuid, version: i64) -> Result<()> {
    let mut scope = caller.write(table.write).await?;
    let was = store::lock(&mut scope, table, id, Some(version), &caller.kernel.keys).await?;
    store::retire(&mut scope, &was, Some("a test"), &caller.kernel.keys).await?;
    scope.commit().await
}
