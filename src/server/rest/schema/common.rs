//! What is described once for all records: histories and the batch.

use super::answers::{answer, bearer, body, refusals};
use super::parameters::{idempotency_key, parameter, path_id};
use super::{base, inline, keep, of_fields, reference, words};
use crate::kernel::table::{Field, Table, Ty};
use crate::server::rest::{batch as steps, history as versions};
use poem::http::Method as Http;
use poem_openapi::registry::{MetaOperation, MetaParamIn, MetaResponses, MetaSchema, Registry};
use serde_json::{Value as Json, json};

/// `GET {path}/{id}/history`.
pub fn of_history(table: &'static Table) -> (Http, String, MetaOperation) {
    let limit = MetaSchema { minimum: Some(1.0), maximum: Some(200.0), default: Some(Json::from(50)), ..base(Ty::Int) };
    let mut responses = vec![answer(200, "Versions, newest first.", Some(HISTORY_PAGE.to_owned()), false)];
    responses.extend(refusals(&[400, 401, 403, 404, 429, 503]));
    let operation = MetaOperation {
        method: Http::GET,
        tags: vec![table.tag],
        summary: Some(keep(format!("Who changed a {}, when, and what it was then", words(table.schema)))),
        description: None,
        external_docs: None,
        params: vec![
            path_id(),
            parameter("limit", MetaParamIn::Query, limit, false, ""),
            parameter("cursor", MetaParamIn::Query, base(Ty::Text), false, "`next` of the page before."),
        ],
        request: None,
        responses: MetaResponses { responses },
        deprecated: false,
        security: bearer(),
        operation_id: Some(keep(format!("get{}History", table.schema))),
        code_samples: Vec::new(),
    };
    (Http::GET, format!("{}/{{id}}/history", table.path), operation)
}

const HISTORY_ENTRY: &str = "HistoryEntry";
const HISTORY_PAGE: &str = "HistoryPage";

/// The schemas that all histories share.
pub fn history(registry: &mut Registry) {
    registry.schemas.insert(HISTORY_ENTRY.into(), of_fields("One version of a record.", versions::ENTRY));
    let items = MetaSchema { items: Some(Box::new(reference(HISTORY_ENTRY))), ..MetaSchema::new("array") };
    let next =
        MetaSchema { nullable: true, description: Some("Give it as `cursor` for the next page; null on the last."), ..base(Ty::Text) };
    let mut page = MetaSchema { description: Some("Versions of a record, newest first."), ..MetaSchema::new("object") };
    page.properties = vec![("items", inline(items)), ("next", inline(next))];
    page.required = vec!["items", "next"];
    registry.schemas.insert(HISTORY_PAGE.into(), page);
}

const BATCH: &str = "Batch";
const BATCH_STEP: &str = "BatchStep";
const BATCH_RESULT: &str = "BatchResult";
const BATCH_RESULTS: &str = "BatchResults";

static STEP: &[Field] = &[
    Field::choice("method", &["POST", "PATCH", "DELETE"]).required(),
    Field::text("path")
        .required()
        .length(500)
        .doc("`/patients`, `/patients/{id}`, `/patients/{id}/deactivate` or a projection; `#name` for an id of an earlier step"),
    Field::json("body").doc("as the endpoint takes it; a text `#name` stands for the id of that step"),
    Field::big("if_match").doc("the version a PATCH or DELETE was made from"),
    Field::text("ref").length(64).doc("a name for the id this step gets"),
];

static RESULT: &[Field] = &[
    Field::int("status").required().doc("as the endpoint would have answered"),
    Field::uuid("id"),
    Field::big("version"),
    Field::json("body").doc("the record, or the problem"),
];

/// `POST /batch`.
pub fn of_batch() -> (Http, String, MetaOperation) {
    let mut responses = vec![answer(200, "One result for each step, in order.", Some(BATCH_RESULTS.to_owned()), false)];
    responses.extend(refusals(&[400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429, 503]));
    let operation = MetaOperation {
        method: Http::POST,
        tags: vec!["Batch"],
        summary: Some("Many changes in one request and one transaction"),
        description: Some("Atomic: the first refusal is the answer and nothing is stored. Otherwise each step stands or falls alone."),
        external_docs: None,
        params: vec![idempotency_key()],
        request: body(BATCH.to_owned()),
        responses: MetaResponses { responses },
        deprecated: false,
        security: bearer(),
        operation_id: Some("runBatch"),
        code_samples: Vec::new(),
    };
    (Http::POST, "/batch".to_owned(), operation)
}

pub fn batch(registry: &mut Registry) {
    let list = |of: &str| MetaSchema { items: Some(Box::new(reference(of))), ..MetaSchema::new("array") };
    let object = |doc| MetaSchema { description: Some(doc), ..MetaSchema::new("object") };
    registry.schemas.insert(BATCH_STEP.into(), of_fields("One change of a batch.", STEP));
    registry.schemas.insert(BATCH_RESULT.into(), of_fields("What became of one step.", RESULT));
    let atomic = MetaSchema { default: Some(Json::Bool(true)), ..base(Ty::Bool) };
    let steps = MetaSchema { min_items: Some(1), max_items: Some(steps::STEPS_MAX), ..list(BATCH_STEP) };
    let mut given = object("Changes, in the order in which they are made.");
    given.properties = vec![("atomic", inline(atomic)), ("operations", inline(steps))];
    given.required = vec!["operations"];
    given.example = Some(json!({"atomic": true, "operations": [
        {"method": "POST", "path": "/patients", "ref": "robin", "body": {"first_name": "Robin", "last_name": "Quill"}},
        {"method": "POST", "path": "/patient-addresses", "body": {"patient_id": "#robin", "line1": "Main Street 1"}},
    ]}));
    registry.schemas.insert(BATCH.into(), given);
    let mut told = object("The results of a batch.");
    told.properties = vec![("atomic", inline(base(Ty::Bool))), ("results", inline(list(BATCH_RESULT)))];
    told.required = vec!["atomic", "results"];
    registry.schemas.insert(BATCH_RESULTS.into(), told);
}
