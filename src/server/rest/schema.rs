//! Field tables as OpenAPI 3.0 schemas. Nothing outside this folder touches poem-openapi's registry types (hidden upstream:
//! the version is pinned).

mod answers;
mod common;
mod endpoints;
mod example;
mod parameters;
mod projected;

use crate::kernel::table::{Field, Form, Lists, Stamps, Table, Ty};
pub use common::{batch, history, of_batch, of_history};
pub use endpoints::{input_name, of_operation, of_projection, of_verb};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
pub use projected::projection;
use serde_json::Value as Json;

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
        Ty::Json => {
            let object = MetaSchema { additional_properties: Some(Box::new(inline(MetaSchema::ANY))), ..MetaSchema::new("object") };
            let list = MetaSchema { items: Some(Box::new(inline(MetaSchema::ANY))), ..MetaSchema::new("array") };
            MetaSchema { any_of: vec![inline(object), inline(list)], ..MetaSchema::ANY }
        }
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
        Shape::Page => return page_of(table.schema, table.doc),
        Shape::Read => {
            schema.properties.push(stamp("id", Ty::Uuid, false));
            schema.required.push("id");
            if table.has_tenant() {
                schema.properties.push(stamp("tenant_id", Ty::Uuid, true));
                schema.required.push("tenant_id");
            }
            schema.example = Some(example::of_read(table));
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
            schema.example = Some(example::of_create(table.fields, table.machines));
            for field in table.fields.iter().filter(|field| field.on_create()) {
                schema.properties.push((field.name, inline(of_field(field, !field.required && !field.defaulted))));
                if field.required {
                    schema.required.push(field.name);
                }
            }
        }
        Shape::Update => {
            schema.example = Some(example::of_update(example::movable(table), table.fields));
            for field in table.fields.iter().filter(|field| field.on_patch()) {
                schema.properties.push((field.name, inline(of_field(field, !field.required && !field.defaulted))));
            }
        }
    }
    schema
}

fn page_of(schema: &str, doc: &'static str) -> MetaSchema {
    let items = MetaSchema { items: Some(Box::new(reference(schema))), ..MetaSchema::new("array") };
    let next =
        MetaSchema { nullable: true, description: Some("Give it as `cursor` for the next page; null on the last."), ..base(Ty::Text) };
    let total = MetaSchema { description: Some("Only when asked for by `total=true`."), ..base(Ty::BigInt) };
    MetaSchema {
        description: Some(doc),
        properties: vec![("items", inline(items)), ("next", inline(next)), ("total", inline(total))],
        required: vec!["items", "next"],
        ..MetaSchema::new("object")
    }
}

/// The schema of an operation's body or answer.
pub fn of_fields(doc: &'static str, fields: impl IntoIterator<Item = &'static Field, IntoIter: Clone>) -> MetaSchema {
    let fields = fields.into_iter();
    MetaSchema {
        description: Some(doc),
        example: Some(example::of_fields(fields.clone())),
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

/// Strings that the registry wants for the whole life of the process; made once per route at start.
fn keep(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
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
