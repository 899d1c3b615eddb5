//! Rows in quantity, so that the planner has a choice: of every table, in many tenants below one DSO. Row n of a tenant
//! refers to row n of the others.

use super::arena::{Arena, Session};
use super::invent::{self, Source};
use super::seed::{self, Plan};
use super::shape::{Column, Shape};
use enamel::kernel::context::{Caps, Context, Permission, Plane};
use enamel::kernel::table::{How, Table};
use enamel::server::domains;
use std::collections::{HashMap, HashSet};
use tokio_postgres::Client;
use uuid::Uuid;

pub const TENANTS: u64 = 20;
/// Rows of a tenant in every table that takes so many.
const ROWS: u64 = 500;
/// One row of so many has the word that the fewest have.
const RARE: u64 = 25;
/// Of which a tenant has so many, the planner is judged by its own costs.
const MANY: i64 = 300;
/// The tenant of the one who asks, and another that knows them too.
pub const HERE: u64 = 1;
const THERE: u64 = 2;

pub struct Volume {
    pub arena: Arena,
    /// Tables with rows in quantity.
    pub large: HashSet<String>,
    places: HashMap<String, usize>,
}

impl Volume {
    pub async fn make(arena: Arena) -> Volume {
        let truth = arena.truth().await;
        truth.batch_execute("set search_path = enamel, kernel, pg_catalog").await.unwrap();
        let plans = seed::plans(&truth).await;
        let places = plans.iter().enumerate().map(|(place, plan)| (plan.shape.name.clone(), place)).collect();
        let mut volume = Volume { arena, large: HashSet::new(), places };
        for plan in plans.iter().filter(|plan| plan.shape.has("id")) {
            if let Some(statement) = volume.fill(&truth, plan).await {
                truth.batch_execute(&statement).await.unwrap_or_else(|failure| panic!("{failure:?}\n{statement}"));
            }
        }
        truth.batch_execute(&volume.ties()).await.unwrap();
        truth.batch_execute("vacuum analyze").await.unwrap();
        for plan in plans.iter().filter(|plan| plan.shape.has("tenant_id")) {
            let name = &plan.shape.name;
            let sql = format!("select count(*) from enamel.{name} where tenant_id = '{}'", volume.id("tenants", HERE, 0));
            if truth.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0) >= MANY {
                volume.large.insert(name.clone());
            }
        }
        volume
    }

    /// Row n of a tenant; of a view, an id nobody has.
    pub fn id(&self, table: &str, tenant: u64, n: u64) -> Uuid {
        let place = self.places.get(table).copied().unwrap_or(usize::from(u16::MAX));
        let n = if table == "tenants" { 0 } else { n };
        format!("{place:08x}-0000-7000-{tenant:04x}-{n:012x}").parse().unwrap()
    }
    fn id_sql(&self, table: &str) -> String {
        let n = if table == "tenants" { "0" } else { "n" };
        format!("('{:08x}-0000-7000-' || lpad(to_hex(t), 4, '0') || '-' || lpad(to_hex({n}), 12, '0'))::uuid", self.places[table])
    }

    /// Who asks on a plane: staff of one tenant, the DSO above all, a patient of two clinics.
    pub fn caller(&self, plane: Plane) -> Context {
        let tenant = if plane == Plane::Group { self.id("tenants", 0, 0) } else { self.id("tenants", HERE, 0) };
        let mut context = Context::system(plane, Some(tenant));
        context.actor = Some(self.id("users", HERE, HERE));
        context.caps = Caps::of(Permission::ALL);
        context
    }
    pub async fn session(&self, plane: Plane) -> Session {
        self.arena.plane(plane).await
    }

    async fn fill(&self, truth: &Client, plan: &Plan) -> Option<String> {
        let shape = &plan.shape;
        let table = domains::tables().find(|table| table.name == shape.name);
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in shape.settable() {
            let source = plan.source(&column.name);
            let varied = match table {
                Some(table) if asked_for(table, &column.name) => self.varied(truth, plan, column, source).await,
                _ => None,
            };
            let value = match (varied, source) {
                (Some(varied), _) => varied,
                (None, Some(source)) => self.value(shape, column, source),
                (None, None) => continue,
            };
            names.push(column.name.as_str());
            values.push(value);
        }
        let (from, rows) = match shape.name.as_str() {
            "tenants" => (0, 1),
            _ => (1, ROWS),
        };
        Some(format!(
            "insert into enamel.{} ({}) select {} from generate_series({from}, {TENANTS}) t cross join generate_series(1, {rows}) n
               cross join lateral (select {}::text as id) i cross join lateral (select replace(i.id, '-', '') as hex, {} as tenant) x
             on conflict do nothing",
            shape.name,
            names.join(", "),
            values.join(", "),
            self.id_sql(&shape.name),
            self.id_sql("tenants"),
        ))
    }

    fn value(&self, shape: &Shape, column: &Column, source: &Source) -> String {
        match source {
            Source::Id => self.id_sql(&shape.name),
            Source::Tenant => "x.tenant".into(),
            Source::Parent => format!("case when t > 0 then '{}'::uuid end", self.id("tenants", 0, 0)),
            Source::Row(other) => self.id_sql(other),
            Source::Form(form) => {
                let filled = form
                    .replace("{tenant}", "' || x.tenant || '")
                    .replace("{id}", "' || i.id || '")
                    .replace("{hex}", "' || x.hex || '")
                    .replace("{patient}", &format!("' || {} || '", self.id_sql("patients")))
                    .replace("{digits}", "' || lpad((t * 1000 + n)::text, 9, '1') || '");
                match filled.rsplit_once("'::") {
                    Some((text, ty)) if filled != *form => format!("({text}')::{ty}"),
                    _ => format!("({filled})::{}", column.ty),
                }
            }
        }
    }

    /// Values that differ from row to row, for a column that lists are filtered or sorted by.
    async fn varied(&self, truth: &Client, plan: &Plan, column: &Column, source: Option<&Source>) -> Option<String> {
        let shape = &plan.shape;
        if column.refers.as_deref() == Some("tenants") && column.name != "tenant_id" && shape.has("tenant_id") {
            let another = format!("to_hex(1 + (t + n % {}) % {TENANTS})", TENANTS - 1);
            return Some(self.id_sql("tenants").replace("to_hex(t)", &another));
        }
        let bound =
            shape.checks.iter().chain(&shape.published).any(|rule| shape.mentioned(rule).iter().any(|found| found.name == column.name));
        if bound || source.is_some_and(|source| !source.free()) {
            return None;
        }
        if let Some(table) = &column.refers {
            return self.places.contains_key(table).then(|| self.id_sql(table));
        }
        match column.ty.as_str() {
            "boolean" => Some(format!("n % {RARE} = 0")),
            "date" if column.checks.is_empty() || column.name == "dob" => Some("date '1950-01-01' + (n * 37)::int".into()),
            "timestamp with time zone" if column.checks.is_empty() => Some("now() - n * interval '1 minute'".into()),
            "uuid" => Some("md5(n::text)::uuid".into()),
            "text" => {
                let words = invent::choices(truth, shape, column, usize::MAX).await;
                let unique = words.iter().find(|word| matches!(word, Source::Form(form) if form.contains("{hex}")));
                if let Some(unique) = unique {
                    return Some(self.value(shape, column, unique));
                }
                let all: Vec<String> = words.iter().map(|word| self.value(shape, column, word)).collect();
                let usual = all.len().saturating_sub(1).max(1);
                let word = format!("case when n % {RARE} = 0 then {} else 1 + n % {usual} end", all.len());
                (!all.is_empty()).then(|| format!("(array[{}])[{word}]", all.join(", ")))
            }
            _ => None,
        }
    }

    /// The tree, and the second clinic of the one who asks.
    fn ties(&self) -> String {
        let top = self.id("tenants", 0, 0);
        format!(
            "insert into enamel.tenant_closure select '{top}', {tenant}, least(t, 1) from generate_series(0, {TENANTS}) t on conflict do nothing;
             insert into enamel.tenant_closure select {tenant}, {tenant}, 0 from generate_series(1, {TENANTS}) t on conflict do nothing;
             update enamel.patient_proxies set user_id = '{}', status = 'ACTIVE', scopes = '{{clinical,imaging,documents,billing,plans,messages,appointments}}'
              where tenant_id = '{}' and id = '{}'",
            self.id("users", HERE, HERE),
            self.id("tenants", THERE, 0),
            self.id("patient_proxies", THERE, THERE),
            tenant = self.id_sql("tenants"),
        )
    }
}

/// Lists are filtered or sorted by the column.
fn asked_for(table: &Table, column: &str) -> bool {
    let by_filter = |how: &How, name: &str| match how {
        How::Equal => name == column,
        How::From(of) | How::Before(of) => *of == column,
        How::Words(of) | How::AnyOf(of) => of.iter().any(|of| of.trim_end_matches("_key") == column),
        How::Folded(of) => of.trim_end_matches("_key") == column,
        How::Blind(of) => format!("{of}_bidx") == column,
        How::Elsewhere { .. } | How::Each(_) => false,
    };
    table.filters.iter().any(|filter| by_filter(&filter.how, filter.name))
        || table.sorts.iter().any(|sort| sort.column.trim_end_matches("_key") == column)
}
