//! How PostgreSQL carries out what the kernel asks: every record table, read by id and listed by each sort and filter, on
//! the planes of people. A tenant's question must walk that tenant's part of an index; a policy must cost a statement
//! one evaluation, never one a row.

use super::arena::{self, Arena, Session};
use super::shape::{self, Shape};
use super::volume::{HERE, TENANTS, Volume};
use crate::world;
use enamel::kernel::context::{Context, Plane};
use enamel::kernel::table::list::{Built, PAGE_SIZE, sort_of};
use enamel::kernel::table::{Cursor, Filter, How, List, Sort, Table, Ty, Value, store};
use enamel::server::domains;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap, HashSet};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// So many rows of a tenant may be read for nothing: some pages.
pub const FOR_NOTHING: f64 = 3.0 * PAGE_SIZE as f64;

struct Question {
    what: String,
    built: Built,
    /// Rows read for nothing count.
    strict: bool,
}

/// Tables of which a tenant has some dozen rows; every list of them may read all of the tenant's.
const SMALL: &[&str] = &[
    "ai_model_deployments",
    "api_clients",
    "appointment_types",
    "clinic_certifications",
    "clinic_images",
    "clinic_packages",
    "clinic_profiles",
    "clinic_treatments",
    "code_systems",
    "custom_field_definitions",
    "data_retention_policies",
    "dicom_nodes",
    "fee_schedules",
    "identity_providers",
    "integration_credentials",
    "locations",
    "operatories",
    "payers",
    "processor_agreements",
    "provider_locations",
    "providers",
    "recall_types",
    "roles",
    "teams",
    "templates",
    "tenant_email_templates",
    "tenant_features",
    "tenant_integrations",
    "tenant_quotas",
    "tenant_settings",
    "tenant_subscriptions",
    "workflows",
];
/// Hundreds of rows of few words come with one examination: they are asked for within it, or within the one record they are of, and
/// an index for each word would cost every examination.
const WITHIN: &[(&str, &str)] = &[
    ("perio_measurements", "exam_id"),
    ("perio_tooth_findings", "exam_id"),
    ("chart_entries", "patient_id"),
    ("custom_field_values", "entity_id"),
];
/// What every request writes has no index for words: it is asked for of a time, a person or a record.
const LOGS: &[&str] = &["audit_events", "change_log"];

/// A filter of few values.
fn coarse(table: &Table, filter: &Filter) -> bool {
    let words = table.field(filter.name).is_some_and(|field| matches!(field.ty, Ty::Bool | Ty::Enum(_)));
    words
        || ["fdi_tooth", "tooth_number", "site", "current", "field_key", "value_text", "event_type", "resource_type"].contains(&filter.name)
}
fn within(table: &Table) -> Option<&'static Filter> {
    let (_, parent) = WITHIN.iter().find(|(name, _)| *name == table.name)?;
    domains::tables().find(|found| found.name == table.name)?.filters.iter().find(|filter| filter.name == *parent)
}

/// The word that the fewest rows of the tenant have.
async fn rare(truth: &Client, table: &Table, column: &str, tenant: &str) -> Option<String> {
    let own = if table.has_tenant() { format!("tenant_id = '{tenant}' and") } else { String::new() };
    let sql = format!(
        "select {column}::text from enamel.{} where {own} {column} is not null group by 1 order by count(*), 1 limit 1",
        table.name
    );
    arena::texts(truth, &sql).await.ok()?.into_iter().next()
}

/// A value that few rows of the tenant have: the edge of a range, else one from the middle.
async fn some(truth: &Client, table: &Table, column: &str, order: &str, tenant: &str) -> Option<String> {
    let own = if table.has_tenant() { format!("tenant_id = '{tenant}' and") } else { String::new() };
    let sql = format!(
        "select {column}::text from enamel.{} where {own} {column} is not null order by {column} {order} offset 2 limit 1",
        table.name
    );
    arena::texts(truth, &sql).await.ok()?.into_iter().next()
}

async fn value(truth: &Client, table: &'static Table, filter: &Filter, tenant: &str) -> Option<Value> {
    let (column, order) = match filter.how {
        How::Equal => (filter.name, ""),
        How::From(column) => (column, "desc"),
        How::Before(column) => (column, ""),
        How::Folded(column) => (column, ""),
        How::Words(columns) | How::AnyOf(columns) => (columns[0], ""),
        How::Blind(_) | How::Elsewhere { blind: true, .. } => return Some(Value::Bytes(vec![7; 32])),
        // The word that few have.
        How::Each(words) => return Some(Value::Text(words.last()?.0.to_owned())),
        How::Elsewhere { .. } => {
            let word = table.field(filter.name).and_then(|field| if let Ty::Enum(words) = field.ty { words.first() } else { None });
            return Some(Value::Text((*word.unwrap_or(&"nowhere")).to_owned()));
        }
    };
    let text = match filter.how {
        How::Equal if coarse(table, filter) => rare(truth, table, column, tenant).await?,
        _ => some(truth, table, column, order, tenant).await?,
    };
    if matches!(filter.how, How::Words(_)) {
        return Some(Value::Text(text.replace('-', " ").split(' ').next_back()?.to_owned()));
    }
    store::filter_value(table, filter, text.replace(' ', "T").trim_end_matches("+00"))
        .or_else(|_| store::filter_value(table, filter, &text))
        .ok()
}

/// Everything the contracts ask of one table on a plane.
async fn questions(truth: &Client, volume: &Volume, table: &'static Table, caller: &Context) -> Vec<Question> {
    let (plane, tenant) = (caller.plane, caller.tenant);
    let here = volume.id("tenants", HERE, 0);
    let get = |id| store::get_query(table, plane, tenant, id, false).unwrap();
    let mut out = vec![Question { what: "by id".into(), built: get(volume.id(table.name, HERE, HERE)), strict: true }];
    let mut filters = Vec::new();
    for filter in table.filters {
        filters.extend(value(truth, table, filter, &here.to_string()).await.map(|value| (filter, value)));
    }
    let sorts: Vec<Sort> = sort_of(table, "id").into_iter().chain(table.sorts.iter().copied()).collect();
    for sort in sorts {
        let list = List { sort, ..List::new(table) };
        let mut ask = |what: String, list: List, strict| out.push(Question { what, built: list.page(plane, tenant).unwrap(), strict });
        ask(format!("by {}", sort.name), list.clone(), true);
        let value = if sort.column == "id" { None } else { some(truth, table, sort.column, "", &here.to_string()).await };
        if sort.column == "id" || value.is_some() {
            let value = value.map(|text| if matches!(sort.ty, Ty::Instant) { text.replace(' ', "T") + ":00" } else { text });
            let after = Some(Cursor { value, id: volume.id(table.name, HERE, 9), tenant: here });
            ask(format!("by {}, a later page, descending", sort.name), List { after, descending: true, ..list.clone() }, true);
        }
        for (filter, value) in &filters {
            let few = coarse(table, filter);
            let parent = filters.iter().find(|(other, _)| few && within(table).is_some_and(|parent| parent.name == other.name));
            let asked = [(filter, value)].into_iter().chain(parent.map(|(parent, value)| (parent, value)));
            let one = List { filters: asked.map(|(filter, value)| (*filter, value.clone())).collect(), ..list.clone() };
            ask(format!("by {} where {}", sort.name, filter.name), one, !(few && LOGS.contains(&table.name)));
        }
    }
    out
}

/// Filters and sorts without an index that begins with the tenant and goes on with them.
fn unindexed(table: &Table, catalogue: &Catalogue) -> Vec<String> {
    if SMALL.contains(&table.name) || !catalogue.tenant_tables.contains(table.name) {
        return Vec::new();
    }
    let mut columns: Vec<(String, &str)> = table.sorts.iter().map(|sort| (sort.name.to_owned(), sort.column)).collect();
    let elsewhere = LOGS.contains(&table.name) || within(table).is_some();
    for filter in table.filters.iter().filter(|filter| !(elsewhere && coarse(table, filter))) {
        let of: &[&str] = match &filter.how {
            How::Equal => &[filter.name],
            How::From(column) | How::Before(column) | How::Folded(column) => &[*column],
            How::Words(columns) | How::AnyOf(columns) => columns,
            How::Blind(_) | How::Elsewhere { .. } | How::Each(_) => &[],
        };
        columns.extend(of.iter().map(|column| (filter.name.to_owned(), *column)));
    }
    let key = |column: &str| (table.name.to_owned(), column.to_owned());
    columns.retain(|(_, column)| !catalogue.indexed.contains(&key(column)));
    columns.into_iter().map(|(name, column)| format!("{}: no index of the tenant's {column} for {name}", table.name)).collect()
}

pub struct Catalogue {
    tenant_tables: HashSet<String>,
    /// Table and the column right behind the tenant in one of its indexes.
    indexed: HashSet<(String, String)>,
    /// Index and its table.
    indexes: HashMap<String, String>,
}

impl Catalogue {
    pub async fn read(truth: &Client) -> Catalogue {
        let with_tenant = "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
            where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p')";
        let second =
            "select i.indrelid::regclass::text, x.relname::text, b.attname::text from pg_index i join pg_class x on x.oid = i.indexrelid
              join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
              left join pg_attribute b on b.attrelid = i.indrelid and b.attnum = i.indkey[1] and a.attname = 'tenant_id'
             where x.relnamespace = 'enamel'::regnamespace";
        let (mut indexed, mut indexes) = (HashSet::new(), HashMap::new());
        for row in truth.query(second, &[]).await.unwrap() {
            let table = row.get::<_, String>(0).replace("enamel.", "");
            indexes.insert(row.get(1), table.clone());
            indexed.extend(row.get::<_, Option<String>>(2).map(|column| (table, column)));
        }
        let tenant_tables = arena::texts(truth, with_tenant).await.unwrap().into_iter().collect();
        Catalogue { tenant_tables, indexed, indexes }
    }
}

const POLICY_FUNCTIONS: &[&str] = &[
    "sec.tenant(",
    "sec.home(",
    "sec.whole(",
    "sec.me(",
    "sec.my_",
    "sec.any_patient(",
    "sec.one_patient(",
    "sec.tenants(",
    "sec.shared(",
    "sec.patients(",
    "sec.pairs(",
    "sec.actor(",
    "sec.members(",
    "sec.known(",
    "sec.everything(",
    "sec.claims(",
];

/// What is wrong with a plan; `ran` when its rows were counted.
pub struct Judge<'a> {
    pub catalogue: &'a Catalogue,
    pub large: &'a HashSet<String>,
    /// So many rows may be read for nothing.
    pub for_nothing: f64,
    /// The planner chose by its own costs: it reads all of a table of some rows.
    pub by_cost: bool,
    pub ran: bool,
    pub faults: Vec<String>,
}

impl Judge<'_> {
    pub fn node(&mut self, node: &Json) {
        let text = |name: &str| node[name].as_str().unwrap_or_default();
        let number = |name: &str| node[name].as_f64().unwrap_or_default();
        let kind = text("Node Type");
        // Known to give nothing before it begins: what stands below is never asked.
        if text("One-Time Filter") == "false" {
            return;
        }
        let index = text("Index Name");
        let table = self.catalogue.indexes.get(index).map_or(text("Relation Name"), String::as_str);
        let walks = ["Index Scan", "Index Only Scan", "Bitmap Index Scan"].contains(&kind);
        let is_few_rows = self.by_cost && !self.large.contains(table);
        if kind == "Seq Scan" && self.catalogue.tenant_tables.contains(table) && !is_few_rows {
            self.faults.push(format!("reads all of {table}"));
        }
        // One login's rows over all tenants are few, and those of one id fewer.
        let condition = text("Index Cond");
        let few = index.ends_with("_user_id_tenant_idx") && condition.contains("user_id = ") || condition.contains("(id = ");
        if walks && self.catalogue.tenant_tables.contains(table) && !condition.contains("tenant_id") && !few {
            self.faults.push(format!("walks {index} without a tenant"));
        }
        for place in ["Filter", "Index Cond", "Recheck Cond", "Join Filter", "Hash Cond", "Merge Cond"] {
            if POLICY_FUNCTIONS.iter().any(|function| text(place).contains(function)) {
                self.faults.push(format!("asks the policy for every row of {table}: {}", text(place)));
            }
        }
        if self.ran {
            let loops = number("Actual Loops");
            let removed = number("Rows Removed by Filter") * loops;
            if self.large.contains(table)
                && !SMALL.contains(&table)
                && removed > self.for_nothing
                && removed > number("Actual Rows") * loops
            {
                self.faults.push(format!("throws away {removed} of {table} by {}", text("Filter")));
            }
            let role = text("Parent Relationship");
            if role == "InitPlan" && loops > 1.0 || role == "SubPlan" && loops > FOR_NOTHING {
                self.faults.push(format!("{} ran {loops} times", text("Subplan Name")));
            }
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.node(child);
        }
    }
}

async fn explain(session: &Session, question: &Question, ran: bool) -> Result<Json, String> {
    let Built { query, .. } = &question.built;
    if ran {
        let sql = format!("explain (analyze, timing off, format json) {}", query.text);
        let params: Vec<_> = question.built.params().into_iter().zip(query.types.iter().cloned()).collect();
        let rows = session.client.query_typed(&sql, &params).await;
        return rows.map(|rows| rows[0].get(0)).map_err(|failure| format!("{failure:?}"));
    }
    let types: Vec<&str> = query.types.iter().map(Type::name).collect();
    let (of, nulls) = if types.is_empty() {
        (String::new(), String::new())
    } else {
        (format!("({})", types.join(", ")), format!("({})", vec!["null"; types.len()].join(", ")))
    };
    let sql = format!("deallocate all; prepare p {of} as {}; explain (format json) execute p {nulls}", query.text);
    let text = arena::texts(&session.client, &sql).await?;
    serde_json::from_str(&text[0]).map_err(|failure| failure.to_string())
}

async fn judge(volume: &Volume, truth: &Client, plane: Plane, catalogue: &Catalogue) -> (usize, BTreeMap<String, Vec<String>>) {
    let (session, caller) = (volume.session(plane).await, volume.caller(plane));
    session.client.batch_execute("set search_path = enamel, pg_catalog; set plan_cache_mode = force_generic_plan").await.unwrap();
    let (mut asked, mut faults) = (0, BTreeMap::<String, Vec<String>>::new());
    let tenants = match plane {
        Plane::Group => TENANTS as f64,
        // Of the one who asks.
        Plane::Patient => 2.0,
        _ => 1.0,
    };
    for table in domains::tables().filter(|table| catalogue.tenant_tables.contains(table.name) || !table.has_tenant()) {
        if plane == Plane::Group && !table.group {
            continue;
        }
        let by_cost = volume.large.contains(table.name);
        session.begin(&session.seal(&caller)).await;
        session.client.batch_execute(&format!("set local enable_seqscan = {by_cost}")).await.unwrap();
        for question in questions(truth, volume, table, &caller).await {
            for ran in [false, true] {
                session.client.batch_execute("savepoint one").await.unwrap();
                let for_nothing = if question.strict { FOR_NOTHING * tenants } else { f64::INFINITY };
                let mut judge = Judge { catalogue, large: &volume.large, for_nothing, by_cost, ran, faults: Vec::new() };
                match explain(&session, &question, ran).await {
                    Ok(plan) => judge.node(&plan[0]["Plan"]),
                    // Columns the plane does not have: nobody asks that there.
                    Err(code) if code.contains("42501") => {}
                    Err(failure) => judge.faults.push(failure),
                }
                asked += 1;
                for fault in judge.faults {
                    let how = if ran { "custom" } else { "generic" };
                    faults
                        .entry(format!("{} {}: {fault}", table.name, plane.word()))
                        .or_default()
                        .push(format!("{} ({how})", question.what));
                }
                session.client.batch_execute("rollback to one").await.unwrap();
            }
        }
        session.rollback().await;
    }
    (asked, faults)
}

/// Lists walk a patient's charts by the column their field table names; policies must mean the same rows.
#[test]
fn charts_are_walked_by_the_column_that_policies_ask() {
    world::with(async |world| {
        let truth = Arena::shared(world).await.truth().await;
        let shapes: HashMap<String, Shape> = shape::shapes(&truth).await.into_iter().map(|shape| (shape.name.clone(), shape)).collect();
        let with_policy =
            "select tablename::text from pg_policies where schemaname = 'enamel' and roles[1] = 'enamel_patient' and cmd = 'SELECT'";
        let seen: HashSet<String> = arena::texts(&truth, with_policy).await.unwrap().into_iter().collect();
        for table in domains::tables().filter(|table| seen.contains(table.name)) {
            let walked = table.patient.filter(|_| table.has_tenant());
            let asked = shapes[table.name].patient.as_deref();
            assert!(walked.is_none() || walked == asked, "{}: walked by {walked:?}, policies ask {asked:?}", table.name);
        }
    });
}

#[test]
fn every_question_walks_its_tenants_part_of_an_index() {
    world::with(async |world| {
        let volume = Volume::make(Arena::fresh(world, "plans").await).await;
        let truth = volume.arena.truth().await;
        let catalogue = Catalogue::read(&truth).await;
        let planes = [Plane::Staff, Plane::Group, Plane::Patient].map(|plane| judge(&volume, &truth, plane, &catalogue));
        let (mut asked, mut wrong) = (0, domains::tables().flat_map(|table| unindexed(table, &catalogue)).collect::<Vec<_>>());
        for (some, faults) in futures_util::future::join_all(planes).await {
            asked += some;
            wrong.extend(faults.into_iter().map(|(fault, where_)| format!("{fault}\n    {} × {}", where_.len(), where_[0])));
        }
        assert!(asked > 10_000 && volume.large.len() > 150, "{asked} plans, {} tables in quantity", volume.large.len());
        assert!(wrong.is_empty(), "{asked} plans, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
        drop(truth);
        volume.arena.drop().await;
    });
}
