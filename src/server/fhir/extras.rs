//! What a client sent and no column holds: the resource as it came beside what our columns said of it then, sealed with
//! the tenant's key.

use super::read::owner;
use crate::fhir::Resource;
use crate::fhir::mapping::Mapping;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Query, Scope};
use crate::kernel::error::{Error, Result};
use crate::kernel::table::list::Built;
use crate::kernel::table::{Record, Value};
use crate::sql;
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

#[derive(Clone)]
pub struct Extras {
    pub sent: Json,
    pub shown: Json,
}

/// The newest for a record `r`, as a column beside it; none of what FHIR never writes.
pub fn beside(mapping: &Mapping) -> Option<String> {
    let owner = if mapping.table.name == "tenants" { "r.id" } else { "r.tenant_id" };
    mapping.writes.then(|| {
        format!(
            "select uuid_send(e.id) || e.body_enc from fhir_extras e
              where e.tenant_id = {owner} and e.record_id = r.id and e.resource_type = '{}' order by e.record_version desc limit 1",
            mapping.of.name
        )
    })
}

/// What [`beside`] gave.
pub async fn of_row(mapping: &Mapping, record: &Record, row: &Row, keys: &Keyring) -> Result<Option<Extras>> {
    let packed: Option<&[u8]> = if mapping.writes { row.try_get("beside")? } else { None };
    let Some((id, sealed)) = packed.and_then(|packed| packed.split_first_chunk::<16>()) else { return Ok(None) };
    opened(owner(record), Uuid::from_bytes(*id), sealed, keys).await.map(Some)
}

/// A version of a record, as a type: one row may be resources of several, and what was sent is of one.
pub struct Of {
    pub type_name: &'static str,
    pub tenant: Uuid,
    pub id: Uuid,
    pub version: i64,
}

impl Of {
    pub fn record(mapping: &Mapping, record: &Record) -> Self {
        Self::named(mapping.of.name, record)
    }
    pub fn named(type_name: &'static str, record: &Record) -> Self {
        Self { type_name, tenant: owner(record), id: record.id, version: record.version }
    }
}

/// For each of them the newest that is not of a later version, with its place behind it.
pub fn of_versions(of: &[Of]) -> Built {
    let text = "select e.tenant_id, e.record_id, e.id, e.body_enc, k.n
          from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) with ordinality k(tenant_id, record_id, version, type_name, n)
         cross join lateral (
            select r.tenant_id, r.record_id, r.id, r.body_enc from fhir_extras r
             where r.tenant_id = k.tenant_id and r.record_id = k.record_id and r.resource_type = k.type_name
               and r.record_version <= k.version::bigint
             order by r.record_version desc limit 1) e";
    let values = vec![
        Value::Uuids(of.iter().map(|of| of.tenant).collect()),
        Value::Uuids(of.iter().map(|of| of.id).collect()),
        Value::Texts(of.iter().map(|of| of.version.to_string()).collect()),
        Value::Texts(of.iter().map(|of| of.type_name.to_owned()).collect()),
    ];
    let types = vec![Type::UUID_ARRAY, Type::UUID_ARRAY, Type::TEXT_ARRAY, Type::TEXT_ARRAY];
    Built { query: Query::new(Cow::Borrowed(text), Cow::Owned(types)), values }
}

/// The rows of [`of_versions`] by their places.
pub async fn placed(rows: &[Row], keys: &Keyring) -> Result<HashMap<usize, Extras>> {
    let mut placed = HashMap::with_capacity(rows.len());
    for row in rows {
        let place = usize::try_from(row.try_get::<_, i64>(4)?).map_err(Error::internal)?;
        let (tenant, id, sealed): (Uuid, Uuid, &[u8]) = (row.try_get(0)?, row.try_get(2)?, row.try_get(3)?);
        placed.insert(place.saturating_sub(1), opened(tenant, id, sealed, keys).await?);
    }
    Ok(placed)
}

async fn opened(tenant: Uuid, id: Uuid, sealed: &[u8], keys: &Keyring) -> Result<Extras> {
    let plain = keys.of(tenant).await?.open("fhir_extras", "body", id, sealed)?;
    let (sent, shown): (Json, Json) = serde_json::from_slice(&plain).map_err(Error::internal)?;
    Ok(Extras { sent, shown })
}

sql! {
    /// $1 type, $2 author, then a list for each column: tenant, id, record, version, patient, sealed body.
    EXTRAS_ADD(TEXT, UUID, UUID_ARRAY, UUID_ARRAY, UUID_ARRAY, INT8_ARRAY, UUID_ARRAY, BYTEA_ARRAY) = "
        insert into fhir_extras (resource_type, created_by, tenant_id, id, record_id, record_version, patient_id, body_enc)
        select $1, $2, * from unnest($3, $4, $5, $6, $7, $8)";
}

/// Which of these records have any, as that type. One in its first version was just made and has none.
pub fn known(type_name: &str, records: &[Record]) -> Option<Built> {
    let text = "select distinct record_id from fhir_extras where tenant_id = any ($1) and record_id = any ($2) and resource_type = $3";
    let (tenants, ids): (Vec<Uuid>, Vec<Uuid>) =
        records.iter().filter(|record| record.version > 1).map(|record| (owner(record), record.id)).unzip();
    let has_any = !ids.is_empty();
    let values = vec![Value::Uuids(tenants), Value::Uuids(ids), Value::Text(type_name.to_owned())];
    let types = Cow::Borrowed(&[Type::UUID_ARRAY, Type::UUID_ARRAY, Type::TEXT][..]);
    has_any.then_some(Built { query: Query::new(Cow::Borrowed(text), types), values })
}

/// Kept when the columns do not say all of it, and when one that is `known` already would speak in its place.
pub async fn keep(scope: &mut Scope, type_name: &str, told: &[(&Record, &Extras)], known: &HashSet<Uuid>, keys: &Keyring) -> Result<()> {
    let (mut tenants, mut ids, mut of_records, mut versions, mut patients, mut bodies) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (record, extras) in told.iter().filter(|(record, extras)| extras.sent != extras.shown || known.contains(&record.id)) {
        let (tenant, id) = (owner(record), scope.new_id());
        let body = json!([extras.sent, extras.shown]).to_string();
        bodies.push(keys.of(tenant).await?.seal("fhir_extras", "body", id, body.as_bytes())?);
        tenants.push(tenant);
        ids.push(id);
        of_records.push(record.id);
        versions.push(record.version);
        patients.push(record.patient);
    }
    if ids.is_empty() {
        return Ok(());
    }
    let values: [Box<dyn ToSql + Sync + Send>; 8] = [
        Box::new(type_name.to_owned()),
        Box::new(scope.context().actor),
        Box::new(tenants),
        Box::new(ids),
        Box::new(of_records),
        Box::new(versions),
        Box::new(patients),
        Box::new(bodies),
    ];
    scope.post(&EXTRAS_ADD, values.into()).await
}

/// Without what the server alone decides.
pub fn bare(sent: Resource) -> Json {
    let mut sent = sent.into_value();
    if let Json::Object(map) = &mut sent {
        map.shift_remove("id");
        let empty = match map.get_mut("meta") {
            Some(Json::Object(meta)) => {
                for key in ["versionId", "_versionId", "lastUpdated", "_lastUpdated"] {
                    meta.shift_remove(key);
                }
                meta.is_empty()
            }
            _ => false,
        };
        if empty {
            map.shift_remove("meta");
        }
    }
    sent
}
