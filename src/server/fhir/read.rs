//! Records with their parts and with what was sent beyond our columns.

use super::below::{Parts, Whose, joined, part_query, parts, parts_of};
use super::extras::{self, Extras, Of};
use super::search;
use super::way::Way;
use crate::fhir::Resource;
use crate::fhir::keep;
use crate::fhir::mapping::{Link, Mapping, Whole};
use crate::kernel::Caller;
use crate::kernel::context::{Context, Plane};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Param, Query, Scope};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::list::Built;
use crate::kernel::table::{Record, Table, Value, Width, record, store};
use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// A resource ready to be sent, and the record it is.
pub struct Shown {
    pub record: Record,
    pub resource: Resource,
}

impl Shown {
    pub fn modified(&self) -> Option<DateTime<Utc>> {
        modified(&self.record)
    }

    /// Whether the caller has this version: by its tag, or, where no tags are named, by its time, which headers tell in seconds.
    pub fn is_known(&self, tags: Option<&str>, since: Option<DateTime<Utc>>) -> bool {
        match (tags, since.zip(self.modified())) {
            (Some(tags), _) => tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == self.record.etag()),
            (None, Some((since, modified))) => modified.timestamp() <= since.timestamp(),
            (None, None) => false,
        }
    }
}

pub fn modified(record: &Record) -> Option<DateTime<Utc>> {
    record.json.get(search::changed(record.table)).and_then(Json::as_str).and_then(|text| text.parse().ok())
}

/// The mappings of a type that this caller can read at all; why not, when there is none.
pub fn readable(caller: &Caller, sources: &[&'static Mapping]) -> Result<Vec<(&'static Mapping, Context)>> {
    let mut refusal = Error::new(&error::FORBIDDEN);
    let mut open = Vec::with_capacity(sources.len());
    for mapping in sources {
        match caller.reading(mapping.table) {
            Ok(context) if is_open(mapping, &context, open.first()) => open.push((*mapping, context)),
            Ok(_) => {}
            Err(why) => refusal = why,
        }
    }
    if open.is_empty() { Err(refusal) } else { Ok(open) }
}

/// One answer is read on one plane, which is that of the type's first table.
fn is_open(mapping: &Mapping, context: &Context, first: Option<&(&'static Mapping, Context)>) -> bool {
    let plane = context.plane;
    mapping.planes.contains(&plane) && (plane != Plane::Group || mapping.table.group) && first.is_none_or(|(_, first)| first.plane == plane)
}

pub fn built(text: String, types: Vec<Type>, values: Vec<Value>) -> Built {
    Built { query: Query::new(Cow::Owned(text), Cow::Owned(types)), values }
}

/// The statements for one record by its id: itself with what was sent, then its parts.
fn by_id(mapping: &'static Mapping, context: &Context, id: Uuid) -> Result<Vec<Built>> {
    let (plane, beside) = (context.plane, extras::beside(mapping));
    let mut queries = vec![store::get_query_of(mapping.table, plane, Width::Lean, context.tenant, id, beside.as_deref())?];
    let (mut types, mut values) = (vec![Type::UUID], vec![Value::Uuid(id)]);
    let mut own = "(select sec.tenants(0))::uuid[]".to_owned();
    if plane.single_tenant() {
        own = "array[$2]".to_owned();
        types.push(Type::UUID);
        values.push(Value::Uuid(context.tenant.ok_or_else(|| Error::new(&error::FORBIDDEN))?));
    }
    for (_, part) in parts(mapping, plane) {
        let of = match part.link {
            Link::Child(column) => format!("r.{column} = $1"),
            Link::Parent(column) => {
                format!("r.id = any (array(select x.{column} from {} x where x.tenant_id = any ({own}) and x.id = $1))", mapping.table.name)
            }
        };
        let text = format!(
            "select {} from {} r where r.tenant_id = any ({own}) and {of}{} order by r.id",
            record::columns_of(part.table, plane, Width::Lean),
            part.table.name,
            alive(part.table)
        );
        queries.push(built(text, types.clone(), values.clone()));
    }
    Ok(queries)
}

pub fn alive(table: &Table) -> &'static str {
    if table.soft_delete { " and r.deleted_at is null" } else { "" }
}

/// A record as it stands, retired or not, with its parts and what was sent beyond our columns.
pub struct Found {
    pub mapping: &'static Mapping,
    pub context: Context,
    pub whole: Whole,
    kept: Option<Extras>,
}

impl Found {
    pub fn shown(self) -> Result<Shown> {
        if self.whole.root.deleted() {
            return Err(Error::new(&error::GONE));
        }
        shown(self.mapping, self.whole, self.kept)
    }
}

/// One record of the type, shown; the answer for an unknown id and for a foreign one is the same.
pub async fn one(caller: &Caller, sources: &[&'static Mapping], id: Uuid) -> Result<Shown> {
    apart(caller, sources, id).await?.shown()
}

/// The same before it is shown; that it was read is told.
pub async fn found(caller: &Caller, way: &mut Way<'_>, sources: &[&'static Mapping], id: Uuid) -> Result<Found> {
    match way {
        Way::Apart => apart(caller, sources, id).await,
        Way::Within(scope) => inside(scope, caller, sources, id).await,
    }
}

async fn apart(caller: &Caller, sources: &[&'static Mapping], id: Uuid) -> Result<Found> {
    let open = readable(caller, sources)?;
    let context = open.first().map(|(_, context)| context.clone()).ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let mut queries = Vec::new();
    for (mapping, context) in &open {
        queries.push(by_id(mapping, context, id)?);
    }
    let flat: Vec<(Query, Vec<Param<'_>>)> = queries.iter().flatten().map(Built::asked).collect();
    let answers = caller.kernel.door.open(&context).await?.once(&flat).await?;
    let mut answers = answers.into_iter();
    let keys = &caller.kernel.keys;
    for ((mapping, context), queries) in open.iter().zip(&queries) {
        let rows: Vec<Vec<Row>> = answers.by_ref().take(queries.len()).collect();
        let Some((whole, kept)) = stood(mapping, context.plane, &rows, keys).await? else { continue };
        caller.saw(context, &whole.root).await?;
        return Ok(Found { mapping, context: context.clone(), whole, kept });
    }
    Err(Error::new(&error::NOT_FOUND))
}

/// What the statements of [`by_id`] gave, where it is one of these resources.
async fn stood(mapping: &'static Mapping, plane: Plane, rows: &[Vec<Row>], keys: &Keyring) -> Result<Option<(Whole, Option<Extras>)>> {
    let Some(row) = rows.first().and_then(|rows| rows.first()) else { return Ok(None) };
    let root = record::decode_of(mapping.table, plane, Width::Lean, row, keys).await?;
    if !mapping.is_of(&root) {
        return Ok(None);
    }
    let kept = extras::of_row(mapping, &root, row, keys).await?;
    let mut whole = Whole::alone(mapping, root);
    let owner = owner(&whole.root);
    for ((place, part), rows) in parts(mapping, plane).zip(rows.iter().skip(1)) {
        for row in rows {
            let record = record::decode_of(part.table, plane, Width::Lean, row, keys).await?;
            if record.tenant == owner {
                whole.parts[place].push(record);
            }
        }
    }
    Ok(Some((whole, kept)))
}

/// A record of that id, locked for a change, with its parts and what was sent: one round trip.
pub async fn locked(scope: &mut Scope, mapping: &'static Mapping, id: Uuid, keys: &Keyring) -> Result<Option<(Whole, Option<Extras>)>> {
    let context = scope.context();
    let lock = store::lock_query(mapping.table, context.plane, context.tenant, id)?;
    let queries = by_id(mapping, context, id)?;
    // Each statement after the first sees what stands once the row is locked.
    let flat: Vec<(Query, Vec<Param<'_>>)> = std::iter::once(&lock).chain(&queries).map(Built::asked).collect();
    let rows = scope.gather(&flat).await?;
    match rows.split_first() {
        Some((locked, rows)) if !locked.is_empty() => stood(mapping, scope.context().plane, rows, keys).await,
        _ => Ok(None),
    }
}

/// The tenant whose keys and parts are the record's.
pub fn owner(record: &Record) -> Uuid {
    if record.table.name == "tenants" { record.id } else { record.tenant }
}

/// A record of a page, and what was sent beyond our columns.
pub struct Paged {
    pub mapping: &'static Mapping,
    pub record: Record,
    pub kept: Option<Extras>,
}

/// Records that were read already, with their parts: those that have any cost one more round trip, all of them together.
pub async fn many(caller: &Caller, way: &mut Way<'_>, context: &Context, records: Vec<Paged>) -> Result<Vec<Shown>> {
    let mut by_mapping: Vec<(&'static Mapping, Vec<&Record>)> = Vec::new();
    for Paged { mapping, record, .. } in &records {
        match by_mapping.iter_mut().find(|(known, _)| std::ptr::eq(*known, *mapping)) {
            Some((_, of)) => of.push(record),
            None => by_mapping.push((mapping, vec![record])),
        }
    }
    let asked = |(mapping, of): &(&'static Mapping, Vec<&Record>)| {
        parts(mapping, context.plane).map(|(_, part)| part_query(mapping, part, context.plane, Whose::Records(of))).collect::<Vec<_>>()
    };
    let queries: Vec<Built> = by_mapping.iter().flat_map(asked).collect();
    let flat: Vec<(Query, Vec<Param<'_>>)> = queries.iter().map(Built::asked).collect();
    let mut answers = way.once(caller, context, &flat).await?.into_iter();
    let mut found: Vec<(&'static Mapping, Parts)> = Vec::new();
    for (mapping, _) in &by_mapping {
        found.push((mapping, parts_of(mapping, context.plane, &mut answers, &caller.kernel.keys).await?));
    }
    let whole = |Paged { mapping, record, kept }: Paged| {
        let of = found.iter().find(|(known, _)| std::ptr::eq(*known, mapping)).map(|(_, of)| of.as_slice());
        shown(mapping, joined(mapping, record, of.unwrap_or_default()), kept)
    };
    records.into_iter().map(whole).collect()
}

/// One record of the type inside a transaction of the caller, with what the transaction has changed.
pub async fn within(scope: &mut Scope, caller: &Caller, sources: &[&'static Mapping], id: Uuid) -> Result<Shown> {
    inside(scope, caller, sources, id).await?.shown()
}

async fn inside(scope: &mut Scope, caller: &Caller, sources: &[&'static Mapping], id: Uuid) -> Result<Found> {
    let keys = &caller.kernel.keys;
    for (mapping, context) in readable(caller, sources)? {
        let root = match store::seen(scope, mapping.table, id, keys).await {
            Err(refusal) if refusal.code == &error::NOT_FOUND => continue,
            found => found?,
        };
        if !mapping.is_of(&root) {
            continue;
        }
        caller.saw(&context, &root).await?;
        let (whole, kept) = standing(scope, mapping, root, keys).await?;
        return Ok(Found { mapping, context, whole, kept });
    }
    Err(Error::new(&error::NOT_FOUND))
}

/// A record's parts inside a transaction of the caller, and what was sent.
pub async fn standing(scope: &mut Scope, mapping: &'static Mapping, root: Record, keys: &Keyring) -> Result<(Whole, Option<Extras>)> {
    let sent = extras::of_versions(&[Of::record(mapping, &root)]);
    let roots = vec![root];
    let (answers, found) = gathered(scope, mapping, &roots, vec![sent], keys).await?;
    let kept = extras::placed(answers.first().map(Vec::as_slice).unwrap_or_default(), keys).await?.remove(&0);
    let whole = roots.into_iter().map(|root| joined(mapping, root, &found)).next();
    Ok((whole.ok_or_else(|| Error::internal("a record became nothing"))?, kept))
}

/// Records that were just written, as they stand now: triggers may have changed them since. And which of them have had more
/// said than columns hold, where that is not known.
pub async fn again(
    scope: &mut Scope,
    mapping: &'static Mapping,
    written: &[Record],
    known: Option<HashSet<Uuid>>,
    keys: &Keyring,
) -> Result<(Vec<Whole>, HashSet<Uuid>)> {
    let (table, plane, tenant) = (mapping.table, scope.context().plane, scope.tenant()?);
    let home = if table.has_tenant() { "r.tenant_id = $2" } else { "$2 is not null" };
    let text = format!("select {} from {} r where {home} and r.id = any ($1)", record::columns_of(table, plane, Width::Lean), table.name);
    let ids = written.iter().map(|record| record.id).collect();
    let now = built(text, vec![Type::UUID_ARRAY, Type::UUID], vec![Value::Uuids(ids), Value::Uuid(tenant)]);
    let unknown = known.is_none().then(|| extras::known(mapping.of.name, written)).flatten();
    let asked = std::iter::once(now).chain(unknown).collect();
    let (answers, found) = gathered(scope, mapping, written, asked, keys).await?;
    let mut answers = answers.into_iter();
    let mut stored: HashMap<Uuid, Record> = HashMap::with_capacity(written.len());
    for row in answers.next().unwrap_or_default() {
        let root = record::decode_of(table, plane, Width::Lean, &row, keys).await?;
        if !table.has_tenant() || owner(&root) == tenant {
            stored.insert(root.id, root);
        }
    }
    let wholes: Option<Vec<Whole>> = written.iter().map(|record| Some(joined(mapping, stored.remove(&record.id)?, &found))).collect();
    let known = match known {
        Some(known) => known,
        None => answers.next().unwrap_or_default().iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
    };
    Ok((wholes.ok_or_else(|| Error::internal("a record that was stored is not seen"))?, known))
}

/// The parts of these records, and before them the answers of other statements: one round trip.
async fn gathered(
    scope: &mut Scope,
    mapping: &'static Mapping,
    roots: &[Record],
    more: Vec<Built>,
    keys: &Keyring,
) -> Result<(Vec<Vec<Row>>, Parts)> {
    let plane = scope.context().plane;
    let of: Vec<&Record> = roots.iter().collect();
    let (asked, mut queries) = (more.len(), more);
    queries.extend(parts(mapping, plane).map(|(_, part)| part_query(mapping, part, plane, Whose::Records(&of))));
    let flat: Vec<(Query, Vec<Param<'_>>)> = queries.iter().map(Built::asked).collect();
    let mut answers = scope.gather(&flat).await?;
    let mut rows = answers.split_off(asked.min(answers.len())).into_iter();
    let found = parts_of(mapping, plane, &mut rows, keys).await?;
    Ok((answers, found))
}

/// The columns of today, and around them what the client sent and no column holds.
pub fn shown(mapping: &Mapping, whole: Whole, extras: Option<Extras>) -> Result<Shown> {
    let mut resource = mapping.rendered(&whole);
    if let Some(Extras { sent, shown }) = extras {
        resource = Resource::from_value(keep::restore(sent, &shown, resource.into_value()))?;
    }
    let record = whole.root;
    let at = modified(&record).unwrap_or(DateTime::UNIX_EPOCH);
    resource.stamp(&record.id.to_string(), &record.version.to_string(), at);
    Ok(Shown { record, resource })
}
