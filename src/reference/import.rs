//! A tenant's own licensed codes, from its own file (catalogue 15.09, C-N). Nothing of it is seen by any other tenant.

use super::code_system::CODE_SYSTEM;
use super::load::{Order, Target, licensed};
use crate::imaging::{access, media};
use crate::integrations::sync_job::SYNC_JOB;
use crate::kernel::Caller;
use crate::kernel::bell::Bell;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Record, Refers, Value, store};
use uuid::Uuid;

const FILE: Field = Field::uuid("file_id")
    .required()
    .refers(Refers::Tenant("files"))
    .doc("CSV with a line of names, or a FHIR CodeSystem in JSON; at most 64 MiB and 500000 codes");

pub static IMPORT_VALUES: Operation = Operation {
    id: "importCodeSystem",
    method: Method::Post,
    path: "/code-systems/{id}/import",
    tag: CODE_SYSTEM.tag,
    doc: "Load the codes of a version from a file, as a job: all of them, or none when a line breaks a rule. Codes the file has \
          no more are retired; other versions stay. The job counts what was created and changed, its logs name each bad line",
    takes: &[FILE, Field::text("version").required().doc("of the code system; a new one gets a row of its own")],
    gives: Gives::Created(&SYNC_JOB),
    planes: &[Plane::Staff],
    permission: Permission::ManageReference,
    run: Run::Apart(|call| Box::pin(import(call, Target::CodeValues))),
};

pub static IMPORT_CATALOG: Operation = Operation {
    id: "importProcedureCatalog",
    path: "/procedure-catalog/{id}/import",
    doc: "Load the procedures of an edition from a file, as a job; the path names the code system they are codes of. Entries the \
          file has no more are retired; other editions stay unless they are to be retired too",
    takes: &[
        FILE,
        Field::text("edition").required(),
        Field::flag("retire_others").doc("retire the entries of the system's other editions"),
    ],
    run: Run::Apart(|call| Box::pin(import(call, Target::ProcedureCatalog))),
    ..IMPORT_VALUES
};

async fn import(call: Call, target: Target) -> Result<Answer> {
    let (caller, system) = (&call.caller, call.id()?);
    let version = if target == Target::CodeValues { "version" } else { "edition" };
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault("file_id", "reference", "It points to nothing the caller can see.");
    let file = access::read(caller, &caller.context, call.uuid("file_id").ok_or_else(unknown)?).await.map_err(|_| unknown())?;
    let form = match file.text("file_type") {
        Some(media::CSV) => "csv",
        Some(media::JSON) => "fhir",
        _ => return Err(Error::new(&error::INVALID).fault("file_id", "media", "It must be a CSV or a JSON file.")),
    };
    if file.text("status") != Some("READY") {
        return Err(Error::new(&error::FILE_NOT_READY));
    }
    let mut scope = caller.write(Permission::ManageReference).await?;
    store::seen(&mut scope, &CODE_SYSTEM, system, &caller.kernel.keys).await?;
    let order = Order {
        target,
        code_system_id: system,
        version: call.text(version).unwrap_or_default().to_owned(),
        form: form.to_owned(),
        retire_others: matches!(call.value("retire_others"), Some(Value::Bool(true))),
    };
    if !licensed(&mut scope, caller.tenant()?, system, &order.version).await? {
        return Err(Error::new(&error::CONFLICT).fault(version, "licence", "Attest the licence for this edition first."));
    }
    scope.commit().await?;
    let server = caller.acting(caller.tenant()?, call.operation.permission)?;
    let job = queue(caller, &server, &order, file.id).await?;
    Ok(Answer::Record(job))
}

/// Whoever may manage codes need not manage exchanges: the server keeps the job.
pub async fn queue(caller: &Caller, server: &Context, order: &Order, file: Uuid) -> Result<Record> {
    let mut scope = caller.kernel.door.open(server).await?;
    let text = |text: &str| Value::Text(text.to_owned());
    let draft = Draft::default()
        .set(&SYNC_JOB, "job_type", text("FILE_IMPORT"))?
        .set(&SYNC_JOB, "direction", text("INBOUND"))?
        .set(&SYNC_JOB, "source_file_id", Value::Uuid(file))?
        .set(&SYNC_JOB, "params", Value::Json(serde_json::to_value(order).map_err(Error::internal)?))?;
    let job = store::insert(&mut scope, &SYNC_JOB, &draft, &caller.kernel.keys).await?;
    scope.commit().await?;
    Bell::of(&caller.kernel).ring();
    Ok(job)
}
