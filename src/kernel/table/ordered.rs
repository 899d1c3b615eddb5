//! Pages in an order that no index has: by several keys, by what is computed of a row, by rows beside it. Every match is
//! looked at for it; the page itself is as bounded as any.

use super::list::{self, Built, List, Text};
use super::record;
use super::value::Value;
use crate::kernel::context::Plane;
use crate::kernel::error::{self, Error, Result};
use std::cmp::Ordering;
use std::fmt::Write;
use tokio_postgres::types::Type;

/// One key of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub name: &'static str,
    /// SQL of a row `r`, our own: a text, or with `is_number` a double.
    pub key: String,
    pub is_number: bool,
    pub descending: bool,
}

impl Order {
    fn direction(&self) -> &'static str {
        if self.descending { "desc" } else { "asc" }
    }
}

/// The keys' values of one row, as a cursor carries them.
pub fn keys(text: Option<&str>) -> Vec<Option<String>> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

impl List {
    /// The page's statement, where there are [`Order`]s: the keys of the page's rows are chosen, then the rows are read.
    pub(super) fn ordered(&self, plane: Plane, tenant: Option<uuid::Uuid>) -> Result<Built> {
        let mut text = Text::default();
        let mut wheres = self.of_tenants(&mut text, plane, tenant);
        self.conditions(&mut text, &mut wheres)?;
        self.beyond(&mut text, &mut wheres)?;
        let wheres = self.walked_apart(&mut text, &wheres);
        let places = 0..self.orders.len();
        let collate = |order: &Order| if order.is_number { "::float8" } else { " collate \"C\"" };
        let made: Vec<String> =
            self.orders.iter().enumerate().map(|(place, order)| format!("({}){} as k{place}", order.key, collate(order))).collect();
        let by = |of: &str, row: &str| {
            let keys = self.orders.iter().enumerate().map(|(place, order)| format!("{of}.k{place} {} nulls last", order.direction()));
            let mut keys: Vec<String> = keys.chain([format!("{row}.id")]).collect();
            keys.extend(self.table.has_tenant().then(|| format!("{row}.tenant_id")));
            keys.join(", ")
        };
        let own = if self.table.has_tenant() { "r.tenant_id, r.id" } else { "r.id" };
        let joined = if self.table.has_tenant() { "r.tenant_id = k.tenant_id and r.id = k.id" } else { "r.id = k.id" };
        let values: Vec<String> = places.map(|place| format!("k.k{place}::text")).collect();
        let (table, limit) = (self.table.name, self.limit + 1);
        let (made, first) = (made.join(", "), by("s", "r"));
        // `offset 0`: a key is computed once for a row, not once for each of its uses.
        let walk = |wheres: &String| {
            format!(
                "select {own}, s.* from {table} r cross join lateral (select {made} offset 0) s where {wheres} order by {first} limit {limit}"
            )
        };
        let keys = list::union(&wheres.iter().map(walk).collect::<Vec<_>>(), &by("r", "r"), limit);
        text.sql = format!(
            "select {whole}, to_json(array[{values}])::text as sort_key from ({keys}) k join {table} r on {joined} order by {last}",
            whole = record::beside(self.table, plane, self.width, self.beside.as_deref()),
            values = values.join(", "),
            last = by("k", "k"),
        );
        Ok(text.built())
    }

    /// Rows after the cursor: equal in the first keys and behind in the next one, or equal in all and behind by id.
    fn beyond(&self, text: &mut Text, wheres: &mut String) -> Result<()> {
        let Some(cursor) = &self.after else { return Ok(()) };
        let (mut any, mut same) = (Vec::new(), String::new());
        for (place, (order, value)) in self.orders.iter().zip(keys(cursor.value.as_deref())).enumerate() {
            let key = format!("s.k{place}");
            let Some(value) = value else {
                // Rows without a value are the last of their kind.
                write!(same, "{key} is null and ").map_err(Error::internal)?;
                continue;
            };
            let (value, ty) =
                if order.is_number { (Value::Double(number(&value)?), Type::FLOAT8) } else { (Value::Text(value), Type::TEXT) };
            let (bound, sign) = (text.bind(value, ty), if order.descending { "<" } else { ">" });
            any.push(format!("{same}({key} {sign} {bound} or {key} is null)"));
            write!(same, "{key} = {bound} and ").map_err(Error::internal)?;
        }
        let id = text.bind(Value::Uuid(cursor.id), Type::UUID);
        any.push(if self.table.has_tenant() {
            let tenant = text.bind(Value::Uuid(cursor.tenant), Type::UUID);
            format!("{same}(r.id, r.tenant_id) > ({id}, {tenant})")
        } else {
            format!("{same}r.id > {id}")
        });
        write!(wheres, " and ({})", any.join(" or ")).map_err(Error::internal)
    }
}

/// As PostgreSQL orders rows, by their [`keys`].
pub fn compare(orders: &[Order], one: Option<&str>, other: Option<&str>) -> Ordering {
    let pairs = keys(one).into_iter().zip(keys(other));
    let compared = orders.iter().zip(pairs).map(|(order, pair)| match pair {
        (Some(one), Some(other)) => {
            let told = if order.is_number { floats(&one, &other) } else { one.cmp(&other) };
            if order.descending { told.reverse() } else { told }
        }
        (one, other) => other.is_some().cmp(&one.is_some()),
    });
    compared.fold(Ordering::Equal, Ordering::then)
}

fn number(text: &str) -> Result<f64> {
    let wrong = || Error::new(&error::PARAMETER_INVALID).fault("cursor", "format", "The cursor is not one of ours.");
    text.parse().map_err(|_| wrong())
}

fn floats(one: &str, other: &str) -> Ordering {
    let value = |text: &str| text.parse::<f64>().unwrap_or(f64::INFINITY);
    value(one).total_cmp(&value(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_value_are_last_both_ways() {
        let order = |is_number, descending| Order { name: "x", key: "r.x".into(), is_number, descending };
        let told = |orders: &[Order], one: &str, other: &str| compare(orders, Some(one), Some(other));
        assert_eq!(told(&[order(true, false)], r#"["9"]"#, r#"["10"]"#), Ordering::Less);
        assert_eq!(told(&[order(false, false)], r#"["9"]"#, r#"["10"]"#), Ordering::Greater);
        assert_eq!(told(&[order(false, true)], r#"["9"]"#, r#"["10"]"#), Ordering::Less);
        for descending in [false, true] {
            assert_eq!(told(&[order(false, descending)], r#"["9"]"#, "[null]"), Ordering::Less);
            assert_eq!(told(&[order(false, descending)], "[null]", r#"["9"]"#), Ordering::Greater);
        }
        assert_eq!(told(&[order(false, false), order(true, true)], r#"["a","1"]"#, r#"["a","2"]"#), Ordering::Greater);
        assert_eq!(told(&[order(false, false), order(true, true)], r#"["a",null]"#, r#"["b","2"]"#), Ordering::Less);
    }
}
