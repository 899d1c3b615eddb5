//! The endpoints of records, projections and operations, described.

use super::answers::{answer, bearer, body, bytes, refusals};
use super::parameters::{idempotency_key, if_match, include_deleted, list_parameters, parameter, path_id};
use super::{Shape, base, keep, projected, words};
use crate::kernel::operation::{Gives, Method, Operation};
use crate::kernel::table::{Projection, Table, Ty, Verb};
use poem::http::Method as Http;
use poem_openapi::registry::{MetaOperation, MetaOperationParam, MetaParamIn, MetaResponses};

/// A collection as its endpoints are described.
struct Collection {
    path: &'static str,
    schema: &'static str,
    plural: &'static str,
    /// What its members are called in a sentence.
    many: String,
    tag: &'static str,
    doc: &'static str,
    /// Its records can be read when they are retired.
    shows_deleted: bool,
}

/// The operations every record offers: method, path, description.
pub fn of_verb(table: &'static Table, verb: Verb) -> (Http, String, MetaOperation) {
    let Table { path, schema, plural, tag, doc, name, .. } = *table;
    of_collection(
        Collection { path, schema, plural, many: name.replace('_', " "), tag, doc, shows_deleted: table.soft_delete },
        verb,
        || list_parameters(table),
    )
}

/// The same of a record in the words of a text.
pub fn of_projection(projection: &'static Projection, verb: Verb) -> (Http, String, MetaOperation) {
    let Projection { path, schema, plural, tag, doc, .. } = *projection;
    of_collection(Collection { path, schema, plural, many: words(plural), tag, doc, shows_deleted: false }, verb, || {
        projected::list_parameters(projection)
    })
}

fn of_collection(table: Collection, verb: Verb, list: impl Fn() -> Vec<MetaOperationParam>) -> (Http, String, MetaOperation) {
    let (all, one) = (table.path.to_owned(), format!("{}/{{id}}", table.path));
    let (single, read) = (words(table.schema), Some(table.schema.to_owned()));
    let (method, path, id, summary) = match verb {
        Verb::List => (Http::GET, all, format!("list{}", table.plural), format!("List {}", table.many)),
        Verb::Create => (Http::POST, all, format!("create{}", table.schema), format!("Create a {single}")),
        Verb::Read => (Http::GET, one, format!("get{}", table.schema), format!("Get a {single}")),
        Verb::Update => (Http::PATCH, one, format!("update{}", table.schema), format!("Change a {single} (JSON merge patch)")),
        Verb::Delete => (Http::DELETE, one, format!("delete{}", table.schema), format!("Retire a {single}")),
    };
    let reason = || parameter("reason", MetaParamIn::Query, base(Ty::Text), false, "Kept with the record.");
    let (params, request, given, errors): (_, _, _, &[u16]) = match verb {
        Verb::List => (list(), None, answer(200, "A page.", Some(Shape::Page.name(table.schema)), false), &[400, 401, 403, 429, 503]),
        Verb::Create => (
            vec![idempotency_key()],
            body(Shape::Create.name(table.schema)),
            answer(201, "Stored.", read, true),
            &[400, 401, 403, 409, 413, 415, 422, 429, 503],
        ),
        Verb::Read => (
            std::iter::once(path_id()).chain(table.shows_deleted.then(include_deleted)).collect(),
            None,
            answer(200, "The record.", read, true),
            &[400, 401, 403, 404, 429, 503],
        ),
        Verb::Update => (
            vec![path_id(), if_match(true), idempotency_key()],
            body(Shape::Update.name(table.schema)),
            answer(200, "As it is now.", read, true),
            &[400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429, 503],
        ),
        Verb::Delete => (
            vec![path_id(), if_match(true), idempotency_key(), reason()],
            None,
            answer(204, "Retired.", None, false),
            &[400, 401, 403, 404, 409, 412, 422, 428, 429, 503],
        ),
    };
    let operation = MetaOperation {
        method: method.clone(),
        tags: vec![table.tag],
        summary: Some(keep(summary)),
        description: Some(table.doc),
        external_docs: None,
        params,
        request,
        responses: MetaResponses { responses: std::iter::once(given).chain(refusals(errors)).collect() },
        deprecated: false,
        security: bearer(),
        operation_id: Some(keep(id)),
        code_samples: Vec::new(),
    };
    (method, path, operation)
}

pub fn of_operation(operation: &'static Operation, public: bool) -> (Http, String, MetaOperation) {
    let method = if operation.method == Method::Get { Http::GET } else { Http::POST };
    let mut params = Vec::new();
    if operation.path.contains("{id}") {
        params.push(path_id());
    }
    for field in operation.takes {
        let in_path = operation.path_names().any(|name| name == field.name);
        if in_path || operation.method == Method::Get {
            let place = if in_path { MetaParamIn::Path } else { MetaParamIn::Query };
            params.push(parameter(field.name, place, base(field.ty), field.required, field.doc));
        }
    }
    if operation.method == Method::Post {
        if operation.keyed() {
            params.push(idempotency_key());
        }
        if operation.path.contains("{id}") {
            params.push(if_match(false));
        }
    }
    let request = (operation.method == Method::Post && operation.input().next().is_some()).then(|| body(input_name(operation))).flatten();
    let mut responses = vec![match operation.gives {
        Gives::Record(table) => answer(200, "As it is now.", Some(table.schema.to_owned()), true),
        Gives::Created(table) => answer(201, "Stored.", Some(table.schema.to_owned()), true),
        Gives::Page(table) => answer(200, "A page.", Some(Shape::Page.name(table.schema)), false),
        Gives::Object(schema, _) => answer(200, "Done.", Some(schema.to_owned()), false),
        Gives::Made(schema, ..) => answer(201, "Made.", Some(schema.to_owned()), false),
        Gives::Bytes(media) => bytes(media),
        Gives::Nothing => answer(204, "Done.", None, false),
    }];
    responses.extend(refusals(&[400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503]));
    let meta = MetaOperation {
        method: method.clone(),
        tags: vec![operation.tag],
        summary: Some(operation.doc),
        description: None,
        external_docs: None,
        params,
        request,
        responses: MetaResponses { responses },
        deprecated: false,
        security: if public { Vec::new() } else { bearer() },
        operation_id: Some(operation.id),
        code_samples: Vec::new(),
    };
    (method, operation.path.to_owned(), meta)
}

pub fn input_name(operation: &Operation) -> String {
    let mut name = operation.id.to_owned();
    if let Some(first) = name.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    name + "Input"
}
