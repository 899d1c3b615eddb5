//! Examples of the document, from the field tables: what a field says itself, else a plain value of its type and form.
//! A test creates every record by its example.

use crate::kernel::table::{Field, Form, Lists, Machine, Refers, Stamps, Table, Ty};
use serde_json::{Map, Value as Json, json};

/// Stands for the id of whatever is referred to.
const SOME_ID: &str = "0198c5a2-7d2a-7b3c-9d4e-5f6a7b8c9d0e";
const SOME_TIME: &str = "2026-03-02T09:00:00.000000Z";

/// What has to be given, and what says by an example of its own that it belongs to a good record.
pub fn of_create(fields: &[Field], machines: &[Machine]) -> Json {
    let given = fields.iter().filter(|field| field.on_create() && (field.required || !field.example.is_empty()));
    Json::Object(given.map(|field| (field.name.to_owned(), in_state(machines, field))).collect())
}

/// The fields of a record that no operation moves.
pub fn movable(table: &Table) -> impl Iterator<Item = &Field> + Clone {
    table.fields.iter().filter(|field| field.unfolds.is_none() && table.machines.iter().all(|machine| machine.column != field.name))
}

/// One field that may change, no reference and no state where there is another.
pub fn of_update<'a>(fields: impl Iterator<Item = &'a Field> + Clone, all: &'a [Field]) -> Json {
    let open = || fields.clone().filter(|field| field.on_patch());
    let plain = |field: &&Field| field.refers == Refers::Nothing && field.ty != Ty::Uuid;
    let told = open().filter(plain).find(|field| field.required || !field.example.is_empty());
    let field = told.or_else(|| open().find(plain)).or_else(|| open().next()).or_else(|| all.iter().find(|field| field.on_patch()));
    Json::Object(field.map(|field| (field.name.to_owned(), of_field(field))).into_iter().collect())
}

/// Of fields that are shown and no others.
pub fn of_shown(fields: &[Field]) -> Json {
    Json::Object(fields.iter().map(|field| (field.name.to_owned(), shown(field, &[]))).collect())
}

fn shown(field: &Field, machines: &[Machine]) -> Json {
    if field.required || field.defaulted || !field.example.is_empty() { in_state(machines, field) } else { Json::Null }
}

/// As it is read after it was created so.
pub fn of_read(table: &Table) -> Json {
    let mut out = Map::from_iter([("id".to_owned(), json!(SOME_ID))]);
    if table.has_tenant() {
        out.insert("tenant_id".into(), json!(SOME_ID));
    }
    for field in table.fields.iter().filter(|field| field.shown()) {
        out.insert(field.name.into(), shown(field, table.machines));
    }
    if table.stamps != Stamps::None {
        out.extend([("created_at".to_owned(), json!(SOME_TIME)), ("created_by".to_owned(), json!(SOME_ID))]);
    }
    if table.stamps == Stamps::Versioned {
        let stamps = [("updated_at", json!(SOME_TIME)), ("updated_by", json!(SOME_ID)), ("version", json!(1))];
        out.extend(stamps.map(|(name, value)| (name.to_owned(), value)));
    }
    if table.soft_delete {
        out.extend([("deleted_at".to_owned(), Json::Null), ("delete_reason".to_owned(), Json::Null)]);
    }
    Json::Object(out)
}

/// A body or an answer of an operation.
pub fn of_fields<'a>(fields: impl Iterator<Item = &'a Field>) -> Json {
    let told = fields.filter(|field| field.required || !field.example.is_empty());
    Json::Object(told.map(|field| (field.name.to_owned(), of_field(field))).collect())
}

/// A new record stands where its machine begins.
fn in_state(machines: &[Machine], field: &Field) -> Json {
    let machine = machines.iter().find(|machine| machine.column == field.name);
    match machine.and_then(|machine| machine.initial.first()) {
        Some(first) if field.example.is_empty() => json!(first),
        _ => of_field(field),
    }
}

fn of_field(field: &Field) -> Json {
    if !field.example.is_empty() && field.ty != Ty::Uuid {
        return serde_json::from_str(field.example).unwrap_or_else(|_| json!(field.example));
    }
    match field.lists {
        Lists::Nothing => {}
        Lists::Records(table) => return json!([of_read(table)]),
        Lists::Objects(fields) => return json!([of_fields(fields.iter())]),
    }
    let late = field.name.split('_').any(|part| ["until", "end", "ends", "expires", "to", "due"].contains(&part));
    match field.ty {
        Ty::Uuid => json!(SOME_ID),
        Ty::Text => json!(text(field)),
        Ty::Enum(words) => json!(words.first()),
        Ty::Bool => json!(false),
        Ty::Int | Ty::BigInt => json!(1.clamp(field.range.0, field.range.1)),
        Ty::Double => json!(1.5),
        Ty::Date => json!(if late { "2027-03-02" } else { "2026-03-02" }),
        Ty::Time => json!(if late { "17:00:00" } else { "08:00:00" }),
        Ty::Instant => json!(if late { "2026-03-02T10:00:00.000000Z" } else { SOME_TIME }),
        Ty::Json => json!({}),
        Ty::TextArray => json!([text(field)]),
        Ty::UuidArray => json!([SOME_ID]),
        Ty::IntArray => json!([1]),
        Ty::Bytes => json!("QnJpZ2h0IE5vcnRo"),
        Ty::Inet => json!("192.0.2.7"),
    }
}

fn text(field: &Field) -> String {
    match field.form {
        Form::Any => {
            let mut words = field.name.replace('_', " ");
            words.get_mut(..1).map(str::make_ascii_uppercase).unwrap_or_default();
            words.chars().take(field.length_max as usize).collect()
        }
        Form::Phone => "+493012345678".into(),
        Form::Email => "robin@bright-north.example".into(),
        Form::Country | Form::Jurisdiction => "DE".into(),
        Form::Currency => "EUR".into(),
        Form::Language => "de".into(),
        Form::TimeZone => "Europe/Berlin".into(),
        Form::Npi => "1234567893".into(),
        Form::Colour => "#1a2b3c".into(),
        Form::Slug => "bright-north".into(),
        Form::Network => "192.0.2.0/24".into(),
        Form::Address => "https://app.example/callback".into(),
        Form::DicomUid => "1.2.826.0.1.3680043.10.1".into(),
    }
}
