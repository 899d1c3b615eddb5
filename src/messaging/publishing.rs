//! Knowledge documents from draft over review to publication, and what follows a published version (catalogue 13.10).

use super::knowledge_document::KNOWLEDGE_DOCUMENT;
use super::knowledge_version::KNOWLEDGE_VERSION;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;

sql! {
    /// $1 tenant, $2 document, $3 version number.
    VERSION(UUID, UUID, INT4) = "select body from knowledge_versions where tenant_id = $1 and document_id = $2 and version_no = $3";
    /// $1 document. Only the security role writes who approved a version, and shows it to patients.
    APPROVE_VERSION(UUID) = "select sec.approve_version($1)";
}

const BOTH: &[Plane] = &[Plane::Staff, Plane::Platform];

const STEPS: Steps = Steps { tag: KNOWLEDGE_DOCUMENT.tag, planes: BOTH, permission: Permission::ManageKnowledge };

pub static SUBMIT: Operation = STEPS.on(&[Plane::Staff]).post(
    "submitKnowledgeDocumentReview",
    "/knowledge-documents/{id}/submit-review",
    "Give a draft to somebody else to review",
    &[],
    Gives::Record(&KNOWLEDGE_DOCUMENT),
    Run::Inside(|scope, call| Box::pin(submit(scope, call))),
);

async fn submit(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &KNOWLEDGE_DOCUMENT, call.id()?, call.version, keys).await?;
    let body = current(scope, &was).await?;
    let elsewhere = was.text("content_url").is_some() || was.uuid("file_id").is_some();
    match &body {
        Some(Some(_)) => {}
        _ if !elsewhere => {
            return Err(Error::new(&error::MOVE_REFUSED).fault("content_url", "content_present", "There is nothing to review yet."));
        }
        Some(None) => {}
        // What is only linked has an author too.
        None => {
            written(scope, call, &was, None).await?;
        }
    }
    transition(scope, call, &KNOWLEDGE_DOCUMENT, vec![]).await
}

/// The body of the current version, when it has been written.
async fn current(scope: &mut Scope, document: &Record) -> Result<Option<Option<String>>> {
    let number = i32::try_from(document.int("current_version_no").unwrap_or(1)).unwrap_or(i32::MAX);
    let row = scope.optional(&VERSION, &[&document.tenant, &document.id, &number]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn written(scope: &mut Scope, call: &Call, document: &Record, body: Option<String>) -> Result<Record> {
    let draft = Draft::default().set(&KNOWLEDGE_VERSION, "document_id", Value::Uuid(document.id))?.set(
        &KNOWLEDGE_VERSION,
        "body",
        body.map_or(Value::Null, Value::Text),
    )?;
    store::insert(scope, &KNOWLEDGE_VERSION, &draft, &call.caller.kernel.keys).await
}

pub static APPROVE: Operation = STEPS.post(
    "approveKnowledgeDocument",
    "/knowledge-documents/{id}/approve",
    "Publish what was reviewed, by somebody else than its author; patient education is shown to patients",
    &[],
    Gives::Record(&KNOWLEDGE_DOCUMENT),
    Run::Inside(|scope, call| Box::pin(approve(scope, call))),
);

async fn approve(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &KNOWLEDGE_DOCUMENT, call.id()?, call.version, &call.caller.kernel.keys).await?;
    if was.text("status") == Some("IN_REVIEW") {
        scope.exec(&APPROVE_VERSION, &[&was.id]).await?;
    }
    let published = (was.text("publish_date").is_none()).then(|| ("publish_date", Value::Date(scope.now().date_naive())));
    transition(scope, call, &KNOWLEDGE_DOCUMENT, published.into_iter().collect()).await
}

pub static REJECT: Operation = Operation {
    takes: &[Field::text("reason").required().length(1_000)],
    ..STEPS.post(
        "rejectKnowledgeDocument",
        "/knowledge-documents/{id}/reject",
        "Give what was reviewed back to its author, with the reason",
        &[],
        Gives::Record(&KNOWLEDGE_DOCUMENT),
        Run::Inside(|scope, call| Box::pin(reject(scope, call))),
    )
};

async fn reject(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let answer = transition(scope, call, &KNOWLEDGE_DOCUMENT, vec![]).await?;
    if let Answer::Record(document) = &answer {
        let mut event = audit_store::of_record(scope.context(), Action::Execute, document, scope.now());
        let reason = call.text("reason").unwrap_or_default();
        event.metadata = Metadata::new().text("operation", call.operation.id).text("reason", reason);
        scope.audit(event);
    }
    Ok(answer)
}

pub static REVISE: Operation = STEPS.on(&[Plane::Staff]).post(
    "reviseKnowledgeDocument",
    "/knowledge-documents/{id}/revise",
    "Begin the next version of what is published; patients see the published one until the next is approved",
    &[],
    Gives::Record(&KNOWLEDGE_DOCUMENT),
    Run::Inside(|scope, call| Box::pin(revise(scope, call))),
);

async fn revise(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &KNOWLEDGE_DOCUMENT, call.id()?, call.version, keys).await?;
    let body = current(scope, &was).await?.flatten();
    transition(scope, call, &KNOWLEDGE_DOCUMENT, vec![]).await?;
    written(scope, call, &was, body).await?;
    Ok(Answer::Record(store::lock(scope, &KNOWLEDGE_DOCUMENT, was.id, None, keys).await?))
}

pub static RETIRE: Operation = STEPS.post(
    "retireKnowledgeDocument",
    "/knowledge-documents/{id}/retire",
    "Take a document out of use; what was assigned stays readable",
    &[],
    Gives::Record(&KNOWLEDGE_DOCUMENT),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &KNOWLEDGE_DOCUMENT, vec![]))),
);
