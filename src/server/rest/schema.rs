// long because: one file alone touches poem-openapi's hidden registry types.
//! Field tables as OpenAPI 3.0 schemas. The only file that touches poem-openapi's registry types (hidden upstream: the
//! version is pinned).

mod common;

use crate::kernel::operation::{Gives, Method, Operation};
use crate::kernel::table::{Field, Filter, Form, How, Lists, Sealing, Stamps, Table, Ty, Verb};
pub use common::{batch, history, of_batch, of_history};
use poem::http::Method as Http;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaOperation, MetaOperationParam, MetaParamIn, MetaRequest, MetaResponse, MetaResponses, MetaSchema,
    MetaSchemaRef, Registry,
};
use serde_json::Value as Json;
use std::collections::HashMap;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// Which of a record's shapes.
#[derive(Clone, Copy, PartialEq)]
pub enum Shape {
    Read,
    Create,
    Update,
    Page,
}

impl Shape {
    pub fn name(self, schema: &str) -> String {
        match self {
            Shape::Read => schema.to_owned(),
            Shape::Create => format!("{schema}Create"),
            Shape::Update => format!("{schema}Update"),
            Shape::Page => format!("{schema}Page"),
        }
    }
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}
fn reference(name: &str) -> MetaSchemaRef {
    MetaSchemaRef::Reference(name.to_owned())
}

fn base(ty: Ty) -> MetaSchema {
    match ty {
        Ty::Uuid => MetaSchema::new_with_format("string", "uuid"),
        Ty::Text | Ty::Time | Ty::Inet => MetaSchema::new("string"),
        Ty::Enum(words) => MetaSchema { enum_items: words.iter().map(|word| Json::from(*word)).collect(), ..MetaSchema::new("string") },
        Ty::Bool => MetaSchema::new("boolean"),
        Ty::Int => MetaSchema::new_with_format("integer", "int32"),
        Ty::BigInt => MetaSchema::new_with_format("integer", "int64"),
        Ty::Double => MetaSchema::new_with_format("number", "double"),
        Ty::Date => MetaSchema::new_with_format("string", "date"),
        Ty::Instant => MetaSchema::new_with_format("string", "date-time"),
        Ty::Json => MetaSchema { additional_properties: Some(Box::new(inline(MetaSchema::ANY))), ..MetaSchema::new("object") },
        Ty::TextArray => list_of(Ty::Text),
        Ty::UuidArray => list_of(Ty::Uuid),
        Ty::IntArray => list_of(Ty::Int),
        Ty::Bytes => MetaSchema::new_with_format("string", "byte"),
    }
}

fn list_of(ty: Ty) -> MetaSchema {
    MetaSchema { items: Some(Box::new(inline(base(ty)))), ..MetaSchema::new("array") }
}

fn of_field(field: &'static Field, nullable: bool) -> MetaSchema {
    let items = match field.lists {
        Lists::Nothing => None,
        Lists::Records(table) => Some(reference(table.schema)),
        Lists::Objects(fields) => Some(inline(of_fields(field.doc, fields))),
    };
    let mut schema = match items {
        Some(items) => MetaSchema { items: Some(Box::new(items)), ..MetaSchema::new("array") },
        None => base(field.ty),
    };
    schema.nullable = nullable;
    if nullable && !schema.enum_items.is_empty() {
        schema.enum_items.push(Json::Null);
    }
    if field.ty == Ty::Text && field.length_max > 0 {
        schema.max_length = Some(field.length_max as usize);
    }
    if field.form == Form::Email {
        schema.format = Some("email");
    }
    // 2^53 bounds what a double can say exactly; ranges beyond it are not written.
    if field.range.0 > -(1 << 53) {
        schema.minimum = Some(field.range.0 as f64);
    }
    if field.range.1 < 1 << 53 {
        schema.maximum = Some(field.range.1 as f64);
    }
    if !field.doc.is_empty() {
        schema.description = Some(field.doc);
    }
    schema
}

fn stamp(name: &'static str, ty: Ty, nullable: bool) -> (&'static str, MetaSchemaRef) {
    (name, inline(MetaSchema { nullable, read_only: true, ..base(ty) }))
}

/// A record's schema in one of its shapes.
pub fn of_table(table: &'static Table, shape: Shape) -> MetaSchema {
    let mut schema = MetaSchema { description: Some(table.doc), ..MetaSchema::new("object") };
    match shape {
        Shape::Page => {
            let items = MetaSchema { items: Some(Box::new(reference(table.schema))), ..MetaSchema::new("array") };
            let next = MetaSchema {
                nullable: true,
                description: Some("Give it as `cursor` for the next page; null on the last."),
                ..base(Ty::Text)
            };
            let total = MetaSchema { description: Some("Only when asked for by `total=true`."), ..base(Ty::BigInt) };
            schema.properties = vec![("items", inline(items)), ("next", inline(next)), ("total", inline(total))];
            schema.required = vec!["items", "next"];
        }
        Shape::Read => {
            schema.properties.push(stamp("id", Ty::Uuid, false));
            schema.required.push("id");
            if table.has_tenant() {
                schema.properties.push(stamp("tenant_id", Ty::Uuid, true));
                schema.required.push("tenant_id");
            }
            for field in table.fields.iter().filter(|field| field.shown()) {
                schema.properties.push((field.name, inline(of_field(field, !field.required && !field.defaulted))));
            }
            if table.stamps != Stamps::None {
                schema.properties.push(stamp("created_at", Ty::Instant, false));
                schema.properties.push(stamp("created_by", Ty::Uuid, true));
            }
            if table.stamps == Stamps::Versioned {
                schema.properties.push(stamp("updated_at", Ty::Instant, false));
                schema.properties.push(stamp("updated_by", Ty::Uuid, true));
                schema.properties.push(stamp("version", Ty::BigInt, false));
                schema.required.extend(["created_at", "updated_at", "version"]);
            }
            if table.soft_delete {
                schema.properties.push(stamp("deleted_at", Ty::Instant, true));
                schema.properties.push(stamp("delete_reason", Ty::Text, true));
            }
        }
        Shape::Create => {
            let id = MetaSchema { description: Some("Made by the server when left out (UUID version 7)."), ..base(Ty::Uuid) };
            schema.properties.push(("id", inline(id)));
            for field in table.fields.iter().filter(|field| field.on_create()) {
                schema.properties.push((field.name, inline(of_field(field, !field.required && !field.defaulted))));
                if field.required {
                    schema.required.push(field.name);
                }
            }
        }
        Shape::Update => {
            for field in table.fields.iter().filter(|field| field.on_patch()) {
                schema.properties.push((field.name, inline(of_field(field, !field.required && !field.defaulted))));
            }
        }
    }
    schema
}

/// The schema of an operation's body or answer.
pub fn of_fields(doc: &'static str, fields: impl IntoIterator<Item = &'static Field, IntoIter: Clone>) -> MetaSchema {
    let fields = fields.into_iter();
    MetaSchema {
        description: Some(doc),
        properties: fields.clone().map(|field| (field.name, inline(of_field(field, !field.required)))).collect(),
        required: fields.filter(|field| field.required).map(|field| field.name).collect(),
        ..MetaSchema::new("object")
    }
}

pub fn problem(registry: &mut Registry) {
    let fault = MetaSchema {
        properties: vec![("field", inline(base(Ty::Text))), ("rule", inline(base(Ty::Text))), ("message", inline(base(Ty::Text)))],
        required: vec!["field", "rule", "message"],
        ..MetaSchema::new("object")
    };
    let errors = MetaSchema { items: Some(Box::new(reference("ProblemFault"))), ..MetaSchema::new("array") };
    let problem = MetaSchema {
        description: Some("RFC 9457. `code` is stable; `errors` names every broken rule and never a value."),
        properties: vec![
            ("type", inline(base(Ty::Text))),
            ("title", inline(base(Ty::Text))),
            ("status", inline(base(Ty::Int))),
            ("code", inline(base(Ty::Text))),
            ("detail", inline(base(Ty::Text))),
            ("request_id", inline(base(Ty::Uuid))),
            ("errors", inline(errors)),
        ],
        required: vec!["type", "title", "status", "code"],
        ..MetaSchema::new("object")
    };
    registry.schemas.insert("ProblemFault".into(), fault);
    registry.schemas.insert("Problem".into(), problem);
}

fn parameter(name: &str, place: MetaParamIn, schema: MetaSchema, required: bool, doc: &str) -> MetaOperationParam {
    MetaOperationParam {
        name: name.to_owned(),
        schema: inline(schema),
        in_type: place,
        description: (!doc.is_empty()).then(|| doc.to_owned()),
        required,
        deprecated: false,
        explode: true,
        style: None,
    }
}

fn path_id() -> MetaOperationParam {
    parameter("id", MetaParamIn::Path, base(Ty::Uuid), true, "")
}
fn if_match(required: bool) -> MetaOperationParam {
    parameter(
        "If-Match",
        MetaParamIn::Header,
        base(Ty::Text),
        required,
        "The ETag of the version that was read; 412 when it is no longer current.",
    )
}
const KEY_DOC: &str = "One key, one effect, for 24 hours: the same request gets the same answer, another one 422, a twin that \
    still runs 409. An answer that held a secret is not told again (409).";
fn idempotency_key() -> MetaOperationParam {
    parameter("Idempotency-Key", MetaParamIn::Header, base(Ty::Text), false, KEY_DOC)
}

fn list_parameters(table: &'static Table) -> Vec<MetaOperationParam> {
    let limit = MetaSchema { minimum: Some(1.0), maximum: Some(200.0), default: Some(Json::from(20)), ..base(Ty::Int) };
    let sorts = table.sorts.iter().map(|sort| sort.name).chain(["id"]).flat_map(|name| [name.to_owned(), format!("-{name}")]);
    let sort = MetaSchema { enum_items: sorts.map(Json::from).collect(), ..base(Ty::Text) };
    let mut out = vec![
        parameter("limit", MetaParamIn::Query, limit, false, ""),
        parameter("cursor", MetaParamIn::Query, base(Ty::Text), false, "`next` of the page before."),
        parameter("sort", MetaParamIn::Query, sort, false, "Creation order when left out."),
        parameter("total", MetaParamIn::Query, base(Ty::Bool), false, "Count the whole list too."),
    ];
    if table.soft_delete {
        out.push(parameter("include_deleted", MetaParamIn::Query, base(Ty::Bool), false, "Retired rows too."));
    }
    out.extend(
        table.filters.iter().map(|filter| parameter(filter.name, MetaParamIn::Query, of_filter(table, filter), false, doc_of(filter))),
    );
    out
}

fn of_filter(table: &'static Table, filter: &Filter) -> MetaSchema {
    let name = match filter.how {
        How::Equal => filter.name,
        How::From(name) | How::Before(name) => name,
        _ => return base(Ty::Text),
    };
    table.filtered(name).filter(|field| field.sealing == Sealing::Plain).map_or_else(|| base(Ty::Text), |field| base(field.ty))
}

fn doc_of(filter: &Filter) -> &'static str {
    match filter.how {
        How::From(_) => "At or after.",
        How::Before(_) => "Before.",
        How::Words(_) => "Words, each the beginning of a name.",
        How::Folded(_) => "Whatever the case and accents.",
        _ => "",
    }
}

fn body(schema: String) -> Option<MetaRequest> {
    Some(MetaRequest { description: None, content: vec![MetaMediaType { content_type: JSON, schema: reference(&schema) }], required: true })
}

fn answer(status: u16, description: &'static str, schema: Option<String>, etag: bool) -> MetaResponse {
    let header = |name: &str, text: &str| MetaHeader {
        name: name.into(),
        description: Some(text.into()),
        required: true,
        deprecated: false,
        schema: inline(base(Ty::Text)),
    };
    let headers = [etag.then(|| header("ETag", "For If-Match.")), (status == 201).then(|| header("Location", "Where the new record is."))];
    MetaResponse {
        description,
        status: Some(status),
        status_range: None,
        content: schema.map(|schema| MetaMediaType { content_type: JSON, schema: reference(&schema) }).into_iter().collect(),
        headers: headers.into_iter().flatten().collect(),
    }
}

fn bytes(media: &'static str) -> MetaResponse {
    let body = MetaMediaType { content_type: media, schema: inline(MetaSchema::new_with_format("string", "binary")) };
    MetaResponse { content: vec![body], ..answer(200, "The bytes, sent as they are made.", None, false) }
}

fn refusals(statuses: &[u16]) -> Vec<MetaResponse> {
    let text = |status| match status {
        400 => "The request cannot be read.",
        401 => "A valid access token is needed.",
        403 => "The caller may not do this.",
        404 => "There is no such resource.",
        409 => "It collides with what is stored.",
        412 => "The resource changed after it was read.",
        415 => "The media type is not taken here.",
        422 => "A field breaks a rule.",
        428 => "If-Match is needed.",
        429 => "Too many requests.",
        _ => "A part the server needs is not reachable.",
    };
    statuses
        .iter()
        .map(|status| MetaResponse {
            description: text(*status),
            status: Some(*status),
            status_range: None,
            content: vec![MetaMediaType { content_type: PROBLEM, schema: reference("Problem") }],
            headers: Vec::new(),
        })
        .collect()
}

pub fn bearer() -> Vec<HashMap<&'static str, Vec<&'static str>>> {
    vec![HashMap::from([("bearer", Vec::new())])]
}

/// Strings that the registry wants for the whole life of the process; made once per route at start.
fn keep(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// The operations every record offers: method, path, description.
pub fn of_verb(table: &'static Table, verb: Verb) -> (Http, String, MetaOperation) {
    let one = format!("{}/{{id}}", table.path);
    let page = Some(Shape::Page.name(table.schema));
    let read = Some(table.schema.to_owned());
    let (method, path, id, summary, params, request, mut responses, errors): (_, _, _, _, _, _, _, &[u16]) = match verb {
        Verb::List => (
            Http::GET,
            table.path.to_owned(),
            format!("list{}", table.plural),
            format!("List {}", table.name.replace('_', " ")),
            list_parameters(table),
            None,
            vec![answer(200, "A page.", page, false)],
            &[400, 401, 403, 429, 503],
        ),
        Verb::Create => (
            Http::POST,
            table.path.to_owned(),
            format!("create{}", table.schema),
            format!("Create a {}", words(table.schema)),
            vec![idempotency_key()],
            body(Shape::Create.name(table.schema)),
            vec![answer(201, "Stored.", read, true)],
            &[400, 401, 403, 409, 413, 415, 422, 429, 503],
        ),
        Verb::Read => (
            Http::GET,
            one,
            format!("get{}", table.schema),
            format!("Get a {}", words(table.schema)),
            vec![path_id()],
            None,
            vec![answer(200, "The record.", read, true)],
            &[401, 403, 404, 429, 503],
        ),
        Verb::Update => (
            Http::PATCH,
            one,
            format!("update{}", table.schema),
            format!("Change a {} (JSON merge patch)", words(table.schema)),
            vec![path_id(), if_match(true), idempotency_key()],
            body(Shape::Update.name(table.schema)),
            vec![answer(200, "As it is now.", read, true)],
            &[400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429, 503],
        ),
        Verb::Delete => (
            Http::DELETE,
            one,
            format!("delete{}", table.schema),
            format!("Retire a {}", words(table.schema)),
            vec![
                path_id(),
                if_match(true),
                idempotency_key(),
                parameter("reason", MetaParamIn::Query, base(Ty::Text), false, "Kept with the record."),
            ],
            None,
            vec![answer(204, "Retired.", None, false)],
            &[400, 401, 403, 404, 409, 412, 422, 428, 429, 503],
        ),
    };
    responses.extend(refusals(errors));
    let operation = MetaOperation {
        method: method.clone(),
        tags: vec![table.tag],
        summary: Some(keep(summary)),
        description: Some(table.doc),
        external_docs: None,
        params,
        request,
        responses: MetaResponses { responses },
        deprecated: false,
        security: bearer(),
        operation_id: Some(keep(id)),
        code_samples: Vec::new(),
    };
    (method, path, operation)
}

fn words(schema: &str) -> String {
    let mut out = String::new();
    for (place, letter) in schema.chars().enumerate() {
        if letter.is_ascii_uppercase() && place > 0 {
            out.push(' ');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
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
