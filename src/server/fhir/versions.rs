//! Versions that were: from the change log, with the parts and the client's own words that belonged to each.
//!
//! An image of the log becomes a row again (`jsonb_populate_record`), so the same columns are read of what was as of what
//! is. Nobody is shown a version of a record that is not theirs to read today.

use super::below;
use super::extras::{self, Extras, Of};
use super::read::{self, Shown};
use super::way::Way;
use crate::fhir::Resource;
use crate::fhir::mapping::{Link, Mapping, Part, Whole};
use crate::fhir::temporal::Interval;
use crate::kernel::Caller;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::{Param, Query};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::Built;
use crate::kernel::table::{Home, Record, Stamps, Table, Value, Width, record};
use crate::sql;
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use std::collections::HashMap;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

sql! {
    /// $1 tables, $2 record, $3 version, $4 since, $5 and $6 from when and until when it stood, $7 and $8 the last row
    /// before them, $9 at most.
    VERSIONS(JSONB, UUID, INT8, TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, UUID, INT4) = "
        select rel, id, tenant_id, occurred_at, image from sec.versions($1, $2, $3, $4, $5, $6, $7, $8, $9)";
}

/// Which versions are asked for.
#[derive(Debug, Default)]
pub struct Window {
    pub record: Option<Uuid>,
    pub version: Option<i64>,
    pub since: Option<DateTime<Utc>>,
    pub stood: Option<Interval>,
    pub after: Option<Place>,
    pub most: usize,
}

/// A row of the log, behind which the next page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub at: DateTime<Utc>,
    pub row: Uuid,
}

pub struct Version {
    pub mapping: &'static Mapping,
    pub record: Record,
    /// None: with this version it was removed.
    pub resource: Option<Resource>,
}

struct Image {
    rel: String,
    place: Place,
    tenant: Uuid,
    json: Json,
}

impl Image {
    fn id(&self, column: &str) -> Option<Uuid> {
        self.json.get(column)?.as_str()?.parse().ok()
    }
    fn version(&self) -> i64 {
        self.json.get("version").and_then(Json::as_i64).unwrap_or(1)
    }
    fn is_of(&self, mapping: &Mapping) -> bool {
        self.rel == mapping.table.name && mapping.is_row(|column| self.json.get(column).unwrap_or(&Json::Null))
    }
}

/// Whether the log tells of its rows whose they are.
pub fn logged(table: &Table) -> bool {
    table.stamps == Stamps::Versioned && (matches!(table.home, Home::Tenant | Home::Shared) || table.name == "tenants")
}

/// One version: today's by reading it, an older one from the log.
pub async fn one(caller: &Caller, way: &mut Way<'_>, sources: &[&'static Mapping], id: Uuid, version: i64) -> Result<Shown> {
    let found = read::found(caller, way, sources, id).await?;
    let (today, tenant) = (found.whole.root.version, found.whole.root.tenant);
    if version == today {
        return found.shown();
    }
    if !(1..today).contains(&version) {
        return Err(Error::new(&error::NOT_FOUND));
    }
    let open = told(vec![(found.mapping, found.context)])?;
    let window = Window { record: Some(id), version: Some(version), most: 1, ..Window::default() };
    let (versions, _) = page(caller, way, &open, &window).await?;
    // The same id may stand in two clinics of a group.
    let then = versions.into_iter().find(|then| then.record.tenant == tenant).ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let resource = then.resource.ok_or_else(|| Error::new(&error::GONE))?;
    Ok(Shown { record: then.record, resource })
}

/// Those of them that have a past, of one plane: `sec.versions` asks of what was what the plane's policy asks of what is.
pub fn told(open: Vec<(&'static Mapping, Context)>) -> Result<Vec<(&'static Mapping, Context)>> {
    let mut known: Vec<(&'static Mapping, Context)> = open.into_iter().filter(|(mapping, _)| logged(mapping.table)).collect();
    let plane = known.first().map(|(_, context)| context.plane);
    known.retain(|(_, context)| Some(context.plane) == plane);
    if known.is_empty() { Err(Error::new(&error::FORBIDDEN)) } else { Ok(known) }
}

/// The newest of the window, and where the next page starts.
pub async fn page(
    caller: &Caller,
    way: &mut Way<'_>,
    open: &[(&'static Mapping, Context)],
    window: &Window,
) -> Result<(Vec<Version>, Option<Place>)> {
    let (_, context) = open.first().ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let most = i32::try_from(window.most + 1).map_err(Error::internal)?;
    let (from, until) = (window.stood.map(|stood| stood.start), window.stood.map(|stood| stood.end));
    let (before, row) = (window.after.map(|place| place.at), window.after.map(|place| place.row));
    let kinds = kinds(open);
    let params: [Param<'_>; 9] = [&kinds, &window.record, &window.version, &window.since, &from, &until, &before, &row, &most];
    let rows = way.once(caller, context, &[(Query::from(&VERSIONS), params.to_vec())]).await?;
    let mut images = rows.iter().flatten().map(image).collect::<Result<Vec<Image>>>()?;
    let more = images.len() > window.most;
    images.truncate(window.most);
    let next = images.last().filter(|_| more).map(|last| last.place);
    Ok((revived(caller, way, open, &images).await?, next))
}

fn image(row: &Row) -> Result<Image> {
    let place = Place { row: row.try_get(1)?, at: row.try_get(3)? };
    Ok(Image { rel: row.try_get(0)?, place, tenant: row.try_get(2)?, json: row.try_get(4)? })
}

/// The tables, each once, and what their rows contain where not all of them are meant.
fn kinds(open: &[(&'static Mapping, Context)]) -> Json {
    let mut kinds: Vec<(&str, Option<Vec<Json>>)> = Vec::new();
    for (mapping, _) in open {
        let word = mapping.only.map(|(column, word)| json!({ column: mapping.held(column, word) }));
        match (kinds.iter_mut().find(|(rel, _)| *rel == mapping.table.name), word) {
            (Some((_, words)), None) => *words = None,
            (Some((_, Some(words))), Some(word)) => words.push(word),
            (Some((_, None)), Some(_)) => {}
            (None, word) => kinds.push((mapping.table.name, word.map(|word| vec![word]))),
        }
    }
    kinds.into_iter().map(|(rel, words)| words.map_or_else(|| json!({"rel": rel}), |words| json!({"rel": rel, "rows": words}))).collect()
}

/// A mapping with its images, by their places in the page.
type Share<'i> = (&'static Mapping, Vec<(usize, &'i Image)>);

async fn revived(caller: &Caller, way: &mut Way<'_>, open: &[(&'static Mapping, Context)], images: &[Image]) -> Result<Vec<Version>> {
    let (_, context) = open.first().ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let share = |mapping: &'static Mapping| images.iter().enumerate().filter(|(_, image)| image.is_of(mapping)).collect::<Vec<_>>();
    let shares: Vec<Share<'_>> = open.iter().map(|(mapping, _)| (*mapping, share(mapping))).filter(|(_, of)| !of.is_empty()).collect();
    if shares.is_empty() {
        return Ok(Vec::new());
    }
    let (plane, keys) = (context.plane, &caller.kernel.keys);
    // A row that is resources of several types was sent as one of them.
    let of = |mapping: &Mapping, image: &Image| Of {
        type_name: mapping.of.name,
        tenant: image.tenant,
        id: image.id("id").unwrap_or_default(),
        version: image.version(),
    };
    let asked: Vec<(&Mapping, usize, &Image)> =
        shares.iter().flat_map(|(mapping, of)| of.iter().map(move |(at, image)| (*mapping, *at, *image))).collect();
    let mut queries = vec![extras::of_versions(&asked.iter().map(|(mapping, _, image)| of(mapping, image)).collect::<Vec<_>>())];
    for (mapping, of) in &shares {
        queries.push(root_query(mapping, plane, of));
        queries.extend(below::parts(mapping, plane).map(|(_, part)| part_query(mapping, part, plane, of)));
    }
    let flat: Vec<(Query, Vec<Param<'_>>)> = queries.iter().map(Built::asked).collect();
    let mut answers = way.once(caller, context, &flat).await?.into_iter();
    let mut kept = extras::placed(&answers.next().unwrap_or_default(), keys).await?;
    let mut versions = Vec::with_capacity(images.len());
    for (mapping, _) in &shares {
        let mut wholes: HashMap<usize, Whole> = HashMap::new();
        for row in answers.next().iter().flatten() {
            let root = record::decode_of(mapping.table, plane, Width::Lean, row, keys).await?;
            wholes.insert(place(row)?, Whole::alone(mapping, root));
        }
        for (at, part) in below::parts(mapping, plane) {
            for row in answers.next().iter().flatten() {
                let Some(whole) = wholes.get_mut(&place(row)?) else { continue };
                whole.parts[at].push(record::decode_of(part.table, plane, Width::Lean, row, keys).await?);
            }
        }
        for (at, whole) in wholes {
            let place = asked.iter().position(|(of, place, _)| std::ptr::eq(*of, *mapping) && *place == at);
            versions.push((at, version(mapping, whole, place.and_then(|place| kept.remove(&place)))?));
        }
    }
    versions.sort_by_key(|(at, _)| *at);
    Ok(versions.into_iter().map(|(_, version)| version).collect())
}

fn version(mapping: &'static Mapping, whole: Whole, kept: Option<Extras>) -> Result<Version> {
    if whole.root.deleted() {
        return Ok(Version { mapping, record: whole.root, resource: None });
    }
    let Shown { record, resource } = read::shown(mapping, whole, kept)?;
    Ok(Version { mapping, record, resource: Some(resource) })
}

/// The last column of a row is the place of its image.
fn place(row: &Row) -> Result<usize> {
    let place: i32 = row.try_get(row.len().saturating_sub(1))?;
    usize::try_from(place).map_err(Error::internal)
}

fn built(text: String, of: Json) -> Built {
    Built { query: Query::new(Cow::Owned(text), Cow::Owned(vec![Type::JSONB])), values: vec![Value::Json(of)] }
}

/// The rows as they were, of records that the caller's policies show today.
fn root_query(mapping: &Mapping, plane: Plane, of: &[(usize, &Image)]) -> Built {
    let table = mapping.table;
    let home = if table.has_tenant() { " and c.tenant_id = r.tenant_id" } else { "" };
    let text = format!(
        "select {}, k.n from jsonb_to_recordset($1) k(n int, image jsonb) cross join lateral jsonb_populate_record(null::{name}, k.image) r
          where exists (select from {name} c where c.id = r.id{home})",
        record::columns_of(table, plane, Width::Lean),
        name = table.name,
    );
    built(text, of.iter().map(|(n, image)| json!({"n": n, "image": image.json})).collect())
}

/// The parts as they were with each version.
fn part_query(mapping: &Mapping, part: &Part, plane: Plane, of: &[(usize, &Image)]) -> Built {
    let (column, key) = match part.link {
        Link::Child(column) => (column, "id"),
        Link::Parent(column) => ("id", column),
    };
    let text = format!(
        "select {}, k.n from jsonb_to_recordset($1) k(n int, home uuid, whole uuid, version bigint, key uuid)
           join {name} p on p.tenant_id = k.home and p.{column} = k.key
          cross join lateral jsonb_populate_record(null::{name}, sec.part_with('{name}', p.id, k.home, '{whole}', k.whole, k.version)) r
          where r.{column} = k.key{alive} order by r.id",
        record::columns_of(part.table, plane, Width::Lean),
        name = part.table.name,
        whole = mapping.table.name,
        alive = read::alive(part.table),
    );
    let row = |(n, image): &(usize, &Image)| json!({"n": n, "home": image.tenant, "whole": image.id("id"), "version": image.version(), "key": image.id(key)});
    built(text, of.iter().map(row).collect())
}
