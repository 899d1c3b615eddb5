//! Rows below records, shown in their resources: asked for by whose they are, and put with them.

use super::page::Told;
use super::read::{alive, built, owner};
use crate::fhir::mapping::{Link, Mapping, Part, Whole};
use crate::kernel::context::Plane;
use crate::kernel::crypto::Keyring;
use crate::kernel::error::Result;
use crate::kernel::table::list::Built;
use crate::kernel::table::{Record, Value, Width, record};
use std::collections::HashMap;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

pub fn parts(mapping: &Mapping, plane: Plane) -> impl Iterator<Item = (usize, &'static Part)> {
    // The server itself sees them all.
    mapping.parts.iter().enumerate().filter(move |(_, part)| plane == Plane::Jobs || part.planes.contains(&plane))
}

/// Rows of a part by whose they are: the tenant, and the record or the row that the record names.
type Keyed = HashMap<(Uuid, Uuid), Vec<Record>>;

/// Rows of the parts of a mapping, each with its place.
pub type Parts = Vec<(&'static Part, usize, Keyed)>;

fn keyed(part: &Part, rows: Vec<Record>) -> Keyed {
    let mut keyed = Keyed::new();
    for row in rows {
        let key = match part.link {
            Link::Child(column) => row.uuid(column),
            Link::Parent(_) => Some(row.id),
        };
        if let Some(key) = key {
            keyed.entry((row.tenant, key)).or_default().push(row);
        }
    }
    keyed
}

/// The next answers, as those of the mapping's [`parts`].
pub async fn parts_of(
    mapping: &'static Mapping,
    plane: Plane,
    answers: &mut impl Iterator<Item = Vec<Row>>,
    keys: &Keyring,
) -> Result<Parts> {
    let mut of = Parts::new();
    for ((place, part), rows) in parts(mapping, plane).zip(answers) {
        let mut records = Vec::with_capacity(rows.len());
        for row in &rows {
            records.push(record::decode_of(part.table, plane, Width::Lean, row, keys).await?);
        }
        of.push((part, place, keyed(part, records)));
    }
    Ok(of)
}

pub fn joined(mapping: &Mapping, root: Record, found: &[(&'static Part, usize, Keyed)]) -> Whole {
    let mut whole = Whole::alone(mapping, root);
    let owner = owner(&whole.root);
    for (part, place, rows) in found {
        let key = match part.link {
            Link::Child(_) => Some(whole.root.id),
            Link::Parent(column) => whole.root.uuid(column),
        };
        if let (Some(ours), Some(slot)) = (key.and_then(|key| rows.get(&(owner, key))), whole.parts.get_mut(*place)) {
            slot.clone_from(ours);
        }
    }
    whole
}

/// Whose rows are asked for.
pub enum Whose<'r> {
    Records(&'r [&'r Record]),
    /// Those of a page that the same round trip asks for before.
    Page(Told),
}

pub fn part_query(mapping: &Mapping, part: &Part, plane: Plane, whose: Whose<'_>) -> Built {
    let (mut types, mut values) = (Vec::new(), Vec::new());
    let keys = match (whose, part.link) {
        (Whose::Records(roots), link) => {
            let key = |root: &&Record| {
                let id = match link {
                    Link::Child(_) => Some(root.id),
                    Link::Parent(column) => root.uuid(column),
                };
                id.map(|id| (owner(root), id))
            };
            let (tenants, ids) = roots.iter().filter_map(key).unzip();
            values.extend([Value::Uuids(tenants), Value::Uuids(ids)]);
            types.extend([Type::UUID_ARRAY, Type::UUID_ARRAY]);
            "select * from unnest($1, $2)".to_owned()
        }
        (Whose::Page(told), Link::Child(_)) => told.keys(),
        (Whose::Page(told), Link::Parent(column)) => {
            format!("select x.tenant_id, x.{column} from {} x where (x.tenant_id, x.id) in ({})", mapping.table.name, told.keys())
        }
    };
    let column = match part.link {
        Link::Child(column) => column,
        Link::Parent(_) => "id",
    };
    let text = format!(
        "select {} from {} r where (r.tenant_id, r.{column}) in ({keys}){} order by r.id",
        record::columns_of(part.table, plane, Width::Lean),
        part.table.name,
        alive(part.table)
    );
    built(text, types, values)
}
