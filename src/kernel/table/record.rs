//! A record as read: the JSON both contracts start from.

use super::field::{Home, Sealing, Stamps, Table, Ty};
use super::value;
use crate::kernel::context::{PLATFORM_TENANT, Plane};
use crate::kernel::crypto::Keyring;
use crate::kernel::error::{Error, Result};
use serde_json::{Map, Value as Json};
use tokio_postgres::Row;
use uuid::Uuid;

/// One row of a table, decoded and opened.
#[derive(Debug, Clone)]
pub struct Record {
    pub table: &'static Table,
    pub id: Uuid,
    /// The tenant whose row it is; the platform tenant for shared rows and rows of the installation.
    pub tenant: Uuid,
    pub version: i64,
    pub patient: Option<Uuid>,
    /// How much of it was read; as much is read again with a change of it.
    pub width: Width,
    pub json: Map<String, Json>,
}

impl Record {
    pub fn get(&self, name: &str) -> &Json {
        debug_assert!(self.table.field(name).is_some() || COMMON.contains(&name), "{} has no field {name}", self.table.name);
        self.json.get(name).unwrap_or(&Json::Null)
    }
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str()
    }
    /// Of a list those that are texts.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).as_array().into_iter().flatten().filter_map(Json::as_str)
    }
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).as_bool().unwrap_or(false)
    }
    pub fn uuid(&self, name: &str) -> Option<Uuid> {
        self.text(name).and_then(|text| text.parse().ok())
    }
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name).as_i64()
    }
    pub fn deleted(&self) -> bool {
        self.json.get("deleted_at").is_some_and(|at| !at.is_null())
    }
    /// RFC 9110 §8.8.3: the version that was read, as a weakly typed opaque tag.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

const COMMON: &[&str] =
    &["id", "tenant_id", "created_at", "created_by", "updated_at", "updated_by", "version", "deleted_at", "delete_reason"];

/// How much of a record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    Full,
    /// Without [`costly`](super::Field::costly) fields.
    Lean,
}

/// The columns a plane may read, in the order [`decode`] takes them, as `r.<column>`.
pub fn columns(table: &'static Table, plane: Plane) -> String {
    columns_of(table, plane, Width::Full)
}

/// The same for [`decode_of`].
pub fn columns_of(table: &'static Table, plane: Plane, width: Width) -> String {
    listed(table, plane, width, true)
}

/// The same, and one column more, called `beside`: SQL over the row `r`.
pub fn beside(table: &'static Table, plane: Plane, width: Width, more: Option<&str>) -> String {
    let columns = columns_of(table, plane, width);
    more.map_or(columns.clone(), |more| format!("{columns}, ({more}) as beside"))
}

/// Something of it is computed.
pub fn computes(table: &'static Table, plane: Plane, width: Width) -> bool {
    readable(table, plane, width).any(|field| field.computed.is_some())
}

/// Those of them that are stored: rows of these can be asked for [`columns`] in turn, where nothing is computed.
pub fn stored(table: &'static Table, plane: Plane) -> String {
    listed(table, plane, Width::Full, false)
}

fn listed(table: &'static Table, plane: Plane, width: Width, computed: bool) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("r.id");
    let mut add = |column: &str| {
        out.push_str(", ");
        out.push_str(column);
    };
    if table.has_tenant() {
        add("r.tenant_id");
    }
    for field in readable(table, plane, width) {
        match (field.computed, field.sealing) {
            (Some(_), _) if !computed => {}
            (Some(sql), _) => add(&format!("({sql}) as {}", field.name)),
            (None, Sealing::Plain) => add(&format!("r.{}", field.name)),
            (None, _) => add(&format!("r.{}_enc", field.name)),
        }
    }
    for (column, _) in stamps(table) {
        add(&format!("r.{column}"));
    }
    out
}

fn readable(table: &'static Table, plane: Plane, width: Width) -> impl Iterator<Item = &'static super::Field> {
    let outside = matches!(plane, Plane::Patient | Plane::Share | Plane::Auth);
    let lean = width == Width::Lean;
    table.fields.iter().filter(move |field| field.shown() && !(outside && field.staff_only) && !(lean && field.costly))
}

fn stamps(table: &Table) -> Vec<(&'static str, Ty)> {
    let mut stamps = Vec::with_capacity(7);
    if table.stamps != Stamps::None {
        stamps.extend([("created_at", Ty::Instant), ("created_by", Ty::Uuid)]);
    }
    if table.stamps == Stamps::Versioned {
        stamps.extend([("updated_at", Ty::Instant), ("updated_by", Ty::Uuid), ("version", Ty::BigInt)]);
    }
    if table.soft_delete {
        stamps.extend([("deleted_at", Ty::Instant), ("delete_reason", Ty::Text)]);
    }
    stamps
}

/// One row of `select {columns}`; sealed columns are opened with the row's tenant's key.
pub async fn decode(table: &'static Table, plane: Plane, row: &Row, keys: &Keyring) -> Result<Record> {
    decode_of(table, plane, Width::Full, row, keys).await
}

/// One row of `select {columns_of}`.
pub async fn decode_of(table: &'static Table, plane: Plane, width: Width, row: &Row, keys: &Keyring) -> Result<Record> {
    let id: Uuid = row.try_get(0)?;
    let mut place = 1;
    let mut json = Map::with_capacity(table.fields.len() + 10);
    json.insert("id".into(), Json::String(id.to_string()));
    let mut tenant = PLATFORM_TENANT;
    if table.has_tenant() {
        tenant = row.try_get(1)?;
        place = 2;
        let shared = table.home == Home::Shared && tenant == PLATFORM_TENANT;
        json.insert("tenant_id".into(), if shared { Json::Null } else { Json::String(tenant.to_string()) });
    }
    for field in readable(table, plane, width) {
        let shown = match field.sealing {
            Sealing::Plain => value::read(row, place, field.ty)?,
            _ => match row.try_get::<_, Option<Vec<u8>>>(place)? {
                None => Json::Null,
                Some(sealed) => {
                    let owner = if table.name == "tenants" { id } else { tenant };
                    let plain = keys.of(owner).await?.open(table.name, field.name, id, &sealed)?;
                    Json::String(String::from_utf8(plain).map_err(Error::internal)?)
                }
            },
        };
        json.insert(field.name.into(), shown);
        place += 1;
    }
    for (column, ty) in stamps(table) {
        json.insert(column.into(), value::read(row, place, ty)?);
        place += 1;
    }
    let version = json.get("version").and_then(Json::as_i64).unwrap_or(1);
    let patient = table.patient.and_then(|column| json.get(column)).and_then(Json::as_str).and_then(|text| text.parse().ok());
    Ok(Record { table, id, tenant, version, patient, width, json })
}
