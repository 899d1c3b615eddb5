//! Conditions on what a reference leads to (`subject:Patient.name`), and on what refers to a record (`_has`).

use super::writing::{Sql, any_of_these};
use super::{apart, indexed, read, types};
use crate::fhir::find::Find;
use crate::fhir::mapping::Mapping;
use crate::fhir::registry::Interaction;
use crate::fhir::search::{Chain, Condition};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::error::Result;
use crate::kernel::table::Value;
use crate::kernel::table::field::Refers;
use std::borrow::Cow;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// A condition on records of the mapping: one of its chains holds.
pub async fn condition(caller: &Caller, context: &Context, mapping: &'static Mapping, condition: &Condition) -> Result<Sql> {
    let (texts, values): (Vec<_>, Vec<_>) = ways(caller, context, mapping, condition).await?.into_iter().unzip();
    let texts = texts.into_iter().map(Cow::into_owned).collect();
    Ok((Cow::Owned(any_of_these(texts)), values.into_iter().flatten().collect()))
}

/// The ways in which one of its chains can hold: by each place where the reference may stand.
pub async fn ways(caller: &Caller, context: &Context, mapping: &'static Mapping, condition: &Condition) -> Result<Vec<Sql>> {
    let mut any = Vec::new();
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
            let Some(find) = at.find(chain.param.name) else { continue };
            for link in links(find, at, to, chain) {
                let Some(inner) = Inner::of(caller, context, of, &chain.then).await? else { continue };
                let text = if chain.is_reverse { link.leading_to(to, &inner) } else { link.leading_from(at, &inner) };
                let home = inner.tenant.filter(|_| link.is_kept()).map(|tenant| (Value::Uuid(tenant), Type::UUID));
                any.push((Cow::Owned(text), home.into_iter().chain(inner.values).collect()));
            }
        }
        refusal = None;
    }
    match refusal {
        Some(refusal) if any.is_empty() => Err(refusal),
        _ => Ok(any),
    }
}

/// Records that hold the inner condition, each way walked by itself.
struct Inner {
    of: &'static Mapping,
    /// The only one it is asked of.
    tenant: Option<Uuid>,
    wheres: Vec<String>,
    values: Vec<(Value, Type)>,
}

impl Inner {
    /// None: no record can.
    async fn of(caller: &Caller, context: &Context, of: &'static Mapping, then: &Condition) -> Result<Option<Self>> {
        let mut told = String::new();
        if of.table.soft_delete {
            told.push_str(" and r.deleted_at is null");
        }
        if let Some(rows) = of.rows() {
            told.push_str(&format!(" and {rows}"));
        }
        let only = context.tenant.filter(|_| context.plane.single_tenant());
        let tenant = only.filter(|_| of.table.has_tenant());
        let mut inner = Self { of, tenant: only, wheres: Vec::new(), values: Vec::new() };
        for (_, (text, values)) in apart::ways(caller, context, of, then).await? {
            inner.values.extend(values);
            inner.values.extend(tenant.map(|tenant| (Value::Uuid(tenant), Type::UUID)));
            let home = if tenant.is_some() { " and r.tenant_id = $value" } else { "" };
            inner.wheres.push(format!("({text}){told}{home}"));
        }
        Ok(Some(inner).filter(|inner| !inner.wheres.is_empty()))
    }
    /// The same tenant, of what is kept beside the records.
    fn home(&self) -> &'static str {
        if self.tenant.is_some() { " and x.tenant_id = $value" } else { "" }
    }
    fn select(&self, key: &str) -> String {
        // A tenant is its own.
        let key = if self.of.table.has_tenant() { key.to_owned() } else { key.replace("r.tenant_id", "r.id") };
        let walks = self.wheres.iter().map(|wheres| format!("select {key} from {} r where {wheres}", self.of.table.name));
        walks.collect::<Vec<_>>().join(" union all ")
    }
}

fn tenant(mapping: &Mapping) -> &'static str {
    if mapping.table.has_tenant() { "r.tenant_id" } else { "r.id" }
}

/// Where a reference of a record stands: in a column of its own, or among the values kept beside it.
enum Link {
    Column { tenant: &'static str, column: &'static str },
    Rows { from: &'static str, column: &'static str },
    Values { table: &'static str, param: String, to: &'static str },
}

/// From records of one mapping to those of another.
fn links(find: &Find, of: &Mapping, to: &Mapping, chain: &Chain) -> Vec<Link> {
    match find {
        // What refers to chairs leads to no place.
        Find::Points { column, .. } if !may_lead(of, column, to) => Vec::new(),
        Find::Points { column, to } | Find::Leads { column, to, .. } if *to == chain.to => {
            vec![Link::Column { tenant: tenant(of), column }]
        }
        Find::Rows { from, column, to } if *to == chain.to => vec![Link::Rows { from, column }],
        Find::Indexed(index) if index.told == Some(chain.to) => Vec::new(),
        Find::Indexed(index) => vec![Link::Values { table: indexed::table(of), param: indexed::param(of, &index.name), to: chain.to }],
        Find::Any(finds) => finds.iter().flat_map(|find| links(find, of, to, chain)).collect(),
        _ => Vec::new(),
    }
}

fn may_lead(of: &Mapping, column: &str, to: &Mapping) -> bool {
    let field = column.strip_prefix("r.").and_then(|name| of.table.field(name));
    match field.map(|field| field.refers) {
        Some(Refers::Tenant(table) | Refers::Installation(table) | Refers::Shared(table, _)) => table == to.table.name,
        _ => true,
    }
}

impl Link {
    fn is_kept(&self) -> bool {
        matches!(self, Self::Values { .. })
    }
    /// Records of `at` whose reference leads to one of the inner ones.
    fn leading_from(&self, at: &Mapping, inner: &Inner) -> String {
        match self {
            Self::Column { tenant, column } => format!("({tenant}, {column}) in ({})", inner.select("r.tenant_id, r.id")),
            Self::Rows { from, column } => {
                format!("exists (select from {from} and (i.tenant_id, {column}) in ({}))", inner.select("r.tenant_id, r.id"))
            }
            Self::Values { table, param, to } => format!(
                "({}, r.id) in (select x.tenant_id, x.record_id from {table} x where x.param = '{param}' and x.system = '{to}'{} and (x.tenant_id, x.target) in ({}))",
                tenant(at),
                inner.home(),
                inner.select("r.tenant_id, r.id")
            ),
        }
    }
    /// Records of `to` to which the reference of one of the inner ones leads.
    fn leading_to(&self, to: &Mapping, inner: &Inner) -> String {
        let key = format!("({}, r.id)", tenant(to));
        match self {
            Self::Column { tenant, column } => format!("{key} in ({})", inner.select(&format!("{tenant}, {column}"))),
            Self::Rows { from, column } => format!(
                "{key} in (select r.tenant_id, t.target from ({}) r cross join lateral (select {column} as target from {from}) t)",
                inner.select("r.tenant_id, r.id")
            ),
            Self::Values { table, param, to } => format!(
                "{key} in (select x.tenant_id, x.target from {table} x where x.param = '{param}' and x.system = '{to}'{} and (x.tenant_id, x.record_id) in ({}))",
                inner.home(),
                inner.select("r.tenant_id, r.id")
            ),
        }
    }
}
