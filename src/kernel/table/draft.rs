//! What a caller wants to write, checked against the field table. Every fault is named at once; no value is echoed.

use super::field::{Access, Field, Sealing, Table};
use super::form::Broken;
use super::value::{self, Value};
use crate::kernel::error::{self, Error, Fault, Result};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// Checked columns, ready to store.
#[derive(Debug, Default, Clone)]
pub struct Draft {
    pub id: Option<Uuid>,
    pub values: Vec<(&'static Field, Value)>,
}

impl Draft {
    /// Reads a create body: required fields present, read-only and unknown ones refused.
    pub fn create(table: &'static Table, body: &Map<String, Json>) -> Result<Draft> {
        let mut draft = Draft::default();
        let mut faults = Vec::new();
        for (name, json) in body {
            if name == "id" {
                match json.as_str().and_then(|text| text.parse::<Uuid>().ok()).filter(|id| !id.is_nil()) {
                    Some(id) => draft.id = Some(id),
                    None => faults.push(fault(name, "type", "It must be a UUID.")),
                }
                continue;
            }
            draft.take(table, name, json, Field::on_create, &mut faults);
        }
        missing(table.fields, body, &mut faults);
        for machine in table.machines {
            if let Some(state) = body.get(machine.column).and_then(Json::as_str)
                && table.field(machine.column).is_some_and(Field::on_create)
                && !machine.initial.contains(&state)
            {
                faults.push(fault(machine.column, "state", &format!("A new record starts as {}.", machine.initial.join(" or "))));
            }
        }
        draft.or_faults(faults)
    }

    /// Reads a JSON merge patch (RFC 7396): null clears what may be empty.
    pub fn patch(table: &'static Table, body: &Map<String, Json>) -> Result<Draft> {
        let mut draft = Draft::default();
        let mut faults = Vec::new();
        for (name, json) in body {
            draft.take(table, name, json, Field::on_patch, &mut faults);
        }
        draft.or_faults(faults)
    }

    /// Sets a column as the server, whatever its access.
    pub fn set(mut self, table: &'static Table, name: &str, value: Value) -> Result<Draft> {
        let field = table.field(name).ok_or_else(|| Error::internal(format!("{} has no field {name}", table.name)))?;
        self.values.retain(|(held, _)| held.name != field.name);
        self.values.push((field, value));
        Ok(self)
    }

    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(field, _)| field.name == name).map(|(_, value)| value)
    }

    fn take(&mut self, table: &'static Table, name: &str, json: &Json, open: fn(&Field) -> bool, faults: &mut Vec<Fault>) {
        let Some(field) = table.field(name).filter(|field| field.access != Access::Hidden) else {
            faults.push(fault(&shortened(name), "unknown", "There is no such field."));
            return;
        };
        if !open(field) {
            faults.push(fault(name, "read_only", "The field is not set this way."));
            return;
        }
        match value_of(field, json) {
            Ok(value) => self.values.push((field, value)),
            Err((rule, text)) => faults.push(fault(name, rule, &text)),
        }
    }

    fn or_faults(self, faults: Vec<Fault>) -> Result<Draft> {
        if faults.is_empty() { Ok(self) } else { Err(Error::new(&error::INVALID).faults(faults)) }
    }

    /// The columns to store: `(column, value, type)`, sealed where the field says so.
    pub fn stored(
        &self,
        table: &Table,
        row: Uuid,
        keys: &crate::kernel::crypto::TenantKeys,
    ) -> Result<Vec<(String, Value, tokio_postgres::types::Type)>> {
        use tokio_postgres::types::Type;
        let mut out = Vec::with_capacity(self.values.len() + 1);
        for (field, value) in self.values.iter().filter(|(field, _)| field.unfolds.is_none()) {
            if field.sealing == Sealing::Plain {
                out.push((field.name.to_owned(), value.clone(), field.ty.pg()));
                continue;
            }
            let Value::Text(plain) = value else {
                out.push((format!("{}_enc", field.name), Value::Null, Type::BYTEA));
                if field.sealing == Sealing::Blind {
                    out.push((format!("{}_bidx", field.name), Value::Null, Type::BYTEA));
                }
                continue;
            };
            out.push((format!("{}_enc", field.name), Value::Bytes(keys.seal(table.name, field.name, row, plain.as_bytes())?), Type::BYTEA));
            if field.sealing == Sealing::Blind {
                out.push((format!("{}_bidx", field.name), Value::Bytes(keys.blind(table.name, field.name, plain)?), Type::BYTEA));
            }
        }
        Ok(out)
    }
}

/// One value as its field takes it; null where it may be empty.
pub(super) fn value_of(field: &Field, json: &Json) -> Result<Value, Broken> {
    match json.is_null() && (field.required || field.defaulted) {
        true => Err(("required", "The field cannot be empty.".to_owned())),
        false => value::parse(field, json),
    }
}

/// Names what a create has to give and does not.
pub(super) fn missing(fields: &[Field], body: &Map<String, Json>, faults: &mut Vec<Fault>) {
    for field in fields.iter().filter(|field| field.required && field.on_create()) {
        let absent = body.get(field.name).is_none_or(Json::is_null);
        if absent && !faults.iter().any(|fault| fault.field == field.name) {
            faults.push(fault(field.name, "required", "The field is needed."));
        }
    }
}

pub(super) fn fault(field: &str, rule: &'static str, text: &str) -> Fault {
    Fault { field: field.to_owned(), rule, text: text.to_owned() }
}

/// A caller's own key may be anything; what we repeat of it is short and plain.
pub(super) fn shortened(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect()
}
