//! Keyset pages. Every sort has an index led by the tenant; a page costs its rows and no more, at any depth.
//!
//! A caller of many tenants (a DSO, an auditor, a patient) gets the page by index walks per tenant, merged: a plain
//! `tenant_id = any(…)` would lose the index order and read everything. First one row of each tenant is read. A page of
//! n rows can only hold rows of the n tenants whose first rows lead, so only those are walked on.

use super::cursor::{Cursor, from_text};
use super::field::{Filter, Home, How, Sort, Table, Ty};
use super::ordered::Order;
use super::record::{self, Record, Width};
use super::value::Value;
use crate::kernel::Caller;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::{Param, Query};
use crate::kernel::error::{self, Error, Result};
use std::borrow::Cow;
use std::fmt::Write;
use tokio_postgres::types::Type;
use uuid::Uuid;

pub const PAGE_SIZE: usize = 20;
pub const PAGE_SIZE_MAX: usize = 200;
/// Words of a `q` filter that count.
const WORDS_MAX: usize = 5;

/// SQL of our own column names with `$value` for each value, and the values.
pub type Extra = (Cow<'static, str>, Vec<(Value, Type)>);

#[derive(Debug, Clone)]
pub struct List {
    pub table: &'static Table,
    pub filters: Vec<(&'static Filter, Value)>,
    /// Conditions another contract made of our own columns: SQL with `$value`, its type and value.
    pub extra: Vec<Extra>,
    /// At least one of these is met. Each is walked by itself: no index has them together, and a walk for any of them would
    /// read all of a tenant's rows.
    pub either: Vec<Extra>,
    pub sort: Sort,
    pub descending: bool,
    /// In place of the sort, where no index has the order.
    pub orders: Vec<Order>,
    /// Whose list it is and what it asks for: a cursor opens for the same again.
    pub question: String,
    pub limit: usize,
    pub after: Option<Cursor>,
    pub include_deleted: bool,
    pub width: Width,
    /// One column more, called `beside`: SQL over the row `r`.
    pub beside: Option<String>,
}

const BY_ID: Sort = Sort { name: "id", column: "id", ty: Ty::Uuid, nullable: false };

/// The sort of that name, or creation order.
pub fn sort_of(table: &'static Table, name: &str) -> Option<Sort> {
    if name == "id" { Some(BY_ID) } else { table.sorts.iter().copied().find(|sort| sort.name == name) }
}

/// SQL of our own column names, and the values beside it.
pub struct Built {
    pub query: Query,
    pub values: Vec<Value>,
}

impl Built {
    pub fn params(&self) -> Vec<Param<'_>> {
        self.values.iter().map(|value| value as Param<'_>).collect()
    }

    /// The statement and its parameters, as a scope takes several of them.
    pub fn asked(&self) -> (Query, Vec<Param<'_>>) {
        (self.query.clone(), self.params())
    }
}

/// Collects values as the text that names them grows.
#[derive(Default)]
pub(super) struct Text {
    pub sql: String,
    types: Vec<Type>,
    values: Vec<Value>,
}

impl Text {
    pub fn bind(&mut self, value: Value, ty: Type) -> String {
        self.values.push(value);
        self.types.push(ty);
        format!("${}", self.values.len())
    }
    fn extra(&mut self, (sql, values): &Extra) -> String {
        values.iter().fold(sql.to_string(), |sql, (value, ty)| sql.replacen("$value", &self.bind(value.clone(), ty.clone()), 1))
    }
    pub fn built(self) -> Built {
        Built { query: Query::new(Cow::Owned(self.sql), Cow::Owned(self.types)), values: self.values }
    }
}

impl List {
    /// Sealed values are looked for by their keyed hash, which only the tenant's own key makes.
    pub async fn hash_blind(&mut self, caller: &Caller) -> Result<()> {
        for (filter, value) in &mut self.filters {
            let (table, column) = match filter.how {
                How::Blind(column) => (self.table.name, column),
                How::Elsewhere { blind: true, .. } => ("patient_identifiers", "value"),
                _ => continue,
            };
            let Value::Text(text) = &*value else { continue };
            // A FHIR-like token `system|value`: the value is what is hashed.
            let plain = text.rsplit('|').next().unwrap_or_default();
            let keys = caller.kernel.keys.of(caller.tenant()?).await?;
            *value = Value::Bytes(keys.blind(table, column, plain)?);
        }
        Ok(())
    }

    /// All of it, in an order the table has.
    pub fn by(table: &'static Table, order: &str) -> Result<List> {
        let sort = sort_of(table, order).ok_or_else(|| Error::internal(format!("{} has no order {order}", table.name)))?;
        Ok(List { sort, ..List::new(table) })
    }

    pub fn new(table: &'static Table) -> List {
        List {
            table,
            filters: Vec::new(),
            extra: Vec::new(),
            either: Vec::new(),
            sort: BY_ID,
            descending: false,
            orders: Vec::new(),
            question: String::new(),
            limit: PAGE_SIZE,
            after: None,
            include_deleted: false,
            width: Width::Full,
            beside: None,
        }
    }

    /// The page's statement: `limit + 1` rows, so that a next page is known without counting.
    pub fn page(&self, plane: Plane, tenant: Option<Uuid>) -> Result<Built> {
        if !self.orders.is_empty() {
            return self.ordered(plane, tenant);
        }
        let mut text = Text::default();
        let direction = if self.descending { "desc" } else { "asc" };
        // What the page is ordered by travels with its rows: folded columns are not shown, and the next page starts there.
        let (key, merged) = if self.sort.column == "id" {
            (None, format!("r.id {direction}"))
        } else {
            (Some(self.sort.column), format!("r.sort_key {direction} nulls last, r.id {direction}"))
        };
        let with_key = |columns: String| key.map_or(columns.clone(), |key| format!("{columns}, r.{key} as sort_key"));
        let whole = record::beside(self.table, plane, self.width, self.beside.as_deref());
        let many = self.table.has_tenant() && (!plane.single_tenant() || self.table.home == Home::Shared);
        // A patient's rows are walked chart by chart: among a clinic's rows, few are theirs. What is published to all names nobody.
        let outside = matches!(plane, Plane::Patient | Plane::Share);
        let named = |column: &&str| !self.table.field(column).is_some_and(|field| field.staff_only);
        let patient = self.table.patient.filter(|_| many && outside).filter(named);
        let mut wheres = String::new();
        if let Some(column) = patient {
            write!(wheres, "r.tenant_id = t.id and r.{column} = t.patient").map_err(Error::internal)?;
        } else if many {
            wheres.push_str("r.tenant_id = t.id");
        } else if self.table.has_tenant() {
            let tenant = tenant.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
            write!(wheres, "r.tenant_id = {}", text.bind(Value::Uuid(tenant), Type::UUID)).map_err(Error::internal)?;
        } else {
            wheres.push_str("true");
        }
        self.conditions(&mut text, &mut wheres)?;
        let wheres = self.walked_apart(&mut text, &wheres);
        let limit = self.limit + 1;
        if !many && !self.in_two() && self.either.is_empty() {
            text.sql = self.bounded(&mut text, &with_key(whole), &wheres, &merged, limit, many)?;
            return Ok(text.built());
        }
        // What is computed is computed of the table's own rows, and for the page's alone: their keys are chosen first.
        let apart = record::computes(self.table, plane, self.width);
        let keys = if self.table.has_tenant() { "r.tenant_id, r.id" } else { "r.id" };
        let walked = with_key(if apart { keys.to_owned() } else { record::stored(self.table, plane) });
        let sort_key = if key.is_some() { ", r.sort_key" } else { "" };
        let shown = format!("{}{sort_key}", if apart { keys } else { &whole });
        let inner = self.bounded(&mut text, &walked, &wheres, &merged, limit, many)?;
        if many {
            let first = self.bounded(&mut text, &with_key("r.tenant_id, r.id".to_owned()), &wheres, &merged, 1, many)?;
            let (source, place) = self.walks(plane, patient.is_some());
            let order = format!("{merged}, r.tenant_id {direction} limit {limit}");
            text.sql = format!(
                "with ahead as materialized (select {place} from {source} cross join lateral ({first}) r order by {order}) \
                 select {shown} from ahead t cross join lateral ({inner}) r order by {order}"
            );
        } else {
            text.sql = format!("select {shown} from ({inner}) r order by {merged} limit {limit}");
        }
        if apart {
            let by = if self.table.has_tenant() { "r.tenant_id = k.tenant_id and r.id = k.id" } else { "r.id = k.id" };
            let (last, sort_key) = (merged.replace("r.sort_key", "k.sort_key"), sort_key.replace("r.", "k."));
            let last = if many { format!("{last}, r.tenant_id {direction}") } else { last };
            text.sql = format!("select {whole}{sort_key} from ({}) k join {} r on {by} order by {last}", text.sql, self.table.name);
        }
        Ok(text.built())
    }

    /// What is walked one after the other, as `t`, and its columns: tenants, or charts.
    fn walks(&self, plane: Plane, charts: bool) -> (String, &'static str) {
        if charts {
            // All of them: which are shown is for the policy to say.
            let chart = "encode(substr(p, 1, 16), 'hex')::uuid as id, encode(substr(p, 17), 'hex')::uuid as patient";
            return (format!("(select {chart} from unnest((select sec.pairs(0))::bytea[]) p) t"), "t.id, t.patient");
        }
        let bit = read_bit(self.table, plane);
        let of = if self.table.home == Home::Shared { "shared" } else { "tenants" };
        (format!("unnest((select sec.{of}({bit}))::uuid[]) t(id)"), "t.id")
    }

    /// How many rows the whole list has; asked for by name only, for it costs a scan.
    pub fn count(&self, plane: Plane, tenant: Option<Uuid>) -> Result<Built> {
        let mut text = Text::default();
        let mut wheres = self.of_tenants(&mut text, plane, tenant);
        self.conditions(&mut text, &mut wheres)?;
        let counts = self.walked_apart(&mut text, &wheres);
        let counts = counts.iter().map(|wheres| format!("(select count(*) from {} r where {wheres})", self.table.name));
        text.sql = format!("select {}", counts.collect::<Vec<_>>().join(" + "));
        Ok(text.built())
    }

    /// Which tenants' rows, in one condition.
    pub(super) fn of_tenants(&self, text: &mut Text, plane: Plane, tenant: Option<Uuid>) -> String {
        if !self.table.has_tenant() {
            return "true".into();
        }
        match tenant.filter(|_| plane.single_tenant() && self.table.home == Home::Tenant) {
            Some(tenant) => format!("r.tenant_id = {}", text.bind(Value::Uuid(tenant), Type::UUID)),
            None => {
                let of = if self.table.home == Home::Shared { "shared" } else { "tenants" };
                format!("r.tenant_id = any ((select sec.{of}({}))::uuid[])", read_bit(self.table, plane))
            }
        }
    }

    pub(super) fn conditions(&self, text: &mut Text, wheres: &mut String) -> Result<()> {
        if self.table.soft_delete && !self.include_deleted {
            wheres.push_str(" and r.deleted_at is null");
        }
        for (filter, value) in &self.filters {
            condition(self.table, filter, value, text, wheres)?;
        }
        for extra in &self.extra {
            write!(wheres, " and ({})", text.extra(extra)).map_err(Error::internal)?;
        }
        Ok(())
    }

    /// The conditions of each walk: rows that an earlier one has are not had again.
    pub(super) fn walked_apart(&self, text: &mut Text, wheres: &str) -> Vec<String> {
        let (mut walks, mut others) = (Vec::new(), String::new());
        for extra in &self.either {
            let one = text.extra(extra);
            walks.push(format!("{wheres} and ({one}){others}"));
            others = format!("{others} and not coalesce(({one}), false)");
        }
        if walks.is_empty() { vec![wheres.to_owned()] } else { walks }
    }

    /// Rows with and without a value of the sort column are two walks; past the last value there is one left.
    fn in_two(&self) -> bool {
        self.sort.nullable && self.sort.column != "id" && self.after.as_ref().is_none_or(|cursor| cursor.value.is_some())
    }

    /// One tenant's part: rows after the cursor in index order. Rows whose sort column is empty come last; they are a
    /// walk of their own, for a row comparison with NULL is never true and no index has them where we want them.
    fn bounded(&self, text: &mut Text, columns: &str, wheres: &[String], merged: &str, limit: usize, many: bool) -> Result<String> {
        let (table, column) = (self.table.name, self.sort.column);
        let (beyond, direction) = if self.descending { ("<", "desc") } else { (">", "asc") };
        let tie = |text: &mut Text, cursor: &Cursor| {
            let id = text.bind(Value::Uuid(cursor.id), Type::UUID);
            if !many {
                return format!("r.id {beyond} {id}");
            }
            let tenant = text.bind(Value::Uuid(cursor.tenant), Type::UUID);
            format!("r.id {beyond}= {id} and (r.id, r.tenant_id) {beyond} ({id}, {tenant})")
        };
        let select = |bound: &str, order: &str| {
            let walk = |wheres: &String| format!("select {columns} from {table} r where {wheres}{bound} order by {order} limit {limit}");
            union(&wheres.iter().map(walk).collect::<Vec<_>>(), merged, limit)
        };
        let by_id = format!("r.id {direction}");
        if column == "id" {
            let bound = self.after.as_ref().map(|cursor| format!(" and {}", tie(text, cursor)));
            return Ok(select(&bound.unwrap_or_default(), &by_id));
        }
        let by_column = format!("r.{column} {direction}, r.id {direction}");
        let bound = match &self.after {
            None => String::new(),
            Some(cursor) => {
                let Some(value) = &cursor.value else {
                    let bound = tie(text, cursor);
                    return Ok(select(&format!(" and r.{column} is null and {bound}"), &by_id));
                };
                let value = text.bind(from_text(self.sort.ty, value)?, self.sort.ty.pg());
                let id = text.bind(Value::Uuid(cursor.id), Type::UUID);
                if many {
                    let tenant = text.bind(Value::Uuid(cursor.tenant), Type::UUID);
                    format!(
                        " and (r.{column}, r.id) {beyond}= ({value}, {id}) and (r.{column}, r.id, r.tenant_id) {beyond} ({value}, {id}, {tenant})"
                    )
                } else {
                    format!(" and (r.{column}, r.id) {beyond} ({value}, {id})")
                }
            }
        };
        if !self.in_two() {
            return Ok(select(&bound, &by_column));
        }
        let filled = select(&format!(" and r.{column} is not null{bound}"), &by_column);
        let empty = select(&format!(" and r.{column} is null"), &by_id);
        Ok(union(&[filled, empty], merged, limit))
    }

    /// Where the next page starts, when there is one; drops the row that only proved it.
    pub fn next(&self, rows: &mut Vec<Record>, keys: &[Option<String>]) -> Option<Cursor> {
        if rows.len() <= self.limit {
            return None;
        }
        rows.truncate(self.limit);
        let last = rows.last()?;
        let value = keys.get(self.limit - 1).cloned().flatten();
        Some(Cursor { value, id: last.id, tenant: last.tenant })
    }
}

/// The first rows of several ordered walks.
pub(super) fn union(walks: &[String], order: &str, limit: usize) -> String {
    match walks {
        [one] => one.clone(),
        all => format!("select * from (({})) r order by {order} limit {limit}", all.join(") union all (")),
    }
}

/// The capability a policy asks of this plane for reading, as a number in the text (it is ours).
fn read_bit(table: &Table, plane: Plane) -> i64 {
    match plane {
        Plane::Auth | Plane::Jobs | Plane::Platform => 0,
        Plane::Patient | Plane::Share
            if table.patient.is_none() || matches!(table.read, Permission::ViewTenant | Permission::ViewAudit) =>
        {
            0
        }
        _ => table.read.bit(),
    }
}

fn condition(table: &Table, filter: &Filter, value: &Value, text: &mut Text, wheres: &mut String) -> Result<()> {
    let ty = |name: &str| table.filtered(name).map_or(Type::TEXT, |field| field.ty.pg());
    let sql = match filter.how {
        How::Equal => {
            let bound = text.bind(value.clone(), ty(filter.name));
            format!("r.{} = {bound}", filter.name)
        }
        How::From(name) => {
            let bound = text.bind(value.clone(), ty(name));
            format!("r.{name} >= {bound}")
        }
        How::Before(name) => {
            let bound = text.bind(value.clone(), ty(name));
            format!("r.{name} < {bound}")
        }
        How::Folded(column) => {
            let bound = text.bind(value.clone(), Type::TEXT);
            format!("r.{column} = kernel.fold({bound})")
        }
        How::AnyOf(columns) => {
            let bound = text.bind(value.clone(), Type::TEXT);
            let any: Vec<String> = columns.iter().map(|column| format!("r.{column} = {bound}")).collect();
            format!("({})", any.join(" or "))
        }
        How::Blind(name) => {
            let bound = text.bind(value.clone(), Type::BYTEA);
            format!("r.{name}_bidx = {bound}")
        }
        How::Elsewhere { sql, blind } => {
            let bound = text.bind(value.clone(), if blind { Type::BYTEA } else { Type::TEXT });
            sql.replace("$value", &bound)
        }
        How::Each(words) => {
            let Value::Text(word) = value else { return Ok(()) };
            words.iter().find(|(known, _)| known == word).map_or("false", |(_, sql)| *sql).to_owned()
        }
        How::Words(columns) => {
            let Value::Text(words) = value else { return Ok(()) };
            let mut all = Vec::new();
            for word in words.split_whitespace().filter(|word| word.chars().count() >= 2).take(WORDS_MAX) {
                let bound = text.bind(Value::Text(word.to_owned()), Type::TEXT);
                let any: Vec<String> = columns.iter().map(|column| prefix(column, &bound)).collect();
                all.push(format!("({})", any.join(" or ")));
            }
            if all.is_empty() { "true".to_owned() } else { all.join(" and ") }
        }
    };
    write!(wheres, " and {sql}").map_err(Error::internal)
}

/// `column` starts with the folded text: a range, which the index knows under row-level security (LIKE it does not).
pub fn prefix(column: &str, bound: &str) -> String {
    format!("r.{column} >= kernel.fold({bound}) and r.{column} < kernel.fold({bound}) || chr(1114109)")
}
