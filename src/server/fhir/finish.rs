//! The end of every write: the record as it stands, what was sent beside it for exactly that version, and what it is searched by.

use super::extras::{self, Extras};
use super::indexed;
use super::read::{self, Shown};
use crate::fhir::Resource;
use crate::fhir::mapping::{Link, Mapping, Whole};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::kernel::table::{Record, Width, record};
use serde_json::Value as Json;
use std::collections::HashSet;
use uuid::Uuid;

/// Tables of which triggers change a row once it is stored, or rows that are shown with it: such a record is read again. Of all
/// others a statement returns what stands (a test compares with the triggers there are).
pub const STIRRED: &[&str] = &[
    "appointments",
    "claims",
    "consents",
    "encounters",
    "files",
    "procedures",
    "referrals",
    "tasks",
    "tenants",
    "treatment_plan_items",
    "treatment_plans",
];

/// Records as they stand, and those of them of which more was kept before than columns hold.
pub type Written = (Vec<Whole>, HashSet<Uuid>);

/// Records as their statements returned them, with what belonged to them before; read again where that may not be how they
/// stand. `is_alone`: nothing else was written with them. `known`: those of which more was kept, where that is known.
pub async fn standing(
    scope: &mut Scope,
    mapping: &'static Mapping,
    written: Vec<Whole>,
    is_alone: bool,
    known: Option<HashSet<Uuid>>,
    keys: &Keyring,
) -> Result<Written> {
    if is_alone && stay_as_written(scope, mapping, &written) {
        return Ok((written, known.unwrap_or_default()));
    }
    let roots: Vec<Record> = written.into_iter().map(|whole| whole.root).collect();
    read::again(scope, mapping, &roots, known, keys).await
}

fn stay_as_written(scope: &Scope, mapping: &Mapping, written: &[Whole]) -> bool {
    let table = mapping.table;
    let points = |whole: &Whole, column: &str| !whole.root.get(column).is_null();
    let shows_another = |whole: &Whole| mapping.parts.iter().any(|part| matches!(part.link, Link::Parent(column) if points(whole, column)));
    !STIRRED.contains(&table.name) && !record::computes(table, scope.context().plane, Width::Lean) && !written.iter().any(shows_another)
}

/// A record, and what was sent of it.
pub async fn one(
    scope: &mut Scope,
    mapping: &'static Mapping,
    written: Written,
    sent: Resource,
    base: &str,
    keys: &Keyring,
) -> Result<Shown> {
    let shown = all(scope, mapping, written, vec![sent], base, keys).await?.pop();
    shown.ok_or_else(|| Error::internal("a record became nothing"))
}

/// The same of many records, and what was sent of each.
pub async fn all(
    scope: &mut Scope,
    mapping: &'static Mapping,
    (wholes, known): Written,
    sent: Vec<Resource>,
    base: &str,
    keys: &Keyring,
) -> Result<Vec<Shown>> {
    let told: Vec<Extras> = wholes
        .iter()
        .zip(sent)
        .map(|(whole, sent)| Extras { sent: extras::bare(sent), shown: mapping.rendered(whole).into_value() })
        .collect();
    let of: Vec<(&Record, &Extras)> = wholes.iter().map(|whole| &whole.root).zip(&told).collect();
    extras::keep(scope, mapping.of.name, &of, &known, keys).await?;
    let mut shown: Vec<(Shown, Json)> = Vec::with_capacity(wholes.len());
    for (whole, extras) in wholes.into_iter().zip(told) {
        let own = extras.shown.clone();
        shown.push((read::shown(mapping, whole, Some(extras))?, own));
    }
    indexed::keep(scope, mapping, &shown, keys, base).await?;
    Ok(shown.into_iter().map(|(shown, _)| shown).collect())
}
