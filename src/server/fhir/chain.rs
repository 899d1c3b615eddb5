//! Conditions on what a reference leads to (`subject:Patient.name`), and on what refers to a record (`_has`).

use super::find::{self, Sql};
use super::{indexed, read, types};
use crate::fhir::mapping::{Find, Mapping};
use crate::fhir::registry::Interaction;
use crate::fhir::search::{Chain, Condition};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::error::Result;
use crate::kernel::table::Value;
use std::borrow::Cow;
use tokio_postgres::types::Type;

/// A condition on records of the mapping: one of its chains holds.
pub async fn condition(caller: &Caller, context: &Context, mapping: &'static Mapping, condition: &Condition) -> Result<Sql> {
    let (mut any, mut values) = (Vec::new(), Vec::new());
    let mut refusal = None;
    for chain in &condition.chains {
        let other = if chain.is_reverse { chain.from } else { chain.to };
        let def = types::registry().find(other)?;
        // Where the reference leads to several types, those the caller may search are searched.
        if let Err(why) = super::allowed(caller, def, Interaction::SearchType) {
            refusal = Some(why);
            continue;
        }
        for (of, _) in read::readable(caller, types::sources(other)?)? {
            let (at, to) = if chain.is_reverse { (of, mapping) } else { (mapping, of) };
            let Some((_, find)) = at.search.iter().find(|(name, _)| *name == chain.param.name) else { continue };
            for link in links(find, at, chain) {
                let Some((inner, held)) = records(caller, context, of, &chain.then).await? else { continue };
                any.push(if chain.is_reverse { link.leading_to(to, &inner) } else { link.leading_from(at, &inner) });
                values.extend(held);
            }
        }
        refusal = None;
    }
    match refusal {
        Some(refusal) if any.is_empty() => Err(refusal),
        _ => Ok((Cow::Owned(find::any_of_these(any)), values)),
    }
}

/// Records that hold the inner condition, as a key that `{}` stands for in the text, and its values. None: none can.
async fn records(caller: &Caller, context: &Context, of: &'static Mapping, then: &Condition) -> Result<Option<Sql>> {
    let (inner, mut values) = Box::pin(find::condition(caller, context, of, then)).await?;
    if inner == find::NEVER {
        return Ok(None);
    }
    let mut text = format!("select {{}} from {} r where ({inner})", of.table.name);
    if of.table.soft_delete {
        text.push_str(" and r.deleted_at is null");
    }
    if let Some(told) = of.rows() {
        text.push_str(&format!(" and {told}"));
    }
    if let Some(tenant) = context.tenant.filter(|_| of.table.has_tenant() && context.plane.single_tenant()) {
        text.push_str(" and r.tenant_id = $value");
        values.push((Value::Uuid(tenant), Type::UUID));
    }
    Ok(Some((Cow::Owned(text), values)))
}

fn tenant(mapping: &Mapping) -> &'static str {
    if mapping.table.has_tenant() { "r.tenant_id" } else { "r.id" }
}

/// Where a reference of a record stands: in a column of its own, or among the values kept beside it.
enum Link {
    Column { tenant: &'static str, column: &'static str },
    Values { table: &'static str, param: String, to: &'static str },
}

fn links(find: &Find, of: &Mapping, chain: &Chain) -> Vec<Link> {
    match find {
        Find::Points { column, to } | Find::Leads { column, to, .. } if *to == chain.to => {
            vec![Link::Column { tenant: tenant(of), column }]
        }
        Find::Indexed(index) => vec![Link::Values { table: indexed::table(of), param: indexed::param(of, &index.name), to: chain.to }],
        Find::Any(finds) => finds.iter().flat_map(|find| links(find, of, chain)).collect(),
        _ => Vec::new(),
    }
}

impl Link {
    /// Records of `at` whose reference leads to one of the inner ones.
    fn leading_from(&self, at: &Mapping, inner: &str) -> String {
        match self {
            Self::Column { tenant, column } => format!("({tenant}, {column}) in ({})", keyed(inner, "r.tenant_id, r.id")),
            Self::Values { table, param, to } => format!(
                "({}, r.id) in (select x.tenant_id, x.record_id from {table} x where x.param = '{param}' and x.system = '{to}' and (x.tenant_id, x.target) in ({}))",
                tenant(at),
                keyed(inner, "r.tenant_id, r.id")
            ),
        }
    }
    /// Records of `to` to which the reference of one of the inner ones leads.
    fn leading_to(&self, to: &Mapping, inner: &str) -> String {
        let key = format!("({}, r.id)", tenant(to));
        match self {
            Self::Column { tenant, column } => format!("{key} in ({})", keyed(inner, &format!("{tenant}, {column}"))),
            Self::Values { table, param, to } => format!(
                "{key} in (select x.tenant_id, x.target from {table} x where x.param = '{param}' and x.system = '{to}' and (x.tenant_id, x.record_id) in ({}))",
                keyed(inner, "r.tenant_id, r.id")
            ),
        }
    }
}

/// A tenant is its own.
fn keyed(inner: &str, key: &str) -> String {
    let key = if inner.contains(" from tenants r ") { key.replace("r.tenant_id", "r.id") } else { key.to_owned() };
    inner.replacen("{}", &key, 1)
}
